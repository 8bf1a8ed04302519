// Where the platform's Vulkan drivers may lie.
#ifndef OS_PLACES_H
#define OS_PLACES_H

// Folders: each of the list (parts between colons) that the environment variable holds, or, if it
// is not set or empty, of `otherwise`; with `below` behind it. A leading "~" is HOME, a leading "@"
// the folder of this program. A place without a base is none.
struct os_place {
    const char *variable;  // NULL: no variable
    const char *otherwise; // NULL: nothing
    const char *below;
};

// Folders of driver manifests (*.json), in the order to search them. The Vulkan loader searches the
// first of them itself. Static; ended by `below` NULL.
const struct os_place *os_manifest_places(void);
// Drivers that come as a library without a manifest: folders, and the names in them to try. Static.
const struct os_place *os_driver_places(void);
const char *const *os_driver_names(void);

// How many mappings a process may have; 0: unknown, or no such limit.
unsigned long os_mapping_limit(void);

#endif
