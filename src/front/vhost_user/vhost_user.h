// The back end of a virtio device over vhost-user: messages, guest memory, split virtqueues,
// notifications, configuration space and the shared-memory region. Knows no device: the GPU and the
// input devices are `vhost_user_device`s. Any number per process.
//
// One thread: everything is called on the loop's thread and nothing blocks. What a front end (QEMU)
// may be sent when, and why, is in docs/vhost-user.md.
//
// Life of a driver, as the device sees it:
//   start(fresh) → request… → stop → start(resumed) → request…   the VM was paused: requests in
//   flight are still owed
//                              stop → reset → start(fresh)        the driver was unbound, the guest
//                              rebooted
// The front end does not tell a pause from a reset; the next start shows it.
#ifndef VHOST_USER_VHOST_USER_H
#define VHOST_USER_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct vhost_user;
struct vhost_user_request; // a request that the device has not answered yet

enum { VHOST_USER_MAX_QUEUES = 16, VHOST_USER_MAX_QUEUE_SIZE = 1024 };

// What the device does. `data` is the device's.
struct vhost_user_ops {
    // [offset, offset + size) of the configuration space; always inside config_size.
    void (*read_config)(void *data, uint32_t offset, void *bytes, uint32_t size);
    void (*write_config)(void *data, uint32_t offset, const void *bytes, uint32_t size);

    // A driver uses the device: `features` are those it took. No request comes before the device is
    // ready: true, or vhost_user_ready later. Shared memory may be mapped from here until `stop`.
    bool (*start)(void *data, uint64_t features, bool resumed);
    // The front end may take shared memory away when it has our answer: true, or vhost_user_stopped
    // soon (it waits, and the whole VM with it). Requests stay valid; what is completed until the
    // next start is kept back.
    bool (*stop)(void *data);
    // The driver is gone: requests that were not completed are void, and so is all guest memory
    // seen.
    void (*reset)(void *data);

    // The driver's request: its readable part in guest memory (valid until `reset`, and the guest
    // may write to it at any time; the iovec array goes after the call), and room for the answer,
    // private and zeroed, valid until completion. Completed at once or later.
    void (*request)(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct vhost_user_request *request);

    // The front end has ended. Last call; the device may be destroyed inside it.
    void (*closed)(void *data);
};

struct vhost_user_device {
    const char *name;      // for log lines; static
    uint64_t features;     // virtio feature bits of the device type
    unsigned queue_count;  // 1…VHOST_USER_MAX_QUEUES
    uint32_t config_size;  // bytes, at most 256
    uint32_t max_response; // of one request, bytes; what a driver offers beyond that is not used
    uint8_t shmid;         // of the shared-memory region, if there is one
    uint64_t shmem_size;   // bytes; 0: none
    const struct vhost_user_ops *ops;
    void *data;
};

// Serves the front end connected to `fd`, which is taken over in any case. `device` is copied.
// NULL: errno.
struct vhost_user *vhost_user_create(struct os_loop *loop, int fd,
                                     const struct vhost_user_device *device);
// Forgets all requests; calls nothing back.
void vhost_user_destroy(struct vhost_user *vhost);

void vhost_user_ready(struct vhost_user *vhost);
void vhost_user_stopped(struct vhost_user *vhost);
// The device knows that the stopped driver was reset (its shared memory is unmapped): `reset` is
// called now, and the next start is fresh.
void vhost_user_driver_gone(struct vhost_user *vhost);

// `written` bytes of the response are copied to the guest. The request is gone afterwards. The
// guest hears of it at the next vhost_user_flush, or after the `request` call in which this
// happens.
void vhost_user_complete(struct vhost_user_request *request, uint32_t written);
void vhost_user_flush(struct vhost_user *vhost);

// The host's view of guest memory [address, address + size), valid until `reset`; NULL if it is not
// guest memory or not contiguous.
void *vhost_user_memory(struct vhost_user *vhost, uint64_t address, uint64_t size);

// Tells the driver that the configuration space has changed. Nothing happens while no driver runs.
void vhost_user_config_changed(struct vhost_user *vhost);

// Shared memory, between `start` and `stop`. Carried out one after the other. The callback comes
// later, exactly once, with 0 (the guest can see it) or -errno (-EIO: refused; -ECANCELED: the
// driver is gone). Returns 0 or -errno: not begun, no callback.
typedef void (*vhost_user_done)(void *data, uint64_t cookie, int error);
// Maps [file_offset, file_offset + size) of `fd` (which stays the caller's) at `offset` of the
// region.
int vhost_user_shmem_map(struct vhost_user *vhost, uint64_t offset, int fd, uint64_t file_offset,
                         uint64_t size, bool writable, vhost_user_done done, void *data,
                         uint64_t cookie);
int vhost_user_shmem_unmap(struct vhost_user *vhost, uint64_t offset, uint64_t size,
                           vhost_user_done done, void *data, uint64_t cookie);
// Where the front end has the mapping at `offset` in its own address space; 0: it hasn't said.
uint64_t vhost_user_shmem_address(const struct vhost_user *vhost, uint64_t offset);
// And where the guest has it in its physical memory; 0: not at the moment, or it hasn't said.
uint64_t vhost_user_shmem_guest_address(const struct vhost_user *vhost, uint64_t offset);

#endif
