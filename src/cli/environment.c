#include "cli/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *join(const char *name, const char *first, const char *second)
{
    size_t size = strlen(name) + strlen(first) + strlen(second) + 2;
    char *entry = malloc(size);
    if (entry)
        snprintf(entry, size, "%s=%s%s", name, first, second);
    return entry;
}

// Returns the value if `entry` is that of `name`, or else NULL.
static const char *value_of(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(entry, name, length) && entry[length] == '=' ? entry + length + 1 : NULL;
}

static const char *lookup(char *const *environment, const char *name)
{
    const char *value = NULL;
    for (; *environment && !value; environment++)
        value = value_of(*environment, name);
    return value;
}

// Whether `word` is one of the comma-separated words of `text`.
static bool lists(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text) {
        size_t next = strcspn(text, ",");
        if (next == length && !memcmp(text, word, length))
            return true;
        text += next + (text[next] == ',');
    }
    return false;
}

char **cli_environment_for_client(char *const *environment, const char *socket,
                                  const char *manifest)
{
    static const char *const replaced[] = {"VN_DEBUG", "VTEST_SOCKET_NAME", "VK_DRIVER_FILES",
                                           "VK_ICD_FILENAMES"};
    enum { REPLACED = sizeof(replaced) / sizeof(replaced[0]), ADDED = REPLACED + 1 };
    size_t count = 0;
    while (environment[count])
        count++;
    char **result = calloc(count + ADDED + 1, sizeof(char *));
    if (!result)
        return NULL;

    size_t used = 0, wanted = 0;
    for (size_t i = 0; i < count; i++) {
        bool drop = false;
        for (size_t j = 0; j < REPLACED; j++)
            drop = drop || value_of(environment[i], replaced[j]);
        if (drop)
            continue;
        result[used] = strdup(environment[i]);
        used += result[used] != NULL;
        wanted++;
    }

    const char *debug = lookup(environment, "VN_DEBUG");
    bool asks = !debug || !*debug || lists(debug, "vtest");
    result[used] = asks ? join("VN_DEBUG", debug && *debug ? debug : "vtest", "")
                        : join("VN_DEBUG", debug, ",vtest");
    used += result[used] != NULL;
    result[used] = join("VTEST_SOCKET_NAME", socket, "");
    used += result[used] != NULL;
    result[used] = join("VK_DRIVER_FILES", manifest, "");
    used += result[used] != NULL;
    result[used] = join("VK_ICD_FILENAMES", manifest, ""); // loaders before 1.3.207
    used += result[used] != NULL;
    wanted += REPLACED;
    // Without this, Mesa finds no device that can present on an X server without DRI3. It costs
    // nothing: over vtest there is no zero-copy in any case.
    if (!lookup(environment, "MESA_VK_WSI_DEBUG")) {
        result[used] = join("MESA_VK_WSI_DEBUG", "sw", "");
        used += result[used] != NULL;
        wanted++;
    }
    if (used != wanted) {
        cli_environment_free(result);
        return NULL;
    }
    return result;
}

void cli_environment_free(char **environment)
{
    if (!environment)
        return;
    for (size_t i = 0; environment[i]; i++)
        free(environment[i]);
    free(environment);
}
