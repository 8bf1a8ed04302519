// The window of a GPU's memory: what is the device's own and the host can map all the same.
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

#include <vulkan/vulkan.h>

// What stands for the real driver's command, where that tells of memory: the window looks like
// plain memory of the device, if there is other memory that can be mapped. No guest has it:
// docs/emulation.md says why. Any other command is returned as it is.
PFN_vkVoidFunction window_wrap(const char *name, PFN_vkVoidFunction real);

#endif
