// Messages of the front end on the main socket. Every one is answered, and we never close the
// socket: QEMU aborts when it loses its back end.
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "front/vhost_user/private.h"
#include "os/clock.h"
#include "os/socket.h"

// What a handler did. A front end that asks for it is told of ACKNOWLEDGED and REFUSED.
enum outcome { ACKNOWLEDGED = 0, REFUSED = 1, ANSWERED };

// A message with an answer of its own is ANSWERED, even if the answer cannot be sent.
static enum outcome answer(struct vhost_user *vhost, uint32_t type, const void *payload,
                           uint32_t size)
{
    virtio_channel_send(vhost->main, type, VHOST_REPLY, payload, size, -1);
    return ANSWERED;
}

static enum outcome answer_u64(struct vhost_user *vhost, uint32_t type, uint64_t value)
{
    return answer(vhost, type, &value, sizeof(value));
}

static bool has_u64(const struct virtio_message *message, uint64_t *value)
{
    if (message->header.size != sizeof(*value))
        return false;
    memcpy(value, message->payload, sizeof(*value));
    return true;
}

// ---- features -------------------------------------------------------------

static uint64_t offered(const struct vhost_user *vhost)
{
    return vhost->device.features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
           VIRTIO_F_EVENT_IDX | VHOST_F_PROTOCOL_FEATURES;
}

static uint64_t offered_protocol(const struct vhost_user *vhost)
{
    uint64_t bits = VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_BACKEND_REQ;
    if (vhost->device.config_size)
        bits |= VHOST_PROTOCOL_CONFIG;
    if (vhost->device.shmem_size)
        bits |=
            VHOST_PROTOCOL_BACKEND_SEND_FD | VHOST_PROTOCOL_SHARED_OBJECT | VHOST_PROTOCOL_SHMEM;
    return bits;
}

static enum outcome set_features(struct vhost_user *vhost, const struct virtio_message *message)
{
    uint64_t bits;
    if (!has_u64(message, &bits) || bits & ~offered(vhost))
        return REFUSED;
    vhost->features = bits;
    return ACKNOWLEDGED;
}

static enum outcome set_protocol_features(struct vhost_user *vhost,
                                          const struct virtio_message *message)
{
    uint64_t bits;
    if (!has_u64(message, &bits) || bits & ~offered_protocol(vhost))
        return REFUSED;
    vhost->protocol = bits;
    return ACKNOWLEDGED;
}

// ---- memory ---------------------------------------------------------------

static enum outcome set_memory_table(struct vhost_user *vhost, struct virtio_message *message)
{
    struct vhost_memory_table table;
    if (message->header.size < 8 || message->header.size > sizeof(table))
        return REFUSED;
    memset(&table, 0, sizeof(table));
    memcpy(&table, message->payload, message->header.size);
    if (table.count > VHOST_MAX_REGIONS ||
        message->header.size < 8 + table.count * sizeof(*table.regions) ||
        message->fd_count != table.count)
        return REFUSED;

    // Files that the device itself has put into the guest's address space are not guest memory: a
    // worker may cut such a file short at any time.
    int fds[VIRTIO_MAX_FDS];
    vhost_shmem_begin_table(vhost);
    for (uint32_t i = 0; i < table.count; i++)
        fds[i] = vhost_shmem_owns(vhost, &table.regions[i], message->fds[i]) ? -1 : message->fds[i];
    int error = virtio_memory_set(&vhost->memory, table.regions, table.count, fds);
    if (error)
        log_error("%s: cannot map the guest's memory: %s (QEMU needs memory-backend-memfd,share=on "
                  "or memory-backend-shm)",
                  vhost->device.name, strerror(-error));
    return error ? REFUSED : ACKNOWLEDGED;
}

// ---- queues ---------------------------------------------------------------

static struct virtio_queue *queue_of(struct vhost_user *vhost, uint64_t index)
{
    return index < vhost->device.queue_count ? &vhost->queues[index] : NULL;
}

static struct virtio_queue *vring_state(struct vhost_user *vhost,
                                        const struct virtio_message *message,
                                        struct vhost_vring_state *state)
{
    if (message->header.size != sizeof(*state))
        return NULL;
    memcpy(state, message->payload, sizeof(*state));
    return queue_of(vhost, state->index);
}

static enum outcome set_number(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_vring_state state;
    struct virtio_queue *queue = vring_state(vhost, message, &state);
    if (!queue || queue->running || !is_power_of_two_u64(state.number) ||
        state.number > VIRTIO_MAX_QUEUE_SIZE)
        return REFUSED;
    queue->size = state.number;
    return ACKNOWLEDGED;
}

static enum outcome set_base(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_vring_state state;
    struct virtio_queue *queue = vring_state(vhost, message, &state);
    if (!queue || queue->running || state.number > UINT16_MAX)
        return REFUSED;
    queue->next = (uint16_t)state.number;
    return ACKNOWLEDGED;
}

static enum outcome set_address(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_vring_address address;
    if (message->header.size != sizeof(address))
        return REFUSED;
    memcpy(&address, message->payload, sizeof(address));
    struct virtio_queue *queue = queue_of(vhost, address.index);
    if (!queue)
        return REFUSED;
    // A running queue keeps its rings. QEMU sends this for one only to switch dirty logging, which
    // was not offered.
    if (queue->running)
        return address.descriptors == queue->descriptors_at &&
                       address.available == queue->available_at && address.used == queue->used_at
                   ? ACKNOWLEDGED
                   : REFUSED;
    queue->descriptors_at = address.descriptors;
    queue->available_at = address.available;
    queue->used_at = address.used;
    queue->addressed = true;
    return ACKNOWLEDGED;
}

static enum outcome get_base(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_vring_state state;
    struct virtio_queue *queue = vring_state(vhost, message, &state);
    if (!queue) {
        state = (struct vhost_vring_state){0};
        return answer(vhost, VHOST_GET_VRING_BASE, &state, sizeof(state));
    }
    bool now = vhost_user_halt(vhost);
    vhost->base = (struct vhost_vring_state){state.index, queue->next};
    vhost->base_due = true;
    if (now)
        vhost_user_answer_base(vhost);
    else
        virtio_channel_pause(vhost->main, true);
    return ANSWERED;
}

void vhost_user_answer_base(struct vhost_user *vhost)
{
    if (!vhost->base_due)
        return;
    vhost->base_due = false;
    answer(vhost, VHOST_GET_VRING_BASE, &vhost->base, sizeof(vhost->base));
    virtio_channel_pause(vhost->main, false);
}

static enum outcome set_enable(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_vring_state state;
    struct virtio_queue *queue = vring_state(vhost, message, &state);
    if (!queue || state.number > 1)
        return REFUSED;
    queue->enabled = state.number;
    if (!queue->enabled)
        virtio_queue_stop(queue);
    return ACKNOWLEDGED;
}

// For SET_VRING_KICK, CALL and ERR. Returns the queue; `fd` gets its descriptor, or -1 if the front
// end has none. Owns: the descriptor becomes the caller's.
static struct virtio_queue *vring_fd(struct vhost_user *vhost, struct virtio_message *message,
                                     int *fd)
{
    uint64_t value;
    if (!has_u64(message, &value))
        return NULL;
    struct virtio_queue *queue = queue_of(vhost, value & VHOST_VRING_INDEX_MASK);
    bool none = value & VHOST_VRING_NO_FD;
    if (!queue || message->fd_count != (none ? 0 : 1))
        return NULL;
    *fd = -1;
    if (!none) {
        if (os_socket_set_nonblocking(message->fds[0], true))
            return NULL;
        *fd = message->fds[0];
        message->fds[0] = -1;
    }
    return queue;
}

static enum outcome set_kick(struct vhost_user *vhost, struct virtio_message *message)
{
    int fd;
    struct virtio_queue *queue = vring_fd(vhost, message, &fd);
    if (!queue)
        return REFUSED;
    if (fd < 0) {
        log_error("%s: the front end wants its queues polled, which is not supported",
                  vhost->device.name);
        return REFUSED;
    }
    return vhost_user_set_kick(vhost, queue, fd) ? ACKNOWLEDGED : REFUSED;
}

static enum outcome set_call(struct vhost_user *vhost, struct virtio_message *message)
{
    int fd;
    struct virtio_queue *queue = vring_fd(vhost, message, &fd);
    if (!queue)
        return REFUSED;
    if (queue->call >= 0)
        close(queue->call);
    queue->call = fd;
    return ACKNOWLEDGED;
}

static enum outcome set_error(struct vhost_user *vhost, struct virtio_message *message)
{
    int fd;
    if (!vring_fd(vhost, message, &fd))
        return REFUSED;
    if (fd >= 0)
        close(fd); // errors of a queue go to the log
    return ACKNOWLEDGED;
}

// ---- configuration space --------------------------------------------------

// `inside` gets how much of the range the device has. False: the message is malformed.
static bool config_range(const struct vhost_user *vhost, const struct virtio_message *message,
                         struct vhost_config *config, uint32_t *inside)
{
    memset(config, 0, sizeof(*config));
    if (message->header.size < VHOST_CONFIG_HEADER || message->header.size > sizeof(*config))
        return false;
    memcpy(config, message->payload, message->header.size);
    uint32_t size = config->size, end = vhost->device.config_size;
    if (size > VIRTIO_MAX_CONFIG || message->header.size != VHOST_CONFIG_HEADER + size)
        return false;
    *inside = config->offset >= end ? 0 : size < end - config->offset ? size : end - config->offset;
    return true;
}

// QEMU holds its big lock until it has the answer.
static enum outcome get_config(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_config config;
    uint32_t inside;
    if (!config_range(vhost, message, &config, &inside))
        return answer(vhost, VHOST_GET_CONFIG, NULL, 0); // means: failed
    memset(config.bytes, 0, sizeof(config.bytes));
    if (inside)
        vhost->device.ops->read_config(vhost->device.data, config.offset, config.bytes, inside);
    return answer(vhost, VHOST_GET_CONFIG, &config, VHOST_CONFIG_HEADER + config.size);
}

static enum outcome set_config(struct vhost_user *vhost, const struct virtio_message *message)
{
    struct vhost_config config;
    uint32_t inside;
    if (!config_range(vhost, message, &config, &inside))
        return REFUSED;
    if (inside)
        vhost->device.ops->write_config(vhost->device.data, config.offset, config.bytes, inside);
    return ACKNOWLEDGED;
}

// ---- shared memory --------------------------------------------------------

static enum outcome set_backend_channel(struct vhost_user *vhost, struct virtio_message *message)
{
    if (message->fd_count != 1)
        return REFUSED;
    int fd = message->fds[0];
    message->fds[0] = -1;
    return vhost_shmem_set_channel(vhost, fd) ? ACKNOWLEDGED : REFUSED;
}

static enum outcome get_shmem_config(struct vhost_user *vhost)
{
    struct vhost_shmem_config config = {0};
    if (vhost->device.shmem_size) {
        config.count = 1;
        config.sizes[vhost->device.shmid] = vhost->device.shmem_size;
    }
    return answer(vhost, VHOST_GET_SHMEM_CONFIG, &config, sizeof(config));
}

// ---- all of them ----------------------------------------------------------

static enum outcome dispatch(struct vhost_user *vhost, struct virtio_message *message)
{
    uint32_t type = message->header.type;
    switch (type) {
    case VHOST_GET_FEATURES:
        return answer_u64(vhost, type, offered(vhost));
    case VHOST_SET_FEATURES:
        return set_features(vhost, message);
    case VHOST_GET_PROTOCOL_FEATURES:
        return answer_u64(vhost, type, offered_protocol(vhost));
    case VHOST_SET_PROTOCOL_FEATURES:
        return set_protocol_features(vhost, message);
    case VHOST_GET_QUEUE_NUM:
        return answer_u64(vhost, type, vhost->device.queue_count);
    case VHOST_SET_OWNER:
    case VHOST_RESET_OWNER:
        return ACKNOWLEDGED;
    case VHOST_SET_MEM_TABLE:
        return set_memory_table(vhost, message);
    case VHOST_SET_VRING_NUM:
        return set_number(vhost, message);
    case VHOST_SET_VRING_BASE:
        return set_base(vhost, message);
    case VHOST_SET_VRING_ADDR:
        return set_address(vhost, message);
    case VHOST_GET_VRING_BASE:
        return get_base(vhost, message);
    case VHOST_SET_VRING_ENABLE:
        return set_enable(vhost, message);
    case VHOST_SET_VRING_KICK:
        return set_kick(vhost, message);
    case VHOST_SET_VRING_CALL:
        return set_call(vhost, message);
    case VHOST_SET_VRING_ERR:
        return set_error(vhost, message);
    case VHOST_GET_CONFIG:
        return get_config(vhost, message);
    case VHOST_SET_CONFIG:
        return set_config(vhost, message);
    case VHOST_SET_BACKEND_REQ_FD:
        return set_backend_channel(vhost, message);
    case VHOST_GET_SHMEM_CONFIG:
        return get_shmem_config(vhost);
    }
    return REFUSED;
}

void vhost_user_handle(struct vhost_user *vhost, struct virtio_message *message)
{
    const struct virtio_header *header = &message->header;
    enum outcome outcome = REFUSED;
    if (!message->skipped && !(header->flags & VHOST_REPLY) &&
        (header->flags & VIRTIO_CHANNEL_VERSION_MASK) == VHOST_VERSION)
        outcome = dispatch(vhost, message);
    if (outcome == REFUSED && log_limit_allows(&vhost->limit, os_now_ns(), 5, 10000000000ull))
        log_warning("%s: message %u of %u bytes and %u descriptors from the front end was refused",
                    vhost->device.name, (unsigned)header->type, (unsigned)header->size,
                    message->fd_count);
    if (outcome != ANSWERED && header->flags & VHOST_NEED_REPLY &&
        vhost->protocol & VHOST_PROTOCOL_REPLY_ACK)
        answer_u64(vhost, header->type, outcome);
    if (header->type == VHOST_SET_VRING_ENABLE || header->type == VHOST_SET_VRING_KICK)
        vhost_user_advance(vhost, false);
}
