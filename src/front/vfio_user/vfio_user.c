#include "front/vfio_user/vfio_user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "front/vfio_user/private.h"
#include "os/loop.h"
#include "os/shm.h"

static struct vfio_user *of(const struct virtio_transport *transport)
{
    return (struct vfio_user *)transport; // it begins with it
}

// ---- what the device asks -------------------------------------------------

static void ready(struct virtio_transport *transport)
{
    vfio_user_ready(of(transport));
}

static void stopped(struct virtio_transport *transport)
{
    vfio_user_stopped(of(transport));
}

static void driver_gone(struct virtio_transport *transport)
{
    // Each stop is a reset here.
}

static void config_changed(struct virtio_transport *transport)
{
    vfio_user_config_changed(of(transport));
}

static void flush(struct virtio_transport *transport)
{
    struct vfio_user *vfio = of(transport);
    for (unsigned i = 0; i < vfio->device.queue_count; i++)
        virtio_queue_flush(&vfio->queues[i]);
}

static void *memory(struct virtio_transport *transport, uint64_t address, uint64_t size)
{
    uint64_t available;
    void *at = virtio_memory_at(&of(transport)->dma.memory, address, size, &available);
    return at && available == size ? at : NULL;
}

static uint64_t nowhere(const struct virtio_transport *transport, uint64_t offset)
{
    // The front end does not say.
    return 0;
}

// ---- the whole ------------------------------------------------------------

static void on_request(struct virtio_queue *queue, struct virtio_request *request)
{
    struct vfio_user *vfio = queue->owner;
    vfio->device.ops->request(vfio->device.data, queue->index, vfio->scratch.parts,
                              vfio->scratch.count, request->response, request->size, request);
}

static void on_again(void *data)
{
    vfio_user_process(data);
}

static void on_message(void *data, struct virtio_message *message)
{
    vfio_user_handle(data, message);
}

static void on_closed(void *data, int error)
{
    struct vfio_user *vfio = data;
    if (error)
        log_warning("%s: the connection to QEMU is broken: %s", vfio->device.name,
                    strerror(-error));
    for (unsigned i = 0; i < vfio->device.queue_count; i++)
        virtio_queue_stop(&vfio->queues[i]);
    os_source_set_deadline(vfio->again, 0);
    vfio->state = VFIO_CLOSED;
    vfio->device.ops->closed(vfio->device.data);
}

static void destroy(struct virtio_transport *transport)
{
    struct vfio_user *vfio = of(transport);
    virtio_channel_destroy(vfio->channel);
    for (unsigned i = 0; i < vfio->device.queue_count; i++) {
        vfio->queues[i].call = -1; // its vector's
        virtio_queue_finish(&vfio->queues[i]);
    }
    os_source_remove(vfio->again);
    vfio_interrupts_clear(&vfio->interrupts);
    free(vfio->scratch.parts);
    vfio_dma_finish(&vfio->dma);
    if (vfio->base.shmem_file >= 0)
        close(vfio->base.shmem_file);
    free(vfio);
}

static void set_up(struct vfio_user *vfio)
{
    const struct virtio_device *device = &vfio->device;
    struct vfio_config_setup setup = {.type = device->type,
                                      .queues = device->queue_count,
                                      .config_size = device->config_size,
                                      .shmid = device->shmid,
                                      .aperture_size = device->shmem_size};
    for (unsigned i = 0; i < device->queue_count; i++) {
        vfio->queues[i] = (struct virtio_queue){
            .owner = vfio,
            .index = i,
            .name = device->name,
            .memory = &vfio->dma.memory,
            .scratch = &vfio->scratch,
            .max_response = device->max_response,
            .request = on_request,
        };
        virtio_queue_init(&vfio->queues[i]);
    }
    vfio_config_init(&vfio->config, &setup);
    vfio_registers_init(&vfio->registers, device, vfio->queues);
    vfio_interrupts_init(&vfio->interrupts, device->queue_count + 1);
}

bool vfio_user_is_spoken(uint32_t first)
{
    struct {
        uint16_t id, command;
    } begin;
    memcpy(&begin, &first, sizeof(begin));
    return begin.command == VFIO_USER_VERSION;
}

int vfio_user_create(struct os_loop *loop, int fd, const struct virtio_device *device,
                     struct virtio_transport **created)
{
    static const struct virtio_channel_ops channel_ops = {.message = on_message,
                                                          .closed = on_closed};
    static const struct virtio_transport_ops ops = {
        .destroy = destroy,
        .ready = ready,
        .stopped = stopped,
        .driver_gone = driver_gone,
        .flush = flush,
        .config_changed = config_changed,
        .memory = memory,
        .address = nowhere,
        .guest_address = nowhere,
    };
    bool possible = device->queue_count && device->queue_count <= VIRTIO_MAX_QUEUES &&
                    device->config_size <= VIRTIO_MAX_CONFIG;
    struct vfio_user *vfio = possible ? calloc(1, sizeof(*vfio)) : NULL;
    *created = NULL;
    if (!vfio) {
        close(fd);
        return possible ? -ENOMEM : -EINVAL;
    }
    vfio->base = (struct virtio_transport){.ops = &ops, .shmem_file = -1};
    vfio->loop = loop;
    vfio->device = *device;
    set_up(vfio);
    int error =
        virtio_channel_create(loop, fd, &vfio_user_form, &channel_ops, vfio, &vfio->channel);
    vfio->again = os_loop_add_timer(loop, 0, on_again, vfio);
    if (!error && !vfio->again)
        error = -ENOMEM;
    if (!error && device->shmem_size) {
        vfio->base.shmem_file = os_shm_create("hesper-aperture", device->shmem_size);
        error = vfio->base.shmem_file < 0 ? vfio->base.shmem_file : 0;
    }
    if (error)
        destroy(&vfio->base);
    else
        *created = &vfio->base;
    return error;
}
