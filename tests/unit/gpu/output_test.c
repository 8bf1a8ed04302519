// Screens: pictures in blobs, what listeners hear, cursors.
#include "../short.h"
#include "gpu/status.h"
#include "gpu_test.h"

enum {
    PAGE = 4096,
    HOST = GPU_BLOB_MEM_HOST3D,
    GUEST = GPU_BLOB_MEM_GUEST,
    SHARE = GPU_BLOB_SHAREABLE,
    W = 30,
    H = 20
};

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 13 + offset / 256 + 1);
}

static uint32_t show_blob(struct machine *machine, uint32_t scanout, uint32_t id,
                          struct picture_rect rect, uint32_t width, uint32_t height,
                          uint32_t format, uint32_t stride, uint32_t offset)
{
    struct gpu_set_scanout_blob body = {.rect = rect,
                                        .scanout_id = scanout,
                                        .resource_id = id,
                                        .width = width,
                                        .height = height,
                                        .format = format};
    body.strides[0] = stride;
    body.offsets[0] = offset;
    return machine_now(machine, GPU_CMD_SET_SCANOUT_BLOB, &body, sizeof(body));
}

// A context whose worker has exported `size` bytes at `offset` of the file as resource `id`.
static void make_memory(struct machine *machine, uint32_t id, uint64_t offset, uint64_t size,
                        int fd)
{
    if (!machine->pool.count)
        assert_int_equal(ctx_create(machine, 1, 4, "compositor"), OK);
    struct answer *answer = create_blob(machine, 1, id, HOST, SHARE, 1000 + id, size);
    worker_export(machine, 0, id, 0, fd, offset, size);
    assert_int_equal(answer_type(answer), OK);
}

// Bits: outputs that show what a CPU of the guest has drawn.
static uint32_t by_cpu(struct machine *machine)
{
    struct gpu_status status;
    gpu_device_status(machine->device, &status);
    return status.outputs_by_cpu;
}

static void a_range_of_a_file_is_a_picture(void **state)
{
    struct machine *machine = *state;
    int fd = os_shm_create("memory", 16 * PAGE);
    uint8_t *bytes = map_file(fd, 0, 16 * PAGE);
    for (unsigned i = 0; i < 16 * PAGE; i++)
        bytes[i] = pattern(i);
    make_memory(machine, 5, 4 * PAGE, 8 * PAGE, fd);
    const uint32_t stride = 200, offset = 40;
    const struct picture_rect rect = {3, 2, 20, 10};
    assert_int_equal(show_blob(machine, 0, 5, rect, W, H, PICTURE_FORMAT_A8B8G8R8, stride, offset),
                     OK);
    struct gpu_picture picture;
    gpu_output_picture(machine->device, 0, &picture);
    assert_true(picture.enabled);
    assert_int_equal(by_cpu(machine), 0);
    assert_int_equal(picture.width, 20);
    assert_int_equal(picture.height, 10);
    assert_int_equal(picture.stride, stride);
    assert_int_equal(picture.format, PICTURE_FORMAT_A8B8G8R8);
    assert_int_equal(picture.offset, 4 * PAGE + offset + 2 * stride + 3 * 4);
    uint8_t rgba[20 * 10 * 4];
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    for (unsigned y = 0; y < 10; y++) {
        for (unsigned x = 0; x < 20; x++) {
            uint64_t at = 4 * PAGE + offset + (y + 2) * stride + (x + 3) * 4;
            assert_int_equal(rgba[(y * 20 + x) * 4 + 0], pattern(at + 3));
            assert_int_equal(rgba[(y * 20 + x) * 4 + 1], pattern(at + 2));
            assert_int_equal(rgba[(y * 20 + x) * 4 + 2], pattern(at + 1));
            assert_int_equal(rgba[(y * 20 + x) * 4 + 3], 255);
        }
    }
    // The GPU draws on: the next snapshot has it, without any command.
    bytes[4 * PAGE + offset + 2 * stride + 3 * 4 + 3] = 99;
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    assert_int_equal(rgba[0], 99);
    // The guest lets go of it: the last picture stays.
    assert_int_equal(unref(machine, 5), OK);
    assert_int_equal(ctx_destroy(machine, 1), OK);
    gpu_output_picture(machine->device, 0, &picture);
    assert_false(picture.enabled);
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    assert_int_equal(rgba[0], 99);
    os_shm_unmap(bytes, 16 * PAGE);
    close(fd);
}

static void pictures_outside_their_blob_are_refused(void **state)
{
    struct machine *machine = *state;
    int fd = os_shm_create("memory", 4 * PAGE);
    make_memory(machine, 5, 0, 2 * PAGE, fd);
    const struct picture_rect all = {0, 0, 32, 64};
    const uint32_t format = PICTURE_FORMAT_B8G8R8X8;
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, 128, 0), OK); // exactly
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, 128, 1), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 65, format, 128, 0), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, 127, 0), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, 0, 0), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, UINT32_MAX, 0), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, format, 128, UINT32_MAX), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 0x40000000, 64, format, 128, 0),
                     BAD_PARAMETER); // 4 × width wraps
    assert_int_equal(show_blob(machine, 0, 5, all, 32, UINT32_MAX, format, 128, 0), BAD_PARAMETER);
    assert_int_equal(
        show_blob(machine, 0, 5, (struct picture_rect){1, 0, 32, 64}, 32, 64, format, 128, 0),
        BAD_PARAMETER);
    assert_int_equal(
        show_blob(machine, 0, 5, (struct picture_rect){0, 0, 0, 0}, 32, 64, format, 128, 0),
        BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 0, 5, all, 32, 64, 77, 128, 0), BAD_PARAMETER);
    assert_int_equal(show_blob(machine, 2, 5, all, 32, 64, format, 128, 0), BAD_SCANOUT);
    assert_int_equal(show_blob(machine, 0, 6, all, 32, 64, format, 128, 0), BAD_RESOURCE);
    assert_int_equal(set_scanout(machine, 0, 5, all),
                     BAD_RESOURCE); // a blob has no size of its own
    assert_int_equal(create_2d(machine, 7, format, 32, 64), OK);
    assert_int_equal(show_blob(machine, 0, 7, all, 32, 64, format, 128, 0), BAD_RESOURCE);
    assert_int_equal(transfer(machine, 5, all, 0), OK); // nothing to do: Linux asks for it
    // The first one is still there.
    struct gpu_picture picture;
    gpu_output_picture(machine->device, 0, &picture);
    assert_true(picture.enabled);
    assert_int_equal(show_blob(machine, 0, 0, (struct picture_rect){0}, 0, 0, 0, 0, 0), OK);
    gpu_output_picture(machine->device, 0, &picture);
    assert_false(picture.enabled);
    close(fd);
}

static void a_scanout_of_memory_to_come_waits_for_it(void **state)
{
    struct machine *machine = *state;
    int fd = os_shm_create("memory", 4 * PAGE);
    assert_int_equal(ctx_create(machine, 1, 4, "compositor"), OK);
    assert_int_equal(create_2d(machine, 7, PICTURE_FORMAT_B8G8R8X8, 10, 10), OK);
    struct answer *create = create_blob(machine, 1, 5, HOST, SHARE, 7, 4 * PAGE);
    struct gpu_set_scanout_blob body = {.rect = {0, 0, 8, 8},
                                        .resource_id = 5,
                                        .width = 8,
                                        .height = 8,
                                        .format = 1,
                                        .strides = {32}};
    struct answer *show =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_SET_SCANOUT_BLOB, &body, sizeof(body));
    struct gpu_set_scanout plain = {
        {0, 0, 10, 10}, 0, 7}; // what is shown in the end is what came last
    struct answer *last =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_SET_SCANOUT, &plain, sizeof(plain));
    assert_int_equal(create_2d(machine, 8, PICTURE_FORMAT_B8G8R8X8, 10, 10), OK);
    assert_int_equal(set_scanout(machine, 1, 8, (struct picture_rect){0, 0, 10, 10}),
                     OK); // another output does not wait
    assert_false(create->done || show->done || last->done);
    worker_export(machine, 0, 5, 0, fd, 0, 4 * PAGE);
    assert_int_equal(answer_type(show), OK);
    assert_int_equal(answer_type(last), OK);
    struct gpu_picture picture;
    gpu_output_picture(machine->device, 0, &picture);
    assert_int_equal(picture.width, 10);
    close(fd);
}

// A guest blob lies in the guest's own pages: its pixels come with flushes.
static void guest_blobs_are_gathered_by_flushes(void **state)
{
    struct machine *machine = *state;
    // Two buffers to flip between, in two banks each, 4 pixels into the blob.
    enum { BYTES = W * H * 4 + 16 };
    for (uint32_t id = 5; id <= 6; id++) {
        struct {
            struct gpu_create_blob body;
            struct gpu_memory_entry entries[2];
        } create = {
            {.resource_id = id,
             .blob_mem = GUEST,
             .blob_flags = SHARE,
             .nr_entries = 2,
             .size = BYTES},
            {{BANK_BASE + id * 0x10000, 1001, 0}, {BANK_SEAM + id * 0x10000, BYTES - 1001, 0}},
        };
        assert_int_equal(
            machine_now(machine, GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create)), OK);
        for (uint64_t i = 0; i < BYTES; i++)
            *guest_at(machine, i < 1001 ? BANK_BASE + id * 0x10000 + i
                                        : BANK_SEAM + id * 0x10000 + i - 1001) = pattern(i + id);
    }
    const struct picture_rect all = {0, 0, W, H};
    uint8_t rgba[W * H * 4];
    for (int round = 0; round < 4; round++) {
        uint32_t id = 5 + round % 2;
        assert_int_equal(show_blob(machine, 0, id, all, W, H, PICTURE_FORMAT_R8G8B8X8, W * 4, 16),
                         OK);
        assert_int_equal(by_cpu(machine), 1);
        // However little is said to have changed: it is another buffer.
        assert_int_equal(flush(machine, id, (struct picture_rect){1, 1, 1, 1}), OK);
        assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
        for (uint64_t i = 0; i < W * H * 4; i++)
            assert_int_equal(rgba[i], i % 4 == 3 ? 255 : pattern(i + 16 + id));
    }
    // Within a buffer only what is flushed changes.
    *guest_at(machine, BANK_BASE + 6 * 0x10000 + 16) = 200;
    *guest_at(machine, BANK_BASE + 6 * 0x10000 + 16 + 4) = 201;
    assert_int_equal(flush(machine, 6, (struct picture_rect){1, 0, 1, 1}), OK);
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    assert_int_equal(rgba[4], 201);
    assert_int_equal(rgba[0], pattern(16 + 6));
    // A part of it.
    assert_int_equal(show_blob(machine, 0, 6, (struct picture_rect){10, 5, 3, 2}, W, H,
                               PICTURE_FORMAT_R8G8B8X8, W * 4, 16),
                     OK);
    assert_int_equal(flush(machine, 6, all), OK);
    assert_int_equal(snapshot(machine, 0, rgba, 3 * 2 * 4), 0);
    assert_int_equal(rgba[3 * 4], pattern(6 * W * 4 + 10 * 4 + 16 + 6));
    // Without its pages there is nothing to gather.
    struct gpu_resource_only detach = {.resource_id = 6};
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_DETACH_BACKING, &detach, sizeof(detach)),
                     OK);
    assert_int_equal(flush(machine, 6, all), BAD_PARAMETER);
}

struct heard {
    unsigned changed[2], damaged[2], cursor[2];
};

static void on_changed(void *data, uint32_t output)
{
    ((struct heard *)data)->changed[output]++;
}

static void on_damaged(void *data, uint32_t output)
{
    ((struct heard *)data)->damaged[output]++;
}

static void on_cursor(void *data, uint32_t output)
{
    ((struct heard *)data)->cursor[output]++;
}

static void listeners_hear_what_changes(void **state)
{
    struct machine *machine = *state;
    struct heard heard = {0};
    struct gpu_listener listener = {
        .data = &heard, .changed = on_changed, .damaged = on_damaged, .cursor = on_cursor};
    gpu_device_listen(machine->device, &listener);
    assert_int_equal(gpu_device_outputs(machine->device), 2);
    const struct picture_rect all = {0, 0, W, H};
    create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, W, H);
    create_2d(machine, 2, PICTURE_FORMAT_B8G8R8X8, W, H);
    struct gpu_picture first, second;
    set_scanout(machine, 1, 1, all);
    gpu_output_picture(machine->device, 1, &first);
    assert_int_equal(heard.changed[1], 1);
    set_scanout(machine, 1, 1, all); // the same again
    assert_int_equal(heard.changed[1], 1);
    flush(machine, 1, all);
    assert_int_equal(heard.damaged[1], 1);
    set_scanout(machine, 1, 2, all);
    gpu_output_picture(machine->device, 1, &second);
    assert_int_equal(heard.changed[1], 2);
    assert_true(first.generation != second.generation);
    flush(machine, 1, all); // no longer shown
    assert_int_equal(heard.damaged[1], 1);
    set_scanout(machine, 1, 0, all);
    assert_int_equal(heard.changed[1], 3);
    set_scanout(machine, 0, 2, all);
    machine_reset(machine);
    assert_int_equal(heard.changed[0], 2);
    assert_int_equal(heard.changed[1], 3);
    assert_int_equal(heard.cursor[0] + heard.cursor[1], 0);
    gpu_device_unlisten(machine->device, &listener);
    create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, W, H);
    set_scanout(machine, 1, 1, all);
    assert_int_equal(heard.changed[1], 3);
}

static uint32_t cursor_command(struct machine *machine, uint32_t type, uint32_t scanout,
                               uint32_t id, uint32_t x, uint32_t y)
{
    struct gpu_update_cursor body = {
        .scanout_id = scanout, .x = x, .y = y, .resource_id = id, .hot_x = 3, .hot_y = 4};
    return answer_type(machine_ask(machine, GPU_CURSOR_QUEUE, type, &body, sizeof(body)));
}

static void a_cursor_is_drawn_over_the_picture(void **state)
{
    struct machine *machine = *state;
    struct heard heard = {0};
    struct gpu_listener listener = {.data = &heard, .cursor = on_cursor};
    gpu_device_listen(machine->device, &listener);
    // A white screen; a cursor of 4 × 4 pixels: premultiplied half-transparent red.
    struct gpu_memory_entry entry = {BANK_BASE, 16 * 16 * 4, 0};
    memset(guest_at(machine, BANK_BASE), 255, 16 * 16 * 4);
    create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, 16, 16);
    attach_backing(machine, 1, &entry, 1);
    transfer(machine, 1, (struct picture_rect){0, 0, 16, 16}, 0);
    set_scanout(machine, 0, 1, (struct picture_rect){0, 0, 16, 16});
    for (unsigned i = 0; i < 16; i++)
        memcpy(guest_at(machine, BANK_BASE + i * 4), (uint8_t[]){0, 0, 128, 128}, 4);
    create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 4, 4);
    attach_backing(machine, 2, &entry, 1);
    transfer(machine, 2, (struct picture_rect){0, 0, 4, 4}, 0);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 2, 14, (uint32_t)-2),
                     OK); // over two edges
    assert_int_equal(heard.cursor[0], 1);
    struct gpu_cursor cursor;
    gpu_output_cursor(machine->device, 0, &cursor);
    assert_true(cursor.visible);
    assert_int_equal(cursor.x, 14);
    assert_int_equal(cursor.y, -2);
    assert_int_equal(cursor.hot_x, 3);
    assert_int_equal(cursor.hot_y, 4);
    assert_memory_equal(cursor.rgba, ((uint8_t[]){128, 0, 0, 128}), 4);
    uint64_t shape = cursor.shape_serial;

    uint8_t rgba[16 * 16 * 4];
    assert_int_equal(snapshot_output(machine->device, 0, rgba, sizeof(rgba), true), 0);
    for (unsigned y = 0; y < 16; y++)
        for (unsigned x = 0; x < 16; x++)
            assert_memory_equal(rgba + (y * 16 + x) * 4,
                                x >= 14 && y < 2 ? ((uint8_t[]){255, 127, 127, 255})
                                                 : ((uint8_t[]){255, 255, 255, 255}),
                                4);
    assert_int_equal(snapshot(machine, 0, rgba, sizeof(rgba)), 0);
    assert_int_equal(rgba[14 * 4 + 1], 255); // not wanted, not drawn

    // The same pixels with another hot spot are another shape.
    struct gpu_update_cursor moved = {.resource_id = 2, .x = 1, .y = 1, .hot_x = 3, .hot_y = 4};
    for (unsigned i = 0; i < 2; i++) {
        *(i ? &moved.hot_y : &moved.hot_x) = i;
        assert_int_equal(answer_type(machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR,
                                                 &moved, sizeof(moved))),
                         OK);
        gpu_output_cursor(machine->device, 0, &cursor);
        assert_int_not_equal(cursor.shape_serial, shape);
        shape = cursor.shape_serial;
    }

    // The resource may go, the cursor stays; the same shape again is not another.
    assert_int_equal(answer_type(machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR,
                                             &moved, sizeof(moved))),
                     OK);
    assert_int_equal(unref(machine, 2), OK);
    assert_int_equal(cursor_command(machine, GPU_CMD_MOVE_CURSOR, 0, 0, 5, 5), OK);
    gpu_output_cursor(machine->device, 0, &cursor);
    assert_true(cursor.visible && cursor.x == 5 && cursor.shape_serial == shape);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 0), OK);
    gpu_output_cursor(machine->device, 0, &cursor);
    assert_false(cursor.visible);
    assert_int_equal(heard.cursor[0], 6);
    gpu_output_cursor(machine->device, 1, &cursor);
    assert_false(cursor.visible);
}

static void bad_cursors_are_refused(void **state)
{
    struct machine *machine = *state;
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 9, 0, 0), BAD_RESOURCE);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 2, 0, 0, 0), BAD_SCANOUT);
    assert_int_equal(cursor_command(machine, GPU_CMD_MOVE_CURSOR, 2, 0, 0, 0), BAD_SCANOUT);
    create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 513, 1);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 1, 0, 0), BAD_PARAMETER);
    // A blob is taken as 64 × 64 pixels.
    int fd = os_shm_create("memory", 8 * PAGE);
    make_memory(machine, 5, 0, 3 * PAGE, fd);
    make_memory(machine, 6, 4 * PAGE, 4 * PAGE, fd);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 5, 0, 0), BAD_PARAMETER);
    uint8_t *bytes = map_file(fd, 0, 8 * PAGE);
    memcpy(bytes + 4 * PAGE, (uint8_t[]){1, 2, 3, 4}, 4);
    assert_int_equal(cursor_command(machine, GPU_CMD_UPDATE_CURSOR, 0, 6, 0, 0), OK);
    struct gpu_cursor cursor;
    gpu_output_cursor(machine->device, 0, &cursor);
    assert_int_equal(cursor.width, 64);
    assert_memory_equal(cursor.rgba, ((uint8_t[]){3, 2, 1, 4}), 4);
    machine_reset(machine);
    gpu_output_cursor(machine->device, 0, &cursor);
    assert_false(cursor.visible);
    os_shm_unmap(bytes, 8 * PAGE);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(a_range_of_a_file_is_a_picture),
        DEVICE_TEST(pictures_outside_their_blob_are_refused),
        DEVICE_TEST(a_scanout_of_memory_to_come_waits_for_it),
        DEVICE_TEST(guest_blobs_are_gathered_by_flushes),
        DEVICE_TEST(listeners_hear_what_changes),
        DEVICE_TEST(a_cursor_is_drawn_over_the_picture),
        DEVICE_TEST(bad_cursors_are_refused),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
