// The virtio-gpu device model (virtio 1.2 §5.7, device id 16) with Venus contexts. Loads no Vulkan
// driver: contexts live in workers.
//
// One thread: everything here is called on the thread that runs the loop given at creation. Nothing
// blocks. The front brings requests from the guest's virtqueues and carries answers, interrupts and
// placements back; the model never touches a virtqueue itself.
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct link_pool;
struct gpu_device;

enum gpu_queue { GPU_CONTROL_QUEUE, GPU_CURSOR_QUEUE, GPU_QUEUE_COUNT };

// What the front does for the device. `data` is the front's. Unless said otherwise nothing of the
// device may be called from inside.
struct gpu_front {
    void *data;

    // The host's view of guest memory [address, address + size), readable and writable until the
    // device returns to the front or the loop (it asks again each time: the memory table may
    // change), or NULL if any byte is not guest memory or the range is not contiguous here (the
    // model then asks for smaller pieces). The guest may change it at any time.
    void *(*guest_memory)(void *data, uint64_t address, uint64_t size);

    // The request `token` is answered: `written` bytes of its writable part are valid. May be
    // called from inside gpu_device_request. Many calls may be followed by one `flush`.
    void (*complete)(void *data, void *token, uint32_t written);
    // All completions since the last flush may be told to the guest (one interrupt). Called by the
    // device at the end of the loop's round in which it completed anything.
    void (*flush)(void *data);

    // VIRTIO_GPU_EVENT_DISPLAY and friends: the configuration has changed.
    void (*config_changed)(void *data);

    // Places [file_offset, file_offset + size) of `fd` at `aperture_offset` of the shared-memory
    // region; all page multiples, the range is free. `fd` stays the caller's and may be closed
    // after the call. Calls gpu_device_placed(device, cookie, error) when the guest can use it,
    // perhaps at once, from inside. 0, or -errno if it can't be begun; gpu_device_placed is not
    // called then. -ENOSPC: the carrier's number of placements is used up; -EAGAIN (also as the
    // error of gpu_device_placed): not while the driver is stopped, perhaps only for a pause; the
    // device asks again in gpu_device_resumed.
    int (*place)(void *data, uint64_t aperture_offset, int fd, uint64_t file_offset, uint64_t size,
                 bool writable, uint64_t cookie);
    // Takes it out again; calls gpu_device_placed likewise.
    int (*unplace)(void *data, uint64_t aperture_offset, uint64_t size, uint64_t cookie);
};

struct gpu_options {
    uint32_t outputs;       // scanouts, 1…16
    uint32_t width, height; // preferred mode of output 0, pixels
    // Flushes of an output are answered at this rate where no listener sets the pace (scanout.h),
    // per second; 0: at once.
    uint32_t refresh_rate;
    uint64_t aperture_size; // bytes of the shared-memory region (shmid 1); power of two; 0: no
                            // host-visible blobs, no Venus
    uint32_t page_size; // granularity of placements, bytes; > 4096: VIRTIO_GPU_F_BLOB_ALIGNMENT is
                        // offered
    uint32_t max_contexts, max_resources; // per VM
    uint64_t max_2d_bytes; // of host copies of 2D resources and guest blobs, and of their lists of
                           // guest pages
    uint64_t max_context_memory; // bytes of mappable memory per context, 0: no limit
    // A context is lost when its worker owes an answer (a fence, an export) for longer: a hung GPU
    // or driver. 0: never.
    uint64_t max_wait_ns;
    bool venus; // offer capset 4; needs `pool` and an aperture
    // Where the contexts' workers come from: whoever made it starts them, knows from
    // link_pool_on_ready whether the host has a driver, and destroys it after the device.
    struct link_pool *pool;
};

// NULL: out of memory or impossible options (errno). `options` and `front` are copied, `loop`
// outlives the device.
struct gpu_device *gpu_device_create(struct os_loop *loop, const struct gpu_options *options,
                                     const struct gpu_front *front);
void gpu_device_destroy(struct gpu_device *device);

// Feature bits (virtio device-specific, bits 0…23) that the device offers; what the driver took
// (commands of others are refused).
uint64_t gpu_device_features(const struct gpu_device *device);
void gpu_device_set_features(struct gpu_device *device, uint64_t features);

// struct virtio_gpu_config, 20 or 24 bytes, little-endian. `write` clears events.
void gpu_device_read_config(struct gpu_device *device, uint32_t offset, void *data, uint32_t size);
void gpu_device_write_config(struct gpu_device *device, uint32_t offset, const void *data,
                             uint32_t size);

// One request of a queue: host addresses of the readable and writable parts (guest memory: may
// change while it is read, so it is copied first). `token` comes back in `complete`, exactly once,
// unless the device is reset before. The iovec arrays may go after the call, what they point to
// stays until completion, also when the memory table changes. Requests of one context, one resource
// or one output are carried out in order; they may complete out of order.
void gpu_device_request(struct gpu_device *device, enum gpu_queue queue,
                        const struct iovec *readable, unsigned readable_count,
                        const struct iovec *writable, unsigned writable_count, void *token);

// The answer to gpu_front.place or unplace; `error` is 0 or -errno. Cookies from before a reset are
// ignored.
void gpu_device_placed(struct gpu_device *device, uint64_t cookie, int error);
// The driver runs on after a pause (of the virtual machine): placements that had to wait are begun.
void gpu_device_resumed(struct gpu_device *device);

// The driver is gone (reset, unbind, reboot): all contexts and resources end, outstanding tokens
// are forgotten, placements are void (nothing is unplaced). Scanouts are disabled but keep their
// last picture.
void gpu_device_reset(struct gpu_device *device);

#endif
