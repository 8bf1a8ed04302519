// Drivers that end at the first refusal: what they send, in their order, is never refused.
#include "gpu_test.h"

enum { WIDTH = 1280, HEIGHT = 800, FRAME = WIDTH * HEIGHT * 4, CURSOR = 64 };

// Memory in pieces of one page each, none beside the next, as a driver without large pages has it.
static uint32_t attach_pages(struct machine *machine, uint32_t id, uint64_t address, uint64_t size)
{
    static struct gpu_memory_entry entries[BANK_SIZE / 4096];
    uint32_t count = 0;
    for (uint64_t at = 0; at < size; at += 4096)
        entries[count++] =
            (struct gpu_memory_entry){.address = address + size - 4096 - at, .length = 4096};
    return attach_backing(machine, id, entries, count);
}

static void send_cursor(struct machine *machine, uint32_t type,
                        const struct gpu_update_cursor *body)
{
    machine->room = 0; // no room for a response
    struct answer *answer = machine_ask(machine, GPU_CURSOR_QUEUE, type, body, sizeof(*body));
    machine->room = ROOM;
    assert_true(answer->done);
}

// Redox's virtio-gpud, as of 2026: one request at a time, screens in B8G8R8X8, a cursor in the same
// with its alpha in X. It sets VERSION_1 and EDID, and ends if an answer is another than the one
// expected.
static void redox_is_refused_nothing(void **state)
{
    struct machine *machine = *state;
    const struct picture_rect all = {0, 0, WIDTH, HEIGHT}, shape = {0, 0, CURSOR, CURSOR};
    const uint64_t frame = BANK_BASE, cursor = BANK_SEAM;
    gpu_device_set_features(machine->device, 1ull << GPU_F_EDID);

    assert_int_equal(machine_now(machine, GPU_CMD_GET_DISPLAY_INFO, NULL, 0),
                     GPU_RESP_OK_DISPLAY_INFO);
    for (uint32_t i = 0; i < gpu_device_outputs(machine->device); i++) {
        struct gpu_get_edid body = {.scanout_id = i};
        assert_int_equal(machine_now(machine, GPU_CMD_GET_EDID, &body, sizeof(body)),
                         GPU_RESP_OK_EDID);
    }

    // All outputs off, then a frame buffer on the first, which goes through another.
    for (uint32_t i = 0; i < gpu_device_outputs(machine->device); i++)
        assert_int_equal(set_scanout(machine, i, 0, (struct picture_rect){0}), OK);
    for (uint32_t id = 1; id <= 2; id++) {
        assert_int_equal(create_2d(machine, id, PICTURE_FORMAT_B8G8R8X8, WIDTH, HEIGHT), OK);
        assert_int_equal(attach_pages(machine, id, frame, FRAME), OK);
        assert_int_equal(transfer(machine, id, all, 0), OK);
        assert_int_equal(set_scanout(machine, 0, id, all), OK);
        assert_int_equal(flush(machine, id, all), OK);
        assert_int_equal(flush(machine, id, (struct picture_rect){WIDTH - 1, HEIGHT - 1, 1, 1}),
                         OK);
        assert_int_equal(flush(machine, id, (struct picture_rect){0}), OK); // nothing is damaged
    }
    assert_int_equal(unref(machine, 1), OK);

    // A cursor: it is shown, moved, hidden by a shape of zeroes.
    assert_int_equal(create_2d(machine, 3, PICTURE_FORMAT_B8G8R8X8, CURSOR, CURSOR), OK);
    assert_int_equal(attach_pages(machine, 3, cursor, CURSOR * CURSOR * 4), OK);
    const uint64_t first = cursor + CURSOR * CURSOR * 4 - 4096; // of the reversed pages
    memcpy(guest_at(machine, first), (uint8_t[]){10, 20, 30, 40}, 4);
    struct gpu_update_cursor body = {.resource_id = 3, .x = 7, .y = 8, .hot_x = 1, .hot_y = 2};
    assert_int_equal(transfer(machine, 3, shape, 0), OK);
    send_cursor(machine, GPU_CMD_UPDATE_CURSOR, &body);
    struct gpu_cursor now;
    gpu_output_cursor(machine->device, 0, &now);
    assert_true(now.visible);
    assert_memory_equal(now.rgba, ((uint8_t[]){30, 20, 10, 40}), 4);
    assert_memory_equal(now.rgba + 4, ((uint8_t[]){0, 0, 0, 0}), 4);
    body.resource_id = 0;
    body.x = 9;
    send_cursor(machine, GPU_CMD_MOVE_CURSOR, &body);
    gpu_output_cursor(machine->device, 0, &now);
    assert_true(now.visible && now.x == 9);
    memset(guest_at(machine, first), 0, 4);
    assert_int_equal(transfer(machine, 3, shape, 0), OK);
    body.resource_id = 3;
    send_cursor(machine, GPU_CMD_UPDATE_CURSOR, &body);
    gpu_output_cursor(machine->device, 0, &now);
    for (uint32_t i = 0; i < CURSOR * CURSOR * 4; i++)
        assert_int_equal(now.rgba[i], 0);

    // The console takes over: another resource, the old one goes.
    assert_int_equal(set_scanout(machine, 0, 0, (struct picture_rect){0}), OK);
    assert_int_equal(unref(machine, 2), OK);
    assert_int_equal(unref(machine, 3), OK);
}

// What formats call unused is a cursor's alpha in each of them.
static void the_unused_byte_of_a_cursor_is_its_alpha(void **state)
{
    struct machine *machine = *state;
    static const struct {
        uint32_t format;
        uint8_t pixel[4];
    } cases[] = {
        {PICTURE_FORMAT_B8G8R8X8, {3, 2, 1, 4}},
        {PICTURE_FORMAT_X8R8G8B8, {4, 1, 2, 3}},
        {PICTURE_FORMAT_R8G8B8X8, {1, 2, 3, 4}},
        {PICTURE_FORMAT_X8B8G8R8, {4, 3, 2, 1}},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint32_t id = 10 + i;
        struct gpu_memory_entry entry = {BANK_BASE, 4, 0};
        memcpy(guest_at(machine, BANK_BASE), cases[i].pixel, 4);
        assert_int_equal(create_2d(machine, id, cases[i].format, 1, 1), OK);
        assert_int_equal(attach_backing(machine, id, &entry, 1), OK);
        assert_int_equal(transfer(machine, id, (struct picture_rect){0, 0, 1, 1}, 0), OK);
        struct gpu_update_cursor body = {.resource_id = id};
        assert_int_equal(answer_type(machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR,
                                                 &body, sizeof(body))),
                         OK);
        struct gpu_cursor now;
        gpu_output_cursor(machine->device, 0, &now);
        assert_memory_equal(now.rgba, ((uint8_t[]){1, 2, 3, 4}), 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(redox_is_refused_nothing),
        DEVICE_TEST(the_unused_byte_of_a_cursor_is_its_alpha),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
