// What a client says, carried out command by command, and what its renderer answers.
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "front/vtest/client.h"
#include "os/clock.h"
#include "os/loop.h"

enum {
    BUFFER_KEEP = 1 << 20, // a larger one is given back when it is empty
    OUT_FLUSH_AT = 512,    // of out[1024]; the largest reply has 172 bytes
    NAP_NS = 10000,        // about what a client needs for one command's pieces
    MAX_PIECES = 8,        // of a command: who writes more of them is not waited for
};

// ---- requests -------------------------------------------------------------

// A client is held up by its own socket, by its worker's or by its fences, which all empty by
// themselves.
static bool may_run(const struct vtest_client *client)
{
    if (client->failed || client->blob.id || client->wait.count || client->out_fd >= 0 ||
        client->out_end > OUT_FLUSH_AT || vtest_fences_full(&client->syncs))
        return false;
    return !client->renderer || !renderer_is_full(client->renderer);
}

static void compact(struct vtest_client *client)
{
    size_t held = client->end - client->start;
    if (!held && client->capacity > BUFFER_KEEP) {
        uint8_t *smaller = malloc(VTEST_BUFFER_SIZE);
        if (smaller) {
            free(client->buffer);
            client->buffer = smaller;
            client->capacity = VTEST_BUFFER_SIZE;
        }
    }
    if (client->start)
        memmove(client->buffer, client->buffer + client->start, held);
    client->start = 0;
    client->end = held;
}

static bool reserve(struct vtest_client *client, size_t size)
{
    compact(client);
    if (size <= client->capacity)
        return true;
    uint8_t *larger = realloc(client->buffer, size);
    if (!larger) {
        vtest_client_fail(client, "out of memory");
        return false;
    }
    client->buffer = larger;
    client->capacity = size;
    return true;
}

// Carries out what the buffer holds. True: more bytes are needed to go on.
static bool run_commands(struct vtest_client *client)
{
    bool hungry = false;
    if (client->renderer)
        renderer_hold(client->renderer);
    for (;;) {
        size_t held = client->end - client->start, size;
        uint32_t header[2];
        hungry = false;
        if (client->out_end > OUT_FLUSH_AT)
            vtest_client_flush(client);
        if (!may_run(client))
            break;
        hungry = true;
        if (held < sizeof(header))
            break;
        memcpy(header, client->buffer + client->start, sizeof(header));
        client->doing = vtest_command_name(header[1]);
        if (!vtest_command_check(client, header[1], header[0], &size))
            break;
        if (held < sizeof(header) + size) {
            if (client->start + sizeof(header) + size > client->capacity)
                reserve(client, sizeof(header) + size);
            break;
        }
        vtest_command_run(client, header[1], client->buffer + client->start + sizeof(header), size);
        client->start += sizeof(header) + size;
    }
    client->doing = NULL;
    if (client->renderer)
        renderer_flush(client->renderer);
    return hungry && !client->failed;
}

static void update_events(struct vtest_client *client)
{
    bool output = vtest_client_has_output(client);
    client->held_up = !may_run(client);
    os_source_set_events(client->source, (client->held_up || output ? 0 : OS_READABLE) |
                                             (output ? OS_WRITABLE : 0));
}

static ssize_t receive(struct vtest_client *client)
{
    ssize_t got;
    do
        got = recv(client->fd, client->buffer + client->end, client->capacity - client->end, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

// The rest of a command that has begun to come is on its way: Mesa writes one in four pieces. Where
// looking does not help, the client waits for our processor: a nap, one for a command, lets it
// write them all.
static ssize_t receive_rest(struct vtest_client *client)
{
    if (client->waits_for_rest >= MAX_PIECES)
        return -EAGAIN;
    client->waits_for_rest++;
    unsigned looks = patience_looks(&client->patience);
    bool looked = looks;
    ssize_t got = -EAGAIN;
    while (looks-- && (got == -EAGAIN || got == -EWOULDBLOCK)) {
        sched_yield();
        got = receive(client);
    }
    bool enough = got != -EAGAIN && got != -EWOULDBLOCK;
    if (looked)
        patience_learn(&client->patience, enough);
    if (enough)
        return got;
    client->waits_for_rest = MAX_PIECES;
    os_sleep_ns(NAP_NS);
    return receive(client);
}

static void look_at_waits(void *server);

// A wait that is held is looked at again when the loop has nothing else to do.
static void update_idle(struct vtest_server *server)
{
    os_loop_set_idle(server->loop, server->held_waits ? look_at_waits : NULL, server);
}

// After anything that may have unblocked the client, or failed it. The client may be gone
// afterwards.
static void proceed(struct vtest_client *client, bool readable)
{
    if (client->wait.count)
        vtest_wait_finish(client, false);
    vtest_client_flush(client);
    bool hungry = !vtest_client_has_output(client) && run_commands(client);
    while (readable && hungry && !client->failed) {
        if (client->start == client->end || client->end == client->capacity)
            compact(client);
        ssize_t got = receive(client);
        if ((got == -EAGAIN || got == -EWOULDBLOCK) && client->start != client->end)
            got = receive_rest(client);
        if (got == -EAGAIN || got == -EWOULDBLOCK)
            break;
        if (got <= 0) {
            client->failed = true; // it closed the connection, which is how clients leave
            break;
        }
        client->end += (size_t)got;
        hungry = run_commands(client);
        // Only bytes of a command that is not whole yet need a look: others wake the loop.
        readable = client->start != client->end;
        if (!readable)
            client->waits_for_rest = 0;
    }
    vtest_client_flush(client);
    struct vtest_server *server = client->server;
    if (client->failed)
        vtest_client_destroy(client);
    else
        update_events(client);
    update_idle(server);
}

static void on_event(void *data, int fd, unsigned events)
{
    struct vtest_client *client = data;
    // Held up and gone: nothing that it still has to say matters.
    if ((events & OS_HANGUP) && !(events & OS_READABLE))
        client->failed = true;
    proceed(client, events & OS_READABLE);
}

static void look_at_waits(void *data)
{
    struct vtest_server *server = data;
    LIST_EACH (node, &server->clients) {
        struct vtest_client *client = LIST_ENTRY(node, struct vtest_client, node);
        if (client->wait.count) {
            vtest_wait_finish(client, true);
            proceed(client, false);
        }
    }
}

// ---- the renderer ---------------------------------------------------------

static void on_retired(void *data, struct renderer_fence *fence)
{
    struct vtest_client *client = data;
    vtest_fence_retire(&client->syncs, fence);
}

static void on_blob(void *data, struct renderer_blob *blob, int error,
                    const struct renderer_memory *memory)
{
    vtest_command_answered(data, error, memory);
}

static void on_told(void *data)
{
    struct vtest_client *client = data;
    if (client->failed || client->wait.count || (client->held_up && may_run(client)))
        proceed(client, false);
}

static void on_drained(void *data)
{
    proceed(data, false);
}

static void on_lost(void *data, const char *why)
{
    struct vtest_client *client = data;
    vtest_client_fail(client, "%s", why ? why : "it takes the memory of its ring away");
    proceed(client, false);
}

// ---- life -----------------------------------------------------------------

bool vtest_session_begin(struct vtest_server *server, int fd)
{
    static const struct renderer_callbacks callbacks = {.retired = on_retired,
                                                        .blob = on_blob,
                                                        .told = on_told,
                                                        .drained = on_drained,
                                                        .lost = on_lost};
    struct vtest_client *client = vtest_client_create(server, fd, &callbacks);
    if (!client)
        return false;
    client->source = os_loop_add_fd(server->loop, fd, OS_READABLE, on_event, client);
    if (client->source)
        return true;
    vtest_client_destroy(client);
    return false;
}
