// A hostile vtest client and a hostile worker, both at once. Input: a script of steps, see
// run_step.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/short.h"
#include "../unit/vtest_peer.h"
#include "base/log.h"
#include "front/vtest/protocol.h"
#include "front/vtest/server.h"
#include "link/form.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "wire/capset.h"
#include "wire/wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

// The front only passes it on; the codec has a target of its own.
void wire_capset(uint8_t capset[WIRE_CAPSET_SIZE])
{
    memset(capset, 0, WIRE_CAPSET_SIZE);
}

struct input {
    const uint8_t *cursor, *end;
};

struct stage {
    struct os_loop *loop;
    struct os_source *pause;
    struct vtest_server *server;
    int client;
};

static const uint8_t *take(struct input *input, size_t *size)
{
    const uint8_t *bytes = input->cursor;
    if (*size > (size_t)(input->end - input->cursor))
        *size = (size_t)(input->end - input->cursor);
    input->cursor += *size;
    return bytes;
}

static uint32_t number(struct input *input, size_t bytes)
{
    uint32_t value = 0;
    const uint8_t *from = take(input, &bytes);
    memcpy(&value, from, bytes);
    return value;
}

static void on_pause(void *data)
{
    os_loop_stop(data, 0);
}

static void pump(struct stage *stage, int rounds)
{
    while (rounds-- > 0) {
        os_source_set_deadline(stage->pause, os_now_ns());
        SCARCE(os_loop_run(stage->loop));
    }
}

static void send_client(struct stage *stage, const void *bytes, size_t size)
{
    if (size)
        os_socket_send(stage->client, bytes, size, NULL, 0);
}

// A command with a header that fits: words of one byte each are enough to name most things, 255
// stands for all ones.
static void send_command(struct stage *stage, struct input *input)
{
    uint32_t message[2 + 24] = {0, number(input, 1) % VTEST_COMMAND_END};
    uint32_t count = number(input, 1) % 25;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t byte = number(input, 1);
        message[2 + i] = byte == 255 ? UINT32_MAX : byte;
    }
    message[0] = count;
    send_client(stage, message, 8 + count * 4);
}

static void tell(uint16_t type, const void *payload, size_t size)
{
    struct link_message message = {.type = type, .size = (uint32_t)size, .payload = payload};
    if (peer_worker)
        SCARCE(peer_worker->callbacks.message(peer_worker->data, &message));
}

// A type that may hold it: the link lets no other through.
static void tell_text(uint16_t type)
{
    static const _Alignas(8) uint8_t text[8] = "text";
    const struct link_header header = {.size = 4, .type = type};
    if (link_well_formed(&header, text))
        tell(type, text, 4);
}

// With a descriptor, so over the link.
static void tell_exported(struct input *input)
{
    struct link_blob_exported exported = {.resource_id = number(input, 1),
                                          .result = -(int32_t)(number(input, 1) % 40),
                                          .offset = number(input, 1),
                                          .size = number(input, 4)};
    if (!peer_worker)
        return;
    int fd = os_shm_create("fuzz", 4096);
    link_send(peer_worker->peer, LINK_BLOB_EXPORTED, &exported, sizeof(exported), NULL, 0, &fd,
              !exported.result);
    close(fd);
    struct link_message message;
    while (peer_worker && link_receive(peer_worker->link, &message) == 0)
        if (!peer_worker->callbacks.message(peer_worker->data, &message))
            break;
}

static void run_step(struct stage *stage, struct input *input)
{
    uint8_t bytes[4096];
    size_t size;
    const uint8_t *from;
    switch (number(input, 1) % 11) {
    case 0: // raw bytes
        size = number(input, 1);
        from = take(input, &size);
        send_client(stage, from, size);
        break;
    case 1:
    case 2:
        send_command(stage, input);
        break;
    case 3: { // fences: slot and generation
        struct link_fence_retired fences[2];
        memset(fences, 0, sizeof(fences));
        for (int i = 0; i < 2; i++)
            fences[i].fence_id = (uint64_t)number(input, 1) << 32 | number(input, 1);
        tell(LINK_FENCE_RETIRED, fences, sizeof(fences[0]) * (1 + number(input, 1) % 2));
        break;
    }
    case 4:
        tell(LINK_RESOURCE_ATTACHED,
             &(struct link_resource_attached){.resource_id = number(input, 1)},
             sizeof(struct link_resource_attached));
        break;
    case 5:
        tell_exported(input);
        break;
    case 6:
        if (peer_worker && number(input, 1) == 0)
            peer_worker->callbacks.gone(peer_worker->data, -1, "fuzz");
        break;
    case 7: // the worker reads
        for (struct link_message message;
             peer_worker && link_receive(peer_worker->peer, &message) == 0;)
            ;
        if (peer_worker && link_flush(peer_worker->link) == 0)
            peer_worker->callbacks.drained(peer_worker->data);
        break;
    case 8: // the client reads
        while (recv(stage->client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        break;
    case 9:
        tell_text(number(input, 1) % 80);
        break;
    default:
        pump(stage, 8);
    }
}

static void start_up(struct stage *stage)
{
    static const uint32_t words[] = {1, VTEST_PROTOCOL_VERSION, 4, 1, VTEST_CONTEXT_INIT, 4};
    static const uint8_t name[] = {1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0};
    send_client(stage, name, sizeof(name));
    send_client(stage, words, sizeof(words));
    pump(stage, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    struct stage stage = {.loop = new_loop()};
    int pair[2];
    log_set_level(LOG_ERROR);
    if (!stage.loop || os_socket_pair(pair))
        abort();
    stage.pause = os_loop_add_timer(stage.loop, 0, on_pause, stage.loop);
    struct vtest_options options = {.max_resources = 16,
                                    .max_syncs = 16,
                                    .max_waits = 8,
                                    .max_fences = 8,
                                    .max_memory = 1 << 24,
                                    .max_queued_bytes = 65536};
    stage.server = vtest_server_create(stage.loop, NULL, &options);
    stage.client = pair[0];
    // The server rightly reads nothing from a client that waits for its worker (may_run of
    // session.c). This worker may never answer, and no watchdog runs: who writes on must not hold
    // up the target.
    os_socket_set_nonblocking(stage.client, true);
    peer_worker = NULL;
    scarce_begin_for(data, size);
    SCARCE(vtest_server_adopt(stage.server, pair[1]));
    if (number(&input, 1) & 1)
        start_up(&stage);
    while (input.cursor < input.end) {
        run_step(&stage, &input);
        pump(&stage, 1);
    }
    scarce_end();
    vtest_server_destroy(stage.server);
    os_loop_destroy(stage.loop);
    close(pair[0]);
    return 0;
}
