// Private to src/front/vfio_user: what its files share.
#ifndef VFIO_USER_PRIVATE_H
#define VFIO_USER_PRIVATE_H

#include "front/vfio_user/config.h"
#include "front/vfio_user/dma.h"
#include "front/vfio_user/interrupts.h"
#include "front/vfio_user/protocol.h"
#include "front/vfio_user/registers.h"
#include "front/vfio_user/vfio_user.h"
#include "front/virtio/channel.h"

struct os_source;

enum vfio_state {
    VFIO_IDLE,     // no driver
    VFIO_STARTING, // waiting for `ready`
    VFIO_RUNNING,
    VFIO_STOPPING, // waiting for `stopped`; then it is reset
    VFIO_CLOSED,
};

struct vfio_user {
    struct virtio_transport base;
    struct os_loop *loop;
    struct virtio_device device;
    struct virtio_channel *channel;
    bool greeted; // VERSION was agreed on
    struct vfio_config config;
    struct vfio_registers registers;
    struct vfio_interrupts interrupts;
    struct vfio_dma dma;
    struct virtio_scratch scratch;
    struct virtio_queue queues[VIRTIO_MAX_QUEUES];
    struct os_source *again; // timer: a queue has more to do
    enum vfio_state state;
    bool master;     // the guest lets us use its memory
    bool config_due; // its change was not told, as `master` was off
    struct log_limit limit;
    bool kicked_early; // a kick came while the device was starting
    bool looked;       // whether the guest's memory is shared
};

// life.c
// What the guest has asked for in VFIO_BAR_VIRTIO, but for kicks.
void vfio_user_act(struct vfio_user *vfio, enum vfio_register_event event);
void vfio_user_kick(struct vfio_user *vfio, unsigned queue);
void vfio_user_process(struct vfio_user *vfio); // all queues
// The driver is gone.
void vfio_user_reset(struct vfio_user *vfio);
// The bus mastering bit, or the vectors' eventfds, may have changed.
void vfio_user_update(struct vfio_user *vfio);
void vfio_user_ready(struct vfio_user *vfio);
void vfio_user_stopped(struct vfio_user *vfio);
void vfio_user_config_changed(struct vfio_user *vfio);

// messages.c
extern const struct virtio_channel_form vfio_user_form;
void vfio_user_handle(struct vfio_user *vfio, struct virtio_message *whole);

#endif
