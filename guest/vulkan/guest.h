// The guest kit for a program: which system and which transport its Vulkan uses. After guest_use()
// call Vulkan as vulkan.h has it; there is no loader and nothing else to set up. Functions that
// vulkan.h has under an extension's name as well are linked under their newest name only; all names
// come from vkGetInstanceProcAddr and vkGetDeviceProcAddr.
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "guest/system.h"
#include "guest/transport.h"

#include <vulkan/vulkan_core.h>

#ifdef __cplusplus
extern "C" {
#endif

// Makes the transport of an instance: one of its own each time.
// Errors: 0 or a negative enum guest_error.
typedef int (*guest_connect)(void *context, struct guest_transport **transport);

// Thread: before the first call of Vulkan.
// Owns: the caller keeps the system.
void guest_use(const struct guest_system *system, guest_connect connect, void *context);

// Shows pixels that lie in mappable memory on an output, with no copy. The picture stays there
// until another takes its place: do not free the memory before. NULL memory: the output goes dark.
VkResult guest_present(VkDevice device, VkDeviceMemory memory, uint32_t output,
                       const struct guest_picture *picture);

// The pixels have changed. Returns when the display has taken them.
VkResult guest_present_flush(VkDevice device, VkDeviceMemory memory,
                             const struct guest_picture *picture);

// The outputs there are.
VkResult guest_outputs(VkDevice device, struct guest_info *info);

#ifdef __cplusplus
}
#endif

#endif
