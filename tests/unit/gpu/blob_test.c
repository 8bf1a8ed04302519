// Blobs: what is made where, who gets it, where it lies in the aperture, and in which order things
// happen when answers take time.
#include "../short.h"
#include "gpu_test.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { PAGE = 4096, SHM = 1, MEMORY = 2, HOST = GPU_BLOB_MEM_HOST3D, GUEST = GPU_BLOB_MEM_GUEST };
enum { MAP = GPU_BLOB_MAPPABLE, SHARE = GPU_BLOB_SHAREABLE, CROSS = GPU_BLOB_CROSS_DEVICE };

static uint32_t words[4] = {1, 2, 3, 4};

// Two contexts, whose workers have read their first message.
static int with_contexts(void **state)
{
    set_up(state);
    struct link_message message;
    for (uint32_t id = 1; id <= 2; id++) {
        ctx_create(*state, id, 4, "vkcube");
        worker_receive(*state, id - 1, &message);
    }
    return 0;
}

#define BLOB_TEST(function) cmocka_unit_test_setup_teardown(function, with_contexts, tear_down)

// The next message to worker `index` is of `type`; its payload.
static const void *expect(struct machine *machine, unsigned index, uint16_t type)
{
    static struct link_message message;
    assert_true(worker_receive(machine, index, &message));
    assert_int_equal(message.type, type);
    return message.payload;
}

static void expect_nothing(struct machine *machine, unsigned index)
{
    struct link_message message;
    assert_false(worker_receive(machine, index, &message));
}

// A blob of memory `memory` of a context that its worker has exported: [offset, offset + size) of a
// file with `fill` in it.
static void make_memory(struct machine *machine, uint32_t context, uint32_t id, uint32_t flags,
                        uint64_t offset, uint64_t size, int fd)
{
    struct answer *answer = create_blob(machine, context, id, HOST, flags, 1000 + id, size);
    assert_false(answer->done);
    const struct link_blob_export *export = expect(machine, context - 1, LINK_BLOB_EXPORT);
    assert_int_equal(export->resource_id, id);
    assert_int_equal(export->blob_flags, flags);
    assert_int_equal(export->memory_id, 1000 + id);
    assert_int_equal(export->size, size);
    worker_export(machine, context - 1, id, 0, fd, offset,
                  (size + PAGE - 1) & ~(uint64_t)(PAGE - 1));
    assert_int_equal(answer_type(answer), OK);
}

static bool same_file(int a, int b)
{
    struct stat first, second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static unsigned open_files(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 2048; fd++) {
        struct stat status;
        count += fstat(fd, &status) == 0;
    }
    return count;
}

// Rings run beside the link: what the guest knows of, the worker must know of.
static void shared_memory_exists_when_the_worker_has_it(void **state)
{
    struct machine *machine = *state;
    machine->pool.slow = true;
    struct answer *made = create_blob(machine, 1, 5, HOST, MAP, 0, PAGE),
                  *map = map_blob(machine, 5, 0),
                  *lost = create_blob(machine, 1, 6, HOST, MAP, 0, PAGE);
    assert_false(made->done || map->done || lost->done);
    worker_attached(machine, 0, 5);
    machine_round(machine);
    assert_int_equal(answer_type(made), OK);
    assert_int_equal(answer_type(map), GPU_RESP_OK_MAP_INFO);
    worker_attached(machine, 0, 5); // once more: a lie
    machine_round(machine);
    assert_true(machine->pool.workers[0]->released);
    assert_int_equal(answer_type(lost), GPU_RESP_ERR_UNSPEC);
}

static void shared_memory_is_made_here_and_given_to_the_worker(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, 10000)), OK);
    struct link_message message;
    assert_true(worker_receive(machine, 0, &message));
    assert_int_equal(message.type, LINK_RESOURCE_ATTACH);
    const struct link_resource_attach *attach = (const void *)message.payload;
    assert_int_equal(attach->resource_id, 5);
    assert_int_equal(attach->kind, LINK_RESOURCE_SHM);
    assert_int_equal(attach->offset, 0);
    assert_int_equal(attach->size, 3 * PAGE);
    int fd = link_take_fd(machine->pool.workers[0]->peer, 0);

    struct answer *answer = map_blob(machine, 5, 16 * PAGE);
    assert_int_equal(answer_type(answer), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(((struct gpu_map_info *)(answer->bytes + 24))->map_info, 1);
    struct placement *placement = machine_placement(machine, 16 * PAGE);
    assert_int_equal(placement->size, 3 * PAGE);
    assert_int_equal(placement->file_offset, 0);
    // What the guest writes there the worker reads, and it was zero before.
    uint8_t *aperture = map_file(placement->fd, 0, 3 * PAGE), *worker = map_file(fd, 0, 3 * PAGE);
    for (unsigned i = 0; i < 3 * PAGE; i++)
        assert_int_equal(worker[i], 0);
    aperture[9999] = 77;
    assert_int_equal(worker[9999], 77);
    os_shm_unmap(aperture, 3 * PAGE);
    os_shm_unmap(worker, 3 * PAGE);
    close(fd);

    // The kernel attaches it to its context: the worker has it.
    assert_int_equal(answer_type(ctx_attach(machine, 1, 5)), OK);
    expect_nothing(machine, 0);
    assert_int_equal(answer_type(ctx_detach(machine, 1, 5)), OK);
    assert_int_equal(((const struct link_resource_detach *)expect(machine, 0, LINK_RESOURCE_DETACH))
                         ->resource_id,
                     5);
    assert_int_equal(answer_type(unmap_blob(machine, 5)), OK);
    assert_null(machine_placement(machine, 16 * PAGE));
    assert_int_equal(unref(machine, 5), OK);
    expect_nothing(machine, 0);
}

static void memory_is_a_range_of_the_workers_file(void **state)
{
    struct machine *machine = *state;
    int arena = os_shm_create("arena", 64 * PAGE);
    make_memory(machine, 1, 5, MAP, 8 * PAGE, 3 * PAGE + 1, arena);
    struct answer *answer = map_blob(machine, 5, 0);
    assert_int_equal(answer_type(answer), GPU_RESP_OK_MAP_INFO);
    struct placement *placement = machine_placement(machine, 0);
    assert_true(same_file(placement->fd, arena));
    assert_int_equal(placement->file_offset, 8 * PAGE);
    assert_int_equal(placement->size, 4 * PAGE);
    // Its pages are in use as long as the resource is: the worker is told of the end, not of the
    // closing of a handle.
    assert_int_equal(answer_type(ctx_detach(machine, 1, 5)), OK);
    expect_nothing(machine, 0);
    // Given up while it is mapped: it leaves the aperture first.
    machine->place_mode = PLACE_LATER;
    struct gpu_resource_only body = {.resource_id = 5};
    struct answer *gone =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_UNREF, &body, sizeof(body));
    assert_false(gone->done);
    expect_nothing(machine, 0);
    machine_confirm(machine, 0);
    assert_int_equal(answer_type(gone), OK);
    assert_int_equal(((const struct link_resource_detach *)expect(machine, 0, LINK_RESOURCE_DETACH))
                         ->resource_id,
                     5);
    close(arena);
}

static void ranges_of_one_file_keep_one_descriptor(void **state)
{
    struct machine *machine = *state;
    int arena = os_shm_create("arena", 64 * PAGE);
    expect_nothing(machine, 0); // lets go of what came with the last message
    unsigned before = open_files();
    for (uint32_t i = 0; i < 40; i++)
        make_memory(machine, 1, 10 + i, MAP, i * PAGE, PAGE, arena);
    assert_int_equal(open_files(), before + 1);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(unref(machine, 10 + i), OK);
    assert_int_equal(open_files(), before);
    close(arena);
}

static void impossible_blobs_are_refused(void **state)
{
    struct machine *machine = *state;
    static const struct {
        uint32_t context, id, mem, flags;
        uint64_t blob_id, size;
        uint32_t answer;
    } bad[] = {
        {1, 0, HOST, MAP, 0, PAGE, BAD_RESOURCE},
        {1, 5, HOST, MAP, 0, 0, BAD_PARAMETER},
        {1, 5, HOST, MAP | SHARE, 0, PAGE, BAD_PARAMETER}, // shared memory is for mapping only
        {1, 5, HOST, 0, 0, PAGE, BAD_PARAMETER},
        {1, 5, HOST, MAP | 8, 7, PAGE, BAD_PARAMETER},
        {1, 5, 0, MAP, 7, PAGE, BAD_PARAMETER},
        {1, 5, GPU_BLOB_MEM_HOST3D_GUEST, MAP, 7, PAGE, BAD_PARAMETER},
        {1, 5, 4, MAP, 7, PAGE, BAD_PARAMETER},
        {3, 5, HOST, MAP, 7, PAGE, BAD_CONTEXT},
        {0, 5, HOST, MAP, 0, PAGE, BAD_CONTEXT},
        {1, 5, HOST, MAP, 0, (64 << 20) + 1, NO_MEMORY}, // larger than the aperture
        {1, 5, HOST, MAP, 7, UINT64_MAX, BAD_PARAMETER},
        {1, 5, HOST, SHARE, 7, UINT64_MAX - 4095, BAD_PARAMETER},
        {1, 5, GUEST, MAP, 0, PAGE, BAD_PARAMETER},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(answer_type(create_blob(machine, bad[i].context, bad[i].id, bad[i].mem,
                                                 bad[i].flags, bad[i].blob_id, bad[i].size)),
                         bad[i].answer);
    expect_nothing(machine, 0);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, PAGE)), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, PAGE)), BAD_RESOURCE);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 7, PAGE)), BAD_RESOURCE);
    assert_int_equal(answer_type(ctx_attach(machine, 1, 6)), BAD_RESOURCE);
    assert_int_equal(answer_type(ctx_attach(machine, 9, 5)), BAD_CONTEXT);
    assert_int_equal(answer_type(ctx_detach(machine, 1, 6)), BAD_RESOURCE);
}

static void a_failed_export_leaves_nothing(void **state)
{
    struct machine *machine = *state;
    static const struct {
        int error;
        uint32_t answer;
    } errors[] = {{-ENOENT, BAD_PARAMETER},
                  {-EINVAL, BAD_PARAMETER},
                  {-EEXIST, BAD_PARAMETER},
                  {-ENOMEM, NO_MEMORY},
                  {-EIO, UNSPEC}};
    for (unsigned i = 0; i < 5; i++) {
        struct answer *create = create_blob(machine, 1, 5, HOST, MAP, 7, PAGE);
        struct answer *map = map_blob(machine, 5, 0), *attach = ctx_attach(machine, 1, 5);
        expect(machine, 0, LINK_BLOB_EXPORT);
        worker_export(machine, 0, 5, errors[i].error, -1, 0, 0);
        assert_int_equal(answer_type(create), errors[i].answer);
        assert_int_equal(answer_type(map), BAD_RESOURCE);
        assert_int_equal(answer_type(attach), BAD_RESOURCE);
        expect_nothing(machine, 0);
    }
    assert_int_equal(machine->places, 0);
}

static void places_must_fit_and_be_free(void **state)
{
    struct machine *machine = *state;
    const uint64_t aperture = machine->options.aperture_size;
    for (uint32_t id = 5; id < 10; id++)
        assert_int_equal(answer_type(create_blob(machine, 1, id, HOST, MAP, 0, 4 * PAGE)), OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 100)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 5, aperture)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 5, aperture - 3 * PAGE)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 5, UINT64_MAX - PAGE + 1)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 77, 0)), BAD_RESOURCE);
    assert_int_equal(answer_type(unmap_blob(machine, 5)), BAD_PARAMETER);
    assert_int_equal(answer_type(unmap_blob(machine, 77)), BAD_RESOURCE);

    assert_int_equal(answer_type(map_blob(machine, 5, 100 * PAGE)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(map_blob(machine, 5, 200 * PAGE)),
                     BAD_PARAMETER);             // a resource has one place
    for (uint64_t page = 97; page < 104; page++) // every way to overlap
        assert_int_equal(answer_type(map_blob(machine, 6, page * PAGE)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 6, 96 * PAGE)),
                     GPU_RESP_OK_MAP_INFO); // neighbours
    assert_int_equal(answer_type(map_blob(machine, 7, 104 * PAGE)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(map_blob(machine, 8, 0)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(map_blob(machine, 9, aperture - 4 * PAGE)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(unmap_blob(machine, 5)), OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 100 * PAGE)), GPU_RESP_OK_MAP_INFO);

    assert_int_equal(create_2d(machine, 20, PICTURE_FORMAT_B8G8R8A8, 32, 32), OK);
    assert_int_equal(answer_type(map_blob(machine, 20, 50 * PAGE)), BAD_PARAMETER);
    int fd = os_shm_create("memory", PAGE);
    make_memory(machine, 2, 21, SHARE, 0, PAGE, fd); // not MAPPABLE
    close(fd);
    assert_int_equal(answer_type(map_blob(machine, 21, 50 * PAGE)), BAD_PARAMETER);
}

// Thousands of places in random order, against a map of pages.
static void the_aperture_is_kept_exactly(void **state)
{
    struct gpu_options options = machine_options();
    options.max_resources = 600;
    struct machine *machine = machine_create(&options);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    enum { PAGES = 1024, BLOBS = 500 };
    uint16_t owner[PAGES] = {0};
    uint32_t place[BLOBS + 1] = {0}, size[BLOBS + 1];
    for (uint32_t id = 1; id <= BLOBS; id++) {
        size[id] = 1 + id % 7;
        assert_int_equal(answer_type(create_blob(machine, 1, id, HOST, MAP, 0, size[id] * PAGE)),
                         OK);
        struct link_message message;
        worker_receive(machine, 0, &message);
    }
    uint32_t random = 1;
    for (int step = 0; step < 5000; step++) {
        random = random * 1664525 + 1013904223;
        uint32_t id = 1 + (random >> 8) % BLOBS, at = (random >> 18) % (PAGES - 7);
        if (place[id]) {
            assert_int_equal(answer_type(unmap_blob(machine, id)), OK);
            for (uint32_t i = 0; i < size[id]; i++)
                owner[place[id] - 1 + i] = 0;
            place[id] = 0;
            continue;
        }
        bool free_range = true;
        for (uint32_t i = at; i < at + size[id]; i++)
            free_range = free_range && !owner[i];
        uint32_t answer = answer_type(map_blob(machine, id, (uint64_t)at * PAGE));
        assert_int_equal(answer, free_range ? GPU_RESP_OK_MAP_INFO : BAD_PARAMETER);
        for (uint32_t i = at; free_range && i < at + size[id]; i++)
            owner[i] = (uint16_t)id;
        place[id] = free_range ? at + 1 : 0;
    }
    machine_destroy(machine);
    (void)state;
}

static void a_carrier_that_fails_gives_an_error(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, PAGE)), OK);
    machine->place_mode = PLACE_REFUSED;
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), NO_MEMORY);
    machine->place_mode = PLACE_FAILS;
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), NO_MEMORY);
    machine->place_mode = PLACE_AT_ONCE;
    assert_int_equal(answer_type(map_blob(machine, 5, 0)),
                     GPU_RESP_OK_MAP_INFO); // the range was free
    // What can't be taken out may still be seen by the guest: nobody gets the range any more, and
    // no other is hurt.
    machine->place_mode = PLACE_FAILS;
    assert_int_equal(answer_type(unmap_blob(machine, 5)), OK);
    machine->place_mode = PLACE_AT_ONCE;
    assert_int_equal(unref(machine, 5), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, PAGE)), OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 5, PAGE)), GPU_RESP_OK_MAP_INFO);
}

// The virtual machine is paused while the worker works: what it finishes must not fail.
static void placements_wait_while_the_driver_is_stopped(void **state)
{
    struct machine *machine = *state;
    for (uint32_t id = 5; id <= 7; id++)
        assert_int_equal(answer_type(create_blob(machine, 1, id, HOST, MAP, 0, PAGE)), OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), GPU_RESP_OK_MAP_INFO);
    machine->place_mode = PLACE_STOPPED;
    struct answer *unmap = unmap_blob(machine, 5), *map = map_blob(machine, 6, PAGE);
    struct gpu_resource_only body = {.resource_id = 5};
    struct answer *gone =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_UNREF, &body, sizeof(body));
    gpu_device_resumed(machine->device); // stopped again at once
    assert_false(unmap->done || map->done || gone->done);
    machine->place_mode = PLACE_LATER; // this one is under way when the driver is stopped
    struct answer *caught = map_blob(machine, 7, 2 * PAGE);
    uint64_t cookie = machine->cookies[0];
    machine->placement_count = 1; // the front has given it up
    machine->cookie_count = 0;
    close(machine->placements[1].fd);
    gpu_device_placed(machine->device, cookie, -EAGAIN);
    gpu_device_placed(machine->device, cookie, -EAGAIN); // says nothing new
    assert_false(caught->done);
    machine->place_mode = PLACE_AT_ONCE;
    gpu_device_resumed(machine->device);
    machine_round(machine);
    assert_int_equal(answer_type(unmap), OK);
    assert_int_equal(answer_type(map), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(gone), OK);
    assert_int_equal(answer_type(caught), GPU_RESP_OK_MAP_INFO);
    assert_null(machine_placement(machine, 0));
    assert_non_null(machine_placement(machine, PAGE));
    assert_non_null(machine_placement(machine, 2 * PAGE));
    gpu_device_resumed(machine->device); // nothing is left to do
    // A reset ends what was postponed.
    machine->place_mode = PLACE_STOPPED;
    map = unmap_blob(machine, 7);
    machine_reset(machine);
    gpu_device_resumed(machine->device);
    machine_round(machine);
    assert_false(map->done);
}

static void mapping_waits_for_the_export_and_the_placement(void **state)
{
    struct machine *machine = *state;
    machine->place_mode = PLACE_LATER;
    int fd = os_shm_create("memory", 8 * PAGE);
    // The kernel sends all of it without waiting for answers.
    struct answer *create = create_blob(machine, 1, 5, HOST, MAP, 7, PAGE),
                  *map = map_blob(machine, 5, 0), *attach = ctx_attach(machine, 1, 5),
                  *unmap = unmap_blob(machine, 5);
    struct gpu_resource_only body = {.resource_id = 5};
    struct answer *gone =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_UNREF, &body, sizeof(body));
    struct answer *next = create_blob(machine, 1, 5, HOST, MAP, 0, PAGE); // the id again
    assert_false(create->done || map->done || attach->done || unmap->done || gone->done ||
                 next->done);
    expect(machine, 0, LINK_BLOB_EXPORT);
    worker_export(machine, 0, 5, 0, fd, 0, PAGE);
    assert_int_equal(answer_type(create), OK);
    assert_false(map->done);
    assert_int_equal(machine->places, 1);
    machine_confirm(machine, 0);
    assert_int_equal(answer_type(map), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(attach), OK);
    assert_false(unmap->done);
    expect_nothing(machine, 0); // the memory is the worker's own
    machine_confirm(machine, 0);
    assert_int_equal(answer_type(unmap), OK);
    assert_int_equal(answer_type(gone), OK);
    machine_pump(machine);
    assert_int_equal(answer_type(next), OK);
    expect(machine, 0, LINK_RESOURCE_DETACH);
    expect(machine, 0, LINK_RESOURCE_ATTACH);
    close(fd);
}

static void a_context_waits_alone(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(ctx_create(machine, 3, 4, "third"), OK);
    expect(machine, 2, LINK_CONTEXT_CREATE);
    int fd = os_shm_create("memory", PAGE);
    struct answer *create = create_blob(machine, 1, 5, HOST, MAP | SHARE, 7, PAGE);
    struct answer *own =
        submit(machine, 1, -1, 0, words, 16); // its own stream goes on: the worker keeps the order
    struct answer *import = ctx_attach(machine, 2, 5); // another context wants it,
    struct answer *behind =
        submit(machine, 2, -1, 0, words, 16); // and what follows there must come after
    struct answer *fenced = submit(machine, 2, 1, 1, words, 16);
    struct answer *unrelated = submit(machine, 3, -1, 0, words, 16);
    assert_int_equal(answer_type(own), OK);
    assert_int_equal(answer_type(unrelated), OK);
    assert_int_equal(create_2d(machine, 9, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);
    assert_false(create->done || import->done || behind->done || fenced->done);
    expect_nothing(machine, 1);
    memset(behind->request + 32, 0xee, 4); // not read before its turn

    expect(machine, 0, LINK_BLOB_EXPORT);
    expect(machine, 0, LINK_SUBMIT);
    worker_export(machine, 0, 5, 0, fd, 0, PAGE);
    assert_int_equal(answer_type(create), OK);
    assert_int_equal(answer_type(import), OK);
    assert_int_equal(answer_type(behind), OK);
    assert_false(fenced->done);
    struct link_message message;
    assert_true(worker_receive(machine, 1, &message));
    const struct link_resource_attach *attach = (const void *)message.payload;
    assert_int_equal(message.type, LINK_RESOURCE_ATTACH);
    assert_int_equal(attach->kind, LINK_RESOURCE_MEMORY);
    assert_int_equal(attach->size, PAGE);
    assert_true(same_file(message.fds[0], fd));
    const struct link_submit *submitted = expect(machine, 1, LINK_SUBMIT);
    assert_int_equal(((const uint32_t *)(submitted + 1))[0], 0xeeeeeeee);
    submitted = expect(machine, 1, LINK_SUBMIT);
    worker_retire(machine, 1, 1, submitted->fence_id);
    assert_int_equal(answer_type(fenced), OK);
    close(fd);
}

static void importers_are_told_when_it_ends(void **state)
{
    struct machine *machine = *state;
    int fd = os_shm_create("memory", PAGE);
    make_memory(machine, 1, 5, SHARE | CROSS, 0, PAGE, fd);
    assert_int_equal(answer_type(ctx_attach(machine, 2, 5)), OK);
    assert_int_equal(answer_type(ctx_attach(machine, 2, 5)), OK); // once is enough
    expect(machine, 1, LINK_RESOURCE_ATTACH);
    expect_nothing(machine, 1);
    // The exporter dies; the memory lives for who has it.
    worker_die(machine, 0, "killed");
    assert_int_equal(ctx_destroy(machine, 1), OK);
    assert_int_equal(ctx_create(machine, 4, 4, "later"), OK);
    expect(machine, 2, LINK_CONTEXT_CREATE);
    assert_int_equal(answer_type(ctx_attach(machine, 4, 5)), OK);
    struct link_message message;
    assert_true(worker_receive(machine, 2, &message));
    assert_true(same_file(message.fds[0], fd));
    assert_int_equal(unref(machine, 5), OK);
    expect(machine, 1, LINK_RESOURCE_DETACH);
    expect(machine, 2, LINK_RESOURCE_DETACH);
    close(fd);
}

// Memory that was not exported for sharing lies in a file with everything else of its process.
static void what_is_not_shared_stays_with_its_context(void **state)
{
    struct machine *machine = *state;
    int arena = os_shm_create("arena", 16 * PAGE);
    make_memory(machine, 1, 5, MAP, PAGE, PAGE, arena);
    assert_int_equal(answer_type(create_blob(machine, 1, 6, HOST, MAP, 0, PAGE)), OK);
    assert_int_equal(create_2d(machine, 7, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);
    assert_int_equal(answer_type(create_blob(machine, 0, 8, GUEST, SHARE, 0, PAGE)), OK);
    struct placement *mine = NULL;
    assert_int_equal(answer_type(map_blob(machine, 6, 0)), GPU_RESP_OK_MAP_INFO);
    mine = machine_placement(machine, 0);
    for (uint32_t id = 5; id <= 8; id++) {
        assert_int_equal(answer_type(ctx_attach(machine, 2, id)), OK);
        struct link_message message;
        assert_true(worker_receive(machine, 1, &message));
        const struct link_resource_attach *attach = (const void *)message.payload;
        assert_int_equal(message.type, LINK_RESOURCE_ATTACH);
        assert_int_equal(attach->resource_id, id);
        assert_int_equal(attach->kind,
                         LINK_RESOURCE_SHM); // not importable: a Vulkan error, not a broken stream
        assert_false(same_file(message.fds[0], arena));
        assert_false(same_file(message.fds[0], mine->fd));
        assert_int_equal(answer_type(ctx_detach(machine, 2, id)), OK);
        expect(machine, 1, LINK_RESOURCE_DETACH);
    }
    close(arena);
}

static void a_range_being_freed_is_waited_for(void **state)
{
    struct machine *machine = *state;
    for (uint32_t id = 5; id <= 7; id++)
        assert_int_equal(answer_type(create_blob(machine, 1, id, HOST, MAP, 0, 2 * PAGE)), OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(answer_type(map_blob(machine, 6, 2 * PAGE)), GPU_RESP_OK_MAP_INFO);
    machine->place_mode = PLACE_LATER;
    struct answer *first = unmap_blob(machine, 5), *second = unmap_blob(machine, 6);
    struct answer *map = map_blob(machine, 7, PAGE); // in both
    assert_false(first->done || second->done || map->done);
    machine_confirm(machine, 0);
    assert_true(first->done);
    assert_false(map->done);
    assert_int_equal(machine->places, 2);
    machine_confirm(machine, 0);
    assert_true(second->done);
    assert_int_equal(machine->places, 3);
    assert_false(map->done);
    machine_confirm(machine, 0);
    assert_int_equal(answer_type(map), GPU_RESP_OK_MAP_INFO);
}

static void memory_of_contexts_is_limited(void **state)
{
    struct gpu_options options = machine_options();
    options.max_memory = 1 << 20;
    struct machine *machine = machine_create(&options);
    for (uint32_t id = 1; id <= 2; id++)
        assert_int_equal(ctx_create(machine, id, 4, "x"), OK);
    // The last eighth is for those who hold little.
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, 860 << 10)), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 6, HOST, MAP, 0, 64 << 10)), NO_MEMORY);
    assert_int_equal(answer_type(create_blob(machine, 2, 6, HOST, MAP, 0, 64 << 10)), OK);
    // Closing a handle frees nothing.
    assert_int_equal(answer_type(ctx_detach(machine, 1, 5)), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 7, HOST, MAP, 0, 64 << 10)), NO_MEMORY);
    // Nor does the end of the context that has made it.
    assert_int_equal(ctx_destroy(machine, 1), OK);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 7, HOST, MAP, 0, 600 << 10)), NO_MEMORY);
    assert_int_equal(unref(machine, 5), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 7, HOST, MAP, 0, 600 << 10)), OK);
    machine_destroy(machine);

    options = machine_options(); // no limit per context: the aperture is one
    machine = machine_create(&options);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, 64 << 20)), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 6, HOST, MAP, 0, PAGE)), NO_MEMORY);
    assert_int_equal(ctx_destroy(machine, 1), OK);
    assert_int_equal(unref(machine, 5), OK);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 6, HOST, MAP, 0, 64 << 20)), OK);
    machine_destroy(machine);
    (void)state;
}

// As if this process could have 64 open files: contexts share 48.
static struct machine *machine_with_few_descriptors(void)
{
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct gpu_options options = machine_options();
    struct machine *machine = machine_create(&options);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return machine;
}

static void a_greedy_context_leaves_descriptors_for_others(void **state)
{
    struct machine *machine = machine_with_few_descriptors();
    struct link_message message;
    for (uint32_t id = 1; id <= 2; id++) {
        assert_int_equal(ctx_create(machine, id, 4, "x"), OK);
        worker_receive(machine, id - 1, &message);
    }
    int fd = os_shm_create("memory", PAGE);
    make_memory(machine, 1, 100, SHARE, 0, PAGE, fd);
    make_memory(machine, 1, 101, SHARE, 0, PAGE, fd); // the same file: no further descriptor
    uint32_t made = 0;
    while (made < 40 && answer_type(create_blob(machine, 1, 5 + made, HOST, MAP, 0, PAGE)) == OK)
        made++;
    assert_int_equal(made, 48 - 48 / 8 - 2 * 8 - 1);
    assert_int_equal(answer_type(create_blob(machine, 2, 200, HOST, MAP, 0, PAGE)), OK);
    assert_int_equal(create_2d(machine, 201, PICTURE_FORMAT_B8G8R8A8, 8, 8), OK);
    assert_int_equal(ctx_create(machine, 3, 4, "x"), NO_MEMORY); // no worker for it
    assert_int_equal(unref(machine, 5), OK);
    assert_int_equal(answer_type(create_blob(machine, 1, 5, HOST, MAP, 0, PAGE)), NO_MEMORY);
    for (uint32_t id = 6; id < 6 + 8; id++)
        assert_int_equal(unref(machine, id), OK);
    assert_int_equal(ctx_create(machine, 3, 4, "x"), OK);
    machine_destroy(machine);
    (void)state;
}

static void large_pages_need_aligned_places(void **state)
{
    struct gpu_options options = machine_options();
    options.page_size = 16384;
    struct machine *machine = machine_create(&options);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    expect(machine, 0, LINK_CONTEXT_CREATE);
    for (uint32_t id = 5; id <= 6; id++) {
        assert_int_equal(answer_type(create_blob(machine, 1, id, HOST, MAP, 0, PAGE)), OK);
        assert_int_equal(
            ((const struct link_resource_attach *)expect(machine, 0, LINK_RESOURCE_ATTACH))->size,
            16384);
    }
    assert_int_equal(answer_type(map_blob(machine, 5, PAGE)), BAD_PARAMETER);
    assert_int_equal(answer_type(map_blob(machine, 5, 16384)), GPU_RESP_OK_MAP_INFO);
    assert_int_equal(machine_placement(machine, 16384)->size, 16384);
    assert_int_equal(answer_type(map_blob(machine, 6, 2 * 16384)), GPU_RESP_OK_MAP_INFO);
    machine_destroy(machine);
    (void)state;
}

// What such a guest can't do it is not offered: its programs then find another driver.
static void a_guest_that_does_not_align_gets_no_venus(void **state)
{
    struct gpu_options options = machine_options();
    options.page_size = 16384;
    struct machine *machine = machine_create(&options);
    uint64_t all = gpu_device_features(machine->device);
    gpu_device_set_features(machine->device, all & ~(1ull << GPU_F_BLOB_ALIGNMENT));
    struct gpu_get_capset_info which = {0};
    struct gpu_capset_info info;
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_CAPSET_INFO, &which, sizeof(which));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_CAPSET_INFO);
    memcpy(&info, answer->bytes + 24, sizeof(info));
    assert_true(info.id > 6 && info.id < 32); // valid for Linux, and no capset that exists
    assert_int_equal(info.max_size, 0);
    struct gpu_get_capset capset = {.id = 4};
    assert_int_equal(machine_now(machine, GPU_CMD_GET_CAPSET, &capset, sizeof(capset)),
                     BAD_PARAMETER);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), BAD_PARAMETER);
    assert_int_equal(ctx_create(machine, 1, 0, "x"), OK); // for 2D
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);

    // The next driver, that of a newer kernel.
    gpu_device_reset(machine->device);
    gpu_device_set_features(machine->device, all);
    answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_CAPSET_INFO, &which, sizeof(which));
    memcpy(&info, answer->bytes + 24, sizeof(info));
    assert_int_equal(info.id, 4);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    machine_destroy(machine);
    (void)state;
}

static void guest_blobs_are_lists_of_pages(void **state)
{
    struct machine *machine = *state;
    struct {
        struct gpu_create_blob body;
        struct gpu_memory_entry entries[2];
    } create = {
        {.resource_id = 5,
         .blob_mem = GUEST,
         .blob_flags = SHARE,
         .nr_entries = 2,
         .size = 2 * PAGE},
        {{BANK_BASE, PAGE, 0}, {BANK_SEAM - 100, PAGE, 0}},
    };
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)),
                     OK);
    assert_int_equal(answer_type(map_blob(machine, 5, 0)), BAD_PARAMETER);
    assert_int_equal(unref(machine, 5), OK);
    create.body.size++; // longer than its pages
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)),
                     BAD_PARAMETER);
    create.body.size--;
    create.entries[1].address = BANK_END - 1;
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)),
                     BAD_PARAMETER);
    create.entries[1].address = BANK_SEAM;
    create.body.nr_entries = 3; // more than were sent
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)),
                     BAD_PARAMETER);
    create.body.nr_entries = 2;
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)),
                     OK); // nothing was left of them
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOB_TEST(shared_memory_exists_when_the_worker_has_it),
        BLOB_TEST(shared_memory_is_made_here_and_given_to_the_worker),
        BLOB_TEST(memory_is_a_range_of_the_workers_file),
        BLOB_TEST(ranges_of_one_file_keep_one_descriptor),
        BLOB_TEST(impossible_blobs_are_refused),
        BLOB_TEST(a_failed_export_leaves_nothing),
        BLOB_TEST(places_must_fit_and_be_free),
        cmocka_unit_test(the_aperture_is_kept_exactly),
        BLOB_TEST(a_carrier_that_fails_gives_an_error),
        BLOB_TEST(placements_wait_while_the_driver_is_stopped),
        BLOB_TEST(mapping_waits_for_the_export_and_the_placement),
        BLOB_TEST(a_context_waits_alone),
        BLOB_TEST(importers_are_told_when_it_ends),
        BLOB_TEST(what_is_not_shared_stays_with_its_context),
        BLOB_TEST(a_range_being_freed_is_waited_for),
        cmocka_unit_test(memory_of_contexts_is_limited),
        cmocka_unit_test(a_greedy_context_leaves_descriptors_for_others),
        cmocka_unit_test(large_pages_need_aligned_places),
        cmocka_unit_test(a_guest_that_does_not_align_gets_no_venus),
        BLOB_TEST(guest_blobs_are_lists_of_pages),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
