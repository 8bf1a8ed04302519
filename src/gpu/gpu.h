// The virtio-gpu device model (virtio 1.2 §5.7, device id 16) with Venus contexts. Loads no Vulkan driver: contexts live in workers.
//
// One thread: everything here is called on the thread that runs the loop given at creation. Nothing blocks. The front brings requests
// from the guest's virtqueues and carries answers, interrupts and placements back; the model never touches a virtqueue itself.
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct gpu_device;

enum gpu_queue { GPU_CONTROL_QUEUE, GPU_CURSOR_QUEUE, GPU_QUEUE_COUNT };

// What the front does for the device. `data` is the front's.
struct gpu_front {
    void *data;

    // The host's view of guest memory [address, address + size), readable and writable until the front calls gpu_device_reset, or NULL if
    // any byte is not guest memory or the range is not contiguous here (the model then asks for smaller pieces). The guest may change it at any time.
    void *(*guest_memory)(void *data, uint64_t address, uint64_t size);

    // The request `token` is answered: `written` bytes of its writable part are valid. May be called from inside
    // gpu_device_request. Many calls may be followed by one `flush`.
    void (*complete)(void *data, void *token, uint32_t written);
    // All completions since the last flush may be told to the guest (one interrupt).
    void (*flush)(void *data);

    // VIRTIO_GPU_EVENT_DISPLAY and friends: the configuration has changed.
    void (*config_changed)(void *data);

    // Places [file_offset, file_offset + size) of `fd` at `window_offset` of the shared-memory region; all page multiples, the range is free.
    // `fd` stays the caller's and may be closed after the call. Calls gpu_device_placed(device, cookie, error) when the guest can
    // use it, perhaps at once. 0 or -errno if it can't be begun (-ENOSPC: the carrier's number of placements is used up).
    int (*place)(void *data, uint64_t window_offset, int fd, uint64_t file_offset, uint64_t size, bool writable, uint64_t cookie);
    // Takes it out again; calls gpu_device_placed likewise.
    int (*unplace)(void *data, uint64_t window_offset, uint64_t size, uint64_t cookie);
};

struct gpu_options {
    uint32_t outputs;       // scanouts, 1…16
    uint32_t width, height; // preferred mode of output 0, pixels
    uint64_t window_size;   // bytes of the shared-memory region (shmid 1); power of two; 0: no host-visible blobs, no Venus
    uint32_t page_size;     // granularity of placements, bytes; > 4096: VIRTIO_GPU_F_BLOB_ALIGNMENT is offered
    uint32_t max_contexts, max_resources; // per VM
    uint64_t max_2d_bytes;                // of host copies of 2D resources
    uint64_t max_context_memory;          // bytes of mappable memory per context, 0: no limit
    bool venus;             // offer capset 4
};

// NULL: out of memory or impossible options (errno). `front` is copied. Workers are started through src/link/worker.h with `worker_arguments`.
struct gpu_device *gpu_device_create(struct os_loop *loop, const struct gpu_options *options, const struct gpu_front *front);
void gpu_device_destroy(struct gpu_device *device);

// Feature bits (virtio device-specific, bits 0…23) that the device offers; what the driver took.
uint64_t gpu_device_features(const struct gpu_device *device);
void gpu_device_set_features(struct gpu_device *device, uint64_t features);

// struct virtio_gpu_config, 20 or 24 bytes, little-endian. `write` clears events.
void gpu_device_read_config(struct gpu_device *device, uint32_t offset, void *data, uint32_t size);
void gpu_device_write_config(struct gpu_device *device, uint32_t offset, const void *data, uint32_t size);

// One request of a queue: host addresses of the readable and writable parts (guest memory: may change while it is read, so it is copied
// first). `token` comes back in `complete`, exactly once, unless the device is reset before. The iovec arrays may go after the call,
// what they point to stays until completion.
void gpu_device_request(struct gpu_device *device, enum gpu_queue queue, const struct iovec *readable, unsigned readable_count,
                        const struct iovec *writable, unsigned writable_count, void *token);

void gpu_device_placed(struct gpu_device *device, uint64_t cookie, int error);

// The driver is gone (reset, unbind, reboot): all contexts and resources end, outstanding tokens are forgotten, placements are void
// (nothing is unplaced). Scanouts are disabled but keep their last picture.
void gpu_device_reset(struct gpu_device *device);

#endif
