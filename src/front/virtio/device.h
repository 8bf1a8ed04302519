// A virtio device, and the transport that carries it to a front end (QEMU): the seam between the
// devices (the GPU, the input devices) and src/front/vhost_user or src/front/vfio_user. Either side
// knows the other by this header only.
//
// Life of a driver, as the device sees it:
//
//   start(fresh) → request… → stop → start(resumed) → request…
//       The VM was paused. Requests in flight are still to be completed.
//   start(fresh) → request… → stop → reset → start(fresh) → request…
//       The driver was unbound, or the guest has rebooted.
//
// Over vhost-user the front end does not say whether a stop is a pause or a reset; the next start
// shows it. Over vfio-user a pause is not seen at all, and a stop is always a reset's.
//
// Thread: the loop's. Nothing blocks.
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct virtio_transport;
struct virtio_request; // one that the device has not completed yet

enum { VIRTIO_MAX_QUEUES = 16, VIRTIO_MAX_QUEUE_SIZE = 1024, VIRTIO_MAX_CONFIG = 256 };

// Feature bits of the transport.
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

// What the device does.
struct virtio_device_ops {
    // [offset, offset + size) of the configuration space; always inside config_size.
    void (*read_config)(void *data, uint32_t offset, void *bytes, uint32_t size);
    void (*write_config)(void *data, uint32_t offset, const void *bytes, uint32_t size);

    // A driver uses the device, with these features. True: the device is ready. False: it calls
    // virtio_ready later, and no request comes before. Shared memory may be mapped from here
    // until `stop`.
    bool (*start)(void *data, uint64_t features, bool resumed);
    // The front end may take shared memory away when it has our answer. True: it has it now. False:
    // the device calls virtio_stopped soon (the front end waits, and the whole VM with it).
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
                    struct virtio_request *request);

    // The front end has ended. Last call; the device may be destroyed inside it.
    void (*closed)(void *data);
};

struct virtio_device {
    const char *name;      // for log lines; static
    uint16_t type;         // virtio's device id: 16 is a GPU, 18 an input device
    uint64_t features;     // virtio feature bits of the device type
    unsigned queue_count;  // 1…VIRTIO_MAX_QUEUES
    uint32_t config_size;  // bytes, at most VIRTIO_MAX_CONFIG
    uint32_t max_response; // bytes of one response; room beyond that is not used
    uint8_t shmid;         // the shared-memory region's id
    uint64_t shmem_size;   // bytes; 0: there is no region
    const struct virtio_device_ops *ops;
    void *data;
};

// ---- what a device asks of its transport ----------------------------------

typedef void (*virtio_done)(void *data, uint64_t cookie, int error);

struct virtio_transport_ops {
    void (*destroy)(struct virtio_transport *transport);
    void (*ready)(struct virtio_transport *transport);
    void (*stopped)(struct virtio_transport *transport);
    void (*driver_gone)(struct virtio_transport *transport);
    void (*flush)(struct virtio_transport *transport);
    void (*config_changed)(struct virtio_transport *transport);
    void *(*memory)(struct virtio_transport *transport, uint64_t address, uint64_t size);
    // Shared memory, between `start` and `stop`. Operations are carried out one after the other.
    // The callback comes later, exactly once, with 0 (the guest can see the change) or -errno
    // (-EIO: refused; -ECANCELED: the driver is gone). Errors: -errno, and no callback comes.
    // Both are NULL where the region is a file from the beginning (`shmem_file`).
    int (*map)(struct virtio_transport *transport, uint64_t offset, int fd, uint64_t file_offset,
               uint64_t size, bool writable, virtio_done done, void *data, uint64_t cookie);
    int (*unmap)(struct virtio_transport *transport, uint64_t offset, uint64_t size,
                 virtio_done done, void *data, uint64_t cookie);
    // Where the mapping at `offset` is in the front end's address space; 0: it has not said.
    uint64_t (*address)(const struct virtio_transport *transport, uint64_t offset);
    // Where it is in the guest's physical memory; 0: nowhere now, or it has not said.
    uint64_t (*guest_address)(const struct virtio_transport *transport, uint64_t offset);
};

// Each transport's struct begins with this.
struct virtio_transport {
    const struct virtio_transport_ops *ops;
    int shmem_file; // the front end has mapped all of it as the region, for good; -1: none
};

// Makes a transport that serves the front end that is connected to `fd`.
// Owns: takes over `fd` in any case; `device` is copied.
// Errors: -errno.
typedef int (*virtio_transport_create)(struct os_loop *loop, int fd,
                                       const struct virtio_device *device,
                                       struct virtio_transport **created);

// Forgets all requests. No callback comes.
static inline void virtio_transport_destroy(struct virtio_transport *transport)
{
    if (transport)
        transport->ops->destroy(transport);
}

static inline void virtio_ready(struct virtio_transport *transport)
{
    transport->ops->ready(transport);
}

static inline void virtio_stopped(struct virtio_transport *transport)
{
    transport->ops->stopped(transport);
}

// The device has found out that the stopped driver was reset (its shared memory is unmapped).
// `reset` is called now, and the next start is fresh.
static inline void virtio_driver_gone(struct virtio_transport *transport)
{
    transport->ops->driver_gone(transport);
}

// Copies `written` bytes of the response to the guest and ends the request. The guest hears of it
// at the next virtio_flush; inside `request`, after that call.
void virtio_complete(struct virtio_request *request, uint32_t written);

static inline void virtio_flush(struct virtio_transport *transport)
{
    transport->ops->flush(transport);
}

// Tells a driver that runs that the configuration space has changed.
static inline void virtio_config_changed(struct virtio_transport *transport)
{
    transport->ops->config_changed(transport);
}

// The host's view of guest memory [address, address + size), valid until `reset`.
// Errors: NULL, it is not guest memory, or not contiguous.
static inline void *virtio_guest_memory(struct virtio_transport *transport, uint64_t address,
                                        uint64_t size)
{
    return transport->ops->memory(transport, address, size);
}

#endif
