// Messages between the device process and its workers, over a SOCK_STREAM pair.
//
// Framing: struct link_header, then `size` bytes of payload (fixed part and tail), then zeroes up
// to a multiple of 8, so that every payload is aligned. Descriptors are attached to the first byte
// of the message. Little-endian is not needed: both ends are the same binary on one machine. Both
// ends treat the other as hostile: a worker may have been taken over by its guest.
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MAX_PAYLOAD (16u << 20) // bytes; larger submissions are refused by the front
#define LINK_MAX_FDS 4
#define LINK_MAX_TEXT 512 // bytes

enum link_type {
    // device → worker, carried out strictly in order
    LINK_CONTEXT_CREATE = 1, // struct link_context_create; the first message
    LINK_SUBMIT,             // struct link_submit + command bytes: the context stream
    LINK_RESOURCE_ATTACH,    // struct link_resource_attach + 1 fd
    LINK_RESOURCE_DETACH,    // struct link_resource_detach
    LINK_BLOB_EXPORT,        // struct link_blob_export; answered by LINK_BLOB_EXPORTED
    LINK_TRACE,              // no payload, 1 fd: commands are told to it (trace.h)

    // worker → device
    LINK_WORKER_READY =
        64, // driver loaded, sandbox closed; text, no NUL: the devices that it shows. May come long
            // before a CONTEXT_CREATE
    LINK_FENCE_RETIRED,     // array of struct link_fence_retired, at least one
    LINK_BLOB_EXPORTED,     // struct link_blob_exported, + 1 fd if result is 0
    LINK_RESOURCE_ATTACHED, // struct link_resource_attached: answers an attach that asked for it
    LINK_CONTEXT_LOST, // text, no NUL, at most LINK_MAX_TEXT: command, offset and reason; empty:
                       // the guest's program has ended without a word, which is no fault. The
                       // worker ends after it. The device process writes the log line, as only it
                       // knows who the client is
};

struct link_header {
    uint32_t size; // payload bytes
    uint16_t type;
    uint16_t fd_count;
};

enum link_context_flags {
    // Every mappable memory object is a file of its own, at offset 0, not a range of an arena.
    LINK_CONTEXT_OWN_FILES = 1,
    // The guest is a program of this machine (vtest): clocks and devices of the host mean something
    // to it.
    LINK_CONTEXT_SAME_KERNEL = 2,
};

struct link_context_create {
    uint32_t context_id; // for log lines
    uint32_t flags;
    uint64_t
        max_memory; // bytes of host-visible memory and blobs this context may hold; 0: no limit
    uint32_t max_rings;
    uint32_t max_resources;
    char name[64]; // what the guest calls itself; untrusted, NUL-terminated
};

struct link_submit {
    uint64_t fence_id; // retired by LINK_FENCE_RETIRED; chosen by the device, 0: no fence
    uint32_t ring_idx; // timeline of the fence, 0…63; 0 retires as soon as the bytes are executed
    uint32_t byte_count; // follows; a multiple of 4; may be 0
};

enum link_resource_kind {
    LINK_RESOURCE_SHM = 1,    // blob_id 0: rings, replies, streams
    LINK_RESOURCE_MEMORY = 2, // pages of a VkDeviceMemory (this context's or another's)
};

enum link_attach_flags {
    // Answer when it is done. Rings run beside this link: a guest may name a resource in one only
    // after that, so whoever tells the
    // guest that a ring, reply or stream buffer exists waits for the answer first.
    LINK_ATTACH_ANSWER = 1,
};

struct link_resource_attach {
    uint32_t resource_id; // non-zero
    uint16_t kind;
    uint16_t flags;
    uint64_t offset; // in the file
    uint64_t size;
};

struct link_resource_attached {
    uint32_t resource_id;
    uint32_t pad;
};

struct link_resource_detach {
    uint32_t resource_id;
    uint32_t pad;
};

enum link_blob_flags {
    LINK_BLOB_MAPPABLE = 1,
    LINK_BLOB_SHAREABLE = 2,
    LINK_BLOB_CROSS_DEVICE = 4
}; // as in virtio-gpu

struct link_blob_export {
    uint32_t resource_id; // the memory becomes this resource of the context too: no
                          // LINK_RESOURCE_ATTACH follows
    uint32_t blob_flags;
    uint64_t memory_id; // object id of a VkDeviceMemory
    uint64_t size;
};

struct link_blob_exported {
    uint32_t resource_id;
    int32_t result;    // 0 or -errno
    uint32_t map_info; // 1 cached, 2 uncached, 3 write-combined
    uint32_t pad;
    uint64_t offset; // in the file
    uint64_t size;   // what may be mapped, a multiple of the page size
};

struct link_fence_retired {
    uint64_t fence_id;
    uint32_t ring_idx;
    uint32_t pad;
};

// ---- sending and receiving
// -----------------------------------------------------------------------------------------------------

struct link_message {
    uint16_t type;
    uint16_t fd_count;
    uint32_t size;
    const uint8_t *payload; // valid until the next receive; 8-byte aligned
    const int *fds;         // likewise, and then closed: link_take_fd keeps one
};

enum link_status {
    LINK_OK,     // a message was received / everything was sent
    LINK_AGAIN,  // non-blocking: nothing whole yet / some of it is queued, wait for writability
    LINK_CLOSED, // the other end is gone
    LINK_BROKEN, // protocol violation or system error: close it
};

struct link;

// Takes over `fd`. `blocking` says how link_receive behaves; sending from a non-blocking link
// queues what the socket does not take.
struct link *link_create(int fd, bool blocking);
void link_destroy(struct link *link); // closes the socket and descriptors not yet handed out
int link_fd(const struct link *link);

// One receiver thread. The message is well formed: size, number of descriptors and inner counts are
// those of its type, text members are terminated, so that a receiver may cast the payload; whether
// the type is one that this end may get, and every value in it, is the receiver's to check.
// Descriptors that nobody took are closed at the next receive. Non-blocking: after LINK_AGAIN wait
// for readability.
enum link_status link_receive(struct link *link, struct link_message *message);
// Descriptor `index` of the message received last becomes the caller's; -1 if there is none or it
// was taken before.
int link_take_fd(struct link *link, unsigned index);

// Header, payload and tail as one message, from any thread; messages of several threads don't mix.
// Descriptors are duplicated or sent at once: the caller keeps its own. LINK_AGAIN (non-blocking
// only): taken, but some of it waits in the queue.
enum link_status link_send(struct link *link, enum link_type type, const void *payload, size_t size,
                           const void *tail, size_t tail_size, const int *fds, unsigned fd_count);

// From here on small messages are gathered, until link_release sends them as one (LINK_OK, or as
// link_send). Larger ones go out at once, behind what was gathered. The order stays. For one sender
// that knows when it will pause.
void link_hold(struct link *link);
enum link_status link_release(struct link *link);

// For a non-blocking link: bytes waiting in the send queue, and trying to send them (LINK_OK when
// it is empty).
size_t link_queued(struct link *link);
enum link_status link_flush(struct link *link);

#endif
