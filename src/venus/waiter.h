// Retires the fences of one queue in order. Its thread sleeps in the driver, nobody else's.
//
// The functions take a NULL waiter as one that has nothing to do. "Queue lock" is struct
// venus_queue's.
#ifndef VENUS_WAITER_H
#define VENUS_WAITER_H

#include "venus/queue.h"

// For a queue that has just been bound to a timeline. NULL: no memory or no thread.
struct venus_queue_waiter *venus_waiter_create(struct venus_context *context,
                                               struct venus_queue *queue);
// Retires what is outstanding without waiting for it. The queue must be idle.
void venus_waiter_destroy(struct venus_queue_waiter *waiter);

// Around a submission without a fence of the guest's, under the queue lock: a fence to go with it
// (or VK_NULL_HANDLE), and the outcome.
VkFence venus_waiter_begin(struct venus_queue_waiter *waiter);
void venus_waiter_submitted(struct venus_queue_waiter *waiter, bool success);
// A submission goes to the queue with another fence, under the queue lock.
void venus_waiter_forget_last(struct venus_queue_waiter *waiter);

// Retires `fence_id` when everything submitted to the queue so far is done. Context thread; takes
// the queue lock.
void venus_waiter_add(struct venus_queue_waiter *waiter, uint64_t fence_id);

#endif
