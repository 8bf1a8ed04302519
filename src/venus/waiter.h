// Retires the fences of one queue in order. Its thread sleeps in the driver, so that nobody else
// has to.
//
// A fence of the device process is retired when everything that was submitted before it is done,
// never earlier: where the driver has no fence to give, its work is waited for all the same. "Queue
// lock" is struct venus_queue's.
#ifndef VENUS_WAITER_H
#define VENUS_WAITER_H

#include "venus/queue.h"

// Owns: the caller, who destroys it.
// Errors: VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY: no memory, no thread, or not
// even one fence.
VkResult venus_waiter_create(struct venus_queue *queue, struct venus_queue_waiter **out);
// Retires what is outstanding without waiting for it. The queue must be idle.
void venus_waiter_destroy(struct venus_queue_waiter *waiter);

// Around a submission without a fence of the guest's: a fence to go with it, or VK_NULL_HANDLE if
// there is none or nobody is likely to ask about this submission; and the outcome.
// Thread: any, under the queue lock.
VkFence venus_waiter_begin(struct venus_queue_waiter *waiter);
void venus_waiter_submitted(struct venus_queue_waiter *waiter, bool success);
// A submission goes to the queue with another fence.
// Thread: any, under the queue lock.
void venus_waiter_forget_last(struct venus_queue_waiter *waiter);

// A fence for a submission that its caller waits for, and its end. It may still be pending then:
// the waiter keeps it until it is signalled or the queue ends. `submitted`: it went to the driver.
// Errors: what the driver says when it has none to give.
// Thread: any; both take the queue lock.
VkResult venus_waiter_lend(struct venus_queue_waiter *waiter, VkFence *fence);
void venus_waiter_take_back(struct venus_queue_waiter *waiter, VkFence fence, bool submitted);

// Retires `fence_id` when everything submitted to the queue so far is done.
// Thread: the context's; takes the queue lock.
void venus_waiter_add(struct venus_queue_waiter *waiter, uint64_t fence_id);

#endif
