// A Vulkan driver between the loader and a real one. It passes on all that it is asked for; who
// links it says what becomes of each command.
#ifndef PLAN_BETWEEN_H
#define PLAN_BETWEEN_H

#include <stdbool.h>

#include <vulkan/vulkan.h>

// To be defined: what the loader gets for a command. `real` is the driver's, or NULL.
PFN_vkVoidFunction between_wrap(const char *name, PFN_vkVoidFunction real);

// Loads the driver that an environment variable names. Ends the process, after a line that begins
// with `label`, if there is none.
void between_open(const char *label, const char *variable);

// The driver's own function.
PFN_vkVoidFunction between_device(VkDevice device, const char *name);

// Whether a driver was asked for this command, or for it by the name of an extension that became
// core.
bool between_same(const char *command, const char *asked);

#endif
