// Each allocation fails in turn. A request is then carried out all the same, or refused; one that
// was refused has left nothing behind, so the same request is carried out once there is memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <string.h>
#include <unistd.h>

#include "../../scarce/scarce.h"
#include "machine.h"
#include "os/os.h"
#include "os/shm.h"

enum { OK = GPU_RESP_OK_NODATA, NO_MEMORY = GPU_RESP_ERR_OUT_OF_MEMORY, PAGE = 4096 };
enum { PIXELS = 0x00332211, SIDE = 64 };

static int file = -1;

static uint32_t make_2d(struct machine *machine)
{
    return create_2d(machine, 1, 1, SIDE, SIDE);
}

static uint32_t give_backing(struct machine *machine)
{
    struct gpu_memory_entry entries[SIDE];
    for (unsigned i = 0; i < SIDE; i++) {
        entries[i] = (struct gpu_memory_entry){.address = BANK_BASE + i * 512, .length = SIDE * 4};
        for (unsigned x = 0; x < SIDE; x++)
            memcpy(guest_at(machine, entries[i].address + 4 * x), &(uint32_t){PIXELS}, 4);
    }
    return attach_backing(machine, 1, entries, SIDE);
}

static uint32_t copy(struct machine *machine)
{
    return transfer(machine, 1, (struct picture_rect){0, 0, SIDE, SIDE}, 0);
}

static uint32_t show(struct machine *machine)
{
    return set_scanout(machine, 0, 1, (struct picture_rect){0, 0, SIDE, SIDE});
}

static uint32_t show_again(struct machine *machine)
{
    return flush(machine, 1, (struct picture_rect){0, 0, SIDE, SIDE});
}

static uint32_t make_context(struct machine *machine)
{
    return ctx_create(machine, 1, GPU_CAPSET_VENUS, "scarce");
}

// The worker does as it is asked. Returns the answer's type.
static uint32_t served(struct machine *machine, struct answer *answer)
{
    unsigned worker = machine->pool.count - 1;
    struct link_message message;
    while (!answer->done && worker_receive(machine, worker, &message)) {
        const struct link_submit *submit = (const void *)message.payload;
        if (message.type == LINK_BLOB_EXPORT)
            worker_export(machine, worker, 2, 0, file, 0, PAGE);
        else if (message.type == LINK_SUBMIT && submit->fence_id)
            worker_retire(machine, worker, submit->ring_idx, submit->fence_id);
        machine_round(machine);
    }
    return answer_type(answer);
}

static uint32_t make_blob(struct machine *machine)
{
    return served(machine,
                  create_blob(machine, 1, 2, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 7, PAGE));
}

static uint32_t map(struct machine *machine)
{
    uint32_t type = answer_type(map_blob(machine, 2, 0));
    return type == GPU_RESP_OK_MAP_INFO ? OK : type;
}

static uint32_t attach(struct machine *machine)
{
    return answer_type(ctx_attach(machine, 1, 2));
}

static uint32_t send(struct machine *machine)
{
    return served(machine, submit(machine, 1, -1, 0, "command", 8));
}

static uint32_t send_fenced(struct machine *machine)
{
    return served(machine, submit(machine, 1, 3, 5, "command", 8));
}

static uint32_t unmap(struct machine *machine)
{
    return answer_type(unmap_blob(machine, 2));
}

static uint32_t end_blob(struct machine *machine)
{
    return unref(machine, 2);
}

static uint32_t end_context(struct machine *machine)
{
    return ctx_destroy(machine, 1);
}

static const struct {
    const char *name;
    uint32_t (*ask)(struct machine *machine);
} requests[] = {
    {"create 2d", make_2d},     {"attach backing", give_backing},
    {"transfer", copy},         {"set scanout", show},
    {"flush", show_again},      {"create context", make_context},
    {"create blob", make_blob}, {"map", map},
    {"attach", attach},         {"submit", send},
    {"fence", send_fenced},     {"unmap", unmap},
    {"unref", end_blob},        {"destroy context", end_context},
};

static uint64_t run(uint64_t number)
{
    struct machine *machine = machine_create(NULL);
    scarce_begin(number, false);
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        uint32_t type = requests[i].ask(machine);
        if (type != OK && scarce_failed()) {
            // The reason is told, too.
            if (type != NO_MEMORY && type != GPU_RESP_ERR_UNSPEC)
                fail_msg("%s: %#x without memory", requests[i].name, type);
            type = requests[i].ask(machine);
        }
        if (type != OK)
            fail_msg("allocation %u: %s: %#x", (unsigned)number, requests[i].name, type);
    }
    uint64_t count = scarce_end();
    machine_destroy(machine);
    return count;
}

static void what_was_refused_has_left_nothing_behind(void **state)
{
    uint64_t count = run(0);
    assert_true(count > 10);
    for (uint64_t number = 1; number <= count; number++)
        run(number);
}

// The guest's driver does not look at the answer of a submission: its program must hear of it.
static void a_submission_that_is_refused_ends_its_context(void **state)
{
    struct machine *machine = machine_create(NULL);
    assert_int_equal(make_context(machine), OK);
    struct answer *first = submit(machine, 1, 3, 5, "command", 8);
    assert_false(first->done);
    scarce_begin(1, true);
    struct answer *second = submit(machine, 1, 3, 6, "command", 8);
    assert_true(second->done && scarce_failed());
    scarce_end();
    const struct gpu_header *header = (const void *)second->bytes;
    assert_int_equal(header->type, NO_MEMORY);
    assert_int_equal(header->flags, GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX);
    assert_int_equal(header->fence_id, 6);
    machine_round(machine);
    assert_true(first->done && !first->twice); // with the loss
    assert_int_not_equal(send(machine), OK);
    assert_int_equal(end_context(machine), OK);
    assert_int_equal(make_context(machine), OK);
    assert_int_equal(send_fenced(machine), OK);
    machine_destroy(machine);
}

// Three requests for an output, the first of which waits for a resource. What becomes of the second
// holds the third up no longer than the first does. Returns whether an allocation failed.
static bool queue(uint64_t number)
{
    struct machine *machine = machine_create(NULL);
    assert_int_equal(make_context(machine), OK);
    struct answer *made =
        create_blob(machine, 1, 2, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MAPPABLE, 7, PAGE);
    struct answer *answers[3];
    for (unsigned i = 0; i < 3; i++) {
        struct gpu_set_scanout body = {.rect = {0, 0, SIDE, SIDE}, .resource_id = 2 + i % 2};
        if (i == 1)
            scarce_begin(number, false);
        answers[i] =
            machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_SET_SCANOUT, &body, sizeof(body));
        if (i == 1)
            scarce_end();
        assert_true(i == 1 || !answers[i]->done);
    }
    const bool failed = answers[1]->done;
    served(machine, made);
    machine_round(machine);
    for (unsigned i = 0; i < 3; i++)
        assert_true(answers[i]->done && !answers[i]->twice);
    machine_destroy(machine);
    return failed;
}

static void a_refused_request_holds_nobody_up(void **state)
{
    unsigned failed = 0;
    for (uint64_t number = 1; queue(number); number++)
        failed++;
    assert_true(failed > 1);
}

int main(void)
{
    os_init(&(struct os_options){0});
    file = os_shm_create("scarce", PAGE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_refused_has_left_nothing_behind),
        cmocka_unit_test(a_submission_that_is_refused_ends_its_context),
        cmocka_unit_test(a_refused_request_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
