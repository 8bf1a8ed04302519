#include "driver.h"

#include <stdlib.h>
#include <string.h>

static char status_token;

static void complete(void *data, void *token, uint32_t written)
{
    struct driver *d = data;
    if (token == &status_token) {
        assert_int_equal(written, 0);
        d->statuses++;
        return;
    }
    uint8_t *bytes = token;
    size_t index = (size_t)(bytes - d->buffers[0]) / INPUT_EVENT_SIZE;
    assert_true(d->offered[index]);
    assert_int_equal(written, INPUT_EVENT_SIZE);
    assert_true(d->heard_count < DRIVER_HEARD);
    d->offered[index] = false;
    d->heard[d->heard_count++] = (struct input_event){
        .type = (uint16_t)(bytes[0] | bytes[1] << 8),
        .code = (uint16_t)(bytes[2] | bytes[3] << 8),
        .value = (int32_t)(bytes[4] | bytes[5] << 8 | bytes[6] << 16 | (uint32_t)bytes[7] << 24),
    };
}

static void flush(void *data)
{
    struct driver *d = data;
    d->shown = d->heard_count;
}

static void leds(void *data, uint32_t leds)
{
    struct driver *d = data;
    d->leds = leds;
    d->led_calls++;
}

static uint64_t now(void *data)
{
    struct driver *d = data;
    if (!d->patient)
        d->now += 1000000000;
    return d->now;
}

static void wake(void *data, uint64_t at_ns)
{
    struct driver *d = data;
    assert_true(at_ns > d->now);
    d->wake = at_ns;
}

void driver_wait(struct driver *d, uint64_t ns)
{
    uint64_t end = d->now + ns;
    while (d->wake && d->wake <= end) {
        d->now = d->wake;
        d->wake = 0;
        input_device_wake(d->device);
    }
    d->now = end;
}

struct driver *driver_create(enum input_kind kind)
{
    struct driver *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    d->heard = calloc(DRIVER_HEARD, sizeof(*d->heard));
    assert_non_null(d->heard);
    d->device = input_device_create(kind, &(struct input_front){.data = d,
                                                                .complete = complete,
                                                                .flush = flush,
                                                                .leds = leds,
                                                                .now = now,
                                                                .wake = wake});
    assert_non_null(d->device);
    return d;
}

void driver_destroy(struct driver *d)
{
    input_device_destroy(d->device);
    free(d->heard);
    free(d);
}

int driver_teardown(void **state)
{
    driver_destroy(*state);
    return 0;
}

void driver_offer(struct driver *d, unsigned count)
{
    for (unsigned i = 0; i < DRIVER_QUEUE && count; i++) {
        if (d->offered[i])
            continue;
        d->offered[i] = true;
        count--;
        memset(d->buffers[i], 0, INPUT_EVENT_SIZE);
        input_device_request(d->device, INPUT_QUEUE_EVENT, NULL, 0, d->buffers[i], INPUT_EVENT_SIZE,
                             d->buffers[i]);
    }
}

void driver_start(struct driver *d)
{
    input_device_start(d->device);
    driver_offer(d, DRIVER_QUEUE);
}

void driver_refill(struct driver *d)
{
    for (size_t before = d->heard_count + 1; before != d->heard_count;) {
        before = d->heard_count;
        driver_offer(d, DRIVER_QUEUE);
    }
}

void driver_gone(struct driver *d)
{
    input_device_stop(d->device);
    input_device_reset(d->device);
    memset(d->offered, 0, sizeof(d->offered));
}

void driver_led(struct driver *d, uint16_t type, uint16_t code, uint32_t value)
{
    uint8_t event[8] = {(uint8_t)type, (uint8_t)(type >> 8), (uint8_t)code, (uint8_t)(code >> 8),
                        (uint8_t)value};
    struct iovec parts[2] = {{event, 3}, {event + 3, 5}};
    unsigned before = d->statuses;
    input_device_request(d->device, INPUT_QUEUE_STATUS, parts, 2, NULL, 0, &status_token);
    assert_int_equal(d->statuses, before + 1);
}

void driver_event(struct driver *d, uint16_t type, uint16_t code, int32_t value)
{
    struct input_event event = {type, code, value};
    assert_int_equal(input_device_send(d->device, &event, 1), 0);
}

void driver_end(struct driver *d)
{
    driver_event(d, INPUT_EV_SYN, INPUT_SYN_REPORT, 0);
}

void driver_key(struct driver *d, uint16_t code, int32_t value)
{
    driver_event(d, INPUT_EV_KEY, code, value);
    driver_end(d);
}

void driver_expect(struct driver *d, uint16_t type, uint16_t code, int32_t value)
{
    assert_true(d->read < d->shown);
    const struct input_event *event = &d->heard[d->read++];
    assert_int_equal(event->type, type);
    assert_int_equal(event->code, code);
    assert_int_equal(event->value, value);
}

void driver_expect_end(struct driver *d)
{
    driver_expect(d, INPUT_EV_SYN, INPUT_SYN_REPORT, 0);
}

void driver_expect_nothing(struct driver *d)
{
    assert_int_equal(d->read, d->heard_count);
    assert_int_equal(d->shown, d->heard_count);
}
