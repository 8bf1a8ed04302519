// The life of a device: which driver runs, and which queues are served.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "front/vhost_user/private.h"
#include "os/clock.h"
#include "os/loop.h"

// ---- queues ---------------------------------------------------------------

static void on_request(struct virtio_queue *queue, struct virtio_request *request)
{
    struct vhost_user *vhost = queue->owner;
    vhost->device.ops->request(vhost->device.data, queue->index, vhost->scratch.parts,
                               vhost->scratch.count, request->response, request->size, request);
}

static void flush(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    for (unsigned i = 0; i < vhost->device.queue_count; i++)
        virtio_queue_flush(&vhost->queues[i]);
}

static void process(struct vhost_user *vhost, struct virtio_queue *queue)
{
    if (virtio_queue_process(queue))
        os_source_set_deadline(vhost->again, os_now_ns() + 1); // in the next round of the loop
    virtio_queue_flush(queue);
}

static void process_all(void *data)
{
    struct vhost_user *vhost = data;
    for (unsigned i = 0; i < vhost->device.queue_count && vhost->state == VHOST_RUNNING; i++)
        process(vhost, &vhost->queues[i]);
}

static void on_kick(void *data, int fd, unsigned events)
{
    struct virtio_queue *queue = data;
    struct vhost_user *vhost = queue->owner;
    // An eventfd gives 8 bytes, a pipe what it has. If it has more, the loop calls again.
    uint8_t bytes[512];
    ssize_t got;
    do
        got = read(fd, bytes, sizeof(bytes));
    while (got < 0 && errno == EINTR);
    if (got <= 0) {
        if (got == 0 || events & OS_HANGUP) { // the other end of a pipe is gone
            os_source_remove(vhost->kick_sources[queue->index]);
            vhost->kick_sources[queue->index] = NULL;
        }
        return;
    }
    if (vhost->state == VHOST_RUNNING)
        process(vhost, queue);
    else
        vhost_user_advance(vhost, true);
}

static void drop_kick(struct vhost_user *vhost, struct virtio_queue *queue)
{
    os_source_remove(vhost->kick_sources[queue->index]);
    vhost->kick_sources[queue->index] = NULL;
    if (queue->kick >= 0)
        close(queue->kick);
    queue->kick = -1;
}

bool vhost_user_set_kick(struct vhost_user *vhost, struct virtio_queue *queue, int fd)
{
    drop_kick(vhost, queue);
    struct os_source *source = os_loop_add_fd(vhost->loop, fd, OS_READABLE, on_kick, queue);
    if (!source) {
        close(fd);
        return false;
    }
    vhost->kick_sources[queue->index] = source;
    queue->kick = fd;
    return true;
}

// ---- start and stop -------------------------------------------------------

static bool usable(const struct vhost_user *vhost, const struct virtio_queue *queue)
{
    return queue->kick >= 0 && queue->addressed && queue->size &&
           (queue->enabled || !(vhost->features & VHOST_F_PROTOCOL_FEATURES));
}

// Whether this is the driver that was stopped, with its queues where we left them. After a reset
// QEMU has forgotten our mappings, and a queue begins at 0.
static bool is_same_driver(const struct vhost_user *vhost)
{
    if (!vhost->had_driver || vhost->features != vhost->last_features)
        return false;
    bool moved = false;
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        const struct virtio_queue *queue = &vhost->queues[i];
        const struct vhost_ring_state *last = &vhost->last[i];
        if (last->ran != (queue->kick >= 0))
            return false;
        if (!last->ran)
            continue;
        if (last->size != queue->size || last->next != queue->next ||
            last->descriptors_at != queue->descriptors_at ||
            last->available_at != queue->available_at || last->used_at != queue->used_at)
            return false;
        moved |= queue->next != 0;
    }
    return vhost->shmem.range_count ? vhost->shmem.in_table : moved;
}

static void forget_driver(struct vhost_user *vhost)
{
    if (!vhost->had_driver)
        return;
    vhost->had_driver = false;
    memset(vhost->last, 0, sizeof(vhost->last));
    for (unsigned i = 0; i < vhost->device.queue_count; i++)
        virtio_queue_forget(&vhost->queues[i]);
    vhost_shmem_forget(vhost);
    vhost->device.ops->reset(vhost->device.data);
    virtio_memory_trim(&vhost->memory);
}

static void start_queues(struct vhost_user *vhost)
{
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        struct virtio_queue *queue = &vhost->queues[i];
        if (queue->running || !usable(vhost, queue) || virtio_queue_start(queue, vhost->features))
            continue;
        if (log_limit_allows(&vhost->limit, os_now_ns(), 5, 10000000000ull))
            log_warning("%s: queue %u is not in guest memory", vhost->device.name, i);
    }
}

static void run(struct vhost_user *vhost)
{
    vhost->state = VHOST_RUNNING;
    vhost_shmem_advance(vhost);
    process_all(vhost);
}

void vhost_user_advance(struct vhost_user *vhost, bool kicked)
{
    if (vhost->state == VHOST_STARTING || vhost->state == VHOST_RUNNING) {
        start_queues(vhost);
        vhost_shmem_advance(vhost);
        process_all(vhost);
        return;
    }
    if (vhost->state != VHOST_STOPPED)
        return;
    bool any = false, all = true;
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        any |= usable(vhost, &vhost->queues[i]);
        all &= !vhost->last[i].ran || vhost->queues[i].kick >= 0;
    }
    if (!any || !(all || kicked)) // the queues of a paused driver come back one by one
        return;
    if (!vhost->decided) {
        vhost->decided = true;
        vhost->resumed = is_same_driver(vhost);
        if (!vhost->resumed)
            forget_driver(vhost);
    }
    // A paused driver may wait for responses that were kept back. A new one is started when it asks
    // for something: only then is QEMU certain to be ready for shared memory.
    if (!vhost->resumed && !kicked)
        return;
    vhost->state = VHOST_STARTING;
    vhost->had_driver = true;
    vhost->last_features = vhost->features;
    start_queues(vhost);
    if (vhost->device.ops->start(vhost->device.data, vhost->features, vhost->resumed) &&
        vhost->state == VHOST_STARTING)
        run(vhost);
}

static void ready(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    if (vhost->state == VHOST_STARTING)
        run(vhost);
}

static void note_rings(struct vhost_user *vhost)
{
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        const struct virtio_queue *queue = &vhost->queues[i];
        vhost->last[i] = (struct vhost_ring_state){
            .ran = queue->kick >= 0,
            .size = queue->size,
            .next = queue->next,
            .descriptors_at = queue->descriptors_at,
            .available_at = queue->available_at,
            .used_at = queue->used_at,
        };
    }
}

bool vhost_user_halt(struct vhost_user *vhost)
{
    bool ran = vhost->state == VHOST_STARTING || vhost->state == VHOST_RUNNING;
    if (ran)
        note_rings(vhost);
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        virtio_queue_stop(&vhost->queues[i]);
        drop_kick(vhost, &vhost->queues[i]); // a new one shows that the queue is started again
    }
    os_source_set_deadline(vhost->again, 0);
    vhost->decided = false;
    vhost->shmem.in_table = false;
    if (!ran)
        return vhost->state != VHOST_STOPPING;
    vhost->state = VHOST_STOPPING;
    if (!vhost->device.ops->stop(vhost->device.data))
        return false;
    vhost->state = VHOST_STOPPED;
    return true;
}

static void stopped(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    if (vhost->state != VHOST_STOPPING)
        return;
    vhost->state = VHOST_STOPPED;
    vhost_user_answer_base(vhost);
}

static void driver_gone(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    if (vhost->state == VHOST_STOPPED)
        forget_driver(vhost);
}

static void *memory(struct virtio_transport *transport, uint64_t address, uint64_t size)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    uint64_t available;
    void *at = virtio_memory_at(&vhost->memory, address, size, &available);
    return at && available == size ? at : NULL;
}

// ---- the whole ------------------------------------------------------------

static void on_message(void *data, struct virtio_message *message)
{
    vhost_user_handle(data, message);
}

static void on_closed(void *data, int error)
{
    struct vhost_user *vhost = data;
    vhost_user_halt(vhost);
    vhost->state = VHOST_CLOSED;
    vhost->device.ops->closed(vhost->device.data);
}

static void destroy(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    virtio_channel_destroy(vhost->main);
    virtio_channel_destroy(vhost->backend);
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        drop_kick(vhost, &vhost->queues[i]);
        virtio_queue_finish(&vhost->queues[i]);
    }
    os_source_remove(vhost->again);
    vhost_shmem_finish(&vhost->shmem);
    free(vhost->scratch.parts);
    virtio_memory_finish(&vhost->memory);
    free(vhost);
}

bool vhost_user_is_spoken(uint32_t first)
{
    return first && first <= VHOST_GET_SHMEM_CONFIG;
}

int vhost_user_create(struct os_loop *loop, int fd, const struct virtio_device *device,
                      struct virtio_transport **created)
{
    static const struct virtio_transport_ops transport_ops = {
        .destroy = destroy,
        .ready = ready,
        .stopped = stopped,
        .driver_gone = driver_gone,
        .flush = flush,
        .config_changed = vhost_shmem_config_changed,
        .memory = memory,
        .map = vhost_shmem_map,
        .unmap = vhost_shmem_unmap,
        .address = vhost_shmem_address,
        .guest_address = vhost_shmem_guest_address,
    };
    static const struct virtio_channel_ops ops = {.message = on_message, .closed = on_closed};
    bool possible = device->queue_count && device->queue_count <= VIRTIO_MAX_QUEUES &&
                    device->config_size <= VIRTIO_MAX_CONFIG;
    struct vhost_user *vhost = possible ? calloc(1, sizeof(*vhost)) : NULL;
    *created = NULL;
    if (!vhost) {
        close(fd);
        return possible ? -ENOMEM : -EINVAL;
    }
    vhost->transport = (struct virtio_transport){.ops = &transport_ops, .shmem_file = -1};
    vhost->loop = loop;
    vhost->device = *device;
    for (unsigned i = 0; i < device->queue_count; i++) {
        struct virtio_queue *queue = &vhost->queues[i];
        *queue = (struct virtio_queue){
            .owner = vhost,
            .index = i,
            .name = device->name,
            .memory = &vhost->memory,
            .scratch = &vhost->scratch,
            .max_response = device->max_response,
            .request = on_request,
        };
        virtio_queue_init(queue);
    }
    vhost->again = os_loop_add_timer(loop, 0, process_all, vhost);
    int error = virtio_channel_create(loop, fd, &virtio_channel_form, &ops, vhost, &vhost->main);
    if (!error && (!vhost_shmem_init(vhost) || !vhost->again))
        error = -ENOMEM;
    if (error)
        destroy(&vhost->transport);
    else
        *created = &vhost->transport;
    return error;
}
