// The virtio-gpu device model (virtio 1.2 §5.7, device id 16) with Venus contexts. It loads no
// Vulkan driver: contexts live in workers. A front brings the guest's requests from virtqueues, and
// carries answers, interrupts and placements back.
//
// Thread: the one that runs the loop given at creation. Nothing blocks.
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

// ---- what the front does for the device -----------------------------------

// No function of the device may be called inside these, unless it is said.
struct gpu_front {
    void *data;

    // The host's view of guest memory [address, address + size), readable and writable. It is valid
    // until the device returns to the front or the loop, since the memory table may change. The
    // guest may change its contents at any time.
    // Errors: NULL if any byte is not guest memory, or the range is not contiguous here; the device
    // then asks for smaller pieces.
    void *(*guest_memory)(void *data, uint64_t address, uint64_t size);

    // The request `token` is answered: `written` bytes of its writable part are valid. May come
    // inside gpu_device_request. Many calls may be followed by one `flush`.
    void (*complete)(void *data, void *token, uint32_t written);
    // Completions since the last flush may be told to the guest by one interrupt. Comes at the end
    // of each round of the loop in which a request was completed.
    void (*flush)(void *data);

    // The configuration has changed, as by VIRTIO_GPU_EVENT_DISPLAY.
    void (*config_changed)(void *data);

    // Places [file_offset, file_offset + size) of `fd` at `aperture_offset` of the shared-memory
    // region. All are multiples of the page size, and the range is free. When the guest can use it,
    // the front calls gpu_device_placed(device, cookie, error), perhaps inside this call.
    // Owns: `fd` stays the device's, which may close it after the call.
    // Errors: 0, or -errno if it can't be begun; gpu_device_placed is not called then. -ENOSPC: the
    // carrier has no placements left. -EAGAIN, also as the error of gpu_device_placed: not while
    // the driver is stopped; the device asks again in gpu_device_resumed.
    int (*place)(void *data, uint64_t aperture_offset, int fd, uint64_t file_offset, uint64_t size,
                 bool writable, uint64_t cookie);
    // Takes it out again, and calls gpu_device_placed likewise. Errors: as `place`.
    int (*unplace)(void *data, uint64_t aperture_offset, uint64_t size, uint64_t cookie);
};

struct gpu_options {
    uint32_t outputs;       // 1 to 16
    uint32_t width, height; // preferred mode of output 0, pixels
    // Flushes of an output are answered at its refresh rate where no listener sets the pace
    // (output.h). False: at once.
    bool paced;
    // What the EDID says. 0: that of the screen on which the output is seen, or else 60 and 96.
    uint32_t edid_refresh, edid_dpi;
    // Bytes of the shared-memory region (shmid 1), a power of two. 0: there is none, and so neither
    // host-visible blobs nor Venus.
    uint64_t aperture_size;
    // Granularity of placements, bytes. Above 4096 VIRTIO_GPU_F_BLOB_ALIGNMENT is offered.
    uint32_t page_size;
    uint32_t max_contexts, max_resources; // per VM
    // Bytes of the host's copies of 2D resources and guest blobs, and of their lists of guest
    // pages.
    uint64_t max_2d_bytes;
    // Bytes that all contexts together may hold of the host's memory, and of a graphics card's; 0:
    // no limit.
    uint64_t max_memory, max_card_memory;
    // A context is lost when its worker owes an answer for longer: a hung GPU or driver.
    // Nanoseconds; 0: never.
    uint64_t max_wait_ns;
    bool venus; // offer capset 4; needs `pool` and an aperture
    // Where the contexts' workers come from. Owns: the caller, who destroys it after the device. It
    // starts them, and knows from link_pool_on_ready whether the host has a driver.
    struct link_pool *pool;
};

// ---- life -----------------------------------------------------------------

// Owns: `options` and `front` are copied; `loop` must outlive the device.
// Errors: NULL and errno: ENOMEM, or EINVAL for impossible options.
struct gpu_device *gpu_device_create(struct os_loop *loop, const struct gpu_options *options,
                                     const struct gpu_front *front);
// NULL passes.
void gpu_device_destroy(struct gpu_device *device);

// The driver is gone (reset, unbind, reboot). All contexts and resources end, outstanding tokens
// are forgotten, placements are void and not taken out. Outputs are switched off but keep their
// last picture.
void gpu_device_reset(struct gpu_device *device);

// ---- the driver -----------------------------------------------------------

// Feature bits 0 to 23, those of the device type. Commands that belong to a bit which the driver
// did not take are refused.
uint64_t gpu_device_features(const struct gpu_device *device);
void gpu_device_set_features(struct gpu_device *device, uint64_t features);

// struct virtio_gpu_config, 20 or 24 bytes, little-endian. Writing clears events.
void gpu_device_read_config(struct gpu_device *device, uint32_t offset, void *data, uint32_t size);
void gpu_device_write_config(struct gpu_device *device, uint32_t offset, const void *data,
                             uint32_t size);

// One request of a queue: host addresses of its readable and writable parts. They are guest memory,
// which may change while it is read, so it is copied first. `token` comes back in `complete`
// exactly once, unless the device is reset before. Requests of one context, one resource or one
// output are carried out in order; they may complete out of order. Owns: the iovec arrays may go
// after the call. What they point to stays until completion, also when the memory table changes.
void gpu_device_request(struct gpu_device *device, enum gpu_queue queue,
                        const struct iovec *readable, unsigned readable_count,
                        const struct iovec *writable, unsigned writable_count, void *token);

// The answer to gpu_front.place or unplace; `error` is 0 or -errno. Cookies from before a reset are
// ignored.
void gpu_device_placed(struct gpu_device *device, uint64_t cookie, int error);
// The driver runs on after a pause of the virtual machine. Placements that had to wait are begun.
void gpu_device_resumed(struct gpu_device *device);

#endif
