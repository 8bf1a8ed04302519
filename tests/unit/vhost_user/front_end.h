// A front end for the tests: says to a vhost_user device what QEMU would say, and is its driver.
// Everything runs on one thread; the device's loop turns whenever the test waits for something.
#ifndef TESTS_VHOST_USER_FRONT_END_H
#define TESTS_VHOST_USER_FRONT_END_H

#include "front/vhost_user/protocol.h"
#include "front/vhost_user/vhost_user.h"

#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    GUEST_SIZE = 1 << 20,
    RING_SIZE = 8,
    RING_STRIDE = 0x1000, // guest addresses of queue n's rings: n * RING_STRIDE
    BUFFERS = 0x10000,    // and of free memory
};
#define GUEST_ADDRESS 0x40000000ull    // where the guest sees its memory
#define USER_ADDRESS 0x7f0000000000ull // where "QEMU" has it

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct front_end {
    struct os_loop *loop;
    struct virtio_transport *vhost;
    int socket;  // to the device
    int backend; // the back-end channel, our side; -1
    int memory_fd;
    uint8_t *memory; // the guest's
    int kick[2], call[2];
    uint64_t features; // to be set by the driver

    // What the device was asked to do.
    struct virtio_device device;
    uint64_t took;
    int starts, resumes, stops, resets, requests, ends;
    bool not_ready, not_stopped; // start and stop answer false
    bool hold;                   // requests are kept in `pending`, not completed at once
    struct virtio_request *pending[64];
    unsigned pending_count;
    uint8_t *response;  // of the last request
    uint8_t seen[4096]; // readable part of the last request
    uint32_t seen_size, seen_parts, room;
    unsigned seen_queue;
    uint8_t config[64];

    // Instead of not_ready and not_stopped, for a device that has more to say.
    bool (*on_start)(struct front_end *f, bool resumed);
    bool (*on_stop)(struct front_end *f);
    void (*on_reset)(struct front_end *f);
    void *extra; // theirs
};

// A device of two queues, 20 bytes of configuration and a 1 MiB aperture, connected and with its
// features negotiated.
int front_setup(void **state);
int front_teardown(void **state);
struct front_end *front_create(uint64_t protocol_features);

void front_turn(struct front_end *f); // the loop does what there is to do
void front_send(struct front_end *f, uint32_t type, uint32_t flags, const void *payload,
                uint32_t size, const int *fds, unsigned fd_count);
// The next message from the device on `socket`; fails the test if none comes. Returns the payload's
// size.
uint32_t front_receive(struct front_end *f, int socket, struct virtio_header *header, void *payload,
                       uint32_t capacity, int *fd);
bool front_silent(struct front_end *f, int socket); // nothing has come
// Sends with need_reply and returns the acknowledgement.
uint64_t front_ask(struct front_end *f, uint32_t type, const void *payload, uint32_t size,
                   const int *fds, unsigned fd_count);
uint64_t front_ask_u64(struct front_end *f, uint32_t type, uint64_t value, int fd);
uint64_t front_get_u64(struct front_end *f, uint32_t type);
uint64_t front_vring(struct front_end *f, uint32_t type, uint32_t index, uint32_t number);

// As QEMU does it; `extra_fd` (-1: none) is one more region, 16 GiB up in the guest.
void front_set_memory(struct front_end *f, int extra_fd, uint64_t extra_size);
void front_set_ring(struct front_end *f, unsigned queue, uint16_t base);
void front_start_driver(struct front_end *f, const uint16_t bases[2]);
// VRING_ENABLE 0, GET_VRING_BASE; returns the answers in bases.
void front_stop_driver(struct front_end *f, uint16_t bases[2]);

// The driver.
struct descriptor *front_descriptors(struct front_end *f, unsigned queue);
uint64_t front_buffer(struct front_end *f, uint32_t offset, const void *bytes,
                      uint32_t size);                                 // its guest address
void front_offer(struct front_end *f, unsigned queue, uint16_t head); // available, no kick
void front_kick(struct front_end *f, unsigned queue);                 // and a turn of the loop
uint16_t front_used(struct front_end *f, unsigned queue);
void front_used_entry(struct front_end *f, unsigned queue, uint16_t index, uint32_t *id,
                      uint32_t *length);
uint16_t *front_available_flags(struct front_end *f, unsigned queue);
uint16_t *front_used_flags(struct front_end *f, unsigned queue);
uint16_t *front_available_index(struct front_end *f, unsigned queue);
uint16_t *front_used_event(struct front_end *f, unsigned queue);
uint16_t *front_available_event(struct front_end *f, unsigned queue);
bool front_interrupted(struct front_end *f, unsigned queue); // since the last call
// A request with `size` readable and `room` writable bytes in descriptors head and head + 1.
void front_simple_request(struct front_end *f, unsigned queue, uint16_t head, const void *bytes,
                          uint32_t size, uint32_t room);

#endif
