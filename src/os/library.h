// Where the platform keeps the Vulkan loader, and what to tell a person who has none.
//
// Thread: any.
// Owns: nothing; all of it is static.
#ifndef OS_LIBRARY_H
#define OS_LIBRARY_H

// Names for dlopen in the order to try them; NULL ends them.
const char *const *os_vulkan_library_names(void);
// What to install when none of them opens, and when the loader finds no driver: one line each.
const char *os_vulkan_loader_hint(void);
const char *os_vulkan_driver_hint(void);

#endif
