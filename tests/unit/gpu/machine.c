#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../scarce/scarce.h"
#include "../short.h"
#include "base/log.h"

// ---- workers --------------------------------------------------------------

// What workers said comes in a round of the loop, which then ends as every round does.
bool machine_pump(struct machine *machine)
{
    bool any = workers_read(&machine->pool);
    if (any)
        machine_round(machine);
    return any;
}

bool worker_receive(struct machine *machine, unsigned index, struct link_message *message)
{
    return workers_receive(&machine->pool, index, message);
}

void worker_retire(struct machine *machine, unsigned index, uint32_t ring, uint64_t fence)
{
    struct link_fence_retired retired = {.fence_id = fence, .ring_idx = ring};
    link_send(machine->pool.workers[index]->peer, LINK_FENCE_RETIRED, &retired, sizeof(retired),
              NULL, 0, NULL, 0);
    workers_read(&machine->pool);
}

void worker_attached(struct machine *machine, unsigned index, uint32_t resource)
{
    struct link_resource_attached attached = {.resource_id = resource};
    link_send(machine->pool.workers[index]->peer, LINK_RESOURCE_ATTACHED, &attached,
              sizeof(attached), NULL, 0, NULL, 0);
    machine_pump(machine);
}

void worker_export(struct machine *machine, unsigned index, uint32_t resource, int result, int fd,
                   uint64_t offset, uint64_t size)
{
    struct link_blob_exported exported = {
        .resource_id = resource, .result = result, .map_info = 1, .offset = offset, .size = size};
    link_send(machine->pool.workers[index]->peer, LINK_BLOB_EXPORTED, &exported, sizeof(exported),
              NULL, 0, &fd, result == 0);
    machine_pump(machine);
}

void worker_die(struct machine *machine, unsigned index, const char *how)
{
    struct link_child *worker = machine->pool.workers[index];
    machine_pump(machine);
    link_destroy(worker->peer);
    worker->peer = NULL;
    if (!worker->released)
        worker->callbacks.gone(worker->data, -1, how);
    machine_round(machine);
}

// ---- the front ------------------------------------------------------------

static void *guest_memory(void *data, uint64_t address, uint64_t size)
{
    struct machine *machine = data;
    for (unsigned i = 0; i < BANKS; i++) {
        uint64_t base = BANK_BASE + (uint64_t)i * BANK_SIZE;
        if (address >= base && address - base <= BANK_SIZE && size <= BANK_SIZE - (address - base))
            return machine->banks[i] + (address - base);
    }
    return NULL;
}

uint8_t *guest_at(struct machine *machine, uint64_t address)
{
    uint8_t *at = guest_memory(machine, address, 1);
    if (!at)
        abort();
    return at;
}

static void complete(void *data, void *token, uint32_t written)
{
    struct machine *machine = data;
    struct answer *answer = token;
    answer->twice = answer->done;
    answer->done = true;
    answer->written = written;
    machine->completions++;
}

static void told(void *data)
{
    struct machine *machine = data;
    machine->flushes++;
}

static void config_changed(void *data)
{
    struct machine *machine = data;
    machine->config_changes++;
}

static int begin(struct machine *machine, uint64_t cookie)
{
    if (machine->place_mode == PLACE_REFUSED)
        return -ENOSPC;
    if (machine->place_mode == PLACE_STOPPED)
        return -EAGAIN;
    if (machine->place_mode == PLACE_LATER)
        machine->cookies[machine->cookie_count++] = cookie;
    else
        gpu_device_placed(machine->device, cookie, machine->place_mode == PLACE_FAILS ? -EIO : 0);
    return 0;
}

static int place(void *data, uint64_t aperture_offset, int fd, uint64_t file_offset, uint64_t size,
                 bool writable, uint64_t cookie)
{
    struct machine *machine = data;
    (void)writable;
    machine->places++;
    if (machine->place_mode == PLACE_REFUSED || machine->place_mode == PLACE_STOPPED)
        return begin(machine, cookie);
    unsigned i = 0;
    while (i < machine->placement_count && machine->placements[i].live)
        i++;
    if (i == MAX_PLACEMENTS)
        abort();
    if (i == machine->placement_count)
        machine->placement_count++;
    machine->placements[i] = (struct placement){
        .live = machine->place_mode != PLACE_FAILS,
        .offset = aperture_offset,
        .size = size,
        .file_offset = file_offset,
        .fd = machine->place_mode != PLACE_FAILS ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1,
        .cookie = cookie,
    };
    return begin(machine, cookie);
}

static int unplace(void *data, uint64_t aperture_offset, uint64_t size, uint64_t cookie)
{
    struct machine *machine = data;
    machine->unplaces++;
    struct placement *placement = machine_placement(machine, aperture_offset);
    if (!placement || placement->size != size)
        abort();
    if (machine->place_mode == PLACE_AT_ONCE || machine->place_mode == PLACE_LATER) {
        placement->live = false;
        close(placement->fd);
    }
    return begin(machine, cookie);
}

void machine_confirm(struct machine *machine, int error)
{
    if (!machine->cookie_count)
        abort();
    uint64_t cookie = machine->cookies[0];
    machine->cookie_count--;
    memmove(machine->cookies, machine->cookies + 1, machine->cookie_count * sizeof(cookie));
    for (unsigned i = 0; error && i < machine->placement_count; i++) {
        if (machine->placements[i].live && machine->placements[i].cookie == cookie) {
            machine->placements[i].live = false; // it never came to be
            close(machine->placements[i].fd);
        }
    }
    gpu_device_placed(machine->device, cookie, error);
    machine_round(machine);
}

struct placement *machine_placement(struct machine *machine, uint64_t offset)
{
    for (unsigned i = 0; i < machine->placement_count; i++)
        if (machine->placements[i].live && machine->placements[i].offset == offset)
            return &machine->placements[i];
    return NULL;
}

// ---- life -----------------------------------------------------------------

struct gpu_options machine_options(void)
{
    return (struct gpu_options){
        .outputs = 2,
        .width = 1280,
        .height = 800,
        .aperture_size = 64 << 20,
        .page_size = 4096,
        .max_contexts = 8,
        .max_resources = 64,
        .max_2d_bytes = 16 << 20,
        .venus = true,
    };
}

struct machine *machine_create(const struct gpu_options *options)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    log_set_level(LOG_ERROR);
    machine->loop = new_loop();
    machine->options = options ? *options : machine_options();
    if (machine->options.venus)
        machine->options.pool = &machine->pool;
    machine->room = ROOM;
    for (unsigned i = 0; i < BANKS; i++)
        machine->banks[i] = calloc(1, BANK_SIZE);
    struct gpu_front front = {
        .data = machine,
        .guest_memory = guest_memory,
        .complete = complete,
        .flush = told,
        .config_changed = config_changed,
        .place = place,
        .unplace = unplace,
    };
    machine->device = gpu_device_create(machine->loop, &machine->options, &front);
    if (!machine->device)
        abort();
    gpu_device_set_features(machine->device, gpu_device_features(machine->device));
    return machine;
}

static void drop_placements(struct machine *machine)
{
    for (unsigned i = 0; i < machine->placement_count; i++)
        if (machine->placements[i].live)
            close(machine->placements[i].fd);
    machine->placement_count = 0;
}

void machine_reset(struct machine *machine)
{
    gpu_device_reset(machine->device);
    drop_placements(machine);
    gpu_device_set_features(machine->device, gpu_device_features(machine->device));
}

void machine_destroy(struct machine *machine)
{
    gpu_device_destroy(machine->device);
    workers_destroy(&machine->pool);
    drop_placements(machine);
    while (machine->answers) {
        struct answer *answer = machine->answers;
        machine->answers = answer->next;
        free(answer->request);
        free(answer);
    }
    for (unsigned i = 0; i < BANKS; i++)
        free(machine->banks[i]);
    os_loop_destroy(machine->loop);
    free(machine);
}

static void stop(void *loop)
{
    os_loop_stop(loop, 0);
}

void machine_round(struct machine *machine)
{
    struct os_source *timer = os_loop_add_timer(machine->loop, 1, stop, machine->loop);
    SCARCE(os_loop_run(machine->loop));
    os_source_remove(timer);
}

// ---- requests -------------------------------------------------------------

struct answer *machine_send(struct machine *machine, enum gpu_queue queue, const void *bytes,
                            size_t size)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    answer->next = machine->answers;
    machine->answers = answer;
    answer->request = malloc(size ? size : 1);
    answer->request_size = size;
    if (size)
        memcpy(answer->request, bytes, size);
    answer->room = machine->room;
    size_t first = machine->split && machine->split < size ? machine->split : size;
    struct iovec readable[2] = {{answer->request, first}, {answer->request + first, size - first}};
    // The response too in two parts, the first of them odd.
    uint32_t odd = answer->room > 7 ? 7 : answer->room;
    struct iovec writable[2] = {{answer->bytes, odd}, {answer->bytes + odd, answer->room - odd}};
    SCARCE(gpu_device_request(machine->device, queue, readable, first < size ? 2 : 1, writable,
                              answer->room ? 2 : 0, answer));
    memset(readable, 0x5a, sizeof(readable)); // only what they pointed to stays
    memset(writable, 0x5a, sizeof(writable));
    return answer;
}

struct answer *machine_ask(struct machine *machine, enum gpu_queue queue, uint32_t type,
                           const void *body, size_t size)
{
    uint8_t *bytes = malloc(sizeof(machine->header) + size);
    machine->header.type = type;
    memcpy(bytes, &machine->header, sizeof(machine->header));
    if (size)
        memcpy(bytes + sizeof(machine->header), body, size);
    machine->header = (struct gpu_header){0};
    struct answer *answer = machine_send(machine, queue, bytes, sizeof(machine->header) + size);
    free(bytes);
    return answer;
}

uint32_t answer_type(const struct answer *answer)
{
    const struct gpu_header *header = (const void *)answer->bytes;
    return answer->done && !answer->twice && answer->written >= sizeof(*header) ? header->type : 0;
}

uint32_t machine_now(struct machine *machine, uint32_t type, const void *body, size_t size)
{
    return answer_type(machine_ask(machine, GPU_CONTROL_QUEUE, type, body, size));
}

uint32_t create_2d(struct machine *machine, uint32_t id, uint32_t format, uint32_t width,
                   uint32_t height)
{
    struct gpu_create_2d body = {id, format, width, height};
    return machine_now(machine, GPU_CMD_RESOURCE_CREATE_2D, &body, sizeof(body));
}

uint32_t unref(struct machine *machine, uint32_t id)
{
    struct gpu_resource_only body = {.resource_id = id};
    return machine_now(machine, GPU_CMD_RESOURCE_UNREF, &body, sizeof(body));
}

uint32_t attach_backing(struct machine *machine, uint32_t id,
                        const struct gpu_memory_entry *entries, uint32_t count)
{
    struct gpu_attach_backing body = {id, count};
    uint8_t *bytes = malloc(sizeof(body) + count * sizeof(*entries));
    memcpy(bytes, &body, sizeof(body));
    if (count)
        memcpy(bytes + sizeof(body), entries, count * sizeof(*entries));
    uint32_t type = machine_now(machine, GPU_CMD_RESOURCE_ATTACH_BACKING, bytes,
                                sizeof(body) + count * sizeof(*entries));
    free(bytes);
    return type;
}

uint32_t transfer(struct machine *machine, uint32_t id, struct picture_rect rect, uint64_t offset)
{
    struct gpu_transfer_2d body = {.rect = rect, .offset = offset, .resource_id = id};
    return machine_now(machine, GPU_CMD_TRANSFER_TO_HOST_2D, &body, sizeof(body));
}

uint32_t set_scanout(struct machine *machine, uint32_t scanout, uint32_t id,
                     struct picture_rect rect)
{
    struct gpu_set_scanout body = {rect, scanout, id};
    return machine_now(machine, GPU_CMD_SET_SCANOUT, &body, sizeof(body));
}

uint32_t flush(struct machine *machine, uint32_t id, struct picture_rect rect)
{
    struct gpu_flush body = {.rect = rect, .resource_id = id};
    return machine_now(machine, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
}

uint32_t ctx_create(struct machine *machine, uint32_t context, uint32_t capset, const char *name)
{
    struct gpu_ctx_create body = {.name_length = (uint32_t)strlen(name), .context_init = capset};
    memcpy(body.name, name, body.name_length);
    machine->header.ctx_id = context;
    return machine_now(machine, GPU_CMD_CTX_CREATE, &body, sizeof(body));
}

uint32_t ctx_destroy(struct machine *machine, uint32_t context)
{
    machine->header.ctx_id = context;
    return machine_now(machine, GPU_CMD_CTX_DESTROY, NULL, 0);
}

static struct answer *of_resource(struct machine *machine, uint32_t type, uint32_t id)
{
    struct gpu_resource_only body = {.resource_id = id};
    return machine_ask(machine, GPU_CONTROL_QUEUE, type, &body, sizeof(body));
}

struct answer *ctx_attach(struct machine *machine, uint32_t context, uint32_t id)
{
    machine->header.ctx_id = context;
    return of_resource(machine, GPU_CMD_CTX_ATTACH_RESOURCE, id);
}

struct answer *ctx_detach(struct machine *machine, uint32_t context, uint32_t id)
{
    machine->header.ctx_id = context;
    return of_resource(machine, GPU_CMD_CTX_DETACH_RESOURCE, id);
}

struct answer *create_blob(struct machine *machine, uint32_t context, uint32_t id, uint32_t mem,
                           uint32_t flags, uint64_t blob_id, uint64_t size)
{
    struct gpu_create_blob body = {
        .resource_id = id, .blob_mem = mem, .blob_flags = flags, .blob_id = blob_id, .size = size};
    machine->header.ctx_id = context;
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_CREATE_BLOB, &body, sizeof(body));
    machine_pump(machine);
    return answer;
}

struct answer *map_blob(struct machine *machine, uint32_t id, uint64_t offset)
{
    struct gpu_map_blob body = {.resource_id = id, .offset = offset};
    return machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_MAP_BLOB, &body, sizeof(body));
}

struct answer *unmap_blob(struct machine *machine, uint32_t id)
{
    return of_resource(machine, GPU_CMD_RESOURCE_UNMAP_BLOB, id);
}

struct answer *submit(struct machine *machine, uint32_t context, int ring, uint64_t fence,
                      const void *bytes, uint32_t size)
{
    struct gpu_submit body = {.size = size};
    uint8_t *all = malloc(sizeof(body) + size);
    memcpy(all, &body, sizeof(body));
    if (size)
        memcpy(all + sizeof(body), bytes, size);
    machine->header.ctx_id = context;
    machine->header.flags = (fence ? GPU_FLAG_FENCE : 0) | (ring >= 0 ? GPU_FLAG_INFO_RING_IDX : 0);
    machine->header.fence_id = fence;
    machine->header.ring_idx = ring >= 0 ? (uint8_t)ring : 0;
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_SUBMIT_3D, all, sizeof(body) + size);
    free(all);
    return answer;
}
