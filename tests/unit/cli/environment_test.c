#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/environment.h"
#include "cli/manifest.h"

// The value that a program would find: the first one.
static const char *value(char **environment, const char *name)
{
    const char *found = NULL;
    int count = 0;
    for (size_t i = 0; environment[i]; i++)
        if (!strncmp(environment[i], name, strlen(name)) && environment[i][strlen(name)] == '=') {
            found = environment[i] + strlen(name) + 1;
            count++;
        }
    assert_true(count <= 1);
    return found;
}

static void a_client_gets_what_it_needs(void **state)
{
    char *given[] = {"HOME=/home/me", "VK_DRIVER_FILES=/host/lvp.json", "VTEST_SOCKET_NAME=/old",
                     "VN_DEBUGGER=no", NULL};
    char **result = cli_environment_for_client(given, "/run/x/vtest", "/usr/virtio_icd.json");
    assert_string_equal(value(result, "HOME"), "/home/me");
    assert_string_equal(value(result, "VN_DEBUG"), "vtest");
    assert_string_equal(value(result, "VN_DEBUGGER"), "no");
    assert_string_equal(value(result, "VTEST_SOCKET_NAME"), "/run/x/vtest");
    assert_string_equal(value(result, "VK_DRIVER_FILES"), "/usr/virtio_icd.json");
    assert_string_equal(value(result, "VK_ICD_FILENAMES"), "/usr/virtio_icd.json");
    assert_string_equal(value(result, "MESA_VK_WSI_DEBUG"), "sw");
    cli_environment_free(result);
}

static void what_a_person_set_stays(void **state)
{
    static const char *const debug[][2] = {{"VN_DEBUG=", "vtest"},
                                           {"VN_DEBUG=init,result", "init,result,vtest"},
                                           {"VN_DEBUG=vtest,init", "vtest,init"},
                                           {"VN_DEBUG=novtest", "novtest,vtest"}};
    for (size_t i = 0; i < 4; i++) {
        char *given[] = {"MESA_VK_WSI_DEBUG=linear", (char *)debug[i][0], NULL};
        char **result = cli_environment_for_client(given, "s", "m");
        assert_string_equal(value(result, "MESA_VK_WSI_DEBUG"), "linear");
        assert_string_equal(value(result, "VN_DEBUG"), debug[i][1]);
        cli_environment_free(result);
    }
}

// ---- manifests ------------------------------------------------------------

static char root[64];

static void put(const char *path)
{
    char full[256];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    fclose(fopen(full, "w"));
}

static int set_up(void **state)
{
    static const char *const variables[] = {"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME",
                                            "XDG_DATA_DIRS", "HOME"};
    for (size_t i = 0; i < 5; i++)
        unsetenv(variables[i]);
    strcpy(root, "/tmp/hesper-icd-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", root);
    return system(command);
}

static const char *found(const char *machine)
{
    static char path[256];
    if (!cli_manifest_find(root, machine, path, sizeof(path)))
        return NULL;
    assert_memory_equal(path, root, strlen(root));
    return path + strlen(root);
}

static void none_is_found_where_none_is(void **state)
{
    assert_null(found("x86_64"));
    put("/usr/share/vulkan/icd.d/lvp_icd.json");
    put("/usr/share/vulkan/icd.d/virtio_icd.json.dpkg-old");
    put("/usr/share/vulkan/icd.d/virtio_icdx.json");
    assert_null(found("x86_64"));
    put("/usr/share/vulkan/icd.d/virtio_icd.i686.json"); // for other programs than the machine's
                                                         // own
    assert_null(found("x86_64"));
}

static void the_machines_own_is_preferred(void **state)
{
    put("/etc/vulkan/icd.d/virtio_icd.i686.json");
    put("/usr/share/vulkan/icd.d/virtio_icd.json");
    assert_string_equal(found("x86_64"), "/usr/share/vulkan/icd.d/virtio_icd.json");
    put("/usr/share/vulkan/icd.d/virtio_icd.aarch64.json");
    put("/usr/share/vulkan/icd.d/virtio_icd.x86_64.json");
    assert_string_equal(found("x86_64"), "/usr/share/vulkan/icd.d/virtio_icd.x86_64.json");
    assert_string_equal(found("aarch64"), "/usr/share/vulkan/icd.d/virtio_icd.aarch64.json");
}

static void folders_come_in_the_loaders_order(void **state)
{
    put("/usr/share/vulkan/icd.d/virtio_icd.json");
    put("/usr/local/share/vulkan/icd.d/virtio_icd.json");
    assert_string_equal(found("x86_64"), "/usr/local/share/vulkan/icd.d/virtio_icd.json");
    put("/etc/vulkan/icd.d/virtio_icd.json");
    assert_string_equal(found("x86_64"), "/etc/vulkan/icd.d/virtio_icd.json");
    char home[128], list[160];
    put("/home/.local/share/vulkan/icd.d/virtio_icd.x86_64.json");
    snprintf(home, sizeof(home), "%s/home", root);
    setenv("HOME", home, 1);
    assert_string_equal(found("x86_64"), "/home/.local/share/vulkan/icd.d/virtio_icd.x86_64.json");
    put("/opt/vulkan/icd.d/virtio_icd.x86_64.json");
    snprintf(list, sizeof(list), "/nowhere:%s/opt:", root);
    setenv("XDG_CONFIG_DIRS", list, 1);
    assert_string_equal(found("x86_64"), "/opt/vulkan/icd.d/virtio_icd.x86_64.json");
    unsetenv("XDG_CONFIG_DIRS");
    setenv("XDG_DATA_DIRS", list, 1);
    unsetenv("HOME");
    assert_string_equal(found("x86_64"), "/opt/vulkan/icd.d/virtio_icd.x86_64.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_gets_what_it_needs),
        cmocka_unit_test(what_a_person_set_stays),
        cmocka_unit_test_setup_teardown(none_is_found_where_none_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_machines_own_is_preferred, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_come_in_the_loaders_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
