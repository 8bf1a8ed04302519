// A guest context: everything that one VkInstance of a guest process owns here. One per worker
// process.
#ifndef VENUS_CONTEXT_H
#define VENUS_CONTEXT_H

#include "link/context_messages.h"
#include "link/link.h"
#include "venus/call.h"
#include "venus/holdings.h"
#include "venus/host.h"
#include "venus/ledger.h"
#include "venus/resource.h"
#include "venus/stream.h"

struct venus_profile;

struct venus_context {
    uint32_t id;
    char name[64];
    bool own_files;   // every mappable memory is a file of its own
    bool tells_loss;  // fences that are retired as lost reach whoever waits for them
    bool same_kernel; // the guest's programs run beside us (vtest)
    const struct venus_profile *profile; // of the host
    struct link *link;
    struct venus_host *host;
    struct venus_handlers handlers;

    struct venus_object_table objects;
    struct venus_resource_table resources;
    struct venus_pages_pool *pages;
    struct venus_ring_list *rings;
    _Atomic(struct venus_instance *)
        instance;          // the only one; NULL before vkCreateInstance. Any thread reads it
    atomic_bool traced;    // commands are told to `tap`. Any thread reads it
    struct venus_tap *tap; // NULL until somebody traces

    struct venus_stream stream; // the context stream: what arrives by LINK_SUBMIT

    // Timelines 1…63: the queue bound to each ring_idx. Under timeline_lock.
    pthread_mutex_t timeline_lock;
    struct venus_queue *timelines[64];

    // ending.h. `wake` ends the sleep of all rings; it tells them and the tracer before if the
    // context is lost: `lost` is why, else NULL.
    atomic_bool stopping;
    atomic_flag lost;
    void (*wake)(struct venus_context *context, const char *lost);

    // Objects that never came to be, as the guest does not know (failed.h): how many, and a bit for
    // each type that the log has named.
    atomic_uint_fast64_t failures, failures_told;

    struct venus_ledger ledger;
    struct venus_holdings holdings;
    struct arena_budget commands;           // VENUS_COMMAND_MEMORY
    uint64_t max_memory[LINK_MEMORY_KINDS]; // that the context may hold at most; 0: no limit
    uint32_t max_rings;
};

// `ledger` is its descriptor; -1: there is none. Owns: takes over `ledger`.
// Errors: NULL, no memory.
struct venus_context *venus_context_create(const struct link_context_create *info, int ledger,
                                           struct link *link, struct venus_host *host,
                                           const struct venus_profile *profile);
// Stops all threads, waits for the GPU, destroys what is left.
void venus_context_destroy(struct venus_context *context);

// A fence of the device process: retired when everything submitted to the timeline's queue so far
// is done.
// Thread: the context's.
void venus_context_fence(struct venus_context *context, uint32_t ring_idx, uint64_t fence_id);

#endif
