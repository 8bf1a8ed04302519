// A display process's end of the link: pictures that fit their files, frames one by one, pixels as
// a CPU reads them, what a person does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "display/display.h"
#include "link/link.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "short.h"

enum { W = 8, H = 4, STRIDE = 64, OFFSET = 20, SIZE = 4096 };

struct bed {
    struct link *device; // the other end
    struct display *display;
    int file;
    uint8_t *bytes;
    unsigned setups, pictures, frames, closed;
    struct picture_rect damage;
};

static void on_setup(void *data, const struct link_display_setup *setup)
{
    ((struct bed *)data)->setups++;
}

static void on_picture(void *data, uint32_t output)
{
    ((struct bed *)data)->pictures++;
}

static void on_frame(void *data, uint32_t output, const struct picture_rect *damage)
{
    ((struct bed *)data)->frames++;
    ((struct bed *)data)->damage = *damage;
}

static void on_file_closed(void *data, struct display_file *file)
{
    ((struct bed *)data)->closed++;
}

static void tell(struct bed *bed, int type, const void *payload, size_t size, const int *fd)
{
    assert_int_equal(link_send(bed->device, type, payload, size, NULL, 0, fd, fd ? 1 : 0), 0);
}

static int set_up(void **state)
{
    static const struct display_ops ops = {
        .setup = on_setup, .picture = on_picture, .frame = on_frame, .file_closed = on_file_closed};
    struct bed *bed = calloc(1, sizeof(*bed));
    int pair[2];
    os_socket_pair(pair);
    bed->device = new_link(pair[0], false);
    assert_int_equal(display_create(pair[1], &ops, bed, &bed->display), 0);
    bed->file = os_shm_create("pictures", SIZE);
    bed->bytes = map_file(bed->file, 0, SIZE);
    for (unsigned i = 0; i < SIZE; i++)
        bed->bytes[i] = (uint8_t)(i * 7);
    struct link_display_setup setup = {.outputs = 2};
    struct link_file_open open = {.file_id = 5, .size = SIZE};
    tell(bed, LINK_DISPLAY_SETUP, &setup, sizeof(setup), NULL);
    tell(bed, LINK_FILE_OPEN, &open, sizeof(open), &bed->file);
    assert_true(display_dispatch(bed->display));
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    display_destroy(bed->display);
    link_destroy(bed->device);
    os_shm_unmap(bed->bytes, SIZE);
    close(bed->file);
    free(bed);
    return 0;
}

static struct link_picture picture(void)
{
    return (struct link_picture){.output = 1,
                                 .format = PICTURE_FORMAT_B8G8R8X8,
                                 .file_id = 5,
                                 .offset = OFFSET,
                                 .stride = STRIDE,
                                 .width = W,
                                 .height = H,
                                 .enabled = 1};
}

static void pixels_come_in_the_order_that_is_asked_for(void **state)
{
    struct bed *bed = *state;
    struct link_picture shown = picture();
    tell(bed, LINK_PICTURE, &shown, sizeof(shown), NULL);
    assert_true(display_dispatch(bed->display));
    assert_int_equal(bed->pictures, 1);
    assert_true(display_output(bed->display, 1)->enabled);
    const struct picture_rect rect = {2, 1, 3, 2};
    uint8_t pixels[2 * 16];
    assert_true(display_read(bed->display, 1, &rect, PICTURE_ORDER_RGBA, pixels, 16));
    const uint8_t *from = bed->bytes + OFFSET + 2 * STRIDE + 4 * 4; // the last one
    const uint8_t rgba[] = {from[2], from[1], from[0], 255};
    assert_memory_equal(pixels + 16 + 8, rgba, 4);
    assert_true(display_read(bed->display, 1, &rect, PICTURE_ORDER_BGRA, pixels, 16));
    const uint8_t bgra[] = {from[0], from[1], from[2], 255};
    assert_memory_equal(pixels + 16 + 8, bgra, 4);
    assert_false(display_read(bed->display, 1, &(struct picture_rect){2, 1, W, 2},
                              PICTURE_ORDER_RGBA, pixels, 16));
    assert_false(display_read(bed->display, 0, &rect, PICTURE_ORDER_RGBA, pixels, 16));
}

static void frames_are_answered_once_and_lie_in_the_picture(void **state)
{
    struct bed *bed = *state;
    struct link_picture shown = picture();
    struct link_frame frame = {
        .output = 1, .x = 5, .y = 1, .width = 100, .height = 100, .serial = 9};
    tell(bed, LINK_PICTURE, &shown, sizeof(shown), NULL);
    tell(bed, LINK_FRAME, &frame, sizeof(frame), NULL);
    assert_true(display_dispatch(bed->display));
    assert_int_equal(bed->frames, 1);
    assert_memory_equal(&bed->damage, (&(struct picture_rect){5, 1, W - 5, H - 1}),
                        sizeof(bed->damage));
    display_shown(bed->display, 1);
    display_shown(bed->display, 1);
    struct link_message message;
    assert_int_equal(link_receive(bed->device, &message), 0);
    assert_int_equal(message.type, LINK_FRAME_SHOWN);
    assert_int_equal(((const struct link_frame_shown *)message.payload)->serial, 9);
    assert_int_equal(link_receive(bed->device, &message), -EAGAIN);
}

static void a_closed_file_is_shown_no_more(void **state)
{
    struct bed *bed = *state;
    struct link_picture shown = picture();
    struct link_file_close gone = {.file_id = 5};
    tell(bed, LINK_PICTURE, &shown, sizeof(shown), NULL);
    tell(bed, LINK_FILE_CLOSE, &gone, sizeof(gone), NULL);
    assert_true(display_dispatch(bed->display));
    assert_int_equal(bed->closed, 1);
    assert_null(display_output(bed->display, 1)->file);
}

static void pictures_that_do_not_fit_end_the_display(void **state)
{
    struct link_picture bad[8];
    for (unsigned i = 0; i < 8; i++)
        bad[i] = picture();
    bad[0].offset = SIZE - (STRIDE * (H - 1) + W * 4) + 1;
    bad[1].stride = W * 4 - 1;
    bad[2].width = 0;
    bad[3].height = UINT32_MAX;
    bad[4].format = 77;
    bad[5].file_id = 6;
    bad[6].output = 2;
    bad[7].offset = UINT64_MAX;
    for (unsigned i = 0; i < 8; i++) {
        void *own;
        set_up(&own);
        struct bed *bed = own;
        tell(bed, LINK_PICTURE, &bad[i], sizeof(bad[i]), NULL);
        if (display_dispatch(bed->display))
            fail_msg("picture %u was taken", i);
        tear_down(&own);
    }
}

// No file has the number that stands for none: its pictures would not be checked.
static void a_file_has_a_number(void **state)
{
    struct bed *bed = *state;
    struct link_file_open open = {.size = SIZE};
    tell(bed, LINK_FILE_OPEN, &open, sizeof(open), &bed->file);
    assert_false(display_dispatch(bed->display));
}

static void what_a_person_does_is_sent_in_order(void **state)
{
    struct bed *bed = *state;
    struct link_picture left = picture(), right = picture();
    left.output = 0;
    tell(bed, LINK_PICTURE, &left, sizeof(left), NULL);
    tell(bed, LINK_PICTURE, &right, sizeof(right), NULL);
    assert_true(display_dispatch(bed->display));
    for (int i = 0; i < 1000; i++)
        display_input(bed->display, LINK_INPUT_KEYBOARD, 1, 30, i);
    // The last pixel of the right one of two outputs is the end of the range.
    display_input_position(bed->display, LINK_INPUT_POINTER, 1, W - 1, H - 1);
    display_input_end(bed->display, LINK_INPUT_POINTER);
    display_flush(bed->display);
    struct link_message message;
    struct link_input last[3] = {{0}};
    int next = 0;
    while (link_receive(bed->device, &message) == 0) {
        assert_int_equal(message.type, LINK_INPUT);
        const struct link_input *events = (const void *)message.payload;
        for (size_t i = 0; i < message.size / sizeof(*events); i++) {
            if (events[i].device == LINK_INPUT_KEYBOARD)
                assert_int_equal(events[i].value, next++);
            else
                memmove(last, last + 1, sizeof(last) - sizeof(last[0])), last[2] = events[i];
        }
    }
    assert_int_equal(next, 1000);
    assert_int_equal(last[0].value, LINK_INPUT_RANGE);
    assert_int_equal(last[1].code, 1);
    assert_int_equal(last[1].value, LINK_INPUT_RANGE);
    assert_int_equal(last[2].type, 0);
}

#define DISPLAY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

// ABS_X of the place (`x`, 0) on an output.
static int32_t place(struct bed *bed, uint32_t output, double x)
{
    struct link_message message;
    display_input_position(bed->display, LINK_INPUT_POINTER, output, x, 0);
    display_flush(bed->display);
    assert_int_equal(link_receive(bed->device, &message), 0);
    const struct link_input *event = (const void *)message.payload;
    assert_int_equal(event->code, 0);
    int32_t value = event->value;
    assert_int_equal(link_receive(bed->device, &message), -EAGAIN); // until the next is sent
    return value;
}

static void outputs_that_are_on_lie_side_by_side(void **state)
{
    struct bed *bed = *state;
    struct link_picture second = picture(), first = picture();
    tell(bed, LINK_PICTURE, &second, sizeof(second), NULL);
    assert_true(display_dispatch(bed->display));
    assert_int_equal(place(bed, 1, 0), 0);
    assert_int_equal(place(bed, 1, W - 1), LINK_INPUT_RANGE);

    first.output = 0;
    first.width = 2;
    tell(bed, LINK_PICTURE, &first, sizeof(first), NULL);
    assert_true(display_dispatch(bed->display));
    // The guest is told of modes of these sizes by this function.
    struct picture_rect places[] = {{.width = 2, .height = H}, {.width = W, .height = H}};
    struct picture_rect all = picture_side_by_side(places, 2);
    assert_int_equal(all.width, 2 + W);
    assert_int_equal(all.height, H);
    assert_int_equal(place(bed, 0, 0), 0);
    assert_int_equal(place(bed, 1, 0),
                     (LINK_INPUT_RANGE * places[1].x + all.width / 2) / (all.width - 1));
    assert_int_equal(place(bed, 1, W - 1), LINK_INPUT_RANGE);

    first.enabled = 0;
    tell(bed, LINK_PICTURE, &first, sizeof(first), NULL);
    assert_true(display_dispatch(bed->display));
    assert_int_equal(place(bed, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPLAY_TEST(pixels_come_in_the_order_that_is_asked_for),
        DISPLAY_TEST(frames_are_answered_once_and_lie_in_the_picture),
        DISPLAY_TEST(a_closed_file_is_shown_no_more),
        cmocka_unit_test(pictures_that_do_not_fit_end_the_display),
        DISPLAY_TEST(a_file_has_a_number),
        DISPLAY_TEST(what_a_person_does_is_sent_in_order),
        DISPLAY_TEST(outputs_that_are_on_lie_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
