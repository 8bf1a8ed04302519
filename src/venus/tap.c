#include "venus/tap.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/link.h"
#include "link/trace_messages.h"
#include "os/clock.h"

#define TAP_PATIENCE_NS 100000000ull
#define TAP_LAST_PATIENCE_NS 1000000000ull
#define MAX_QUEUED (1u << 20)   // bytes that a slow tracer has not taken
#define KEPT_BYTES (256u << 10) // a larger buffer is given back after use

struct venus_tap {
    pthread_mutex_t lock; // all of the rest: streams run side by side
    struct link *link;    // NULL: nobody traces
    uint8_t *bytes;       // request and reply of one command
    size_t capacity;
    uint32_t missed;
    bool behind; // the tracer was waited for in vain, and has not caught up
};

static void end(struct venus_context *context)
{
    struct venus_tap *tap = context->tap;
    atomic_store(&context->traced, false);
    link_destroy(tap->link);
    tap->link = NULL;
}

// Waits until the tracer has taken what is queued.
static void settle(struct venus_context *context, uint64_t patience_ns)
{
    struct venus_tap *tap = context->tap;
    uint64_t until = os_now_ns() + patience_ns;
    int error;
    while ((error = link_flush(tap->link)) == -EAGAIN) {
        struct pollfd ready = {.fd = link_fd(tap->link), .events = POLLOUT};
        uint64_t now = os_now_ns();
        if (now >= until)
            break;
        poll(&ready, 1, (int)((until - now) / 1000000) + 1);
    }
    tap->behind = error == -EAGAIN;
    if (error && error != -EAGAIN)
        end(context);
}

static void tell(struct venus_context *context, uint16_t type, const void *payload, size_t size,
                 const void *tail, size_t tail_size)
{
    int error = link_send(context->tap->link, type, payload, size, tail, tail_size, NULL, 0);
    if (error == -EAGAIN && !context->tap->behind)
        settle(context, TAP_PATIENCE_NS);
    else if (error && error != -EAGAIN)
        end(context);
}

void venus_tap_open(struct venus_context *context, int fd)
{
    if (!context->tap) {
        struct venus_tap *tap = calloc(1, sizeof(*tap));
        if (tap)
            pthread_mutex_init(&tap->lock, NULL);
        context->tap = tap;
    }
    struct venus_tap *tap = context->tap;
    struct link *link;
    if (!tap) {
        close(fd); // so the tracer knows
        return;
    }
    if (link_create(fd, false, &link))
        return;
    struct link_trace_hello hello = {.context_id = context->id, .pid = (uint32_t)getpid()};
    memcpy(hello.name, context->name, sizeof(hello.name));
    pthread_mutex_lock(&tap->lock);
    link_destroy(tap->link);
    tap->link = link;
    tap->behind = false;
    tap->missed = 0;
    tell(context, LINK_TRACE_HELLO, &hello, sizeof(hello), NULL, 0);
    atomic_store(&context->traced, tap->link != NULL);
    pthread_mutex_unlock(&tap->lock);
}

void venus_tap_close(struct venus_context *context)
{
    struct venus_tap *tap = context->tap;
    if (!tap)
        return;
    if (tap->link)
        settle(context, TAP_LAST_PATIENCE_NS);
    link_destroy(tap->link);
    pthread_mutex_destroy(&tap->lock);
    free(tap->bytes);
    free(tap);
    context->tap = NULL;
}

// Room for request and reply. The reply is at most as long as what the guest could have had.
static bool reserve(struct venus_tap *tap, size_t size)
{
    if (size > tap->capacity) {
        uint8_t *bytes = realloc(tap->bytes, size);
        if (!bytes)
            return false;
        tap->bytes = bytes;
        tap->capacity = size;
    }
    return true;
}

static void tell_command(struct venus_context *context, struct link_trace_command *command,
                         const struct wire_call *wire, const uint8_t *request, size_t size)
{
    struct venus_tap *tap = context->tap;
    uint64_t reply = wire_measure_reply(wire);
    command->missed = tap->missed;
    command->request_size = size < LINK_TRACE_MAX_BYTES ? (uint32_t)size : LINK_TRACE_MAX_BYTES;
    command->request_cut = (uint32_t)size - command->request_size;
    // A reply that is cut off can not be read: only its number and its result are told.
    command->reply_size = reply <= LINK_TRACE_MAX_BYTES ? (uint32_t)reply : 0;
    command->reply_cut = reply <= UINT32_MAX ? (uint32_t)reply - command->reply_size : UINT32_MAX;
    if (link_queued(tap->link) > MAX_QUEUED ||
        !reserve(tap, (size_t)command->request_size + command->reply_size)) {
        tap->missed++;
        return;
    }
    struct wire_encoder encoder = {.cursor = tap->bytes + command->request_size};
    encoder.end = encoder.cursor + command->reply_size;
    memcpy(tap->bytes, request, command->request_size);
    if (command->reply_size && !wire_encode_reply(&encoder, wire))
        command->reply_size = 0;
    tell(context, LINK_TRACE_COMMAND, command, sizeof(*command), tap->bytes,
         (size_t)command->request_size + command->reply_size);
    tap->missed = 0;
    if (tap->capacity > KEPT_BYTES) {
        free(tap->bytes);
        tap->bytes = NULL;
        tap->capacity = 0;
    }
}

void venus_tap_command(struct venus_stream *stream, const struct wire_call *wire,
                       const uint8_t *request, size_t size, uint64_t begin_ns)
{
    struct venus_context *context = stream->context;
    struct link_trace_command command = {
        .begin_ns = begin_ns,
        .end_ns = os_now_ns(),
        .stream = stream->ring_id,
        .flags = stream->indirect ? LINK_TRACE_NESTED : 0,
    };
    pthread_mutex_lock(&context->tap->lock);
    if (context->tap->link) {
        if (context->tap->behind)
            settle(context, 0);
        if (context->tap->link)
            tell_command(context, &command, wire, request, size);
    }
    pthread_mutex_unlock(&context->tap->lock);
}

void venus_tap_lost(struct venus_context *context, const char *text)
{
    if (!atomic_load(&context->traced))
        return;
    pthread_mutex_lock(&context->tap->lock);
    if (context->tap->link)
        tell(context, LINK_TRACE_LOST, text, strlen(text), NULL, 0);
    pthread_mutex_unlock(&context->tap->lock);
}
