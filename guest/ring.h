// A command ring: how a guest's Vulkan commands reach the host. The ring lies in memory that both
// sides see. A command is written into it, the host takes it out, and the answer lies in other
// shared memory when the host has moved the ring's head past the command.
//
// One ring serves all threads of a program, one command at a time. A command with a reply holds the
// others up until it is answered, so nothing that waits for the GPU is sent here: such commands
// ask, and ask again.
//
// Thread: any, where the system has a lock.
// Errors: 0 or a negative enum guest_error.
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/system.h"
#include "guest/transport.h"
#include "wire/guest.h"

struct guest_ring {
    const struct guest_system *system;
    struct guest_transport *transport; // not the ring's own
    struct guest_blob memory;          // head, tail, status, buffer
    uint32_t buffer_size;              // a power of two
    uint32_t tail;                     // behind what was written
    uint32_t published;                // what the host was told of it
    uint32_t head;                     // what the host had taken when it was last looked at
    uint64_t notified_at;              // when the host was last woken
    uint8_t *stage; // where a command is encoded before it is copied into the ring
    uint32_t stage_size;
    struct guest_blob reply;          // where answers come
    struct guest_blob upload;         // commands that are too large for the ring
    uint64_t reply_used, upload_used; // bytes of them
    bool reply_set;                   // the host knows `reply`
    bool lost;
};

// Over an open transport, which outlives the ring. `buffer_size` 0: 128 KiB.
int guest_ring_open(struct guest_ring *ring, const struct guest_system *system,
                    struct guest_transport *transport, uint32_t buffer_size);
void guest_ring_close(struct guest_ring *ring);

// Sends a command. `args` is its struct wire_args_…, whose handles point to a struct guest_object
// where they have one, and are ids elsewhere. With `reply` it returns when the command has been
// carried out, and args holds what came of it. Without, it returns when the command is in the ring.
int guest_ring_call(struct guest_ring *ring, enum wire_command command, void *args, bool reply);

// The same for a command that is recorded. The host may see it with the next call only, whatever
// that is: the end of the recording at the latest.
int guest_ring_record(struct guest_ring *ring, enum wire_command command, void *args);

// `fence` stands for "all that was sent until now, and what it gave the queue that is bound to this
// timeline, is done".
int guest_ring_fence(struct guest_ring *ring, uint32_t timeline, uint64_t *fence);

// Calls of the transport, under the ring's lock.
int guest_ring_fence_wait(struct guest_ring *ring, uint64_t fence, uint64_t nanoseconds);
int guest_ring_blob(struct guest_ring *ring, uint64_t id, uint64_t size, uint32_t flags,
                    struct guest_blob *blob);
void guest_ring_blob_free(struct guest_ring *ring, struct guest_blob *blob);

// What stands behind a handle that the program sees as a pointer: instances, physical devices,
// devices, queues, command buffers, device memory. Other handles are the ids themselves.
struct guest_object {
    uintptr_t loader; // the Vulkan loader's
    uint64_t id;
};

// A number that no object had before.
uint64_t guest_new_id(void);

#endif
