// A driver for the tests: offers buffers, keeps what comes in them, switches LEDs.
#ifndef TESTS_INPUT_DRIVER_H
#define TESTS_INPUT_DRIVER_H

#include "input/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DRIVER_QUEUE = 64, DRIVER_HEARD = 65536 };

struct driver {
    struct input_device *device;
    uint8_t buffers[DRIVER_QUEUE][INPUT_EVENT_SIZE];
    bool offered[DRIVER_QUEUE];
    struct input_event *heard; // in order
    size_t heard_count, read;  // `read`: of driver_expect
    size_t shown;              // how many a guest knows of since the last flush
    unsigned statuses;
    uint32_t leds;
    unsigned led_calls;
    uint64_t now, wake; // ns; 0: not to be woken
    bool patient;       // time stands still but for driver_wait; else it flies
};

struct driver *driver_create(enum input_kind kind);
void driver_destroy(struct driver *d);
int driver_teardown(void **state);

void driver_start(struct driver *d); // and offers all its buffers
void driver_offer(struct driver *d, unsigned count);
void driver_refill(struct driver *d); // until nothing comes any more
void driver_gone(struct driver *d);   // stopped and reset

void driver_wait(struct driver *d, uint64_t ns); // is woken in between, as often as asked for

void driver_led(struct driver *d, uint16_t type, uint16_t code, uint32_t value);

// One event from the person, without SYN_REPORT; the end of a group; an event with its end.
void driver_event(struct driver *d, uint16_t type, uint16_t code, int32_t value);
void driver_end(struct driver *d);
void driver_key(struct driver *d, uint16_t code, int32_t value);

// The next thing heard is this. `driver_expect_end`: SYN_REPORT; `driver_expect_nothing`: no more.
void driver_expect(struct driver *d, uint16_t type, uint16_t code, int32_t value);
void driver_expect_end(struct driver *d);
void driver_expect_nothing(struct driver *d);

#endif
