// A host queue, its lock, and the thread that retires its fences.
//
// Thread: any, where nothing else is said.
#ifndef VENUS_QUEUE_H
#define VENUS_QUEUE_H

#include "venus/device.h"

struct venus_queue_waiter;

struct venus_queue {
    struct venus_object base;
    struct venus_queue *next_of_device;
    uint32_t family, index;
    VkDeviceQueueCreateFlags flags;
    uint32_t ring_idx;                 // 0: not bound
    pthread_mutex_t lock;              // around every call of the driver with this queue
    struct venus_queue_waiter *waiter; // owned
};

// Makes a queue of a new device, with its waiter: linked into device->queues, not yet in the object
// table.
// Errors: what vkCreateDevice then returns.
VkResult venus_queue_create(struct venus_device *device, uint32_t family, uint32_t index,
                            VkDeviceQueueCreateFlags flags);
// Binds the queue to a timeline (vkGetDeviceQueue2 with VkDeviceQueueTimelineInfoMESA).
// Errors: false: *reason.
bool venus_queue_bind(struct venus_context *context, struct venus_queue *queue, uint32_t ring_idx,
                      const char **reason);
// Ends the waiter after retiring what is outstanding, unbinds the timeline. The object itself goes
// with the table.
void venus_queue_release(struct venus_context *context, struct venus_queue *queue);

// Submits nothing but `wait` and/or `signal` (VK_NULL_HANDLE: none), for semaphores whose payload
// the guest's kernel keeps.
VkResult venus_queue_submit_empty(struct venus_queue *queue, VkSemaphore wait, VkSemaphore signal,
                                  VkFence fence);

#endif
