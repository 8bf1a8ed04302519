// libFuzzer target: a GPU or an input device of a virtual machine as a whole, from its virtqueues
// to its workers. The guest, its front end, the placer, the workers and a person do anything in any
// order. The input is a list of actions.
#include "machine.h"
#include "vhost.h"

#include "front/machine/gpu_front.h"
#include "front/machine/input_front.h"

#include <sys/socket.h>

#define MEMORY_BASE GUEST_ADDRESS
#define MEMORY_SIZE GUEST
#include "../unit/gpu/workers.c"
#include "gpu_requests.h"

struct whole {
    struct machine machine;
    struct machine_gpu *gpu; // of these two one lives; none: it has ended
    struct machine_input *input;
    struct link_pool pool;
    uint16_t offered[2]; // requests, by queue
    // What QEMU and its placer were told and have not answered yet, and what they answer.
    struct ear {
        uint8_t bytes[1024];
        size_t size;
    } ears[2];
    bool deaf, refuses;
};

static void gpu_closed(void *data)
{
    struct whole *w = data;
    machine_gpu_destroy(w->gpu);
    w->gpu = NULL;
}

static void input_closed(void *data)
{
    struct whole *w = data;
    machine_input_destroy(w->input);
    w->input = NULL;
}

static bool is_there(const struct whole *w)
{
    return w->gpu || w->input;
}

static void pump(struct whole *w)
{
    if (workers_read(&w->pool))
        turn(&w->machine);
}

// ---- QEMU, where it does what it should -----------------------------------

static void answer(struct whole *w, int socket, const struct virtio_header *header,
                   const void *payload)
{
    if (socket == w->machine.backend) {
        uint64_t result = w->refuses;
        send_bytes(socket, header->type, VHOST_REPLY | VHOST_VERSION, &result, sizeof(result), NULL,
                   0);
    } else if (header->size == sizeof(struct placer_request)) {
        const struct placer_request *request = payload;
        struct placer_reply reply = {request->generation, request->cookie, w->refuses ? -EIO : 0};
        send_bytes(socket, header->type, PLACER_REPLY | PLACER_VERSION, &reply, sizeof(reply), NULL,
                   0);
    }
}

static void heard(struct machine *m, int socket, const uint8_t *bytes, size_t size)
{
    struct whole *w = (struct whole *)m; // its first member
    struct ear *ear = &w->ears[socket == m->placer];
    if (socket == m->front || w->deaf || size > sizeof(ear->bytes) - ear->size)
        return;
    memcpy(ear->bytes + ear->size, bytes, size);
    ear->size += size;
    struct virtio_header header;
    while (ear->size >= sizeof(header)) {
        memcpy(&header, ear->bytes, sizeof(header));
        size_t whole = sizeof(header) + header.size;
        if (whole > ear->size)
            break;
        _Alignas(8) uint8_t payload[sizeof(struct placer_request)];
        if (header.size <= sizeof(payload))
            memcpy(payload, ear->bytes + sizeof(header), header.size);
        answer(w, socket, &header, payload);
        ear->size -= whole;
        memmove(ear->bytes, ear->bytes + whole, ear->size);
    }
}

// ---- the driver -----------------------------------------------------------

// Where it writes what it asks, and what is answered: 2 KiB for each of eight of a queue.
static uint32_t place_of(const struct whole *w, unsigned queue)
{
    return 0x4000 + queue * 0x4000 + (w->offered[queue] & 7) * 0x800;
}

// A chain of up to four parts at descriptors of its own.
static void offer(struct whole *w, unsigned queue, const uint32_t *sizes, unsigned readable,
                  unsigned count)
{
    uint8_t *rings = w->machine.memory + queue * RINGS;
    uint32_t at = place_of(w, queue);
    unsigned first = w->offered[queue] % 4 * 4;
    for (unsigned i = 0; i < count; i++) {
        struct descriptor {
            uint64_t address;
            uint32_t size;
            uint16_t flags, next;
        } descriptor = {GUEST_ADDRESS + at, sizes[i],
                        (uint16_t)((i + 1 < count) | (i >= readable ? 2 : 0)),
                        (uint16_t)(first + i + 1)};
        memcpy(rings + (first + i) * sizeof(descriptor), &descriptor, sizeof(descriptor));
        at += sizes[i];
    }
    uint16_t head = (uint16_t)first, index;
    memcpy(&index, rings + 0x402, sizeof(index));
    memcpy(rings + 0x404 + index % 16 * sizeof(head), &head, sizeof(head));
    index++;
    memcpy(rings + 0x402, &index, sizeof(index));
    w->offered[queue]++;
    kick(&w->machine, queue);
}

// In two readable parts, and a writable one if there is room for an answer.
static void ask(struct whole *w, const struct request *request, uint32_t first, uint32_t room)
{
    uint32_t all = (uint32_t)(sizeof(request->header) + request->size);
    uint8_t *to = w->machine.memory + place_of(w, request->queue);
    memcpy(to, &request->header, sizeof(request->header));
    memcpy(to + sizeof(request->header), &request->body, request->size);
    first = 1 + first % (all - 1);
    uint32_t sizes[] = {first, all - first, room};
    offer(w, request->queue, sizes, 2, room ? 3 : 2);
}

static void ask_gpu(struct whole *w, struct script *in)
{
    struct request request = some_request(in);
    request.header.fence_id = w->offered[0] + 1u;
    ask(w, &request, request.shape & 8 ? byte(in) : 12, request.shape & 0x30 ? 64 : byte(in));
}

static void create_context(struct whole *w, uint32_t id)
{
    struct request request = {.header = {.type = GPU_CMD_CTX_CREATE, .ctx_id = id},
                              .size = sizeof(struct gpu_ctx_create)};
    request.body.words[1] = GPU_CAPSET_VENUS;
    ask(w, &request, 12, 64);
}

static void ask_input(struct whole *w, struct script *in)
{
    uint8_t what = byte(in);
    unsigned queue = what & 1;
    uint32_t sizes[] = {INPUT_EVENT_SIZE, what & 2 ? INPUT_EVENT_SIZE : byte(in)};
    struct input_event event = {INPUT_EV_LED, byte(in) & 3, byte(in) & 1};
    memcpy(w->machine.memory + place_of(w, queue), &event, sizeof(event));
    offer(w, queue, sizes, queue ? 1 : 0, what & 4 ? 2 : 1);
}

static void configure(struct whole *w, struct script *in)
{
    uint8_t what = byte(in);
    struct {
        uint32_t offset, size, flags;
        uint8_t bytes[32];
    } config = {byte(in), what & 31, 0, {byte(in), byte(in)}};
    say(&w->machine, what & 32 ? VHOST_SET_CONFIG : VHOST_GET_CONFIG, &config, 12 + config.size,
        -1);
}

// What a good driver does with memory of a context: maps it and shows it.
static void live(struct whole *w, struct script *in)
{
    uint8_t what = byte(in);
    struct request create = {.header = {.type = GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1},
                             .size = sizeof(struct gpu_create_blob),
                             .body.create_blob = {.resource_id = 1 + (what & 3),
                                                  .blob_mem = GPU_BLOB_MEM_HOST3D,
                                                  .blob_flags = GPU_BLOB_MAPPABLE,
                                                  .blob_id = what >> 2 & 1,
                                                  .size = 4096u << (what >> 3 & 1)}};
    struct request map = {.header = {.type = GPU_CMD_RESOURCE_MAP_BLOB}, .size = 16};
    struct request show = {.header = {.type = GPU_CMD_SET_SCANOUT_BLOB},
                           .size = sizeof(struct gpu_set_scanout_blob),
                           .body.scanout_blob = {.rect = {0, 0, 16, 16},
                                                 .resource_id = 1 + (what & 3),
                                                 .width = 16,
                                                 .height = 16,
                                                 .format = 1,
                                                 .strides = {64}}};
    struct request flush = {.header = {.type = GPU_CMD_RESOURCE_FLUSH},
                            .size = sizeof(struct gpu_flush),
                            .body.words = {0, 0, 16, 16, 1 + (what & 3)}};
    map.body.words[0] = 1 + (what & 3);
    map.body.words[2] = (what & 0xf0u) << 8;
    ask(w, &create, 12, 64);
    for (unsigned i = 0; i < w->pool.count; i++)
        worker_serves(&w->pool, i, 4096);
    pump(w);
    ask(w, &map, 12, 64);
    turn(&w->machine);
    ask(w, &show, 12, 64);
    ask(w, &flush, 12, 64);
}

// ---- the others -----------------------------------------------------------

static void worker(struct whole *w, struct script *in)
{
    if (!w->pool.count)
        return;
    unsigned index = byte(in) % w->pool.count;
    struct link_child *worker = w->pool.workers[index];
    uint8_t what = byte(in);
    if (!worker->peer)
        return;
    if (what & 0x0f) {
        worker_serves(&w->pool, index, 4096);
    } else if (what & 0x10) {
        uint64_t payload[4] = {word(in), word(in), word(in), word(in)};
        link_send(worker->peer, LINK_WORKER_READY + byte(in) % 8, payload,
                  byte(in) % sizeof(payload), NULL, 0, NULL, 0);
    } else {
        link_destroy(worker->peer);
        worker->peer = NULL;
        if (!worker->released)
            worker->callbacks.gone(worker->data, -1, "fuzz");
    }
    pump(w);
}

static void person(struct whole *w, struct script *in)
{
    uint8_t what = byte(in);
    if (w->gpu) {
        gpu_device_set_mode(machine_gpu_device(w->gpu), what & 3, word(in), word(in));
        return;
    }
    struct input_event events[2] = {
        {(uint16_t)(what & 3), (uint16_t)(what & 4 ? byte(in) : 0x110), (int32_t)word(in)},
        {INPUT_EV_SYN, 0, 0}};
    if (what & 8)
        input_device_release(machine_input_device(w->input));
    else
        input_device_send(machine_input_device(w->input), events, 2);
}

static void act(struct whole *w, struct script *in)
{
    struct machine *m = &w->machine;
    struct input rest = {in->at, in->end}; // for actions that take it so
    switch (byte(in) & 15) {
    case 0:
        fuzz_message(m, &rest);
        in->at = rest.at;
        break;
    case 1:
        write_memory(m, &rest);
        in->at = rest.at;
        break;
    case 2:
        configure(w, in);
        break;
    case 3:
        stop_driver(m);
        turn(m);
        break;
    case 4: // what ran before, or another
        rest.at = in->at;
        start_driver(m, &rest, w->gpu ? 0x1f : 0);
        in->at = rest.at;
        break;
    case 5:
    case 6:
        placer_answers(m, &rest, false);
        in->at = rest.at;
        break;
    case 7:
        person(w, in);
        break;
    case 8:
    case 9:
        worker(w, in);
        break;
    case 10: {
        uint8_t what = byte(in);
        w->pool.empty = what & 1;
        if (what > 0xf0) { // the front end ends
            shutdown(m->front, SHUT_RDWR);
            turn(m);
        }
        break;
    }
    case 11: {
        uint8_t what = byte(in);
        w->deaf = what & 1;
        w->refuses = what & 2;
        break;
    }
    case 12:
        if (w->gpu) {
            live(w, in);
            break;
        }
        // fall through
    default:
        w->gpu ? ask_gpu(w, in) : ask_input(w, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, data + size};
    static struct whole w; // zeroed below: it is large
    memset(&w, 0, sizeof(w));
    struct machine *m = &w.machine;
    m->heard = heard;
    uint8_t kind = byte(&script);
    int fd = open_machine(m), error;
    if (kind & 1) {
        static const struct machine_input_ops ops = {NULL, input_closed};
        error =
            machine_input_create(m->loop, fd, vhost_user_create,
                                 (enum input_kind)(kind >> 1) % INPUT_KINDS, &ops, &w, &w.input);
        close(m->for_placer);
    } else {
        struct machine_gpu_options options = {.device = {.outputs = 2,
                                                         .width = 640,
                                                         .height = 480,
                                                         .aperture_size = APERTURE,
                                                         .page_size = 4096,
                                                         .max_contexts = 4,
                                                         .max_resources = 12,
                                                         .max_2d_bytes = 4 << 20,
                                                         .paced = kind & 2,
                                                         .venus = !(kind & 4),
                                                         .pool = kind & 4 ? NULL : &w.pool},
                                              .transport = vhost_user_create,
                                              .max_ranges = 4};
        error = machine_gpu_create(m->loop, fd, &options, gpu_closed, &w, &w.gpu);
        if (kind & 8 && w.gpu)
            machine_gpu_set_placer(w.gpu, m->for_placer);
        else
            close(m->for_placer);
        placer_says_hello(m, 3);
    }
    if (error)
        abort();
    w.pool.slow = kind & 16;
    meet(m);
    turn(m);
    scarce_begin_for(data, size);
    struct input rest = {script.at, script.end};
    start_driver(m, &rest, w.gpu ? 0x1f : 0);
    script.at = rest.at;
    for (uint32_t id = 1; id <= 2 && w.gpu && !(kind & 32); id++)
        create_context(&w, id);
    for (unsigned i = 0; i < 100 && script.at < script.end && is_there(&w); i++)
        act(&w, &script);
    turn(m);
    scarce_end();
    machine_gpu_destroy(w.gpu);
    machine_input_destroy(w.input);
    workers_destroy(&w.pool);
    close_machine(m);
    close_kicks();
    return 0;
}
