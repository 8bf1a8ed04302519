// The life of a device: which driver runs, and which queues are served.
#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "front/vfio_user/private.h"
#include "os/clock.h"
#include "os/loop.h"

// ---- queues ---------------------------------------------------------------

static void process(struct vfio_user *vfio, struct virtio_queue *queue)
{
    if (virtio_queue_process(queue))
        os_source_set_deadline(vfio->again, os_now_ns() + 1); // in the next round of the loop
    virtio_queue_flush(queue);
}

void vfio_user_process(struct vfio_user *vfio)
{
    for (unsigned i = 0; i < vfio->device.queue_count && vfio->state == VFIO_RUNNING; i++)
        process(vfio, &vfio->queues[i]);
}

// Once for each driver: when it has kicked first.
static void look_for_silence(struct vfio_user *vfio)
{
    if (vfio->state == VFIO_RUNNING && !vfio->looked)
        virtio_queues_explain_silence(vfio->queues, vfio->device.queue_count);
    vfio->looked = true;
}

void vfio_user_kick(struct vfio_user *vfio, unsigned index)
{
    struct virtio_queue *queue = &vfio->queues[index];
    vfio->kicked_early |= vfio->state == VFIO_STARTING;
    if (vfio->state != VFIO_RUNNING || !queue->running)
        return;
    process(vfio, queue);
    look_for_silence(vfio);
}

// ---- start and stop -------------------------------------------------------

static void say_no_queue(struct vfio_user *vfio, const struct virtio_queue *queue)
{
    if (vfio_dma_is_private(&vfio->dma, queue->descriptors_at))
        virtio_say_not_shared(vfio->device.name);
    else if (log_limit_allows(&vfio->limit, os_now_ns(), 5, 10000000000ull))
        log_warning("%s: queue %u is not in guest memory", vfio->device.name, queue->index);
    vfio->registers.status |= VFIO_STATUS_NEEDS_RESET;
}

static void start_queues(struct vfio_user *vfio)
{
    for (unsigned i = 0; i < vfio->device.queue_count && vfio->master; i++) {
        struct virtio_queue *queue = &vfio->queues[i];
        if (queue->enabled && !queue->running &&
            !virtio_queue_start(queue, vfio->registers.features))
            say_no_queue(vfio, queue);
    }
}

static void run(struct vfio_user *vfio)
{
    vfio->state = VFIO_RUNNING;
    start_queues(vfio);
    vfio_user_process(vfio);
    // A driver kicks once and waits, often before the placer has answered: that kick tells, too.
    if (vfio->kicked_early)
        look_for_silence(vfio);
}

static void start(struct vfio_user *vfio)
{
    vfio->state = VFIO_STARTING;
    vfio->looked = vfio->kicked_early = false;
    if (vfio->device.ops->start(vfio->device.data, vfio->registers.features, false) &&
        vfio->state == VFIO_STARTING)
        run(vfio);
}

void vfio_user_ready(struct vfio_user *vfio)
{
    if (vfio->state == VFIO_STARTING)
        run(vfio);
}

// The status reads as zero from here on: that is the driver's sign.
static void forget_driver(struct vfio_user *vfio)
{
    vfio->state = VFIO_IDLE;
    for (unsigned i = 0; i < vfio->device.queue_count; i++)
        virtio_queue_forget(&vfio->queues[i]);
    vfio_registers_reset(&vfio->registers);
    vfio->config_due = false;
    vfio->device.ops->reset(vfio->device.data);
    virtio_memory_trim(&vfio->dma.memory);
}

void vfio_user_reset(struct vfio_user *vfio)
{
    if (vfio->state == VFIO_IDLE)
        vfio_registers_reset(&vfio->registers);
    if (vfio->state != VFIO_STARTING && vfio->state != VFIO_RUNNING)
        return;
    for (unsigned i = 0; i < vfio->device.queue_count; i++)
        virtio_queue_stop(&vfio->queues[i]);
    os_source_set_deadline(vfio->again, 0);
    vfio->state = VFIO_STOPPING;
    if (vfio->device.ops->stop(vfio->device.data))
        forget_driver(vfio);
}

void vfio_user_stopped(struct vfio_user *vfio)
{
    if (vfio->state == VFIO_STOPPING)
        forget_driver(vfio);
}

// ---- interrupts and the bus -----------------------------------------------

static void set_calls(struct vfio_user *vfio)
{
    for (unsigned i = 0; i < vfio->device.queue_count; i++) {
        unsigned vector = vfio->registers.queue_vectors[i];
        vfio->queues[i].call = vector < vfio->interrupts.count ? vfio->interrupts.fds[vector] : -1;
    }
}

void vfio_user_config_changed(struct vfio_user *vfio)
{
    vfio->registers.generation++;
    if (!(vfio->registers.status & VFIO_STATUS_DRIVER_OK))
        return;
    vfio->registers.interrupt |= 2;
    vfio->config_due = !vfio->master;
    if (vfio->master)
        vfio_interrupts_fire(&vfio->interrupts, vfio->registers.config_vector);
}

void vfio_user_update(struct vfio_user *vfio)
{
    bool master = vfio_config_is_master(&vfio->config);
    set_calls(vfio);
    if (master == vfio->master)
        return;
    vfio->master = master;
    if (!master) { // what is completed meanwhile is kept back
        for (unsigned i = 0; i < vfio->device.queue_count; i++)
            virtio_queue_stop(&vfio->queues[i]);
        return;
    }
    if (vfio->config_due)
        vfio_user_config_changed(vfio);
    if (vfio->state != VFIO_RUNNING)
        return;
    start_queues(vfio);
    vfio_user_process(vfio);
}

void vfio_user_act(struct vfio_user *vfio, enum vfio_register_event event)
{
    if (event == VFIO_STOP)
        vfio_user_reset(vfio);
    set_calls(vfio);
    if (event == VFIO_START && vfio->state == VFIO_IDLE)
        start(vfio);
}
