#include "front/machine/gpu_front.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/machine/aperture.h"
#include "front/virtio/device.h"

enum {
    VIRTIO_ID_GPU = 16,
    SHMID_HOST_VISIBLE = 1,     // virtio 1.2 §5.7
    MAX_RESPONSE = 8 << 10,     // EDID and capsets are the longest answers
    DEVICE_FEATURES = 0xffffff, // the bits that belong to the device type
    FEATURE_BLOB_ALIGNMENT = 1 << 5,
    CONFIG_SIZE = 16, // + 4 with blobs, see below
};

struct machine_gpu {
    struct gpu_device *device;
    struct virtio_transport *transport;
    struct machine_aperture *aperture;
    bool stopped; // the VM is paused, or the driver is gone
    void (*closed)(void *data);
    void *data;
};

// ---- what the device asks of its front ------------------------------------

static void *guest_memory(void *data, uint64_t address, uint64_t size)
{
    struct machine_gpu *gpu = data;
    return virtio_guest_memory(gpu->transport, address, size);
}

static void complete(void *data, void *token, uint32_t written)
{
    virtio_complete(token, written);
}

static void flush(void *data)
{
    struct machine_gpu *gpu = data;
    virtio_flush(gpu->transport);
}

static void config_changed(void *data)
{
    struct machine_gpu *gpu = data;
    if (gpu->transport)
        virtio_config_changed(gpu->transport);
}

// A placement that cannot be carried out while the driver is stopped waits for gpu_device_resumed
// or a reset.
static int or_later(const struct machine_gpu *gpu, int error)
{
    return error == -ENODEV && gpu->stopped ? -EAGAIN : error;
}

static int place(void *data, uint64_t offset, int fd, uint64_t file_offset, uint64_t size,
                 bool writable, uint64_t cookie)
{
    struct machine_gpu *gpu = data;
    return or_later(gpu, machine_aperture_place(gpu->aperture, offset, fd, file_offset, size,
                                                writable, cookie));
}

static int unplace(void *data, uint64_t offset, uint64_t size, uint64_t cookie)
{
    struct machine_gpu *gpu = data;
    return or_later(gpu, machine_aperture_unplace(gpu->aperture, offset, size, cookie));
}

// ---- what the aperture says -----------------------------------------------

static void placed(void *data, uint64_t cookie, int error)
{
    struct machine_gpu *gpu = data;
    gpu_device_placed(gpu->device, cookie, error);
}

static void serve(struct machine_gpu *gpu)
{
    gpu->stopped = false;
    gpu_device_resumed(gpu->device);
}

static void started(void *data)
{
    struct machine_gpu *gpu = data;
    serve(gpu);
    virtio_ready(gpu->transport);
}

static void stopped(void *data)
{
    struct machine_gpu *gpu = data;
    virtio_stopped(gpu->transport);
}

static void gone(void *data)
{
    struct machine_gpu *gpu = data;
    virtio_driver_gone(gpu->transport);
}

// ---- what the front end wants of the device -------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    struct machine_gpu *gpu = data;
    gpu_device_read_config(gpu->device, offset, bytes, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    struct machine_gpu *gpu = data;
    gpu_device_write_config(gpu->device, offset, bytes, size);
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct machine_gpu *gpu = data;
    if (!resumed)
        gpu_device_set_features(gpu->device, features & DEVICE_FEATURES);
    if (!machine_aperture_start(gpu->aperture, resumed))
        return false;
    serve(gpu);
    return true;
}

static bool stop(void *data)
{
    struct machine_gpu *gpu = data;
    gpu->stopped = true;
    return machine_aperture_stop(gpu->aperture);
}

static void reset(void *data)
{
    struct machine_gpu *gpu = data;
    machine_aperture_reset(gpu->aperture);
    gpu_device_reset(gpu->device);
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct machine_gpu *gpu = data;
    struct iovec writable = {response, response_size};
    gpu_device_request(gpu->device, (enum gpu_queue)queue, readable, readable_count, &writable,
                       response_size ? 1 : 0, token);
}

static void closed(void *data)
{
    struct machine_gpu *gpu = data;
    gpu->closed(gpu->data);
}

// ---- the whole ------------------------------------------------------------

int machine_gpu_create(struct os_loop *loop, int fd, const struct machine_gpu_options *options,
                       void (*closed_callback)(void *data), void *data,
                       struct machine_gpu **created)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    static const struct machine_aperture_ops aperture_ops = {placed, started, stopped, gone};
    struct machine_gpu *gpu = calloc(1, sizeof(*gpu));
    *created = NULL;
    if (!gpu) {
        close(fd);
        return -ENOMEM;
    }
    gpu->closed = closed_callback;
    gpu->data = data;
    struct gpu_front front = {
        .data = gpu,
        .guest_memory = guest_memory,
        .complete = complete,
        .flush = flush,
        .config_changed = config_changed,
        .place = place,
        .unplace = unplace,
    };
    struct machine_aperture_options aperture = {options->device.aperture_size, options->max_ranges,
                                                options->placer_hint};
    gpu->aperture = machine_aperture_create(loop, &aperture, &aperture_ops, gpu);
    gpu->device = gpu->aperture ? gpu_device_create(loop, &options->device, &front) : NULL;
    if (!gpu->device) {
        int error = gpu->aperture ? -errno : -ENOMEM;
        close(fd);
        machine_gpu_destroy(gpu);
        return error;
    }
    uint64_t features = gpu_device_features(gpu->device);
    struct virtio_device device = {
        .name = "gpu",
        .type = VIRTIO_ID_GPU,
        .features = features,
        .queue_count = GPU_QUEUE_COUNT,
        .config_size = CONFIG_SIZE + (features & FEATURE_BLOB_ALIGNMENT ? 8 : 4),
        .max_response = MAX_RESPONSE,
        .shmid = SHMID_HOST_VISIBLE,
        .shmem_size = options->device.aperture_size,
        .ops = &ops,
        .data = gpu,
    };
    int error = options->transport(loop, fd, &device, &gpu->transport);
    if (error) {
        machine_gpu_destroy(gpu);
        return error;
    }
    machine_aperture_set_transport(gpu->aperture, gpu->transport);
    *created = gpu;
    return 0;
}

void machine_gpu_destroy(struct machine_gpu *gpu)
{
    if (!gpu)
        return;
    // The device first: it may still be completing requests.
    gpu_device_destroy(gpu->device);
    virtio_transport_destroy(gpu->transport);
    machine_aperture_destroy(gpu->aperture);
    free(gpu);
}

bool machine_gpu_set_placer(struct machine_gpu *gpu, int fd)
{
    return machine_aperture_set_placer(gpu->aperture, fd);
}

bool machine_gpu_has_placer(const struct machine_gpu *gpu)
{
    return machine_aperture_has_placer(gpu->aperture);
}

struct gpu_device *machine_gpu_device(const struct machine_gpu *gpu)
{
    return gpu->device;
}
