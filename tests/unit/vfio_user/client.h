// A client for the tests: says to a vfio_user device what QEMU would say, and is its driver.
// Everything runs on one thread; the device's loop turns whenever the test waits for something.
#ifndef TESTS_VFIO_USER_CLIENT_H
#define TESTS_VFIO_USER_CLIENT_H

#include "front/vfio_user/config.h"
#include "front/vfio_user/protocol.h"
#include "front/vfio_user/vfio_user.h"

#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { GUEST_SIZE = 1 << 20, RING_SIZE = 8, VECTORS = 3, CONFIG_SIZE = 20 };
#define GUEST_ADDRESS 0x40000000ull

struct client {
    struct os_loop *loop;
    struct virtio_transport *transport;
    struct virtio_device device;
    int socket, memory_fd;
    uint8_t *memory; // the guest's
    int vectors[VECTORS];
    uint16_t next_id;

    // What the device was asked to do.
    uint64_t took;
    int starts, stops, resets, requests, ends;
    bool not_ready, not_stopped; // start and stop answer false
    bool hold;                   // a request is kept, not completed at once
    struct virtio_request *pending;
    uint8_t seen[256];
    uint32_t seen_size;
    uint8_t config[CONFIG_SIZE];
};

// A device of two queues and a 1 MiB aperture, connected, greeted, with its memory mapped.
int client_setup(void **state);
int client_teardown(void **state);

void client_turn(struct client *c);
// Sends a request; its id.
uint16_t client_send(struct client *c, unsigned command, uint32_t flags, const void *payload,
                     uint32_t size, const int *fds, unsigned fd_count);
// The next message from the device; `payload` has room for 8192 bytes. Returns the payload's size.
uint32_t client_receive(struct client *c, struct vfio_header *header, void *payload, int *fd);
bool client_silent(struct client *c);
// Sends, and takes the answer: errno's value, 0: none. `answer` may be NULL.
unsigned client_ask(struct client *c, unsigned command, const void *payload, uint32_t size,
                    const int *fds, unsigned fd_count, void *answer, int *answer_fd);

unsigned client_map(struct client *c, uint64_t address, uint64_t size, uint64_t offset, int fd);
unsigned client_unmap(struct client *c, uint64_t address, uint64_t size);
uint64_t client_read(struct client *c, unsigned region, uint64_t offset, unsigned size);
unsigned client_write(struct client *c, unsigned region, uint64_t offset, uint64_t value,
                      unsigned size);
// Registers of the common configuration.
#define client_common(c, offset, size) client_read(c, VFIO_BAR_VIRTIO, offset, size)
#define client_set_common(c, offset, value, size)                                                  \
    assert_int_equal(client_write(c, VFIO_BAR_VIRTIO, offset, value, size), 0)

// The driver: as Linux does it, up to DRIVER_OK.
void client_start_driver(struct client *c);
void client_offer(struct client *c, unsigned queue, const char *text); // available, no kick
void client_kick(struct client *c, unsigned queue);
uint16_t client_used(struct client *c, unsigned queue);
bool client_interrupted(struct client *c, unsigned vector); // since the last call

#endif
