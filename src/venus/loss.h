// The end of a device that its guest did not ask for: the host's driver has lost it, or a
// submission failed although the guest's program was told that it succeeded. From then on every
// command that may say so returns VK_ERROR_DEVICE_LOST, and the driver is not asked again.
//
// Mesa does not wait for most results, so that a program may never ask. It is told by what it waits
// for: its fences are retired with LINK_FENCE_LOST where whoever waits for them can be told
// (LINK_CONTEXT_TELLS_LOSS), or say so in the memory that an older Mesa looks at (feedback.h).
// Everywhere else the context is lost: its program ends at its next command.
//
// Thread: any.
#ifndef VENUS_LOSS_H
#define VENUS_LOSS_H

#include "venus/device.h"

// Marks the device, which stays meanwhile, as lost because `command` got `result`. Writes one line
// to the log; only the first call counts.
void venus_device_lose(struct venus_device *device, const char *command, VkResult result);

// The same for the device of a call and by its command, if the device is still there.
void venus_call_loses(struct venus_call *call, VkResult result);

// For a submission to a device that is lost: what the program waits for next must say so, too.
void venus_device_stays_lost(struct venus_device *device);

static inline bool venus_device_lost(const struct venus_device *device)
{
    return atomic_load_explicit(&device->lost, memory_order_relaxed);
}

// What the driver answered to a call that was made with this device: notices a loss. Returns what
// the guest gets.
static inline VkResult venus_device_result(struct venus_device *device, const char *command,
                                           VkResult result)
{
    if (__builtin_expect(result == VK_ERROR_DEVICE_LOST, 0))
        venus_device_lose(device, command, result);
    return result;
}

static inline VkResult venus_call_result(struct venus_call *call, VkResult result)
{
    if (__builtin_expect(result == VK_ERROR_DEVICE_LOST, 0))
        venus_call_loses(call, result);
    return result;
}

#endif
