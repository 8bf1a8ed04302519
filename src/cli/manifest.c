#include "cli/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRONG_MACHINE = 1, ANY_MACHINE, SAME_MACHINE };

// Rates how well a file suits: Mesa's packages install virtio_icd.json or
// virtio_icd.<machine>.json. 0: it is another driver's.
static int rate(const char *name, const char *machine)
{
    static const char prefix[] = "virtio_icd", suffix[] = ".json";
    size_t length = strlen(name), prefix_length = strlen(prefix), suffix_length = strlen(suffix);
    if (length < prefix_length + suffix_length || strncmp(name, prefix, prefix_length) ||
        strcmp(name + length - suffix_length, suffix))
        return 0;
    const char *middle = name + prefix_length;
    size_t middle_length = length - prefix_length - suffix_length;
    if (middle_length == 0)
        return ANY_MACHINE;
    if (*middle != '.' && *middle != '_')
        return 0;
    middle++, middle_length--;
    return middle_length == strlen(machine) && !memcmp(middle, machine, middle_length)
               ? SAME_MACHINE
               : WRONG_MACHINE;
}

struct search {
    const char *root, *machine;
    char *path;
    size_t size;
    int best;
};

static void search_folder(struct search *search, const char *root, const char *base,
                          size_t base_length)
{
    char folder[4096];
    if (base_length == 0 || snprintf(folder, sizeof(folder), "%s%.*s/vulkan/icd.d", root,
                                     (int)base_length, base) >= (int)sizeof(folder))
        return;
    DIR *directory = opendir(folder);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        int rating = rate(entry->d_name, search->machine);
        if (rating <= search->best) // the first folder wins among equals
            continue;
        if (snprintf(search->path, search->size, "%s/%s", folder, entry->d_name) <
            (int)search->size)
            search->best = rating;
    }
    closedir(directory);
}

static void search_list(struct search *search, const char *root, const char *list)
{
    while (list && *list) {
        size_t length = strcspn(list, ":");
        search_folder(search, root, list, length);
        list += length + (list[length] == ':');
    }
}

static void search_variable(struct search *search, const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    if (value && *value)
        search_list(search, "", value);
    else
        search_list(search, search->root, otherwise);
}

static void search_home(struct search *search, const char *variable, const char *below_home)
{
    const char *value = getenv(variable), *home = getenv("HOME");
    char folder[4096];
    if (value && *value)
        search_list(search, "", value);
    else if (home && *home &&
             snprintf(folder, sizeof(folder), "%s%s", home, below_home) < (int)sizeof(folder))
        search_list(search, "", folder);
}

bool cli_manifest_find(const char *root, const char *machine, char *path, size_t size)
{
    char found[4096]; // a rejected candidate must not be left in `path`
    struct search search = {.root = root, .machine = machine, .path = found, .size = sizeof(found)};
    search_home(&search, "XDG_CONFIG_HOME", "/.config");
    search_variable(&search, "XDG_CONFIG_DIRS", "/etc/xdg");
    search_list(&search, root, "/etc");
    search_home(&search, "XDG_DATA_HOME", "/.local/share");
    search_variable(&search, "XDG_DATA_DIRS", "/usr/local/share:/usr/share");
    search_list(&search, root, "/usr/local/share:/usr/share");
    // One for another machine is of no use: the loader would ignore it silently.
    return search.best > WRONG_MACHINE && snprintf(path, size, "%s", found) < (int)size;
}
