// Where the platform's Vulkan drivers may lie.
//
// Thread: any.
// Owns: nothing; all of it is static.
#ifndef OS_PLACES_H
#define OS_PLACES_H

// Folders: a list with colons between its parts, from an environment variable, or from `otherwise`
// if that is not set or empty. `below` is appended to each part. A leading "~" is HOME, a leading
// "@" the folder of this program. A place whose list is empty is skipped.
struct os_place {
    const char *variable;  // NULL: no variable
    const char *otherwise; // NULL: nothing
    const char *below;
};

// Folders of driver manifests (*.json), in the order to search them. The Vulkan loader searches the
// first of them itself. A `below` of NULL ends them.
const struct os_place *os_manifest_places(void);
// Drivers that come as a library without a manifest: folders, and the names in them to try.
const struct os_place *os_driver_places(void);
const char *const *os_driver_names(void);

// Folders of a QEMU made for Hesper, to look in before PATH; ended by NULL.
const char *const *os_qemu_folders(void);

// How many mappings a process may have; 0: unknown, or no such limit.
unsigned long os_mapping_limit(void);

#endif
