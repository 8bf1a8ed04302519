// Where the platform keeps the Vulkan loader, and what to tell a person who has none.
#ifndef OS_LIBRARY_H
#define OS_LIBRARY_H

// Names for dlopen in the order to try them; ended by NULL. Static memory.
const char *const *os_vulkan_library_names(void);
// What to install when none of them opens, and when the loader finds no driver. Static text for one
// line.
const char *os_vulkan_loader_hint(void);
const char *os_vulkan_driver_hint(void);

#endif
