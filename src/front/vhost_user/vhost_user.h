// The back end of a virtio device over vhost-user: messages, guest memory, split virtqueues,
// notifications, configuration space and the shared-memory region. It knows no device: the GPU and
// the input devices are `vhost_user_device`s. A process may have any number of them.
// docs/vhost-user.md says what may be sent to a front end (QEMU), when, and why.
//
// Life of a driver, as the device sees it:
//
//   start(fresh) → request… → stop → start(resumed) → request…
//       The VM was paused. Requests in flight are still to be completed.
//   start(fresh) → request… → stop → reset → start(fresh) → request…
//       The driver was unbound, or the guest has rebooted.
//
// The front end does not say whether a stop is a pause or a reset; the next start shows it.
//
// Thread: the loop's. Nothing blocks.
#ifndef VHOST_USER_VHOST_USER_H
#define VHOST_USER_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct vhost_user;
struct vhost_user_request; // one that the device has not completed yet

enum { VHOST_USER_MAX_QUEUES = 16, VHOST_USER_MAX_QUEUE_SIZE = 1024 };

// What the device does.
struct vhost_user_ops {
    // [offset, offset + size) of the configuration space; always inside config_size.
    void (*read_config)(void *data, uint32_t offset, void *bytes, uint32_t size);
    void (*write_config)(void *data, uint32_t offset, const void *bytes, uint32_t size);

    // A driver uses the device, with these features. True: the device is ready. False: it calls
    // vhost_user_ready later, and no request comes before. Shared memory may be mapped from here
    // until `stop`.
    bool (*start)(void *data, uint64_t features, bool resumed);
    // The front end may take shared memory away when it has our answer. True: it has it now. False:
    // the device calls vhost_user_stopped soon (the front end waits, and the whole VM with it).
    // Requests stay valid. Those that are completed before the next start are kept back.
    bool (*stop)(void *data);
    // The driver is gone. Requests that were not completed are void, and so are all pointers into
    // guest memory.
    void (*reset)(void *data);

    // A request of the driver, to be completed at once or later. `readable` is guest memory: valid
    // until `reset`, and the guest may write to it at any time. The array itself is valid during
    // the call. `response` is private, zeroed, and valid until the request is completed.
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
    uint32_t max_response; // bytes of one response; room beyond that is not used
    uint8_t shmid;         // the shared-memory region's id
    uint64_t shmem_size;   // bytes; 0: there is no region
    const struct vhost_user_ops *ops;
    void *data;
};

// Serves the front end that is connected to `fd`.
// Owns: takes over `fd` in any case; `device` is copied.
// Errors: -errno.
int vhost_user_create(struct os_loop *loop, int fd, const struct vhost_user_device *device,
                      struct vhost_user **created);
// Forgets all requests. No callback comes.
void vhost_user_destroy(struct vhost_user *vhost);

void vhost_user_ready(struct vhost_user *vhost);
void vhost_user_stopped(struct vhost_user *vhost);
// The device has found out that the stopped driver was reset (its shared memory is unmapped).
// `reset` is called now, and the next start is fresh.
void vhost_user_driver_gone(struct vhost_user *vhost);

// Copies `written` bytes of the response to the guest and ends the request. The guest hears of it
// at the next vhost_user_flush; inside `request`, after that call.
void vhost_user_complete(struct vhost_user_request *request, uint32_t written);
void vhost_user_flush(struct vhost_user *vhost);

// The host's view of guest memory [address, address + size), valid until `reset`.
// Errors: NULL, it is not guest memory, or not contiguous.
void *vhost_user_memory(struct vhost_user *vhost, uint64_t address, uint64_t size);

// Tells a driver that runs that the configuration space has changed.
void vhost_user_config_changed(struct vhost_user *vhost);

// Shared memory, between `start` and `stop`. Operations are carried out one after the other. The
// callback comes later, exactly once, with 0 (the guest can see the change) or -errno (-EIO:
// refused; -ECANCELED: the driver is gone). Errors: -errno, and no callback comes.
typedef void (*vhost_user_done)(void *data, uint64_t cookie, int error);
// Maps [file_offset, file_offset + size) of `fd` at `offset` of the region. Owns: `fd` stays the
// caller's.
int vhost_user_shmem_map(struct vhost_user *vhost, uint64_t offset, int fd, uint64_t file_offset,
                         uint64_t size, bool writable, vhost_user_done done, void *data,
                         uint64_t cookie);
int vhost_user_shmem_unmap(struct vhost_user *vhost, uint64_t offset, uint64_t size,
                           vhost_user_done done, void *data, uint64_t cookie);
// Where the mapping at `offset` is in the front end's address space; 0: it has not said.
uint64_t vhost_user_shmem_address(const struct vhost_user *vhost, uint64_t offset);
// Where the mapping at `offset` is in the guest's physical memory; 0: nowhere now, or it has not
// said.
uint64_t vhost_user_shmem_guest_address(const struct vhost_user *vhost, uint64_t offset);

#endif
