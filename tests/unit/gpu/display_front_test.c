// What a display process is told, and what is believed of what it says.
#include "gpu_test.h"

#include "front/display/display_front.h"
#include "os/clock.h"

static const struct picture_rect all = {0, 0, 32, 32};

struct owner {
    unsigned ready, closed, resized, gone, inputs;
    struct display_front *front;
};

static void on_ready(void *data)
{
    ((struct owner *)data)->ready++;
}

static void on_closed(void *data)
{
    ((struct owner *)data)->closed++;
}

static void on_input(void *data, const struct link_input *events, size_t count)
{
    (void)events;
    ((struct owner *)data)->inputs += (unsigned)count;
}

static void on_gone(void *data, int status, const char *how)
{
    struct owner *owner = data;
    owner->gone++;
    display_front_destroy(owner->front);
    owner->front = NULL;
}

static void on_resized(void *data, uint32_t output, uint32_t width, uint32_t height)
{
    struct owner *owner = data;
    assert_int_equal(output, 0);
    assert_int_equal(width, 800);
    assert_int_equal(height, 600);
    owner->resized++;
}

static void open_front(struct machine *machine, struct owner *owner)
{
    static const struct display_front_callbacks callbacks = {.ready = on_ready,
                                                             .input = on_input,
                                                             .closed = on_closed,
                                                             .resized = on_resized,
                                                             .gone = on_gone};
    struct display_front_options options = {.setup = {.outputs = 2}, .paces = true};
    assert_int_equal(display_front_create(machine->loop, &machine->pool, &options, &callbacks,
                                          owner, &owner->front),
                     0);
}

// The next message to the display, of this type.
static const void *expect(struct machine *machine, int type)
{
    static struct link_message message;
    assert_true(worker_receive(machine, machine->pool.count - 1, &message));
    assert_int_equal(message.type, type);
    return message.payload;
}

static void expect_nothing(struct machine *machine)
{
    struct link_message message;
    assert_false(worker_receive(machine, machine->pool.count - 1, &message));
}

static void say(struct machine *machine, int type, const void *payload, size_t size)
{
    link_send(machine->pool.workers[machine->pool.count - 1]->peer, type, payload, size, NULL, 0,
              NULL, 0);
    machine_pump(machine);
}

static void attach(struct machine *machine, struct owner *owner)
{
    open_front(machine, owner);
    expect(machine, LINK_DISPLAY_SETUP);
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, 32, 32), OK);
    assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8X8, 32, 32), OK);
    assert_int_equal(set_scanout(machine, 0, 1, all), OK);
    display_front_attach(owner->front, machine->device);
}

static void shown(struct machine *machine, uint64_t serial)
{
    struct link_frame_shown message = {.serial = serial};
    say(machine, LINK_FRAME_SHOWN, &message, sizeof(message));
}

static void it_is_told_files_once_and_one_frame_at_a_time(void **state)
{
    struct machine *machine = *state;
    struct owner owner = {0};
    attach(machine, &owner);
    expect(machine, LINK_CURSOR_MOVE);
    uint64_t file = ((const struct link_file_open *)expect(machine, LINK_FILE_OPEN))->file_id;
    const struct link_picture *picture = expect(machine, LINK_PICTURE);
    assert_int_equal(picture->file_id, file);
    assert_int_equal(picture->width, 32);
    assert_int_equal(picture->enabled, 1);
    const struct link_frame *frame = expect(machine, LINK_FRAME);
    assert_int_equal(frame->width, 32);
    uint64_t serial = frame->serial;
    expect(machine, LINK_CURSOR_MOVE); // of the other output, which shows nothing
    assert_int_equal(((const struct link_picture *)expect(machine, LINK_PICTURE))->file_id, 0);
    expect_nothing(machine);

    // It is busy: three flushes become one frame.
    struct gpu_flush body = {.rect = {1, 2, 31, 30}, .resource_id = 1};
    struct answer *flushes[3];
    for (unsigned i = 0; i < 3; i++)
        flushes[i] =
            machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
    expect_nothing(machine);
    shown(machine, serial + 7); // a serial that it made up
    assert_int_equal(owner.gone, 1);
    assert_null(owner.front);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(answer_type(flushes[i]), OK); // nobody is left to wait for

    // Another one, in its place.
    open_front(machine, &owner);
    display_front_attach(owner.front, machine->device);
    expect(machine, LINK_DISPLAY_SETUP);
    expect(machine, LINK_CURSOR_MOVE);
    expect(machine, LINK_FILE_OPEN);
    expect(machine, LINK_PICTURE);
    serial = ((const struct link_frame *)expect(machine, LINK_FRAME))->serial;
    expect(machine, LINK_CURSOR_MOVE);
    expect(machine, LINK_PICTURE);
    struct answer *flush =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
    shown(machine, serial);
    frame = expect(machine, LINK_FRAME);
    assert_int_equal(frame->x, 1);
    assert_int_equal(frame->height, 30);
    assert_false(flush->done);
    shown(machine, frame->serial);
    assert_int_equal(answer_type(flush), OK);
    expect_nothing(machine);
    display_front_destroy(owner.front);
}

static void a_file_that_goes_is_replaced_first(void **state)
{
    struct machine *machine = *state;
    struct owner owner = {0};
    attach(machine, &owner);
    struct link_message message;
    while (worker_receive(machine, machine->pool.count - 1, &message))
        ;
    // A frame of the first picture is under way when the guest flips and frees it.
    assert_int_equal(set_scanout(machine, 0, 2, all), OK);
    assert_int_equal(unref(machine, 1), OK);
    uint64_t file = ((const struct link_file_open *)expect(machine, LINK_FILE_OPEN))->file_id;
    assert_int_equal(((const struct link_picture *)expect(machine, LINK_PICTURE))->file_id, file);
    assert_true(((const struct link_file_close *)expect(machine, LINK_FILE_CLOSE))->file_id !=
                file);
    expect_nothing(machine);
    display_front_attach(owner.front, NULL);
    assert_int_equal(((const struct link_picture *)expect(machine, LINK_PICTURE))->file_id, 0);
    expect(machine, LINK_PICTURE);
    assert_int_equal(((const struct link_file_close *)expect(machine, LINK_FILE_CLOSE))->file_id,
                     file);
    display_front_destroy(owner.front);
}

static void show(struct machine *machine, uint32_t output, uint32_t id)
{
    struct gpu_flush body = {.rect = all, .resource_id = id};
    assert_int_equal(set_scanout(machine, output, id, all), OK);
    machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
}

// One output changes its picture again and again; the other shows the same all the time.
static void a_file_that_is_shown_stays_open(void **state)
{
    struct gpu_options options = machine_options();
    options.max_resources = 128;
    struct machine *machine = machine_create(&options);
    struct owner owner = {0};
    uint64_t kept = 0;
    unsigned closed = 0;
    attach(machine, &owner);
    show(machine, 1, 2);
    for (uint32_t id = 10; id < 90; id++) {
        struct link_message message;
        assert_int_equal(create_2d(machine, id, PICTURE_FORMAT_B8G8R8X8, 32, 32), OK);
        show(machine, 0, id);
        while (worker_receive(machine, machine->pool.count - 1, &message)) {
            const struct link_picture *picture = (const void *)message.payload;
            const struct link_file_close *gone = (const void *)message.payload;
            if ((int)message.type == LINK_PICTURE && picture->output == 1)
                kept = picture->file_id;
            if ((int)message.type == LINK_FRAME)
                shown(machine, ((const struct link_frame *)message.payload)->serial);
            if ((int)message.type != LINK_FILE_CLOSE)
                continue;
            assert_int_not_equal(gone->file_id, kept);
            closed++;
        }
    }
    assert_true(kept && closed > 10);
    display_front_destroy(owner.front);
    machine_destroy(machine);
}

static void a_flip_and_its_flush_are_one_frame(void **state)
{
    struct machine *machine = *state;
    struct owner owner = {0};
    struct link_message message;
    uint64_t serial = 0;
    attach(machine, &owner);
    while (worker_receive(machine, machine->pool.count - 1, &message))
        if ((int)message.type == LINK_FRAME)
            serial = ((const struct link_frame *)message.payload)->serial;
    shown(machine, serial);
    assert_int_equal(set_scanout(machine, 0, 2, all), OK);
    expect_nothing(machine);
    struct gpu_flush body = {.rect = all, .resource_id = 2};
    machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
    expect(machine, LINK_FILE_OPEN);
    expect(machine, LINK_PICTURE);
    shown(machine, ((const struct link_frame *)expect(machine, LINK_FRAME))->serial);
    expect_nothing(machine);
    // Without a flush it is shown soon after.
    assert_int_equal(set_scanout(machine, 0, 1, all), OK);
    os_sleep_ns(20000000);
    machine_round(machine);
    expect(machine, LINK_PICTURE);
    expect(machine, LINK_FRAME);
    display_front_destroy(owner.front);
}

static void what_a_person_does_reaches_the_owner_and_the_guest(void **state)
{
    struct machine *machine = *state;
    struct owner owner = {0};
    attach(machine, &owner);
    unsigned changes = machine->config_changes;
    say(machine, LINK_DISPLAY_READY, NULL, 0);
    struct link_output_mode mode = {.output = 0, .width = 800, .height = 600};
    say(machine, LINK_OUTPUT_MODE, &mode, sizeof(mode));
    mode.output = 77;
    say(machine, LINK_OUTPUT_MODE, &mode, sizeof(mode)); // no such output: nothing happens
    struct link_output_screen screen = {.output = 0, .refresh = 144, .dpi = 192};
    say(machine, LINK_OUTPUT_SCREEN, &screen, sizeof(screen));
    screen.output = 77;
    say(machine, LINK_OUTPUT_SCREEN, &screen, sizeof(screen));
    struct link_input events[2] = {
        {.device = LINK_INPUT_KEYBOARD, .type = 1, .code = 30, .value = 1},
        {.device = LINK_INPUT_KEYBOARD}};
    say(machine, LINK_INPUT, events, sizeof(events));
    say(machine, LINK_DISPLAY_CLOSED, NULL, 0);
    assert_int_equal(machine->config_changes, changes + 2);
    assert_int_equal(owner.ready, 1);
    assert_int_equal(owner.inputs, 2);
    assert_int_equal(owner.closed, 1);
    assert_int_equal(owner.resized, 1);
    assert_int_equal(owner.gone, 0);
    events[1].device = LINK_INPUT_DEVICES;
    say(machine, LINK_INPUT, events, sizeof(events));
    assert_int_equal(owner.inputs, 2);
    assert_int_equal(owner.gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(it_is_told_files_once_and_one_frame_at_a_time),
        DEVICE_TEST(a_file_that_goes_is_replaced_first),
        cmocka_unit_test(a_file_that_is_shown_stays_open),
        DEVICE_TEST(a_flip_and_its_flush_are_one_frame),
        DEVICE_TEST(what_a_person_does_reaches_the_owner_and_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
