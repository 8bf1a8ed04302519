// Private to src/renderer: contexts, as its files see them.
#ifndef RENDERER_PRIVATE_H
#define RENDERER_PRIVATE_H

#include "renderer/renderer.h"
#include "renderer/watchdog.h"

struct os_source;

struct renderers {
    struct os_loop *loop;
    struct renderers_options options;
    struct renderer_budget budget;
    struct renderer_account account; // of what belongs to no context
    struct list alive, lost;         // struct renderer; lost: at the end of the round
    struct os_source *end_round;     // due at once: the loop runs timers last in a round
    struct os_source *watchdog;
    bool watching;
    uint64_t created, lost_so_far; // contexts
};

struct renderer {
    struct renderers *all;
    struct list node; // in all->alive or all->lost
    uint32_t context_id;
    char name[64];
    struct renderer_callbacks callbacks;
    void *data;
    struct link_child *worker; // NULL: its end was told
    struct renderer_account *account;
    uint32_t descriptors; // that are counted for it: its own, and those on their way

    uint64_t serial; // of the newest fence
    uint64_t busy;   // bit t: timelines[t] is not empty
    struct list timelines[RENDERER_TIMELINES];
    struct list blobs;
    uint64_t unread_since_ns; // something waits for the worker to read; 0: nothing
    struct watchdog watchdog;

    uint64_t failures; // objects that could not be made, so far
    bool is_lost;
    bool silent; // the guest's program has ended without a word
    char why[LINK_MAX_TEXT + 128];
    bool is_calling; // its owner, who may destroy it inside: it is freed afterwards
    bool is_destroyed;
};

// To the worker, unless the renderer is lost. `fd` is duplicated; -1: none.
void renderer_send(struct renderer *renderer, uint16_t type, const void *payload, size_t size,
                   const void *tail, size_t tail_size, int fd);
// Has the tracer behind this connection told what the context does. Owns: it stays the caller's.
void renderer_trace(struct renderer *renderer, int tracer);

#endif
