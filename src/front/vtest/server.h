// The way in without a virtual machine: a server on a Unix socket that speaks Mesa's vtest
// protocol. One connection is one context, carried out by one worker process.
//
// Thread: the loop's. Nothing blocks.
#ifndef VTEST_SERVER_H
#define VTEST_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct link_pool;
struct os_loop;
struct renderers;
struct vtest_server;

// 0 stands for the default in brackets.
struct vtest_options {
    uint32_t max_clients;   // [256] contexts at a time; one more is told that there is no device
    uint32_t max_resources; // [16384] blobs per client
    uint32_t max_syncs;     // [1048576] sync objects per client
    uint32_t max_waits;     // [4096] pending waits per client; each holds a descriptor
    uint32_t max_fences;    // [16384] submissions in flight per client; more are left in the socket
    uint32_t max_rings;     // [4096] per client
    // [no limit] Bytes that all clients together may hold of the host's memory, and of a card's.
    uint64_t max_memory, max_card_memory;
    uint64_t max_wait_ns;      // [never] after which a worker that owes an answer is given up
    uint32_t max_queued_bytes; // [16 MiB] on their way to a worker before its client has to wait
    // Hears of every connection, and may duplicate the descriptor. See vtest_last_words.
    void (*connected)(void *data, int fd);
    void *connected_data;
    const char *trace_path; // a tracer that listens there is told of every context; NULL: none
};

// Owns: `pool` and `loop` stay the caller's and must outlive the server. Errors: NULL, no memory.
struct vtest_server *vtest_server_create(struct os_loop *loop, struct link_pool *pool,
                                         const struct vtest_options *options);
// Disconnects everybody, releases their workers, removes the socket file. NULL passes.
void vtest_server_destroy(struct vtest_server *server);

// Listens on `path`, once per server. Errors: 0 or -errno, as os_socket_listen.
int vtest_server_listen(struct vtest_server *server, const char *path);
// Serves a connection that was made elsewhere. Owns: `fd` is taken over, also on failure.
// Errors: false, out of memory.
bool vtest_server_adopt(struct vtest_server *server, int fd);
// The contexts of its clients. Owns: the server.
struct renderers *vtest_server_renderers(const struct vtest_server *server);
// Tells a client that it is over, and ends the connection. For those who survive the server.
// Owns: the descriptor stays open, and the caller's.
void vtest_last_words(int fd);

#endif
