// 2D resources: from scattered guest pages to what a screen shows, byte for byte.
#include "gpu_test.h"

enum { W = 20, H = 10, STRIDE = W * 4 };

// The backing of a W × H resource: 800 bytes in pieces of odd sizes, one of them across the seam of
// two memory banks.
static const struct gpu_memory_entry pieces[] = {
    {BANK_BASE + 0x1001, 3, 0},   {BANK_SEAM - 100, 200, 0},   {BANK_BASE + 0x5000, 77, 0},
    {BANK_SEAM + 0x2000, 500, 0}, {BANK_BASE + 0x9000, 20, 0},
};

static void put_byte(struct machine *machine, uint64_t offset, uint8_t value)
{
    for (unsigned i = 0;; i++) {
        if (offset < pieces[i].length) {
            *guest_at(machine, pieces[i].address + offset) = value;
            return;
        }
        offset -= pieces[i].length;
    }
}

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 7 + offset / 256 + 1);
}

static void fill_backing(struct machine *machine)
{
    for (uint64_t i = 0; i < STRIDE * H; i++)
        put_byte(machine, i, pattern(i));
}

static void transfers_gather_scattered_pages(void **state)
{
    static const struct {
        uint32_t format;
        int red, green, blue;
    } formats[] = {
        {PICTURE_FORMAT_B8G8R8A8, 2, 1, 0}, {PICTURE_FORMAT_B8G8R8X8, 2, 1, 0},
        {PICTURE_FORMAT_A8R8G8B8, 1, 2, 3}, {PICTURE_FORMAT_X8R8G8B8, 1, 2, 3},
        {PICTURE_FORMAT_R8G8B8A8, 0, 1, 2}, {PICTURE_FORMAT_X8B8G8R8, 3, 2, 1},
        {PICTURE_FORMAT_A8B8G8R8, 3, 2, 1}, {PICTURE_FORMAT_R8G8B8X8, 0, 1, 2},
    };
    struct machine *machine = *state;
    fill_backing(machine);
    for (unsigned f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        assert_int_equal(create_2d(machine, 1, formats[f].format, W, H), OK);
        assert_int_equal(attach_backing(machine, 1, pieces, 5), OK);
        assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){0, 0, W, H}), OK);
        assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), OK);
        assert_int_equal(flush(machine, 1, (struct picture_rect){0, 0, W, H}), OK);
        uint8_t rgba[STRIDE * H];
        assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
        for (uint64_t pixel = 0; pixel < W * H; pixel++) {
            assert_int_equal(rgba[pixel * 4 + 0], pattern(pixel * 4 + (unsigned)formats[f].red));
            assert_int_equal(rgba[pixel * 4 + 1], pattern(pixel * 4 + (unsigned)formats[f].green));
            assert_int_equal(rgba[pixel * 4 + 2], pattern(pixel * 4 + (unsigned)formats[f].blue));
            assert_int_equal(rgba[pixel * 4 + 3], 255);
        }
        assert_int_equal(unref(machine, 1), OK);
    }
}

// Every rectangle of a grid, at its place and from elsewhere in the backing; nothing beside it
// changes.
static void transfers_of_rectangles_touch_nothing_else(void **state)
{
    struct machine *machine = *state;
    fill_backing(machine);
    for (uint32_t x = 0; x < W; x += 6) {
        for (uint32_t y = 0; y < H; y += 3) {
            for (uint64_t shift = 0; shift <= STRIDE; shift += STRIDE / 2) {
                struct picture_rect rect = {x, y, x ? 2 : W, shift ? 1 : 3 <= H - y ? 3 : H - y};
                uint64_t offset = (uint64_t)y * STRIDE + x * 4;
                offset = shift && offset >= shift ? offset - shift : offset;
                assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_R8G8B8X8, W, H), OK);
                assert_int_equal(attach_backing(machine, 1, pieces, 5), OK);
                assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){0, 0, W, H}), OK);
                assert_int_equal(transfer(machine, 1, rect, offset), OK);
                uint8_t rgba[STRIDE * H];
                assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
                for (uint32_t py = 0; py < H; py++) {
                    for (uint32_t px = 0; px < W; px++) {
                        bool inside = px >= rect.x && px < rect.x + rect.width && py >= rect.y &&
                                      py < rect.y + rect.height;
                        uint64_t from =
                            offset + (uint64_t)(py - rect.y) * STRIDE + (px - rect.x) * 4;
                        for (unsigned c = 0; c < 3; c++)
                            assert_int_equal(rgba[py * STRIDE + px * 4 + c],
                                             inside ? pattern(from + c) : 0);
                    }
                }
                assert_int_equal(unref(machine, 1), OK);
            }
        }
    }
}

static void a_scanout_shows_a_part_of_its_resource(void **state)
{
    struct machine *machine = *state;
    fill_backing(machine);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_R8G8B8X8, W, H), OK);
    assert_int_equal(attach_backing(machine, 1, pieces, 5), OK);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), OK);
    assert_int_equal(set_scanout(machine, 1, 1, (struct picture_rect){5, 3, 7, 4}), OK);
    struct gpu_picture picture;
    gpu_output_picture(machine->device, 1, &picture);
    assert_true(picture.enabled);
    assert_int_equal(picture.width, 7);
    assert_int_equal(picture.height, 4);
    assert_int_equal(picture.stride, STRIDE);
    assert_int_equal(picture.offset, 3 * STRIDE + 5 * 4);
    uint8_t rgba[7 * 4 * 4];
    assert_int_equal(snapshot(machine, 1, rgba, sizeof(rgba)), 0);
    assert_int_equal(snapshot(machine, 1, rgba, sizeof(rgba) - 1), -ENOSPC);
    for (unsigned y = 0; y < 4; y++)
        for (unsigned x = 0; x < 7; x++)
            assert_int_equal(rgba[(y * 7 + x) * 4 + 1],
                             pattern((y + 3) * STRIDE + (x + 5) * 4 + 1));
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), -ENODATA);
}

static void damage_is_the_union_of_flushes_in_the_picture(void **state)
{
    struct machine *machine = *state;
    struct picture_rect damage;
    struct gpu_listener listener = {0};
    gpu_device_listen(machine->device, &listener);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 100, 100), OK);
    assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 100, 100), OK);
    assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){10, 20, 50, 40}), OK);
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage)); // all of it is new
    assert_memory_equal(&damage, (&(struct picture_rect){0, 0, 50, 40}), sizeof(damage));
    assert_false(gpu_output_take_damage(machine->device, &listener, 0, &damage));

    assert_int_equal(flush(machine, 1, (struct picture_rect){0, 0, 10, 100}), OK);  // left of it
    assert_int_equal(flush(machine, 2, (struct picture_rect){0, 0, 100, 100}), OK); // not shown
    assert_int_equal(flush(machine, 1, (struct picture_rect){30, 30, 0, 5}), OK);   // nothing
    assert_false(gpu_output_take_damage(machine->device, &listener, 0, &damage));

    assert_int_equal(flush(machine, 1, (struct picture_rect){5, 15, 8, 10}),
                     OK); // its upper left corner
    assert_int_equal(flush(machine, 1, (struct picture_rect){30, 40, 100 - 30, 3}),
                     OK); // to its right edge
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage));
    assert_memory_equal(&damage, (&(struct picture_rect){0, 0, 50, 23}), sizeof(damage));
}

static void what_does_not_fit_is_refused(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(create_2d(machine, 0, PICTURE_FORMAT_B8G8R8A8, 1, 1), BAD_RESOURCE);
    assert_int_equal(create_2d(machine, 1, 5, 1, 1), BAD_PARAMETER);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 0, 1), BAD_PARAMETER);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 1, 0), BAD_PARAMETER);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, UINT32_MAX, UINT32_MAX),
                     BAD_PARAMETER);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 0x40000000, 4), BAD_PARAMETER);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, W, H), OK);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, W, H), BAD_RESOURCE); // taken

    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0),
                     UNSPEC); // no backing
    assert_int_equal(attach_backing(machine, 2, pieces, 5), BAD_RESOURCE);
    assert_int_equal(attach_backing(machine, 1, pieces, 0), BAD_PARAMETER);
    assert_int_equal(attach_backing(machine, 1, pieces, 5), OK);
    assert_int_equal(attach_backing(machine, 1, pieces, 5), UNSPEC); // again

    assert_int_equal(transfer(machine, 9, (struct picture_rect){0, 0, W, H}, 0), BAD_RESOURCE);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W + 1, H}, 0), BAD_PARAMETER);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){1, 0, W, H}, 0), BAD_PARAMETER);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, H, W, 1}, 0), BAD_PARAMETER);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){UINT32_MAX, 0, 2, 1}, 0),
                     BAD_PARAMETER);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 1),
                     BAD_PARAMETER); // one byte behind the backing
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, 1, 1}, UINT64_MAX),
                     BAD_PARAMETER);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), OK);

    assert_int_equal(set_scanout(machine, 2, 1, (struct picture_rect){0, 0, W, H}), BAD_SCANOUT);
    assert_int_equal(set_scanout(machine, 0, 7, (struct picture_rect){0, 0, W, H}), BAD_RESOURCE);
    assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){0, 0, 0, H}), BAD_PARAMETER);
    assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){1, 0, W, H}), BAD_PARAMETER);
    assert_int_equal(
        set_scanout(machine, 0, 1, (struct picture_rect){UINT32_MAX, UINT32_MAX, 2, 2}),
        BAD_PARAMETER);
    assert_int_equal(flush(machine, 1, (struct picture_rect){0, 0, W, H + 1}), BAD_PARAMETER);
    assert_int_equal(flush(machine, 3, (struct picture_rect){0, 0, 1, 1}), BAD_RESOURCE);
    assert_int_equal(unref(machine, 3), BAD_RESOURCE);

    struct gpu_resource_only body = {.resource_id = 1};
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_DETACH_BACKING, &body, sizeof(body)),
                     OK);
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_DETACH_BACKING, &body, sizeof(body)),
                     UNSPEC);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), UNSPEC);
}

static void backing_must_be_guest_memory(void **state)
{
    struct machine *machine = *state;
    static const struct gpu_memory_entry bad[] = {
        {0, 800, 0},                // before it
        {BANK_END - 799, 800, 0},   // one byte behind it
        {BANK_BASE, 0, 0},          // empty
        {UINT64_MAX - 100, 800, 0}, // wraps around
        {BANK_BASE - 1, 800, 0},
    };
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, W, H), OK);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(attach_backing(machine, 1, &bad[i], 1), BAD_PARAMETER);
    // More entries than there are bytes for.
    struct gpu_attach_backing body = {1, 0x10000001};
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_ATTACH_BACKING, &body, sizeof(body)),
                     BAD_PARAMETER);
    body.nr_entries = 1;
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_ATTACH_BACKING, &body, sizeof(body)),
                     BAD_PARAMETER);
    // Shorter than the resource is legal; using what is not there isn't.
    assert_int_equal(attach_backing(machine, 1, pieces, 2), OK);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, 1}, 0), OK);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), BAD_PARAMETER);
}

static void limits_hold_and_are_given_back(void **state)
{
    struct machine *machine = *state;
    // 16 MiB of pixels in all.
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 2048, 1024), OK);
    assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 2048, 1024), OK);
    assert_int_equal(create_2d(machine, 3, PICTURE_FORMAT_B8G8R8A8, 1, 1), NO_MEMORY);
    assert_int_equal(unref(machine, 1), OK);
    assert_int_equal(create_2d(machine, 3, PICTURE_FORMAT_B8G8R8A8, 1, 1), OK);
    for (uint32_t id = 10; id < 10 + machine->options.max_resources - 2; id++)
        assert_int_equal(create_2d(machine, id, PICTURE_FORMAT_B8G8R8A8, 1, 1), OK);
    assert_int_equal(create_2d(machine, 9, PICTURE_FORMAT_B8G8R8A8, 1, 1), NO_MEMORY);
    machine_reset(machine);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 2048, 1024), OK);
    assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 2048, 1024), OK);
}

static void a_picture_outlives_its_resource_and_the_driver(void **state)
{
    struct machine *machine = *state;
    fill_backing(machine);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_R8G8B8X8, W, H), OK);
    assert_int_equal(attach_backing(machine, 1, pieces, 5), OK);
    assert_int_equal(transfer(machine, 1, (struct picture_rect){0, 0, W, H}, 0), OK);
    assert_int_equal(set_scanout(machine, 0, 1, (struct picture_rect){0, 0, W, H}), OK);
    assert_int_equal(unref(machine, 1), OK);
    struct gpu_picture picture;
    gpu_output_picture(machine->device, 0, &picture);
    assert_false(picture.enabled);
    machine_reset(machine);
    uint8_t rgba[STRIDE * H];
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    assert_int_equal(rgba[5], pattern(5));
    // The id is free for another one, which is not shown.
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_R8G8B8X8, W, H), OK);
    assert_int_equal(flush(machine, 1, (struct picture_rect){0, 0, W, H}), OK);
    gpu_output_picture(machine->device, 0, &picture);
    assert_false(picture.enabled);
}

// What OVMF's VirtioGpuDxe and Redox's virtio-gpud send: nothing but 2D, no feature negotiated.
static void early_boot_works_without_3d(void **state)
{
    struct machine *machine = *state;
    gpu_device_reset(machine->device);
    gpu_device_set_features(machine->device, 0);
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0);
    assert_int_equal(answer_type(answer), GPU_RESP_OK_DISPLAY_INFO);
    assert_int_equal(answer->written, sizeof(struct gpu_header) + sizeof(struct gpu_display_info));
    struct gpu_display_info info;
    memcpy(&info, answer->bytes + sizeof(struct gpu_header), sizeof(info));
    assert_int_equal(info.modes[0].enabled, 1);
    assert_memory_equal(&info.modes[0].rect, (&(struct picture_rect){0, 0, 1280, 800}),
                        sizeof(struct picture_rect));
    struct picture_rect all = {0, 0, 800, 600};
    struct gpu_memory_entry backing = {BANK_BASE, 800 * 600 * 4, 0};
    memset(guest_at(machine, BANK_BASE), 0x80, 800 * 600 * 4);

    // The console's frame buffer, twice: firmware sets a mode, and another.
    for (int round = 0; round < 2; round++) {
        machine->header = (struct gpu_header){.flags = GPU_FLAG_FENCE, .fence_id = 1};
        assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, all.width, all.height), OK);
        assert_int_equal(attach_backing(machine, 1, &backing, 1), OK);
        assert_int_equal(set_scanout(machine, 0, 1, all), OK);
        machine->header = (struct gpu_header){.flags = GPU_FLAG_FENCE, .fence_id = 2};
        assert_int_equal(transfer(machine, 1, all, 0), OK);
        machine->header = (struct gpu_header){.flags = GPU_FLAG_FENCE, .fence_id = 3};
        assert_int_equal(flush(machine, 1, all), OK);
        uint8_t *rgba = malloc(800 * 600 * 4);
        assert_int_equal(snapshot(machine, 0, rgba, 800 * 600 * 4), 0);
        assert_int_equal(rgba[(size_t)all.width * all.height * 4 - 2], 0x80);
        free(rgba);
        // A cursor, without a place for a response.
        assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 64, 64), OK);
        machine->room = 0;
        struct gpu_update_cursor cursor = {
            .resource_id = 2, .x = 5, .y = 6, .hot_x = 1, .hot_y = 2};
        assert_true(
            machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR, &cursor, sizeof(cursor))
                ->done);
        cursor.x = 50;
        assert_true(
            machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_MOVE_CURSOR, &cursor, sizeof(cursor))
                ->done);
        machine->room = ROOM;
        struct gpu_cursor now;
        gpu_output_cursor(machine->device, 0, &now);
        assert_true(now.visible);
        assert_int_equal(now.x, 50);
        assert_int_equal(now.width, 64);

        assert_int_equal(set_scanout(machine, 0, 0, (struct picture_rect){0}), OK);
        struct gpu_resource_only detach = {.resource_id = 1};
        assert_int_equal(
            machine_now(machine, GPU_CMD_RESOURCE_DETACH_BACKING, &detach, sizeof(detach)), OK);
        assert_int_equal(unref(machine, 1), OK);
        assert_int_equal(unref(machine, 2), OK);
        all.width = 640;
    }
    // The kernel's driver takes over and finds nothing left behind.
    machine_reset(machine);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 10, 10), OK);
}

static void fences_of_2d_commands_come_back(void **state)
{
    struct machine *machine = *state;
    struct gpu_create_2d body = {1, PICTURE_FORMAT_B8G8R8A8, 4, 4};
    machine->header =
        (struct gpu_header){.flags = GPU_FLAG_FENCE, .fence_id = 0x123456789abcdef0, .ctx_id = 3};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_CREATE_2D, &body, sizeof(body));
    struct gpu_header header;
    memcpy(&header, answer->bytes, sizeof(header));
    assert_int_equal(header.type, OK);
    assert_int_equal(header.flags, GPU_FLAG_FENCE);
    assert_true(header.fence_id == 0x123456789abcdef0);
    assert_int_equal(header.ctx_id, 3);
    // With an error too: the guest waits for it.
    machine->header = (struct gpu_header){.flags = GPU_FLAG_FENCE, .fence_id = 7};
    answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_CREATE_2D, &body, sizeof(body));
    memcpy(&header, answer->bytes, sizeof(header));
    assert_int_equal(header.type, BAD_RESOURCE);
    assert_int_equal(header.flags, GPU_FLAG_FENCE);
    assert_int_equal(header.fence_id, 7);
    // Without one nothing is made up.
    machine->header = (struct gpu_header){.fence_id = 9};
    answer = machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0);
    memcpy(&header, answer->bytes, sizeof(header));
    assert_int_equal(header.flags, 0);
    assert_int_equal(header.fence_id, 0);
}

static void one_interrupt_per_round(void **state)
{
    struct machine *machine = *state;
    for (uint32_t id = 1; id < 20; id++)
        assert_int_equal(create_2d(machine, id, PICTURE_FORMAT_B8G8R8A8, 1, 1), OK);
    assert_int_equal(machine->flushes, 0);
    machine_round(machine);
    assert_int_equal(machine->flushes, 1);
    machine_round(machine);
    assert_int_equal(machine->flushes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(transfers_gather_scattered_pages),
        DEVICE_TEST(transfers_of_rectangles_touch_nothing_else),
        DEVICE_TEST(a_scanout_shows_a_part_of_its_resource),
        DEVICE_TEST(damage_is_the_union_of_flushes_in_the_picture),
        DEVICE_TEST(what_does_not_fit_is_refused),
        DEVICE_TEST(backing_must_be_guest_memory),
        DEVICE_TEST(limits_hold_and_are_given_back),
        DEVICE_TEST(a_picture_outlives_its_resource_and_the_driver),
        DEVICE_TEST(early_boot_works_without_3d),
        DEVICE_TEST(fences_of_2d_commands_come_back),
        DEVICE_TEST(one_interrupt_per_round),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
