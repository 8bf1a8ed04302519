// What hesper doctor --guest asks a running VM's device process.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device/control.h"
#include "cli/doctor/checks.h"

enum { MAX_GUESTS = 16 };

static bool lists(struct json object, const char *key, const char *wanted)
{
    struct json list;
    char item[64];
    json_member(object, key, &list);
    for (struct json at = {0}; json_next(list, &at);) {
        if (json_copy(at, item, sizeof(item)) && !strcmp(item, wanted))
            return true;
    }
    return false;
}

// Checks that the guest's kernel has taken the features that Mesa's Venus needs.
static void check_features(struct doctor *doctor, struct json gpu)
{
    static const char *const needed[] = {"VIRGL", "RESOURCE_BLOB", "CONTEXT_INIT"};
    char missing[120] = "", taken[200] = "", item[64];
    struct json list;
    json_member(gpu, "features_taken", &list);
    for (struct json at = {0}; json_next(list, &at);) {
        if (json_copy(at, item, sizeof(item)))
            snprintf(taken + strlen(taken), sizeof(taken) - strlen(taken), "%s%s",
                     taken[0] ? ", " : "", item);
    }
    if (!taken[0]) {
        doctor_say(
            doctor, DOCTOR_BAD, "kernel",
            "load the module virtio_gpu in the guest; its kernel needs CONFIG_DRM_VIRTIO_GPU",
            "no driver of the guest has taken the GPU yet");
        return;
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!lists(gpu, "features_taken", needed[i]))
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
                     missing[0] ? ", " : "", needed[i]);
    }
    if (missing[0] && !lists(gpu, "features_offered", "VIRGL"))
        doctor_say(doctor, DOCTOR_NOTE, "kernel", NULL, "negotiated: %s; no Vulkan is offered",
                   taken);
    else if (missing[0])
        doctor_say(doctor, DOCTOR_BAD, "kernel", "a newer kernel in the guest (6.1 or newer)",
                   "negotiated: %s; Vulkan needs %s too", taken, missing);
    else
        doctor_say(doctor, DOCTOR_GOOD, "kernel", NULL, "negotiated: %s", taken);
}

// Where the kernel aligns memory to larger pages, its Mesa must ask for aligned memory. Which Mesa
// that is cannot be seen from here; an older one's programs fail, or lose their contexts.
static void check_alignment(struct doctor *doctor, struct json gpu)
{
    if (!lists(gpu, "features_taken", "BLOB_ALIGNMENT"))
        return;
    bool fails = json_get_number(gpu, "contexts_lost") || json_get_number(gpu, "creations_failed");
    doctor_say(doctor, fails ? DOCTOR_BAD : DOCTOR_NOTE, "aligned",
               fails ? "in the guest: vulkaninfo --summary says its Mesa (driverInfo); 26.2.4 or "
                       "newer is needed"
                     : NULL,
               "memory is aligned to this host's larger pages, which takes Mesa 26.2.4 or newer in "
               "the guest%s",
               fails ? ", and programs fail" : "");
}

static void check_contexts(struct doctor *doctor, struct json gpu)
{
    if (json_get_bool(gpu, "capset_withheld"))
        doctor_say(doctor, DOCTOR_BAD, "capset", "in the guest: Linux 7.2 and Mesa 26.2.4 or newer",
                   "withheld: the guest's driver cannot align memory to this host's larger pages");
    else if (!json_get_number(gpu, "capset_reads"))
        doctor_say(doctor, DOCTOR_NOTE, "capset",
                   "in the guest: install mesa-vulkan-drivers, run vulkaninfo --summary; a virtio "
                   "GPU of QEMU's behind a PCI bridge hides this one",
                   "not read yet: no program of the guest has looked for Venus");
    else
        doctor_say(doctor, DOCTOR_GOOD, "capset", NULL, "read %lld times",
                   (long long)json_get_number(gpu, "capset_reads"));
    check_alignment(doctor, gpu);
    doctor_say(doctor, DOCTOR_GOOD, "contexts", NULL,
               "%lld live, at most %lld; %lld created so far",
               (long long)json_get_number(gpu, "contexts"),
               (long long)json_get_number(gpu, "max_contexts"),
               (long long)json_get_number(gpu, "contexts_created"));
    if (json_get_number(gpu, "contexts_lost"))
        doctor_say(doctor, DOCTOR_BAD, "lost", NULL, "%lld contexts were lost; see the errors",
                   (long long)json_get_number(gpu, "contexts_lost"));
    if (json_get_number(gpu, "creations_failed"))
        doctor_say(doctor, DOCTOR_NOTE, "refused", NULL,
                   "%lld allocations, pipelines or other objects that the host could not make",
                   (long long)json_get_number(gpu, "creations_failed"));
    doctor_say(doctor, DOCTOR_GOOD, "resources", NULL,
               "%lld live, at most %lld; %lld MiB of the aperture's %lld in use; %lld outputs on",
               (long long)json_get_number(gpu, "resources"),
               (long long)json_get_number(gpu, "max_resources"),
               (long long)(json_get_number(gpu, "shared_bytes") >> 20),
               (long long)(json_get_number(gpu, "aperture_size") >> 20),
               (long long)json_get_number(gpu, "outputs_enabled"));
}

// A desktop that finds no OpenGL on the GPU runs all the same, slowly, and says so in a log only.
static void check_screen(struct doctor *doctor, struct json gpu)
{
    long long on = (long long)json_get_number(gpu, "outputs_enabled");
    if (!on)
        doctor_say(doctor, DOCTOR_NOTE, "screen", NULL, "off: the guest shows nothing");
    else if (json_get_number(gpu, "outputs_by_cpu"))
        doctor_say(doctor, DOCTOR_NOTE, "screen",
                   "if that is a desktop: install mesa-vulkan-drivers in the guest, and see "
                   "--guest-gl in 'man hesper'; glxinfo -B says what it draws by",
                   "drawn by the guest's CPU, as text consoles are, and desktops without OpenGL on "
                   "the GPU");
    else
        doctor_say(doctor, DOCTOR_GOOD, "screen", NULL, "drawn by the GPU");
}

static void check_errors(struct doctor *doctor, struct json gpu)
{
    struct json errors;
    char text[640];
    json_member(gpu, "errors", &errors);
    for (struct json at = {0}; json_next(errors, &at);) {
        if (json_get_text(at, "text", text, sizeof(text)))
            doctor_say(doctor, DOCTOR_NOTE, "error", NULL, "%lld s ago: %s",
                       (long long)json_get_number(at, "seconds_ago"), text);
    }
    if (!json_get_number(gpu, "complaints"))
        doctor_say(doctor, DOCTOR_GOOD, "errors", NULL, "none");
}

static void check_answer(struct doctor *doctor, const char *path, struct json root)
{
    char version[32], profile[32], gpu_name[520], name[64];
    struct json gpu;
    json_get_text(root, "hesper", version, sizeof(version));
    json_get_text(root, "host_profile", profile, sizeof(profile));
    json_get_text(root, "host_gpu", gpu_name, sizeof(gpu_name));
    json_get_text(root, "name", name, sizeof(name));
    doctor_say(doctor, DOCTOR_GOOD, "hesper", NULL, "%s, %s%sprocess %lld, profile %s, at %s",
               version, name, name[0] ? ", " : "", (long long)json_get_number(root, "pid"), profile,
               path);
    if (!json_get_bool(root, "venus"))
        doctor_say(doctor, DOCTOR_NOTE, "host", NULL, "no Vulkan for the guest: --no-venus");
    else if (gpu_name[0])
        doctor_say(doctor, DOCTOR_GOOD, "host", NULL, "%s", gpu_name);
    else
        doctor_say(doctor, DOCTOR_BAD, "host", "run hesper doctor",
                   "no worker has loaded the host's driver yet");
    if (!json_get_bool(root, "connected") || !json_member(root, "gpu", &gpu)) {
        doctor_say(doctor, DOCTOR_BAD, "machine", "start QEMU with what 'hesper qemu-args' prints",
                   "no QEMU is connected");
        return;
    }
    if (json_get_bool(root, "placer"))
        doctor_say(doctor, DOCTOR_GOOD, "machine", NULL, "QEMU is connected, with the placer");
    else
        doctor_say(doctor, DOCTOR_BAD, "machine",
                   "hesper-placer.so lies beside hesper for 'hesper run'; another QEMU is started "
                   "with what 'hesper qemu-args' prints",
                   "QEMU is connected without the placer: few mappings, slowly");
    check_features(doctor, gpu);
    check_contexts(doctor, gpu);
    check_screen(doctor, gpu);
    check_errors(doctor, gpu);
}

static const char *find(struct doctor *doctor, char paths[][108])
{
    unsigned count = cli_control_list(CLI_CONTROL_MACHINE, paths, MAX_GUESTS);
    if (count == 1)
        return paths[0];
    if (!count)
        doctor_say(doctor, DOCTOR_BAD, "guest",
                   "name its socket: hesper doctor --guest=PATH (of hesper serve --control PATH)",
                   "no running 'hesper run' of this user was found");
    else
        doctor_say(doctor, DOCTOR_BAD, "guest", "name one: hesper doctor --guest=PATH",
                   "there are %u: %s, %s%s", count, paths[0], paths[1], count > 2 ? ", ..." : "");
    return NULL;
}

void doctor_guest(struct doctor *doctor, const char *path)
{
    char paths[MAX_GUESTS][108];
    struct cli_reply reply;
    if (!path)
        path = find(doctor, paths);
    if (!path)
        return;
    if (cli_control_ask(path, "status", -1, &reply))
        check_answer(doctor, path, reply.root);
    else
        doctor_say(doctor, DOCTOR_BAD, "guest", "give it --control PATH, or is it running?",
                   "no answer at %s: %s", path, reply.error);
    free(reply.text);
}
