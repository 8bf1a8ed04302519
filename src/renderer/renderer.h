// The device process's side of guest contexts: one worker for each, what it owes, and its end.
//
// Every front uses it, so that the limits, the watchdog and the behaviour after a loss are the same
// for a program in a virtual machine and for one without. What a worker says is not trusted: it may
// have been taken over by its guest.
//
// Thread: the loop's. Nothing blocks.
#ifndef RENDERER_RENDERER_H
#define RENDERER_RENDERER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "link/context_messages.h"
#include "renderer/budget.h"

struct link_pool;
struct os_loop;
struct renderer;
struct renderers;

enum {
    RENDERER_TIMELINES = 64,   // of a context; the index is the guest's ring_idx
    RENDERER_MAX_RINGS = 4096, // of a context: one, and one for each thread that makes pipelines
    // Bytes that a worker has not read: from the first on submissions wait, and beyond the second
    // the context is lost.
    RENDERER_ENOUGH_QUEUED = 16 << 20,
    RENDERER_MAX_QUEUED = 64 << 20,
};

// ---- all contexts ---------------------------------------------------------

struct renderers_options {
    // Where workers come from. Owns: the caller's, for longer than the renderers.
    struct link_pool *pool;
    uint32_t context_flags; // enum link_context_flags, of every context
    uint32_t max_rings, max_resources;
    uint64_t max_memory[LINK_MEMORY_KINDS]; // bytes of all contexts together; 0: no limit
    // A context is lost when its worker owes an answer for longer, or has not read for longer: a
    // hung GPU or driver. A worker that computes on a busy machine is given more (watchdog.h).
    // Nanoseconds; 0: never.
    uint64_t max_wait_ns;
    uint32_t page_size;  // bytes: exported ranges are multiples of it
    uint32_t max_queued; // bytes on their way to a worker from which on renderer_is_full
    // A tracer that listens at this path is told of every context from its start; NULL: none.
    const char *trace_path;
};

// Errors: NULL, out of memory.
struct renderers *renderers_create(struct os_loop *loop, const struct renderers_options *options);
// Every renderer must have been destroyed. NULL passes.
void renderers_destroy(struct renderers *renderers);

// How many descriptors contexts may have in this process, whatever they are for; the rest is for
// the process itself.
uint32_t renderers_descriptors(void);
// How many of `wanted` resources a context may have: its worker has a descriptor for each, and as
// many descriptors as this process.
static inline uint32_t renderers_resources(uint32_t wanted)
{
    uint32_t most = renderers_descriptors();
    return wanted < most ? wanted : most;
}
// Counts what this process holds for no context. Owns: the renderers.
struct renderer_account *renderers_account(struct renderers *renderers);

// A context that lives, for persons.
struct renderer_description {
    uint32_t context_id;
    long pid; // of its worker
    const char *name;
    struct renderer_usage usage;
};
void renderers_describe(const struct renderers *renderers,
                        void (*callback)(void *data, const struct renderer_description *described),
                        void *data);
// Has the workers write down what they do not count as it happens; the next description says it.
void renderers_refresh(struct renderers *renderers);
// What all contexts together hold or were promised, and may hold (0: no limit), by enum link_memory
// and RENDERER_DESCRIPTORS; and how many were created and lost.
struct renderers_totals {
    uint64_t used[RENDERER_KINDS], limits[RENDERER_KINDS];
    uint64_t created, lost;
};
void renderers_sum(const struct renderers *renderers, struct renderers_totals *totals);
// The tracer behind this connection is told what a context does from now on. `which` is the number
// of the context, or else the process id of its worker. A tracer that was there before is told no
// more.
// Owns: the connection stays the caller's.
// Errors: false: there is none.
bool renderers_trace(struct renderers *renderers, uint64_t which, int tracer);

// ---- what a worker owes ---------------------------------------------------

// A submission, from renderer_submit to `retired`. Owns: the caller's, a member of something
// larger.
struct renderer_fence {
    struct list node;
    uint64_t serial; // as the worker knows it; 0: it waits only for those before it
    uint64_t since_ns;
    bool lost; // its work will never be done: the device is lost
};

// A blob that the worker was asked for, from renderer_attach or renderer_export to `blob`. Owns: as
// renderer_fence.
struct renderer_blob {
    struct list node;
    uint32_t resource_id;
    bool exported;
    uint64_t size, since_ns;
};

// Where the memory of an exported blob lies. What is offered has been checked: the range is whole
// pages of a file that can't be cut short, and holds what was asked for.
struct renderer_memory {
    int fd;            // Owns: the callee closes it.
    uint32_t map_info; // 1 cached, 2 uncached, 3 write-combined
    uint64_t offset, size;
};

// The renderer must not be destroyed inside `retired` and `blob`. `told` and `drained` may be NULL.
struct renderer_callbacks {
    // The submission and all before it on its timeline are done, or the context is lost.
    void (*retired)(void *data, struct renderer_fence *fence);
    // Errors: 0; or -errno, and `memory` is NULL. `memory` is NULL for a blob that was attached.
    void (*blob)(void *data, struct renderer_blob *blob, int error,
                 const struct renderer_memory *memory);
    // All of one message of the worker has been told.
    void (*told)(void *data);
    // What waited for the worker has been sent.
    void (*drained)(void *data);
    // `count` more objects could not be made, which the guest did not wait to hear. May be NULL.
    void (*failed)(void *data, uint64_t count);
    // The context is lost, and has no worker any more. `why` is text for a log line; NULL: the
    // guest's program has ended without a word, which is no fault. If the renderer is not destroyed
    // inside, its blobs fail and its fences retire right after.
    void (*lost)(void *data, const char *why);
};

// ---- one context ----------------------------------------------------------

// Starts a context in a worker. `name` is what the guest calls it: 64 bytes, terminated.
// Errors: -errno in *error and NULL.
struct renderer *renderer_create(struct renderers *renderers, uint32_t context_id,
                                 const char name[64], const struct renderer_callbacks *callbacks,
                                 void *data, int *error);
// Ends the context now: its blobs fail and its fences retire inside the call, and `lost` is not
// called.
void renderer_end(struct renderer *renderer);
// What its worker owes is forgotten. NULL passes.
void renderer_destroy(struct renderer *renderer);
long renderer_pid(const struct renderer *renderer);
// What it holds. Owns: the renderer; whoever wants it for longer takes a reference, and gives that
// back before the renderers are destroyed.
struct renderer_account *renderer_account(const struct renderer *renderer);

// Notes the loss of the context.
void renderer_lose(struct renderer *renderer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// From the moment a loss is noted; `lost` follows at the end of the loop's round. Whatever is asked
// of a lost renderer is dropped, and what waits for an answer gets it with the loss.
bool renderer_is_lost(const struct renderer *renderer);
// Much is on its way to the worker: better wait for `drained` before more is submitted.
bool renderer_is_full(const struct renderer *renderer);

// Carries out `size` command bytes, a multiple of 4 and at most LINK_MAX_PAYLOAD less the header.
// `fence` may be NULL.
void renderer_submit(struct renderer *renderer, uint32_t timeline, struct renderer_fence *fence,
                     const void *bytes, size_t size);
// A fence without a submission: it retires after those that are on the timeline now. False: there
// are none, and the fence is not taken.
bool renderer_follow(struct renderer *renderer, uint32_t timeline, struct renderer_fence *fence);

// Gives the worker a range of a file as a resource. With `blob`, it is told when the worker has it:
// rings run beside the link, so a guest may name the resource in one only after that.
// Owns: `fd` stays the caller's.
void renderer_attach(struct renderer *renderer, uint32_t resource_id, enum link_resource_kind kind,
                     int fd, uint64_t offset, uint64_t size, struct renderer_blob *blob);
void renderer_detach(struct renderer *renderer, uint32_t resource_id);
// Makes `size` bytes of the memory object `memory_id` the resource `resource_id`. `flags` are enum
// link_blob_flags.
void renderer_export(struct renderer *renderer, uint32_t resource_id, uint64_t memory_id,
                     uint32_t flags, uint64_t size, struct renderer_blob *blob);

// Between the two, small messages are gathered and then sent as one.
void renderer_hold(struct renderer *renderer);
void renderer_flush(struct renderer *renderer);

#endif
