// The device with workers that are processes: this program, started again, plays one. What the
// other tests leave out is the pool, the loop and the end of a real process.
#include "../flavour.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "base/log.h"
#include "gpu/gpu.h"
#include "gpu/protocol.h"
#include "link/context_messages.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"

// ---- the worker -----------------------------------------------------------

// Retires fences of ring 0, keeps those of others, exports pages of a file with its own pid in it,
// and dies when told 0xdead.
static int play_worker(int fd)
{
    os_init(&(struct os_options){0});
    struct link *link = new_link(fd, true);
    int file = os_shm_create("worker", 65536);
    link_send(link, LINK_WORKER_READY, NULL, 0, NULL, 0, NULL, 0);
    struct link_message message;
    while (link_receive(link, &message) == 0) {
        if (message.type == LINK_SUBMIT) {
            const struct link_submit *submit = (const void *)message.payload;
            uint32_t word = 0;
            if (submit->byte_count)
                memcpy(&word, submit + 1, sizeof(word));
            if (word == 0xdead)
                raise(SIGKILL);
            struct link_fence_retired fence = {.fence_id = submit->fence_id,
                                               .ring_idx = submit->ring_idx};
            if (submit->fence_id && !submit->ring_idx)
                link_send(link, LINK_FENCE_RETIRED, &fence, sizeof(fence), NULL, 0, NULL, 0);
        } else if (message.type == LINK_RESOURCE_ATTACH) {
            const struct link_resource_attach *attach = (const void *)message.payload;
            struct link_resource_attached answer = {.resource_id = attach->resource_id};
            if (attach->flags & LINK_ATTACH_ANSWER)
                link_send(link, LINK_RESOURCE_ATTACHED, &answer, sizeof(answer), NULL, 0, NULL, 0);
        } else if (message.type == LINK_BLOB_EXPORT) {
            const struct link_blob_export *export = (const void *)message.payload;
            struct link_blob_exported answer = {.resource_id = export->resource_id,
                                                .map_info = 1,
                                                .offset = 4096,
                                                .size = export->size};
            link_send(link, LINK_BLOB_EXPORTED, &answer, sizeof(answer), NULL, 0, &file, 1);
        }
    }
    link_destroy(link);
    return 0;
}

// ---- the guest ------------------------------------------------------------

struct guest {
    struct os_loop *loop;
    struct link_pool *pool;
    struct gpu_device *device;
    struct answer {
        bool done;
        struct gpu_header header;
    } answers[32];
    unsigned count, flushes;
    uint64_t placed_offset; // in the file
};

static void complete(void *data, void *token, uint32_t written)
{
    (void)data;
    struct answer *answer = token;
    assert_true(written >= sizeof(answer->header));
    answer->done = true;
}

static void flush(void *data)
{
    ((struct guest *)data)->flushes++;
}

static void *no_memory(void *data, uint64_t address, uint64_t size)
{
    (void)data, (void)address, (void)size;
    return NULL;
}

static int place(void *data, uint64_t offset, int fd, uint64_t file_offset, uint64_t size,
                 bool writable, uint64_t cookie)
{
    (void)offset, (void)fd, (void)size, (void)writable;
    struct guest *guest = data;
    guest->placed_offset = file_offset;
    gpu_device_placed(guest->device, cookie, 0);
    return 0;
}

static struct answer *ask(struct guest *guest, uint32_t type, uint32_t context, int ring,
                          const void *body, size_t size)
{
    struct answer *answer = &guest->answers[guest->count++];
    static struct {
        struct gpu_header header;
        uint8_t body[96];
    } request;
    request.header = (struct gpu_header){.type = type, .ctx_id = context};
    if (ring >= 0) {
        request.header.flags = GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX;
        request.header.fence_id = guest->count;
        request.header.ring_idx = (uint8_t)ring;
    }
    memcpy(request.body, body, size);
    struct iovec readable = {&request, sizeof(request.header) + size};
    static uint8_t room[64];
    struct iovec writable[2] = {{&answer->header, sizeof(answer->header)}, {room, sizeof(room)}};
    gpu_device_request(guest->device, GPU_CONTROL_QUEUE, &readable, 1, writable, 2, answer);
    return answer;
}

static void stop(void *loop)
{
    os_loop_stop(loop, 0);
}

// Runs the loop until the answer is there; false: it isn't after 20 s.
static bool wait_for(struct guest *guest, const struct answer *answer)
{
    uint64_t give_up = os_now_ns() + 20000000000u;
    while (!answer->done && os_now_ns() < give_up) {
        struct os_source *timer =
            os_loop_add_timer(guest->loop, os_now_ns() + 5000000, stop, guest->loop);
        os_loop_run(guest->loop);
        os_source_remove(timer);
    }
    return answer->done;
}

static struct answer *create_context(struct guest *guest, uint32_t id)
{
    struct gpu_ctx_create body = {.context_init = 4, .name_length = 4, .name = "test"};
    struct answer *answer = ask(guest, GPU_CMD_CTX_CREATE, id, -1, &body, sizeof(body));
    assert_true(answer->done);
    assert_int_equal(answer->header.type, GPU_RESP_OK_NODATA);
    return answer;
}

static struct answer *submit(struct guest *guest, uint32_t context, int ring, uint32_t word)
{
    struct {
        struct gpu_submit submit;
        uint32_t word;
    } body = {{.size = 4}, word};
    return ask(guest, GPU_CMD_SUBMIT_3D, context, ring, &body, 12);
}

static void set_up(struct guest *guest, const char *self)
{
    *guest = (struct guest){.loop = new_loop()};
    const char *command[] = {self, "play", NULL};
    struct link_pool_options pool = {.command = command, .keep_spare = true};
    assert_int_equal(link_pool_create(guest->loop, &pool, &guest->pool), 0);
    struct gpu_options options = {
        .outputs = 1,
        .width = 640,
        .height = 480,
        .aperture_size = 1 << 20,
        .page_size = 4096,
        .max_contexts = 4,
        .max_resources = 16,
        .max_2d_bytes = 1 << 20,
        .venus = true,
        .pool = guest->pool,
    };
    struct gpu_front front = {.data = guest,
                              .guest_memory = no_memory,
                              .complete = complete,
                              .flush = flush,
                              .place = place};
    guest->device = gpu_device_create(guest->loop, &options, &front);
    assert_non_null(guest->device);
    gpu_device_set_features(guest->device, gpu_device_features(guest->device));
}

static void tear_down(struct guest *guest)
{
    gpu_device_destroy(guest->device);
    link_pool_destroy(guest->pool);
    os_loop_destroy(guest->loop);
}

static char self[4096];

static void a_killed_process_costs_one_context(void **state)
{
    (void)state;
    struct guest guest;
    set_up(&guest, self);
    create_context(&guest, 1); // the spare
    create_context(&guest, 2); // a new process
    struct answer *first = submit(&guest, 1, 0, 1), *second = submit(&guest, 2, 0, 1);
    assert_true(wait_for(&guest, first) && wait_for(&guest, second));

    struct gpu_create_blob create = {
        .resource_id = 5, .blob_mem = 2, .blob_flags = 1, .blob_id = 9, .size = 8192};
    struct gpu_map_blob map = {.resource_id = 5, .offset = 65536};
    ask(&guest, GPU_CMD_RESOURCE_CREATE_BLOB, 2, -1, &create, sizeof(create));
    struct answer *mapped = ask(&guest, GPU_CMD_RESOURCE_MAP_BLOB, 0, -1, &map, sizeof(map));
    assert_true(wait_for(&guest, mapped));
    assert_int_equal(mapped->header.type, GPU_RESP_OK_MAP_INFO);
    assert_int_equal(guest.placed_offset, 4096);

    struct answer *hung = submit(&guest, 1, 3, 1), *alive = submit(&guest, 2, 3, 1);
    submit(&guest, 1, -1, 0xdead);
    assert_true(wait_for(&guest, hung)); // nobody waits for ever
    assert_int_equal(hung->header.type, GPU_RESP_OK_NODATA);
    assert_false(alive->done);
    struct answer *refused = submit(&guest, 1, 0, 1);
    assert_int_equal(refused->header.type, GPU_RESP_ERR_UNSPEC);
    struct answer *third = submit(&guest, 2, 0, 1); // the other one works on
    assert_true(wait_for(&guest, third));
    assert_int_equal(third->header.type, GPU_RESP_OK_NODATA);
    assert_true(ask(&guest, GPU_CMD_CTX_DESTROY, 1, -1, "", 0)->done);
    create_context(&guest, 1);
    assert_true(wait_for(&guest, submit(&guest, 1, 0, 1)));
    assert_true(guest.flushes > 0);
    tear_down(&guest);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "play"))
        return play_worker(atoi(argv[3]));
    log_set_level(LOG_ERROR);
    if (os_self_path(self, sizeof(self)))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_killed_process_costs_one_context)};
    return RUN_IN_BOTH_FLAVOURS(tests);
}
