// An input device behind its vhost-user socket: a front end and a driver as QEMU and Linux are.
#include "front_end.h"

#include "front/machine/input_front.h"
#include "os/clock.h"
#include "os/socket.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 0, STATUSES = 1, KEY_A = 30 };

static struct seat {
    struct machine_input *input;
    uint32_t leds;
    unsigned ends;
    uint16_t read; // of the used ring
} seat;

static void on_leds(void *data, uint32_t leds)
{
    ((struct seat *)data)->leds = leds;
}

static void on_closed(void *data)
{
    struct seat *s = data;
    s->ends++;
    machine_input_destroy(s->input);
    s->input = NULL;
}

static int setup(void **state)
{
    static const struct machine_input_ops ops = {.leds = on_leds, .closed = on_closed};
    struct front_end *f = front_create(0);
    int sockets[2];
    seat = (struct seat){0};
    virtio_transport_destroy(f->vhost); // the other end is ours from here on
    f->vhost = NULL;
    close(f->socket);
    assert_int_equal(os_socket_pair(sockets), 0);
    f->socket = sockets[0];
    assert_int_equal(machine_input_create(f->loop, sockets[1], vhost_user_create, INPUT_KEYBOARD,
                                          &ops, &seat, &seat.input),
                     0);
    uint64_t protocol = front_get_u64(f, VHOST_GET_PROTOCOL_FEATURES);
    assert_true(protocol & VHOST_PROTOCOL_CONFIG);
    assert_false(protocol & VHOST_PROTOCOL_SHMEM);
    front_send(f, VHOST_SET_PROTOCOL_FEATURES, 0, &protocol, sizeof(protocol), NULL, 0);
    f->features = front_get_u64(f, VHOST_GET_FEATURES) & ~VIRTIO_F_EVENT_IDX;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    machine_input_destroy(seat.input);
    return front_teardown(state);
}

static uint64_t buffer_of(uint16_t head)
{
    return GUEST_ADDRESS + BUFFERS + head * 8u;
}

static void offer(struct front_end *f, uint16_t head)
{
    front_descriptors(f, EVENTS)[head] = (struct descriptor){buffer_of(head), 8, WRITE, 0};
    front_offer(f, EVENTS, head);
}

static void start(struct front_end *f, const uint16_t bases[2])
{
    front_start_driver(f, bases);
    if (bases)
        return;
    memset(f->memory, 0, 2 * RING_STRIDE);
    seat.read = 0;
    for (uint16_t i = 0; i < RING_SIZE; i++)
        offer(f, i);
    front_kick(f, EVENTS);
}

static void key(uint16_t code, int32_t value)
{
    struct input_event events[] = {{INPUT_EV_KEY, code, value}, {INPUT_EV_SYN, 0, 0}};
    assert_int_equal(input_device_send(machine_input_device(seat.input), events, 2), 0);
}

static void expect(struct front_end *f, uint16_t type, uint16_t code, uint32_t value)
{
    uint32_t id, length;
    uint8_t event[8] = {(uint8_t)type, (uint8_t)(type >> 8), (uint8_t)code, (uint8_t)(code >> 8),
                        (uint8_t)value};
    assert_true((uint16_t)(front_used(f, EVENTS) - seat.read) > 0);
    front_used_entry(f, EVENTS, seat.read++, &id, &length);
    assert_int_equal(length, 8);
    assert_memory_equal(f->memory + BUFFERS + id * 8, event, 8);
    offer(f, (uint16_t)id);
}

static void expect_key(struct front_end *f, uint16_t code, uint32_t value)
{
    expect(f, INPUT_EV_KEY, code, value);
    expect(f, INPUT_EV_SYN, 0, 0);
}

static void events_reach_the_driver_with_an_interrupt(void **state)
{
    struct front_end *f = *state;
    start(f, NULL);
    front_interrupted(f, EVENTS);
    assert_int_equal(front_used(f, EVENTS), 0);
    key(KEY_A, 1);
    assert_true(front_interrupted(f, EVENTS));
    expect_key(f, KEY_A, 1);
    for (unsigned i = 0; i < 3 * RING_SIZE; i++)
        key(KEY_A, i % 2);
    for (unsigned i = 0; i < 3 * RING_SIZE; i++) {
        uint64_t patience = os_now_ns() + 10000000000ull;
        while ((uint16_t)(front_used(f, EVENTS) - seat.read) < 2 && os_now_ns() < patience)
            front_kick(f, EVENTS); // they come at a pace
        expect_key(f, KEY_A, i % 2);
    }
    assert_int_equal(front_used(f, EVENTS), seat.read);
}

static void it_is_known_whether_a_driver_is_plain(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    start(f, NULL);
    assert_false(machine_input_is_plain(seat.input));
    front_stop_driver(f, bases);
    f->features &= ~VIRTIO_F_INDIRECT_DESC;
    start(f, NULL);
    assert_true(machine_input_is_plain(seat.input));
}

static void leds_come_back(void **state)
{
    struct front_end *f = *state;
    const uint8_t event[8] = {INPUT_EV_LED, 0, INPUT_LED_CAPSL, 0, 1};
    uint32_t id, length;
    start(f, NULL);
    front_descriptors(f, STATUSES)[0] =
        (struct descriptor){front_buffer(f, 0x4000, event, 8), 8, 0, 0};
    front_offer(f, STATUSES, 0);
    front_kick(f, STATUSES);
    assert_int_equal(seat.leds, 1 << INPUT_LED_CAPSL);
    assert_int_equal(front_used(f, STATUSES), 1);
    front_used_entry(f, STATUSES, 0, &id, &length);
    assert_int_equal(length, 0);
}

static void a_paused_driver_is_caught_up_with(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    start(f, NULL);
    key(KEY_A, 1);
    expect_key(f, KEY_A, 1);
    front_kick(f, EVENTS);
    front_stop_driver(f, bases);
    assert_int_equal(bases[EVENTS], RING_SIZE + 2);
    key(KEY_A, 0);
    key(KEY_A + 1, 1);
    key(KEY_A + 1, 0);
    assert_int_equal(front_used(f, EVENTS), seat.read);
    start(f, bases); // no kick: it waits for an interrupt
    front_turn(f);
    expect_key(f, KEY_A, 0);
    assert_int_equal(front_used(f, EVENTS), seat.read);
}

static void another_driver_begins_anew(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    start(f, NULL);
    key(KEY_A, 1);
    for (unsigned round = 0; round < 50; round++) {
        front_stop_driver(f, bases);
        if (round == 20)
            key(KEY_A, 0);
        start(f, NULL);
        if (round < 20)
            expect_key(f, KEY_A, 1); // still held
        assert_int_equal(front_used(f, EVENTS), seat.read);
    }
    key(KEY_A, 1);
    expect_key(f, KEY_A, 1);
}

static void the_end_of_the_front_end_is_told(void **state)
{
    struct front_end *f = *state;
    start(f, NULL);
    shutdown(f->socket, SHUT_RDWR);
    front_turn(f);
    assert_int_equal(seat.ends, 1);
    assert_null(seat.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_reach_the_driver_with_an_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_known_whether_a_driver_is_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(leds_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_driver_is_caught_up_with, setup, teardown),
        cmocka_unit_test_setup_teardown(another_driver_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_front_end_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
