// What the files of the vhost-user library share.
#ifndef VHOST_USER_PRIVATE_H
#define VHOST_USER_PRIVATE_H

#include "base/queue.h"
#include "front/vhost_user/protocol.h"
#include "front/vhost_user/vhost_user.h"
#include "front/virtio/channel.h"
#include "front/virtio/memory.h"
#include "front/virtio/queue.h"

struct os_source;

enum vhost_state {
    VHOST_STOPPED,  // no driver, or a paused one
    VHOST_STARTING, // waiting for vhost_user_ready
    VHOST_RUNNING,
    VHOST_STOPPING, // the answer to GET_VRING_BASE waits for vhost_user_stopped
    VHOST_CLOSED,
};

// A range that the front end has mapped for us.
struct vhost_shmem_range {
    uint64_t offset, size;
    struct virtio_file_id file;
    uint64_t file_offset;
    // From the memory table; 0: unknown.
    uint64_t address; // in the front end
    uint64_t guest;   // in the guest's physical memory
};

struct vhost_operation {
    uint32_t type; // VHOST_BACKEND_SHMEM_MAP or UNMAP
    struct vhost_shmem_range range;
    int fd; // ours; -1: none
    bool writable;
    virtio_done done;
    void *data;
    uint64_t cookie;
};

struct vhost_shmem {
    struct queue operations; // struct vhost_operation: to be carried out one by one
    uint32_t begun;          // the message of which only the first byte was sent; 0: none
    uint64_t begun_at;       // os_now_ns
    struct os_source *timer; // to see whether it was read
    uint32_t awaited;        // the message that is to be answered; 0: none
    // The first operation is a mapping that QEMU has accepted and that the guest may not see yet.
    bool committing;
    // The operation of the message that is begun or awaited was cancelled.
    bool orphaned;
    struct vhost_shmem_range *ranges;
    unsigned range_count, range_capacity;
    bool in_table; // the last memory table names one of the ranges
};

struct vhost_user {
    struct virtio_transport transport;
    struct os_loop *loop;
    struct virtio_device device;
    struct virtio_channel *main, *backend;
    uint64_t features, protocol; // negotiated
    struct virtio_memory memory;
    struct virtio_scratch scratch;
    struct vhost_shmem shmem;

    struct virtio_queue queues[VIRTIO_MAX_QUEUES];
    struct os_source *kick_sources[VIRTIO_MAX_QUEUES];
    struct os_source *again; // timer: a queue has more to do
    enum vhost_state state;
    struct log_limit limit;

    // The driver that ran last, to tell at the next start whether it is still the same.
    bool had_driver; // started since the last reset
    bool decided;    // whether the coming start is fresh
    bool resumed;
    uint64_t last_features;
    struct vhost_ring_state {
        bool ran;
        uint32_t size;
        uint16_t next;
        uint64_t descriptors_at, available_at, used_at;
    } last[VIRTIO_MAX_QUEUES];

    bool base_due; // GET_VRING_BASE is to be answered
    struct vhost_vring_state base;
};

static inline struct vhost_user *vhost_user_of(const struct virtio_transport *transport)
{
    return (struct vhost_user *)(uintptr_t)transport;
}

// messages.c
void vhost_user_handle(struct vhost_user *vhost, struct virtio_message *message);
void vhost_user_answer_base(struct vhost_user *vhost);

// vhost_user.c
// Starts queues that have become usable. `kicked`: the driver has asked for something.
void vhost_user_advance(struct vhost_user *vhost, bool kicked);
bool vhost_user_set_kick(struct vhost_user *vhost, struct virtio_queue *queue, int fd);
// The front end stops a queue, and with it the device. True: it may have its answer now.
bool vhost_user_halt(struct vhost_user *vhost);

// shmem.c
bool vhost_shmem_init(struct vhost_user *vhost);
void vhost_shmem_finish(struct vhost_shmem *shmem);
bool vhost_shmem_set_channel(struct vhost_user *vhost, int fd);
// Sends what could not be sent while the device was stopped.
void vhost_shmem_advance(struct vhost_user *vhost);
// All mappings are gone. Answers that are under way are ignored.
void vhost_shmem_forget(struct vhost_user *vhost);
// As in virtio_transport_ops.
int vhost_shmem_map(struct virtio_transport *transport, uint64_t offset, int fd,
                    uint64_t file_offset, uint64_t size, bool writable, virtio_done done,
                    void *data, uint64_t cookie);
int vhost_shmem_unmap(struct virtio_transport *transport, uint64_t offset, uint64_t size,
                      virtio_done done, void *data, uint64_t cookie);
uint64_t vhost_shmem_address(const struct virtio_transport *transport, uint64_t offset);
uint64_t vhost_shmem_guest_address(const struct virtio_transport *transport, uint64_t offset);
void vhost_shmem_config_changed(struct virtio_transport *transport);
// A memory table is being set.
void vhost_shmem_begin_table(struct vhost_user *vhost);
// Whether a region of it is one of our mappings, not guest memory.
bool vhost_shmem_owns(struct vhost_user *vhost, const struct virtio_memory_region *region, int fd);

#endif
