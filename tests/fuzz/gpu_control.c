// The device under a hostile guest, hostile workers and a front that fails: bytes are a script of
// what they do.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BANK_SIZE 65536 // a machine per input: small
#include "../unit/gpu/machine.c"
#include "../unit/gpu/snapshot.h"
#include "../unit/gpu/workers.c"
#define MEMORY_BASE BANK_BASE
#define MEMORY_SIZE (BANKS * BANK_SIZE)
#include "base/log.h"
#include "gpu/output.h"
#include "gpu_requests.h"
#include "os/os.h"
#include "os/shm.h"

static void command(struct machine *machine, struct script *script)
{
    struct request request = some_request(script);
    machine->header = request.header;
    machine->header.fence_id = machine->completions + 1;
    machine->split = request.shape & 8 ? 1 + byte(script) : 0;
    machine->room = request.shape & 0x30 ? ROOM : byte(script);
    struct answer *answer =
        machine_ask(machine, request.queue, request.header.type, &request.body, request.size);
    // The guest changes what it has sent.
    if (answer->request_size)
        answer->request[byte(script) % answer->request_size] ^= 1;
}

static void serve(struct machine *machine, unsigned index)
{
    worker_serves(&machine->pool, index, machine->options.page_size);
    machine_pump(machine);
}

static void worker(struct machine *machine, struct script *script)
{
    if (!machine->pool.count)
        return;
    unsigned index = byte(script) % machine->pool.count;
    struct link_child *self = machine->pool.workers[index];
    if (!self->peer)
        return;
    switch (byte(script) % 6) {
    case 0:
        serve(machine, index);
        break;
    case 1: {
        int fd = os_shm_create("fuzz", 1 + word(script) % (1 << 20));
        worker_export(machine, index, word(script), -(int32_t)(byte(script) & 3), fd, word(script),
                      word(script));
        close(fd);
        break;
    }
    case 2:
        worker_retire(machine, index, word(script), word(script));
        break;
    case 3:
        if (byte(script) & 1)
            worker_die(machine, index, "fuzz");
        else
            worker_attached(machine, index, word(script));
        break;
    case 4:
        link_send(self->peer, LINK_CONTEXT_LOST, "fuzz", 4, NULL, 0, NULL, 0);
        machine_pump(machine);
        break;
    case 5: {
        uint64_t payload[4] = {word(script), word(script), word(script), word(script)};
        link_send(self->peer, LINK_WORKER_READY + byte(script) % 8, payload,
                  byte(script) % sizeof(payload), NULL, 0, NULL, 0);
        machine_pump(machine);
        break;
    }
    }
}

// What well-behaved drivers do, so that scripts get deep with few bytes: a blob with a place, in
// contexts, on a screen.
static void life_of_a_blob(struct machine *machine, struct script *script)
{
    uint8_t what = byte(script);
    uint32_t id = 1 + (what & 7), context = 1 + (what >> 3 & 1);
    uint64_t size = (uint64_t)(1 + (byte(script) & 15)) << 12;
    machine->room = ROOM;
    machine->split = 0;
    create_blob(machine, context, id, GPU_BLOB_MEM_HOST3D,
                what & 0x10 ? GPU_BLOB_MAPPABLE : GPU_BLOB_MAPPABLE | GPU_BLOB_SHAREABLE,
                what & 0x10 ? 0 : 1, size);
    map_blob(machine, id, (uint64_t)byte(script) << 12);
    ctx_attach(machine, context, id);
    if (what & 0x20)
        ctx_attach(machine, 3 - context, id);
    if (what & 0x40) {
        struct gpu_set_scanout_blob body = {
            .rect = {1, 1, 8, 8}, .resource_id = id, .width = 16, .height = 16, .format = 1};
        body.strides[0] = 64;
        machine_now(machine, GPU_CMD_SET_SCANOUT_BLOB, &body, sizeof(body));
        flush(machine, id, (struct picture_rect){0, 0, 16, 16});
    }
    if (what & 0x80) {
        unmap_blob(machine, id);
        unref(machine, id);
    }
}

// Pixels from guest pages to a screen and a cursor.
static void life_of_a_picture(struct machine *machine, struct script *script)
{
    uint8_t what = byte(script);
    uint32_t id = 1 + (what & 7), entries = 1 + (what >> 3 & 3);
    const struct picture_rect all = {0, 0, 16, 16};
    struct gpu_memory_entry list[4];
    for (uint32_t i = 0; i < 4; i++)
        list[i] = (struct gpu_memory_entry){address(script), 100 + byte(script) * 8u, 0};
    machine->room = ROOM;
    machine->split = 0;
    if (what & 0x20) {
        create_2d(machine, id, format(script), 16, 16);
        attach_backing(machine, id, list, entries);
        transfer(machine, id, (struct picture_rect){byte(script) & 3, byte(script) & 3, 12, 12},
                 byte(script));
        set_scanout(machine, what >> 6 & 1, id, all);
    } else {
        create_blob(machine, 1, id, GPU_BLOB_MEM_GUEST, 0, 0, 1024);
        attach_backing(machine, id, list, entries);
        struct gpu_set_scanout_blob body = {
            .rect = all, .resource_id = id, .width = 16, .height = 16, .format = 2};
        body.strides[0] = 64;
        machine_now(machine, GPU_CMD_SET_SCANOUT_BLOB, &body, sizeof(body));
    }
    flush(machine, id, all);
    if (what & 0x80) {
        struct gpu_update_cursor cursor = {.resource_id = id, .x = word(script), .y = word(script)};
        machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR, &cursor, sizeof(cursor));
    }
}

static struct gpu_listener listener; // of the machine at hand

static void look(struct machine *machine)
{
    static uint8_t rgba[1 << 20];
    for (uint32_t i = 0; i < gpu_device_outputs(machine->device); i++) {
        struct gpu_picture picture;
        struct gpu_cursor cursor;
        struct picture_rect damage;
        gpu_output_picture(machine->device, i, &picture);
        gpu_output_cursor(machine->device, i, &cursor);
        if (gpu_output_take_damage(machine->device, &listener, i, &damage) &&
            (damage.x + damage.width > picture.width || damage.y + damage.height > picture.height))
            abort();
        snapshot_output(machine->device, i, rgba, sizeof(rgba), true);
        gpu_output_shown(machine->device, &listener, i);
    }
}

static void step(struct machine *machine, struct script *script)
{
    switch (byte(script) & 15) {
    default:
        command(machine, script);
        break;
    case 5:
    case 6:
        life_of_a_blob(machine, script);
        break;
    case 7:
        life_of_a_picture(machine, script);
        break;
    case 8: { // anything at all
        uint8_t bytes[256];
        size_t size = byte(script);
        for (size_t i = 0; i < size; i++)
            bytes[i] = byte(script);
        machine->split = byte(script);
        machine->room = ROOM;
        machine_send(machine, byte(script) & 1 ? GPU_CURSOR_QUEUE : GPU_CONTROL_QUEUE, bytes, size);
        break;
    }
    case 9:
    case 10:
    case 11:
        worker(machine, script);
        break;
    case 12:
        if (machine->cookie_count)
            machine_confirm(machine, (byte(script) & 3) ? 0 : -EIO);
        break;
    case 13:
        machine->place_mode = byte(script) % 6 % 5; // at once, mostly
        gpu_device_resumed(machine->device);
        break;
    case 14:
        look(machine);
        break;
    case 15:
        switch (byte(script) & 7) {
        case 0:
            machine_reset(machine);
            break;
        case 1:
            gpu_device_set_mode(machine->device, byte(script) & 3, word(script), word(script));
            break;
        case 2:
            gpu_device_set_features(machine->device, byte(script));
            break;
        case 3:
            machine->pool.empty = !machine->pool.empty;
            break;
        case 4: {
            uint8_t bytes[32] = {0};
            gpu_device_read_config(machine->device, byte(script), bytes, byte(script) & 31);
            gpu_device_write_config(machine->device, byte(script) & 7, bytes, byte(script) & 31);
            break;
        }
        case 5:
            gpu_device_placed(machine->device, word(script), -(int32_t)word(script));
            break;
        default:
            machine_round(machine);
            break;
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, data + size};
    struct gpu_options options = machine_options();
    uint8_t kind = byte(&script);
    options.aperture_size = 1 << 20;
    options.max_2d_bytes = 4 << 20;
    options.max_resources = 12;
    options.max_contexts = 4;
    options.max_memory = kind & 1 ? 1 << 20 : 0;
    options.page_size = kind & 2 ? 16384 : 4096;
    options.venus = !(kind & 4) || kind & 8;
    struct machine *machine = machine_create(&options);
    machine->pool.slow = kind & 64;
    scarce_begin_for(data, size);
    listener = (struct gpu_listener){.paces = kind & 128};
    gpu_device_listen(machine->device, &listener);
    for (uint32_t id = 1; id <= 2 && !(kind & 16); id++)
        ctx_create(machine, id, GPU_CAPSET_VENUS, "fuzz");
    for (int steps = 0; script.at < script.end && steps < 300; steps++) {
        step(machine, &script);
        machine_pump(machine);
        for (unsigned i = 0; i < machine->pool.count && kind & 32; i++)
            serve(machine, i);
    }
    // A token comes back at most once.
    for (struct answer *answer = machine->answers; answer; answer = answer->next)
        if (answer->twice || answer->written > ROOM || answer->written > answer->room)
            abort();
    scarce_end();
    look(machine);
    machine_destroy(machine);
    return 0;
}
