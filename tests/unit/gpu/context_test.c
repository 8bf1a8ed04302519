// Contexts and their workers: submissions, fences, loss of a worker in every way, lying workers.
#include "gpu/status.h"
#include "gpu_test.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

static uint32_t words[4] = {1, 2, 3, 4};

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

#define CONTEXT_TEST(function) cmocka_unit_test_setup_teardown(function, with_contexts, tear_down)

// The fence that worker `index` was given with the next submission.
static uint64_t next_fence(struct machine *machine, unsigned index)
{
    struct link_message message;
    assert_true(worker_receive(machine, index, &message));
    assert_int_equal(message.type, LINK_SUBMIT);
    return ((const struct link_submit *)message.payload)->fence_id;
}

static void a_context_gets_a_worker(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(ctx_create(machine, 7, 4, "vkcube"), OK);
    assert_int_equal(machine->pool.count, 1);
    struct link_message message;
    assert_true(worker_receive(machine, 0, &message));
    assert_int_equal(message.type, LINK_CONTEXT_CREATE);
    const struct link_context_create *create = (const void *)message.payload;
    assert_int_equal(create->context_id, 7);
    assert_string_equal(create->name, "vkcube");
    assert_int_equal(create->flags, 0);
    assert_int_equal(create->max_resources, machine->options.max_resources);
    assert_int_equal(ctx_destroy(machine, 7), OK);
    assert_true(machine->pool.workers[0]->released);
    assert_int_equal(ctx_destroy(machine, 7), BAD_CONTEXT);
    assert_int_equal(ctx_create(machine, 7, 4, ""), OK); // the id is free again
    assert_int_equal(machine->pool.count, 2);
}

static void bad_contexts_are_refused(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(ctx_create(machine, 0, 4, "x"), BAD_CONTEXT);
    assert_int_equal(ctx_create(machine, 1, 2, "x"), BAD_PARAMETER); // virgl
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), BAD_CONTEXT);
    for (uint32_t id = 2; id <= machine->options.max_contexts; id++)
        assert_int_equal(ctx_create(machine, id, 4, "x"), OK);
    assert_int_equal(ctx_create(machine, 100, 4, "x"), NO_MEMORY);
    assert_int_equal(ctx_destroy(machine, 3), OK);
    machine->pool.empty = true;
    assert_int_equal(ctx_create(machine, 100, 4, "x"), NO_MEMORY);
    machine->pool.empty = false;
    assert_int_equal(ctx_create(machine, 100, 4, "x"), OK);
    assert_int_equal(answer_type(submit(machine, 3, 0, 1, words, 16)), BAD_CONTEXT);
}

static void a_name_that_never_ends_is_cut(void **state)
{
    struct machine *machine = *state;
    struct gpu_ctx_create body = {.name_length = UINT32_MAX, .context_init = 4};
    memset(body.name, 'a', sizeof(body.name));
    machine->header.ctx_id = 1;
    assert_int_equal(machine_now(machine, GPU_CMD_CTX_CREATE, &body, sizeof(body)), OK);
    struct link_message message;
    assert_true(worker_receive(machine, 0, &message));
    assert_int_equal(strlen(((const struct link_context_create *)message.payload)->name), 63);
}

static void a_name_cannot_steer_a_terminal(void **state)
{
    struct machine *machine = *state;
    ctx_create(machine, 1, GPU_CAPSET_VENUS, "a\033[2Jb");
    struct link_message message;
    assert_true(worker_receive(machine, 0, &message));
    assert_string_equal(((const struct link_context_create *)message.payload)->name, "a?[2Jb");
}

// Old kernels make contexts without a capset for processes that use 2D only.
static void a_context_without_a_capset_needs_no_worker(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(ctx_create(machine, 1, 0, "Xorg"), OK);
    assert_int_equal(machine->pool.count, 0);
    assert_int_equal(create_2d(machine, 5, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);
    assert_int_equal(answer_type(ctx_attach(machine, 1, 5)), OK);
    assert_int_equal(answer_type(ctx_detach(machine, 1, 5)), OK);
    assert_int_equal(answer_type(submit(machine, 1, -1, 1, words, 16)), UNSPEC);
    assert_int_equal(
        answer_type(create_blob(machine, 1, 6, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 0, 4096)),
        UNSPEC);
    assert_int_equal(ctx_destroy(machine, 1), OK);
}

static void submissions_arrive_whole_and_in_order(void **state)
{
    struct machine *machine = *state;
    uint8_t *bytes = malloc(1 << 20);
    for (uint32_t i = 0; i < 1 << 20; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    static const uint32_t sizes[] = {4, 16, 4096, 100000, 1 << 20};
    static const size_t splits[] = {0, 10, 24, 32, 33, 5000};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unsigned j = 0; j < sizeof(splits) / sizeof(splits[0]); j++) {
            machine->split = splits[j];
            assert_int_equal(answer_type(submit(machine, 1, -1, 0, bytes, sizes[i])),
                             OK); // without a fence: at once
            struct link_message message;
            assert_true(worker_receive(machine, 0, &message));
            assert_int_equal(message.type, LINK_SUBMIT);
            const struct link_submit *got = (const void *)message.payload;
            assert_int_equal(got->byte_count, sizes[i]);
            assert_int_equal(got->fence_id, 0);
            assert_memory_equal(got + 1, bytes, sizes[i]);
        }
    }
    free(bytes);
    struct link_message message;
    assert_false(worker_receive(machine, 1, &message)); // the other context's has seen nothing
}

static void bad_submissions_are_refused(void **state)
{
    struct machine *machine = *state;
    static const struct gpu_submit sizes[] = {
        {20, 0}, {15, 0}, {UINT32_MAX, 0}, {UINT32_MAX - 3, 0}};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t bytes[24] = {0};
        memcpy(bytes, &sizes[i], 8);
        machine->header.ctx_id = 1;
        assert_int_equal(machine_now(machine, GPU_CMD_SUBMIT_3D, bytes, sizeof(bytes)),
                         BAD_PARAMETER);
    }
    struct answer *answer = submit(machine, 1, 64, 5, words, 16); // no such ring
    assert_int_equal(answer_type(answer), BAD_PARAMETER);
    assert_int_equal(((struct gpu_header *)answer->bytes)->flags,
                     GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX);
    assert_int_equal(((struct gpu_header *)answer->bytes)->fence_id, 5);
    uint8_t *large = calloc(1, 17 << 20);
    assert_int_equal(answer_type(submit(machine, 1, -1, 0, large, 17 << 20)), BAD_PARAMETER);
    free(large);
    assert_int_equal(answer_type(submit(machine, 1, 0, 0, NULL, 0)), OK); // nothing to do
    struct link_message message;
    assert_false(worker_receive(machine, 0, &message));
}

static void fences_of_rings_retire_independently(void **state)
{
    struct machine *machine = *state;
    struct answer *slow = submit(machine, 1, 5, 100, words, 16);
    struct answer *fast = submit(machine, 1, 63, 100, words, 16);
    struct answer *other = submit(machine, 2, 5, 100, NULL, 0);
    uint64_t slow_id = next_fence(machine, 0), fast_id = next_fence(machine, 0),
             other_id = next_fence(machine, 1);
    assert_true(slow_id && fast_id && slow_id != fast_id);
    assert_false(slow->done || fast->done || other->done);
    worker_retire(machine, 0, 63, fast_id);
    assert_int_equal(answer_type(fast), OK);
    struct gpu_header header;
    memcpy(&header, fast->bytes, sizeof(header));
    assert_int_equal(header.flags, GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX);
    assert_int_equal(header.fence_id, 100);
    assert_int_equal(header.ctx_id, 1);
    assert_int_equal(header.ring_idx, 63);
    assert_false(slow->done || other->done);
    worker_retire(machine, 1, 5, other_id);
    assert_true(other->done);
    worker_retire(machine, 0, 5, slow_id);
    assert_true(slow->done);
    machine_round(machine);
    assert_int_equal(machine->flushes, 1);
}

static void a_later_fence_retires_those_before_it(void **state)
{
    struct machine *machine = *state;
    struct answer *first = submit(machine, 1, 1, 1, NULL, 0),
                  *second = submit(machine, 1, 1, 2, NULL, 0),
                  *third = submit(machine, 1, 1, 3, NULL, 0);
    uint64_t ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = next_fence(machine, 0);
    worker_retire(machine, 0, 1, ids[1]);
    assert_true(first->done && second->done);
    assert_false(third->done);
    worker_retire(machine, 0, 1, ids[0]); // late, harmless
    assert_false(third->done);
    worker_retire(machine, 0, 1, ids[2]);
    assert_true(third->done && !third->twice);
    // A fence without ring_idx is one of the context's own stream.
    struct answer *plain = submit(machine, 1, -1, 4, NULL, 0);
    struct link_message message;
    assert_true(worker_receive(machine, 0, &message));
    assert_int_equal(((const struct link_submit *)message.payload)->ring_idx, 0);
    worker_retire(machine, 0, 0, ((const struct link_submit *)message.payload)->fence_id);
    assert_true(plain->done);
}

// A kernel takes an answer for the end of everything earlier on its timeline: even an error must
// wait for its turn.
static void errors_keep_their_place_on_the_timeline(void **state)
{
    struct machine *machine = *state;
    struct answer *first = submit(machine, 1, 1, 1, NULL, 0);
    struct answer *wrong = submit(machine, 1, 1, 2, words, 3);
    struct answer *third = submit(machine, 1, 1, 3, NULL, 0);
    uint64_t first_id = next_fence(machine, 0), third_id = next_fence(machine, 0);
    assert_false(wrong->done);
    worker_retire(machine, 0, 1, first_id);
    assert_true(first->done);
    assert_int_equal(answer_type(wrong), BAD_PARAMETER);
    assert_false(third->done);
    worker_retire(machine, 0, 1, third_id);
    assert_true(third->done);
    assert_int_equal(machine->completions, 2 + 3);
}

static void many_fences_in_one_message(void **state)
{
    struct machine *machine = *state;
    enum { COUNT = 200 };
    struct answer *answers[COUNT];
    struct link_fence_retired retired[COUNT];
    for (uint64_t i = 0; i < COUNT; i++)
        answers[i] = submit(machine, 1, (int)(i % 7), i + 1, NULL, 0);
    for (uint64_t i = 0; i < COUNT; i++)
        retired[i] =
            (struct link_fence_retired){.fence_id = next_fence(machine, 0), .ring_idx = i % 7};
    link_send(machine->pool.workers[0]->peer, LINK_FENCE_RETIRED, retired, sizeof(retired), NULL, 0,
              NULL, 0);
    machine_pump(machine);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(answer_type(answers[i]), OK);
    machine_round(machine);
    assert_int_equal(machine->flushes, 1);
}

static void refused_objects_are_counted(void **state)
{
    struct machine *machine = *state;
    struct gpu_status status;
    for (uint64_t total = 1; total <= 3; total++) {
        struct link_creations_failed failed = {total};
        link_send(machine->pool.workers[0]->peer, LINK_CREATIONS_FAILED, &failed, sizeof(failed),
                  NULL, 0, NULL, 0);
    }
    machine_pump(machine);
    gpu_device_status(machine->device, &status);
    assert_int_equal(status.creations_failed, 3);
    assert_int_equal(status.contexts_lost, 0);
}

static void a_dead_worker_costs_its_context_only(void **state)
{
    struct machine *machine = *state;
    struct answer *lost[3] = {submit(machine, 1, 1, 1, words, 16),
                              submit(machine, 1, 2, 1, words, 16),
                              submit(machine, 1, -1, 9, words, 16)};
    struct answer *export =
        create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 4096);
    struct answer *map = map_blob(machine, 8, 0);
    struct answer *other = submit(machine, 2, 1, 1, words, 16);
    worker_die(machine, 0, "killed by signal 11");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(answer_type(lost[i]),
                         OK); // retired: the guest's kernel must not wait for ever
    assert_int_equal(answer_type(export), UNSPEC);
    assert_int_equal(answer_type(map), BAD_RESOURCE);
    assert_false(other->done);

    assert_int_equal(answer_type(submit(machine, 1, 1, 2, words, 16)), UNSPEC);
    assert_int_equal(
        answer_type(create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 0, 4096)),
        UNSPEC);
    assert_int_equal(create_2d(machine, 9, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);
    assert_int_equal(answer_type(ctx_attach(machine, 1, 9)), OK);
    assert_int_equal(answer_type(ctx_detach(machine, 1, 9)), OK);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), BAD_CONTEXT); // still the guest's
    assert_int_equal(ctx_destroy(machine, 1), OK);

    uint64_t id = next_fence(machine, 1);
    worker_retire(machine, 1, 1, id);
    assert_int_equal(answer_type(other), OK);
}

static void last_words_are_heard(void **state)
{
    struct machine *machine = *state;
    struct answer *fence = submit(machine, 1, 1, 1, words, 16);
    link_send(machine->pool.workers[0]->peer, LINK_CONTEXT_LOST, "bad \x1b[2J luck", 13, NULL, 0,
              NULL, 0);
    machine_pump(machine);
    assert_int_equal(answer_type(fence), OK);
    assert_true(machine->pool.workers[0]->released);
    assert_int_equal(answer_type(submit(machine, 1, 1, 2, words, 16)), UNSPEC);
    assert_int_equal(ctx_destroy(machine, 1), OK);
}

// What a guest is refused, however often, hides no loss.
static void a_loss_is_told_also_after_many_complaints(void **state)
{
    struct machine *machine = *state;
    static char said[65536];
    FILE *log = tmpfile();
    int error_output = dup(STDERR_FILENO);
    log_set_level(LOG_WARNING);
    dup2(fileno(log), STDERR_FILENO);
    for (unsigned i = 0; i < 100; i++)
        ctx_attach(machine, 1, 77);
    worker_die(machine, 0, "killed by signal 11");
    dup2(error_output, STDERR_FILENO);
    close(error_output);
    rewind(log);
    said[fread(said, 1, sizeof(said) - 1, log)] = 0;
    fclose(log);
    assert_non_null(strstr(said, "CTX_ATTACH_RESOURCE (context 1): no resource 77"));
    assert_non_null(strstr(said, "device lost in the guest's context 1"));
    unsigned lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')); at++)
        lines++;
    assert_in_range(lines, 2, 30);
}

static void a_program_that_is_gone_is_no_loss(void **state)
{
    struct machine *machine = *state;
    struct answer *fence = submit(machine, 1, 1, 1, words, 16);
    link_send(machine->pool.workers[0]->peer, LINK_CONTEXT_LOST, NULL, 0, NULL, 0, NULL, 0);
    machine_pump(machine);
    assert_int_equal(answer_type(fence), OK);
    assert_true(machine->pool.workers[0]->released);
    struct gpu_status status;
    gpu_device_status(machine->device, &status);
    assert_int_equal(status.contexts_lost, 0);
    assert_int_equal(ctx_destroy(machine, 1), OK);
}

// A worker may have been taken over by its guest.
static void a_lying_worker_is_ended(void **state)
{
    for (int lie = 0; lie < 8; lie++) {
        struct machine *machine = machine_create(NULL);
        assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
        assert_int_equal(ctx_create(machine, 2, 4, "y"), OK);
        struct answer *fence = submit(machine, 1, 1, 1, words, 16),
                      *mine = submit(machine, 2, 1, 1, words, 16);
        struct answer *export =
            create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
        struct link *worker = machine->pool.workers[0]->peer;
        int fd = os_shm_create("test", 65536);
        switch (lie) {
        case 0: // a fence that was never given
            worker_retire(machine, 0, 1, UINT64_MAX);
            break;
        case 1: // of a ring that does not exist
            worker_retire(machine, 0, 64, 1);
            break;
        case 2: // an export that was not asked for
            worker_export(machine, 0, 9, 0, fd, 0, 8192);
            break;
        case 3: // too small
            worker_export(machine, 0, 8, 0, fd, 0, 4096);
            break;
        case 4: // behind the end of the file
            worker_export(machine, 0, 8, 0, fd, 65536 - 4096, 8192);
            break;
        case 5: // between pages
            worker_export(machine, 0, 8, 0, fd, 100, 8192);
            break;
        case 6: // a message that only the device sends
            link_send(worker, LINK_SUBMIT, &(struct link_submit){0}, sizeof(struct link_submit),
                      NULL, 0, NULL, 0);
            machine_pump(machine);
            break;
        case 7: // an export that wraps around
            worker_export(machine, 0, 8, 0, fd, UINT64_MAX - 4095, 8192);
            break;
        }
        close(fd);
        machine_round(machine);
        assert_true(machine->pool.workers[0]->released);
        assert_int_equal(answer_type(fence), OK);
        assert_int_equal(answer_type(export), UNSPEC);
        assert_false(mine->done);
        assert_false(machine->pool.workers[1]->released);
        machine_destroy(machine);
    }
    (void)state;
}

static void a_worker_answers_for_its_own_context_only(void **state)
{
    struct machine *machine = *state;
    struct answer *export =
        create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
    int fd = os_shm_create("test", 65536);
    worker_export(machine, 1, 8, 0, fd, 0, 8192);
    assert_false(export->done);
    assert_true(machine->pool.workers[1]->released);
    worker_export(machine, 0, 8, 0, fd, 0, 8192);
    assert_int_equal(answer_type(export), OK);
    close(fd);
}

// What goes into the aperture must not be cut short there: QEMU would die of it.
static void a_file_that_may_shrink_is_not_taken(void **state)
{
    struct machine *machine = *state;
    if (os_is_portable())
        skip(); // can't be told
    char path[] = "/tmp/hesper-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    assert_int_equal(ftruncate(fd, 65536), 0);
    struct answer *export =
        create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
    worker_export(machine, 0, 8, 0, fd, 0, 8192);
    close(fd);
    assert_int_equal(answer_type(export), UNSPEC);
    assert_true(machine->pool.workers[0]->released);
}

static void a_worker_that_never_answers_is_given_up(void **state)
{
    struct gpu_options options = machine_options();
    options.max_wait_ns = 200000000; // a busy machine is not taken for a worker that hangs
    struct machine *machine = machine_create(&options);
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(ctx_create(machine, 2, 4, "y"), OK);
    assert_int_equal(ctx_create(machine, 3, 4, "z"), OK);
    struct link_message message;
    worker_receive(machine, 1, &message);
    struct answer *hung = submit(machine, 1, 1, 1, words, 16);
    struct answer *blob =
        create_blob(machine, 3, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
    struct answer *fine = NULL;
    for (int i = 0; i < 12; i++) { // the second context works on and on
        fine = submit(machine, 2, 1, 1, words, 16);
        machine_round(machine);
        worker_retire(machine, 1, 1, next_fence(machine, 1));
        assert_int_equal(answer_type(fine), OK);
        os_sleep_ns(40000000);
        machine_round(machine);
    }
    assert_int_equal(answer_type(hung), OK);
    assert_int_equal(answer_type(blob), UNSPEC);
    assert_true(machine->pool.workers[0]->released);
    assert_false(machine->pool.workers[1]->released);
    assert_true(machine->pool.workers[2]->released);
    machine_destroy(machine);
    (void)state;
}

static void a_worker_that_does_not_read_is_waited_for_and_given_up(void **state)
{
    struct gpu_options options = machine_options();
    options.max_wait_ns = 20000000;
    struct machine *machine = machine_create(&options);
    ctx_create(machine, 1, GPU_CAPSET_VENUS, "deaf");
    ctx_create(machine, 2, GPU_CAPSET_VENUS, "well");
    uint8_t *bytes = calloc(1, 8 << 20);
    struct answer *answer;
    int sent = 0;
    do
        answer = submit(machine, 1, -1, 0, bytes, 8 << 20);
    while (answer->done && ++sent < 20);
    struct answer *behind = submit(machine, 1, -1, 0, bytes, 8 << 20);
    free(bytes);
    // Little is kept for it, and others are not held up.
    assert_true(sent > 1 && sent < 6);
    assert_int_equal(answer_type(submit(machine, 2, -1, 0, words, 16)), OK);
    for (int i = 0; i < 3; i++) {
        os_sleep_ns(12000000);
        machine_round(machine);
    }
    assert_int_equal(answer_type(answer), UNSPEC);
    assert_int_equal(answer_type(behind), UNSPEC);
    assert_true(machine->pool.workers[0]->released);
    assert_int_equal(answer_type(submit(machine, 2, -1, 0, words, 16)), OK);
    machine_destroy(machine);
    (void)state;
}

static void a_worker_that_reads_again_gets_what_waited(void **state)
{
    struct machine *machine = *state;
    uint8_t *bytes = calloc(1, 8 << 20);
    struct answer *answer;
    int sent = 0;
    do
        answer = submit(machine, 1, -1, 0, bytes, 8 << 20);
    while (answer->done && ++sent < 20);
    free(bytes);
    struct link_message message;
    for (int i = 0; i < sent; i++)
        assert_true(worker_receive(machine, 0, &message));
    struct link_child *worker = machine->pool.workers[0];
    while (link_flush(worker->link) == -EAGAIN)
        worker_receive(machine, 0, &message);
    worker->callbacks.drained(worker->data);
    machine_round(machine);
    assert_int_equal(answer_type(answer), OK);
}

static void destroying_a_context_retires_its_fences(void **state)
{
    struct machine *machine = *state;
    struct answer *fence = submit(machine, 1, 3, 1, words, 16);
    struct answer *export =
        create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
    // As the kernel does it when a process ends: the blob goes first.
    struct answer *detach = ctx_detach(machine, 1, 8);
    struct gpu_resource_only body = {.resource_id = 8};
    struct answer *gone =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_UNREF, &body, sizeof(body));
    assert_false(fence->done || export->done || detach->done || gone->done);
    assert_int_equal(ctx_destroy(machine, 1), OK); // waits for nobody
    assert_int_equal(answer_type(fence), OK);
    assert_int_equal(answer_type(export), UNSPEC);
    assert_true(detach->done && gone->done);
}

static void a_reset_forgets_everything(void **state)
{
    struct machine *machine = *state;
    machine->place_mode = PLACE_LATER;
    struct answer *fence = submit(machine, 1, 1, 1, words, 16);
    struct answer *shm =
        create_blob(machine, 1, 7, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 0, 8192);
    struct answer *map = map_blob(machine, 7, 0), *unmap = unmap_blob(machine, 7);
    struct answer *export =
        create_blob(machine, 1, 8, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 77, 8192);
    struct answer *waiting = ctx_attach(machine, 2, 8),
                  *behind = submit(machine, 2, -1, 2, words, 16);
    assert_int_equal(answer_type(shm), OK);
    unsigned completions = machine->completions;
    machine_reset(machine);
    machine_confirm(machine, 0); // late
    machine_pump(machine);
    machine_round(machine);
    assert_int_equal(machine->completions, completions);
    assert_false(fence->done || map->done || unmap->done || export->done || waiting->done ||
                 behind->done);
    assert_true(machine->pool.workers[0]->released && machine->pool.workers[1]->released);
    // A new life with the same ids.
    machine->place_mode = PLACE_AT_ONCE;
    assert_int_equal(ctx_create(machine, 1, 4, "x"), OK);
    assert_int_equal(
        answer_type(create_blob(machine, 1, 7, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 0, 8192)),
        OK);
    assert_int_equal(answer_type(map_blob(machine, 7, 0)), GPU_RESP_OK_MAP_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(a_context_gets_a_worker),
        DEVICE_TEST(bad_contexts_are_refused),
        DEVICE_TEST(a_name_that_never_ends_is_cut),
        DEVICE_TEST(a_name_cannot_steer_a_terminal),
        DEVICE_TEST(a_context_without_a_capset_needs_no_worker),
        CONTEXT_TEST(submissions_arrive_whole_and_in_order),
        CONTEXT_TEST(bad_submissions_are_refused),
        CONTEXT_TEST(fences_of_rings_retire_independently),
        CONTEXT_TEST(a_later_fence_retires_those_before_it),
        CONTEXT_TEST(errors_keep_their_place_on_the_timeline),
        CONTEXT_TEST(many_fences_in_one_message),
        CONTEXT_TEST(refused_objects_are_counted),
        CONTEXT_TEST(a_dead_worker_costs_its_context_only),
        CONTEXT_TEST(last_words_are_heard),
        CONTEXT_TEST(a_loss_is_told_also_after_many_complaints),
        CONTEXT_TEST(a_program_that_is_gone_is_no_loss),
        cmocka_unit_test(a_lying_worker_is_ended),
        CONTEXT_TEST(a_worker_answers_for_its_own_context_only),
        CONTEXT_TEST(a_file_that_may_shrink_is_not_taken),
        cmocka_unit_test(a_worker_that_never_answers_is_given_up),
        cmocka_unit_test(a_worker_that_does_not_read_is_waited_for_and_given_up),
        CONTEXT_TEST(a_worker_that_reads_again_gets_what_waited),
        CONTEXT_TEST(destroying_a_context_retires_its_fences),
        CONTEXT_TEST(a_reset_forgets_everything),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
