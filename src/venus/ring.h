// A command ring in shared memory and the thread that runs it.
//
// Thread: the context's, where nothing else is said. Errors: false, and *reason says why (static).
#ifndef VENUS_RING_H
#define VENUS_RING_H

#include "venus/context.h"

// Ring status bits, written by us, read by the guest.
enum { VENUS_RING_IDLE = 1, VENUS_RING_FATAL = 2, VENUS_RING_ALIVE = 4 };

struct venus_ring_list;
// Sets context->rings. Owns: the context. Errors: false: no memory.
bool venus_ring_list_create(struct venus_context *context);
// Stops and joins all rings and the monitor.
void venus_ring_list_destroy(struct venus_ring_list *list);
// FATAL into every ring's status; wakes every thread. Thread: any.
void venus_ring_list_fatal(struct venus_ring_list *list);
void venus_ring_list_wake(struct venus_ring_list *list);

bool venus_ring_create(struct venus_context *context, uint64_t ring_id,
                       const VkRingCreateInfoMESA *info, const char **reason);
// Ends this ring only, also if it waits in the driver.
bool venus_ring_destroy(struct venus_context *context, uint64_t ring_id, const char **reason);
bool venus_ring_notify(struct venus_context *context, uint64_t ring_id, const char **reason);
bool venus_ring_write_extra(struct venus_context *context, uint64_t ring_id, uint64_t offset,
                            uint32_t value, const char **reason);
// Waits until head has reached seqno.
bool venus_ring_wait_seqno(struct venus_context *context, uint64_t ring_id, uint64_t seqno,
                           const char **reason);
// Wakes a wait for a seqno that is reached. To be called before the ring's thread stays somewhere
// for long. NULL: nothing to do.
// Thread: the ring's.
void venus_ring_publish(struct venus_ring *ring);
// The context stream has come to `seqno`.
bool venus_ring_submit_virtqueue_seqno(struct venus_context *context, uint64_t ring_id,
                                       uint64_t seqno, const char **reason);
// Waits until it has. Thread: the ring's.
bool venus_ring_wait_virtqueue_seqno(struct venus_ring *ring, uint64_t seqno, const char **reason);

// Does a live ring use the resource? Then the guest must not take it away.
bool venus_ring_uses_resource(struct venus_context *context, uint32_t resource_id);

#endif
