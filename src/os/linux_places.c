#include "os/places.h"

#include <stddef.h>
#include <stdio.h>

const struct os_place *os_manifest_places(void)
{
    static const struct os_place places[] = {
        {"XDG_CONFIG_HOME", "~/.config", "/vulkan/icd.d"},
        {"XDG_CONFIG_DIRS", "/etc/xdg", "/vulkan/icd.d"},
        {NULL, "/etc", "/vulkan/icd.d"},
        {"XDG_DATA_HOME", "~/.local/share", "/vulkan/icd.d"},
        {"XDG_DATA_DIRS", "/usr/local/share:/usr/share", "/vulkan/icd.d"},
        {NULL, "/usr/local/share:/usr/share", "/vulkan/icd.d"},
        {0},
    };
    return places;
}

const struct os_place *os_driver_places(void)
{
    static const struct os_place places[] = {{0}};
    return places;
}

const char *const *os_driver_names(void)
{
    static const char *const names[] = {NULL};
    return names;
}

const char *const *os_qemu_folders(void)
{
    static const char *const folders[] = {NULL};
    return folders;
}

unsigned long os_mapping_limit(void)
{
    unsigned long limit = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%lu", &limit) != 1)
            limit = 0;
        fclose(file);
    }
    return limit;
}
