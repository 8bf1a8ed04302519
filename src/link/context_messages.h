// Messages between the device process and the worker of one guest context.
//
// The worker may have been taken over by its guest, and the device process trusts nothing that it
// says: link_receive has checked the form of a message, its receiver checks every value.
#ifndef LINK_CONTEXT_MESSAGES_H
#define LINK_CONTEXT_MESSAGES_H

#include <stdint.h>

#include "link/ledger.h"

#define LINK_MAX_TEXT 512 // bytes

enum link_context_type {
    // device → worker, carried out strictly in order
    // struct link_context_create + 1 fd, the ledger (ledger.h), or none; the first message
    LINK_CONTEXT_CREATE = 1,
    LINK_SUBMIT,          // struct link_submit + command bytes: the context stream
    LINK_RESOURCE_ATTACH, // struct link_resource_attach + 1 fd
    LINK_RESOURCE_DETACH, // struct link_resource_detach
    LINK_BLOB_EXPORT,     // struct link_blob_export; answered by LINK_BLOB_EXPORTED
    LINK_TRACE,           // no payload, 1 fd: commands are told to it (trace.h)
    LINK_LEDGER_REFRESH,  // struct link_ledger_refresh: what is not counted as it happens

    // worker → device
    // 1 fd, which says what system calls the sandbox refuses (os/sandbox.h). The first, or none.
    LINK_WORKER_REFUSALS = 63,
    // Driver loaded, sandbox closed; text, no NUL: the devices that it shows. May come long before
    // the context is created.
    LINK_WORKER_READY = 64,
    LINK_FENCE_RETIRED,     // array of struct link_fence_retired, at least one
    LINK_BLOB_EXPORTED,     // struct link_blob_exported, + 1 fd if result is 0
    LINK_RESOURCE_ATTACHED, // struct link_resource_attached: answers an attach that asked for it
    // Text, no NUL, at most LINK_MAX_TEXT: command, offset and reason; empty: the guest's program
    // has ended without a word, which is no fault. The worker ends after it. The device process
    // writes the log line, as only it knows who the client is.
    LINK_CONTEXT_LOST,
    LINK_CREATIONS_FAILED, // struct link_creations_failed
    // struct link_memory_ask: the worker's room is used up; answered in the ledger.
    LINK_MEMORY_ASK,
    // struct link_worker_card: comes before LINK_WORKER_READY, if a device has memory of its own.
    LINK_WORKER_CARD,
};

enum link_context_flags {
    // Every mappable memory object is a file of its own, at offset 0, not a range of an arena.
    LINK_CONTEXT_OWN_FILES = 1,
    // The guest is a program of this machine (vtest): clocks and devices of the host mean something
    // to it.
    LINK_CONTEXT_SAME_KERNEL = 2,
    // Whoever waits for a fence can be told that it was lost (LINK_FENCE_LOST). Without this a lost
    // device costs the guest its context.
    LINK_CONTEXT_TELLS_LOSS = 4,
};

struct link_context_create {
    uint32_t context_id; // for log lines
    uint32_t flags;
    // Bytes of memory that it may hold at most, by enum link_memory; 0: no limit.
    uint64_t max_memory[LINK_MEMORY_KINDS];
    uint32_t max_rings;
    uint32_t max_resources;
    char name[64]; // what the guest calls itself; untrusted, NUL-terminated
};

// Objects that the host's driver did not make while the guest did not wait for the result.
struct link_creations_failed {
    uint64_t total; // of the context, so far; each of the first thousand is told, then every 1000th
};

struct link_worker_card {
    uint64_t bytes; // of the largest
};

struct link_memory_ask {
    uint32_t kind;   // enum link_memory
    uint32_t serial; // counts up, below 2^31
    uint64_t bytes;  // that are wanted at once
};

struct link_ledger_refresh {
    uint32_t serial;
    uint32_t pad;
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
    // after that, so whoever tells the guest that a ring, reply or stream buffer exists waits for
    // the answer first.
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

enum link_blob_flags { // as in virtio-gpu
    LINK_BLOB_MAPPABLE = 1,
    LINK_BLOB_SHAREABLE = 2,
    LINK_BLOB_CROSS_DEVICE = 4,
};

struct link_blob_export {
    // The memory becomes this resource of the context too: no LINK_RESOURCE_ATTACH follows.
    uint32_t resource_id;
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

enum link_fence_flags {
    LINK_FENCE_LOST = 1, // its work will never be done: the device is lost
};

struct link_fence_retired {
    uint64_t fence_id;
    uint32_t ring_idx;
    uint32_t flags; // enum link_fence_flags
};

#endif
