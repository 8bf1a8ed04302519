#include "trace/tracer.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/list.h"
#include "link/context_messages.h"
#include "link/link.h"
#include "link/trace_messages.h"
#include "os/loop.h"
#include "os/socket.h"
#include "trace/print.h"
#include "trace/stats.h"
#include "wire/guest.h"

// Memory for the structures of one command, of which LINK_TRACE_MAX_BYTES arrive.
#define COMMAND_MEMORY (256u << 20)

enum { MAX_STREAMS = 4096, MAX_WORKERS = 1024, BATCH = 256 };

struct tracer {
    struct os_loop *loop;
    struct tracer_options options;
    struct list workers;
    uint32_t connected, seen;
    bool named;        // more than one context has come: lines say of which they are
    uint64_t start_ns; // of the first command; 0: none yet
    struct arena arena;
    struct trace_stats stats;
    uint64_t missed;
    int listener;
    struct os_source *source;
    char *path;
};

struct worker {
    struct tracer *tracer;
    struct list node;
    struct link *link;
    struct os_source *source;
    bool introduced;
    uint32_t context_id;
    uint64_t streams[MAX_STREAMS]; // ids of rings, in the order of their first command
    uint32_t stream_count;
};

// ---- one command ----------------------------------------------------------

bool trace_knows(const char *glob)
{
    for (uint32_t number = 0; number < WIRE_COMMAND_COUNT; number++) {
        const struct wire_command_info *info = wire_command_info(number);
        if (info && fnmatch(glob, info->name, 0) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct tracer *tracer, const char *name)
{
    for (uint32_t i = 0; i < tracer->options.only_count; i++)
        if (fnmatch(tracer->options.only[i], name, 0) == 0)
            return true;
    return !tracer->options.only_count;
}

// The guest's ids of rings are addresses: the first is 1 here.
static uint32_t number_of_stream(struct worker *worker, uint64_t id)
{
    for (uint32_t i = 0; i < worker->stream_count; i++)
        if (worker->streams[i] == id)
            return i + 1;
    if (worker->stream_count < MAX_STREAMS)
        worker->streams[worker->stream_count++] = id;
    return worker->stream_count;
}

static void print_place(struct worker *worker, const struct link_trace_command *command)
{
    struct tracer *tracer = worker->tracer;
    char stream[24] = "context";
    if (command->stream)
        snprintf(stream, sizeof(stream), "ring%u", number_of_stream(worker, command->stream));
    if (tracer->named)
        fprintf(tracer->options.out, "[%u] ", worker->context_id);
    fprintf(tracer->options.out, "%11.6f %s%s ",
            (double)(int64_t)(command->begin_ns - tracer->start_ns) / 1e9, stream,
            command->flags & LINK_TRACE_NESTED ? "+" : "");
}

// The result of a reply that is too long to be told is told all the same: it comes first.
static void print_reply(struct tracer *tracer, const struct link_trace_command *command,
                        const uint8_t *bytes, struct wire_call *call)
{
    struct wire_decoder decoder = {
        .cursor = bytes, .end = bytes + command->reply_size, .arena = &tracer->arena};
    uint32_t number = call->number;
    if (command->reply_cut)
        fprintf(tracer->options.out, " {... %" PRIu64 " bytes}",
                (uint64_t)command->reply_size + command->reply_cut);
    else if (!command->reply_size)
        return;
    else if (wire_decode_reply(&decoder, call) && call->number == number)
        trace_print_reply(tracer->options.out, call, tracer->options.full);
    else
        fprintf(tracer->options.out, " {its results cannot be read}");
}

// The number of a request stands in front, also of one that is cut off.
static const struct wire_command_info *command_of(const struct link_trace_command *command,
                                                  const uint8_t *bytes, uint32_t *number)
{
    if (command->request_size < sizeof(*number))
        return NULL;
    memcpy(number, bytes, sizeof(*number));
    return wire_command_info(*number);
}

static void print_command(struct worker *worker, const struct link_trace_command *command,
                          const uint8_t *bytes, const struct wire_command_info *info)
{
    struct tracer *tracer = worker->tracer;
    FILE *out = tracer->options.out;
    struct wire_call call;
    struct wire_decoder decoder = {.cursor = bytes,
                                   .end = bytes + command->request_size,
                                   .arena = &tracer->arena,
                                   .reply_capacity = UINT64_MAX,
                                   .any_value = true};
    print_place(worker, command);
    fprintf(out, "%s(", info->name);
    if (command->request_cut) {
        fprintf(out, "... %" PRIu64 " bytes)",
                (uint64_t)command->request_size + command->request_cut);
    } else if (wire_decode(&decoder, &call)) {
        trace_print_request(out, &call, tracer->options.full);
        fputc(')', out);
        print_reply(tracer, command, bytes + command->request_size, &call);
    } else {
        fprintf(out, "... cannot be read: %s)", decoder.reason);
    }
    fprintf(out, " <%.6f>\n", (double)(command->end_ns - command->begin_ns) / 1e9);
    arena_reset(&tracer->arena);
}

static bool on_command(struct worker *worker, const struct link_trace_command *command)
{
    struct tracer *tracer = worker->tracer;
    const uint8_t *bytes = (const uint8_t *)(command + 1);
    uint32_t number;
    const struct wire_command_info *info = command_of(command, bytes, &number);
    if (!info || command->end_ns < command->begin_ns)
        return false;
    if (!tracer->start_ns)
        tracer->start_ns = command->begin_ns;
    tracer->missed += command->missed;
    if (command->missed && !tracer->options.stats)
        fprintf(tracer->options.out, "# %u commands not shown: this tracer is too slow\n",
                command->missed);
    if (!is_wanted(tracer, info->name))
        return true;
    if (tracer->options.stats)
        trace_stats_add(&tracer->stats, number,
                        (uint64_t)command->request_size + command->request_cut,
                        command->end_ns - command->begin_ns);
    else
        print_command(worker, command, bytes, info);
    return true;
}

// ---- one worker -----------------------------------------------------------

// What a guest calls itself goes to a terminal.
static void print_plain(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size && text[i]; i++)
        fputc(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?', out);
}

static void on_hello(struct worker *worker, const struct link_trace_hello *hello)
{
    struct tracer *tracer = worker->tracer;
    worker->introduced = true;
    worker->context_id = hello->context_id;
    tracer->named |= tracer->seen > 1;
    if (tracer->options.stats)
        return;
    fprintf(tracer->options.out, "# context %u, worker %u: ", hello->context_id, hello->pid);
    print_plain(tracer->options.out, hello->name, sizeof(hello->name));
    fputc('\n', tracer->options.out);
}

static void on_lost(struct worker *worker, const struct link_message *message)
{
    FILE *out = worker->tracer->options.out;
    fprintf(out, "# context %u %s", worker->context_id,
            message->size ? "is lost: " : "ends: its program has gone");
    print_plain(out, (const char *)message->payload, message->size);
    fputc('\n', out);
}

// False: the worker breaks the rules.
static bool take(struct worker *worker, const struct link_message *message)
{
    if (worker->introduced == (message->type == LINK_TRACE_HELLO))
        return false;
    switch (message->type) {
    case LINK_TRACE_HELLO:
        on_hello(worker, (const void *)message->payload);
        return true;
    case LINK_TRACE_COMMAND:
        return on_command(worker, (const void *)message->payload);
    case LINK_TRACE_LOST:
        on_lost(worker, message);
        return true;
    default:
        return false;
    }
}

static void drop(struct worker *worker)
{
    struct tracer *tracer = worker->tracer;
    list_remove(&worker->node);
    os_source_remove(worker->source);
    link_destroy(worker->link);
    free(worker);
    tracer->connected--;
}

static void on_worker(void *data, int fd, unsigned events)
{
    struct worker *worker = data;
    struct tracer *tracer = worker->tracer;
    struct link_message message;
    int status = 0;
    // Others want to be read as well: not all at once.
    for (unsigned i = 0; i < BATCH && !status; i++) {
        status = link_receive(worker->link, &message);
        if (!status && !take(worker, &message))
            status = -EPROTO;
    }
    fflush(tracer->options.out);
    if (!status || status == -EAGAIN)
        return;
    if (link_is_broken(status))
        fprintf(tracer->options.out, "# context %u: its worker tells what cannot be\n",
                worker->context_id);
    drop(worker);
    if (!tracer->connected && tracer->options.idle)
        tracer->options.idle(tracer->options.data);
}

void tracer_adopt(struct tracer *tracer, int fd)
{
    struct worker *worker = tracer->connected < MAX_WORKERS ? calloc(1, sizeof(*worker)) : NULL;
    if (!worker) {
        close(fd);
        return;
    }
    worker->tracer = tracer;
    list_append(&tracer->workers, &worker->node);
    tracer->connected++;
    tracer->seen++;
    if (!link_create(fd, false, &worker->link))
        worker->source = os_loop_add_fd(tracer->loop, fd, OS_READABLE, on_worker, worker);
    if (!worker->source)
        drop(worker);
}

static void on_connection(void *data, int listener, unsigned events)
{
    int fd = os_socket_accept(listener);
    if (fd >= 0)
        tracer_adopt(data, fd);
}

// ---- life -----------------------------------------------------------------

struct tracer *tracer_create(struct os_loop *loop, const struct tracer_options *options)
{
    struct tracer *tracer = calloc(1, sizeof(*tracer));
    if (!tracer)
        return NULL;
    tracer->loop = loop;
    tracer->options = *options;
    tracer->listener = -1;
    list_init(&tracer->workers);
    arena_init(&tracer->arena, COMMAND_MEMORY);
    return tracer;
}

void tracer_destroy(struct tracer *tracer)
{
    if (!tracer)
        return;
    for (struct worker *worker; (worker = LIST_FIRST(&tracer->workers, struct worker, node));)
        drop(worker);
    if (tracer->options.stats && tracer->seen)
        trace_stats_print(&tracer->stats, tracer->options.out);
    if (tracer->missed)
        fprintf(tracer->options.out, "# %" PRIu64 " commands not %s in all\n", tracer->missed,
                tracer->options.stats ? "counted" : "shown");
    fflush(tracer->options.out);
    os_source_remove(tracer->source);
    if (tracer->listener >= 0)
        close(tracer->listener);
    if (tracer->path)
        unlink(tracer->path);
    free(tracer->path);
    arena_finish(&tracer->arena);
    free(tracer);
}

int tracer_listen(struct tracer *tracer, const char *path)
{
    int fd = os_socket_listen(path);
    if (fd < 0)
        return fd;
    tracer->listener = fd;
    tracer->path = strdup(path);
    tracer->source = os_loop_add_fd(tracer->loop, fd, OS_READABLE, on_connection, tracer);
    return tracer->path && tracer->source ? 0 : -ENOMEM;
}

uint32_t tracer_connected(const struct tracer *tracer)
{
    return tracer->connected;
}
