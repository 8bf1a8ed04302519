// Private to the vtest front: one connection.
#ifndef VTEST_CLIENT_H
#define VTEST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"
#include "base/patience.h"
#include "front/vtest/server.h"
#include "front/vtest/sync.h"
#include "os/loop.h"
#include "renderer/renderer.h"

struct vtest_resource {
    uint64_t size; // bytes that were charged; of shared memory only, the worker counts its own
    bool used;
    bool empty; // memory that the worker does not have: it knows no such resource
};

enum { VTEST_HELD_SYNCS = 8 }; // a wait for more is answered at once

enum vtest_state {
    VTEST_NEW,       // nothing said
    VTEST_NAMED,     // CREATE_RENDERER
    VTEST_VERSIONED, // PROTOCOL_VERSION
    VTEST_CONTEXT,   // CONTEXT_INIT: has a worker
};

struct vtest_client {
    struct vtest_server *server;
    struct list node; // in server->clients
    uint32_t context_id;
    char name[64]; // printable ASCII
    enum vtest_state state;
    uint32_t version; // what the client asked for: it decides the layout of batches
    bool failed;      // to be destroyed when the event is over
    bool held_up;     // nothing is read from it: it waits for its socket, renderer or fences

    int fd;
    struct os_source *source;

    // Received and not yet carried out: buffer[start, end).
    uint8_t *buffer;
    size_t capacity, start, end;
    struct patience patience; // for the rest of a command
    uint8_t waits_for_rest;   // of the command that has begun to come
    const char *doing;        // the command that is being carried out, for log lines; NULL: none

    // Replies: bytes, then at most one descriptor with a byte of its own. No command is carried out
    // while something is left here that the socket did not take, so this bounds it.
    uint8_t out[1024];
    size_t out_start, out_end;
    int out_fd; // -1: none
    bool out_fd_is_ours;

    struct renderer *renderer; // NULL: not yet
    const struct renderer_callbacks *renderer_callbacks;
    // The blob that the worker is making or attaching; the client's reply waits for its answer.
    struct {
        uint32_t id; // of the resource; 0: none
        int fd;      // of shared memory; -1: the worker has the file
        struct renderer_blob asked;
    } blob;

    // A SYNC_WAIT whose reply waits for the loop to have nothing else to do: often it is over by
    // then, and costs no descriptor.
    struct {
        uint32_t count; // 0: none
        uint32_t timeout_ms;
        bool any;
        struct vtest_sync_value values[VTEST_HELD_SYNCS];
    } wait;

    struct vtest_resource *resources; // by id - 1
    uint32_t *free_resources;         // a stack of ids
    uint32_t resource_capacity, resource_used, resource_free;

    struct vtest_syncs syncs;
    struct vtest_sync_value *values; // of the command that is carried out
    uint32_t value_capacity;
    struct os_notifier
        reached; // signalled for ever: what an already satisfied wait gets; made when needed
    struct os_notifier never; // never signalled: what a wait of no time gets
};

struct vtest_server {
    struct os_loop *loop;
    struct renderers *renderers;
    struct vtest_options options;
    struct list clients; // struct vtest_client, the oldest first
    uint32_t client_count, context_count, next_context_id;
    uint32_t max_callers;       // connections without a context yet
    uint32_t held_waits;        // clients with one
    struct log_limit log_limit; // lines that clients can cause at will
    uint8_t capset[160];

    int listener;
    struct os_source *listen_source, *retry_timer;
    char *socket_path; // NULL: not listening
    uint64_t socket_device, socket_inode;
};

// ---- client.c -------------------------------------------------------------

enum { VTEST_BUFFER_SIZE = 64 << 10 };

// Owns: `fd` is taken over, also on failure. Errors: NULL, out of memory.
struct vtest_client *vtest_client_create(struct vtest_server *server, int fd,
                                         const struct renderer_callbacks *callbacks);
void vtest_client_destroy(struct vtest_client *client);

// One log line with context, command and reason; the client is disconnected when the event is over.
void vtest_client_fail(struct vtest_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// `words` may be NULL if there are none.
void vtest_client_reply(struct vtest_client *client, uint32_t command, const uint32_t *words,
                        uint32_t count);
// Sends a descriptor behind a reply. `ours`: it is closed when it was sent.
void vtest_client_reply_fd(struct vtest_client *client, int fd, bool ours);
// Sends what the socket takes.
void vtest_client_flush(struct vtest_client *client);
bool vtest_client_has_output(const struct vtest_client *client);

// ---- resource.c -----------------------------------------------------------

// A new id. Errors: 0, limit or memory.
uint32_t vtest_resource_add(struct vtest_client *client, uint64_t size);
bool vtest_resource_known(const struct vtest_client *client, uint32_t id);
void vtest_resource_remove(struct vtest_client *client, uint32_t id);

// ---- wait.c ---------------------------------------------------------------

// Begins a SYNC_WAIT, and answers it if that can be done now.
void vtest_wait_start(struct vtest_client *client, const struct vtest_sync_value *values,
                      uint32_t count, bool any, uint32_t timeout_ms);
// The wait is over: answers it. Else, if `now`, answers with a descriptor that tells later. False:
// still held.
bool vtest_wait_finish(struct vtest_client *client, bool now);

// ---- command.c ------------------------------------------------------------

// What a header asks for is legal now and has a possible length: payload bytes in *size. Else fails
// the client.
bool vtest_command_check(struct vtest_client *client, uint32_t command, uint32_t length,
                         size_t *size);
void vtest_command_run(struct vtest_client *client, uint32_t command, const uint8_t *payload,
                       size_t size);
const char *vtest_command_name(uint32_t command);
// The worker's answer about the blob that is under way: renderer_callbacks.blob.
void vtest_command_answered(struct vtest_client *client, int error,
                            const struct renderer_memory *memory);

// ---- session.c ------------------------------------------------------------

// Owns: as vtest_client_create. Errors: false, out of memory.
bool vtest_session_begin(struct vtest_server *server, int fd);

#endif
