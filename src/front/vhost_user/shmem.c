// The back-end channel: our requests to the front end, above all shared-memory mappings.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "front/vhost_user/private.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"

static void on_timer(void *data);

bool vhost_shmem_init(struct vhost_user *vhost)
{
    vhost->shmem.operations = QUEUE_OF(struct vhost_operation);
    vhost->shmem.timer = os_loop_add_timer(vhost->loop, 0, on_timer, vhost);
    return vhost->shmem.timer != NULL;
}

void vhost_shmem_finish(struct vhost_shmem *shmem)
{
    os_source_remove(shmem->timer);
    for (uint32_t i = 0; i < shmem->operations.count; i++) {
        const struct vhost_operation *operation = queue_at(&shmem->operations, i);
        if (operation->fd >= 0)
            close(operation->fd);
    }
    queue_finish(&shmem->operations);
    free(shmem->ranges);
    *shmem = (struct vhost_shmem){0};
}

// ---- what is mapped -------------------------------------------------------

static struct vhost_shmem_range *find_range(const struct vhost_shmem *shmem, uint64_t offset)
{
    for (unsigned i = 0; i < shmem->range_count; i++)
        if (offset - shmem->ranges[i].offset < shmem->ranges[i].size)
            return &shmem->ranges[i];
    return NULL;
}

static bool add_range(struct vhost_shmem *shmem, const struct vhost_shmem_range *range)
{
    if (shmem->range_count == shmem->range_capacity) {
        unsigned capacity = shmem->range_capacity ? shmem->range_capacity * 2 : 16;
        struct vhost_shmem_range *ranges = realloc(shmem->ranges, capacity * sizeof(*ranges));
        if (!ranges)
            return false;
        shmem->ranges = ranges;
        shmem->range_capacity = capacity;
    }
    shmem->ranges[shmem->range_count++] = *range;
    return true;
}

// If several claim the place, the one added last goes: it is the one that the front end refused.
static void remove_range(struct vhost_shmem *shmem, uint64_t offset)
{
    for (unsigned i = shmem->range_count; i-- > 0;) {
        if (shmem->ranges[i].offset != offset)
            continue;
        shmem->range_count--;
        memmove(&shmem->ranges[i], &shmem->ranges[i + 1],
                (shmem->range_count - i) * sizeof(*shmem->ranges));
        return;
    }
}

void vhost_shmem_begin_table(struct vhost_user *vhost)
{
    vhost->shmem.in_table = false;
    for (unsigned i = 0; i < vhost->shmem.range_count; i++)
        vhost->shmem.ranges[i].guest = 0;
}

bool vhost_shmem_owns(struct vhost_user *vhost, const struct virtio_memory_region *region, int fd)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    struct virtio_file_id id;
    if (!shmem->range_count || !virtio_file_identify(fd, &id))
        return false;
    // Where shared memory has no inode, a region that came after the mapping and looks like it is
    // it.
    uint64_t base = region->user_address - region->file_offset;
    bool unknown = !id.inode && !virtio_memory_knows(&vhost->memory, base);
    bool owns = false;
    for (unsigned i = 0; i < shmem->range_count; i++) {
        struct vhost_shmem_range *range = &shmem->ranges[i];
        uint64_t within = region->file_offset - range->file_offset;
        bool inside = checked_range(within, region->size, range->size);
        if (!virtio_file_same(range->file, id) && !(unknown && inside))
            continue;
        owns = true;
        if (inside) {
            range->address = region->user_address - within;
            range->guest = region->guest_address - within;
        }
    }
    shmem->in_table |= owns;
    return owns;
}

uint64_t vhost_shmem_address(const struct virtio_transport *transport, uint64_t offset)
{
    const struct vhost_user *vhost = vhost_user_of(transport);
    const struct vhost_shmem_range *range = find_range(&vhost->shmem, offset);
    return range && range->address ? range->address + (offset - range->offset) : 0;
}

uint64_t vhost_shmem_guest_address(const struct virtio_transport *transport, uint64_t offset)
{
    const struct vhost_user *vhost = vhost_user_of(transport);
    const struct vhost_shmem_range *range = find_range(&vhost->shmem, offset);
    return range && range->guest ? range->guest + (offset - range->offset) : 0;
}

// ---- one operation at a time ----------------------------------------------
//
// QEMU ends with a segmentation fault when it reads a shared-memory message after it has stopped
// the device, and a stop overtakes messages that it has not read yet. So a message is sent in two
// pieces. The first is its first byte, with the descriptor. When QEMU has read that byte, its main
// loop waits for the rest and holds its big lock: until it has the rest, the device neither starts
// nor stops. And we know whether the device is stopped, because QEMU has had our answers to every
// message of a stop. If it is stopped, the rest turns the message into one of a type that does not
// exist, and QEMU only complains.
//
// QEMU answers a mapping before the guest can see it, and does nothing else until the guest can. So
// each mapping is followed by a request to look up an object that does not exist: when that is
// answered, the guest can see the mapping.

// Whether a driver runs, or is about to run or to stop. An operation that is asked for now will be
// sent soon, or cancelled.
static bool may_ask(const struct vhost_user *vhost)
{
    return vhost->backend && vhost->protocol & VHOST_PROTOCOL_SHMEM &&
           (vhost->state == VHOST_STARTING || vhost->state == VHOST_RUNNING);
}

static bool may_send(const struct vhost_user *vhost)
{
    bool any = false;
    if (!may_ask(vhost))
        return false;
    for (unsigned i = 0; i < vhost->device.queue_count; i++) {
        const struct virtio_queue *queue = &vhost->queues[i];
        any |= queue->running;
        // QEMU is about to stop the device, or has not finished starting it.
        if (queue->kick >= 0 && !queue->running)
            return false;
    }
    return any;
}

static struct vhost_operation *first(const struct vhost_shmem *shmem)
{
    return queue_first(&shmem->operations);
}

static void finish_first(struct vhost_user *vhost, int error)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    struct vhost_operation operation = *first(shmem);
    queue_drop(&shmem->operations);
    if (operation.fd >= 0)
        close(operation.fd);
    if (operation.done)
        operation.done(operation.data, operation.cookie, error);
}

static bool look_up(struct vhost_user *vhost)
{
    static const uint8_t nobody[16] = {0x68, 0x65, 0x73, 0x70, 0x65, 0x72};
    uint32_t type = VHOST_BACKEND_SHARED_OBJECT_LOOKUP;
    if (!(vhost->protocol & VHOST_PROTOCOL_SHARED_OBJECT) ||
        !virtio_channel_send(vhost->backend, type, VHOST_NEED_REPLY, nobody, sizeof(nobody), -1))
        return false;
    vhost->shmem.awaited = type;
    return true;
}

// Message `type` without its first byte, which QEMU has.
static bool send_rest(struct vhost_user *vhost, uint32_t type, const void *payload, uint32_t size)
{
    uint8_t message[sizeof(struct virtio_header) + sizeof(struct vhost_shmem_map)];
    struct virtio_header header = {type, VHOST_VERSION | VHOST_NEED_REPLY, size};
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + sizeof(header), payload, size);
    const struct iovec rest = {message + 1, sizeof(header) + size - 1};
    if (!virtio_channel_send_parts(vhost->backend, &rest, 1, -1))
        return false;
    vhost->shmem.awaited = type;
    return true;
}

static void step(struct vhost_user *vhost);

// QEMU waits for the rest of the message: that is the first operation, or nothing if the operation
// cannot be carried out now.
static void finish_message(struct vhost_user *vhost)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    uint32_t begun = shmem->begun;
    shmem->begun = 0;
    if (shmem->orphaned || !may_send(vhost)) {
        shmem->orphaned = send_rest(vhost, begun | VHOST_BACKEND_NOTHING, NULL, 0);
        return;
    }
    struct vhost_operation *operation = first(shmem);
    struct vhost_shmem_map message = {
        .shmid = vhost->device.shmid,
        .file_offset = operation->range.file_offset,
        .offset = operation->range.offset,
        .size = operation->range.size,
        .flags = operation->writable ? VHOST_SHMEM_WRITABLE : 0,
    };
    // It counts from here on: a memory table that names it arrives before the answer.
    bool map = begun == VHOST_BACKEND_SHMEM_MAP;
    if (map && !add_range(shmem, &operation->range)) {
        shmem->orphaned = send_rest(vhost, begun | VHOST_BACKEND_NOTHING, NULL, 0);
        finish_first(vhost, -ENOMEM);
    } else if (!send_rest(vhost, begun, &message, sizeof(message))) {
        if (map)
            remove_range(shmem, operation->range.offset);
        finish_first(vhost, -EIO);
    }
}

// QEMU usually reads within some ten microseconds. While it is busy, we look less often.
static void await_reader(struct vhost_user *vhost)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    uint64_t now = os_now_ns();
    if (virtio_channel_unread(vhost->backend) != 1) // or that cannot be known
        finish_message(vhost);
    else
        os_source_set_deadline(shmem->timer,
                               now - shmem->begun_at < 100000 ? now + 1 : now + 1000000);
}

static void on_timer(void *data)
{
    struct vhost_user *vhost = data;
    if (vhost->backend && vhost->shmem.begun)
        await_reader(vhost);
}

// Goes on with the first operation.
static void step(struct vhost_user *vhost)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    while (shmem->operations.count && !shmem->awaited && !shmem->begun && may_send(vhost)) {
        struct vhost_operation *operation = first(shmem);
        uint8_t byte = (uint8_t)operation->type;
        const struct iovec begin = {&byte, 1};
        if (!virtio_channel_send_parts(vhost->backend, &begin, 1, operation->fd)) {
            finish_first(vhost, -EIO);
            continue;
        }
        shmem->begun = operation->type;
        shmem->begun_at = os_now_ns();
        await_reader(vhost);
    }
}

static void operation_answered(struct vhost_user *vhost, uint32_t type, uint64_t result)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    bool map = type == VHOST_BACKEND_SHMEM_MAP;
    if (shmem->committing) {
        shmem->committing = false;
        finish_first(vhost, 0);
    } else {
        if (map == (result != 0)) // a mapping refused or a removal carried out
            remove_range(shmem, first(shmem)->range.offset);
        shmem->committing = map && result == 0 && look_up(vhost);
        if (!shmem->committing)
            finish_first(vhost, result ? -EIO : 0);
    }
    step(vhost);
}

static void on_reply(void *data, struct virtio_message *message)
{
    struct vhost_user *vhost = data;
    struct vhost_shmem *shmem = &vhost->shmem;
    const struct virtio_header *header = &message->header;
    uint64_t result;
    if (!shmem->awaited || !(header->flags & VHOST_REPLY) || header->type != shmem->awaited ||
        header->size != sizeof(result) || message->skipped) {
        if (log_limit_allows(&vhost->limit, os_now_ns(), 5, 10000000000ull))
            log_warning("%s: an answer on the back-end channel that was not asked for (message %u)",
                        vhost->device.name, (unsigned)header->type);
        return;
    }
    memcpy(&result, message->payload, sizeof(result));
    shmem->awaited = 0;
    if (!shmem->orphaned) {
        operation_answered(vhost, header->type, result);
        return;
    }
    shmem->orphaned = false;
    step(vhost);
}

void vhost_shmem_advance(struct vhost_user *vhost)
{
    step(vhost);
}

static void cancel_operations(struct vhost_user *vhost)
{
    vhost->shmem.committing = false;
    vhost->shmem.orphaned = vhost->shmem.awaited || vhost->shmem.begun;
    for (uint32_t left = vhost->shmem.operations.count; left; left--)
        finish_first(vhost, -ECANCELED);
}

static void on_closed(void *data, int error)
{
    struct vhost_user *vhost = data;
    virtio_channel_destroy(vhost->backend);
    vhost->backend = NULL;
    cancel_operations(vhost);
    vhost->shmem.awaited = vhost->shmem.begun = 0;
    vhost->shmem.orphaned = false;
}

bool vhost_shmem_set_channel(struct vhost_user *vhost, int fd)
{
    static const struct virtio_channel_ops ops = {.message = on_reply, .closed = on_closed};
    struct virtio_channel *channel;
    if (virtio_channel_create(vhost->loop, fd, &virtio_channel_form, &ops, vhost, &channel))
        return false;
    on_closed(vhost, 0); // the one before
    vhost->backend = channel;
    return true;
}

void vhost_shmem_forget(struct vhost_user *vhost)
{
    vhost->shmem.range_count = 0;
    vhost->shmem.in_table = false;
    cancel_operations(vhost);
}

static int begin(struct vhost_user *vhost, const struct vhost_operation *operation)
{
    struct vhost_operation *last = queue_push(&vhost->shmem.operations);
    if (!last)
        return -ENOMEM;
    *last = *operation;
    step(vhost);
    return 0;
}

static int check(const struct vhost_user *vhost, uint64_t offset, uint64_t size)
{
    if (!may_ask(vhost))
        return -ENODEV;
    bool inside = size && checked_range(offset, size, vhost->device.shmem_size);
    return inside && (offset | size) % os_page_size() == 0 ? 0 : -EINVAL;
}

int vhost_shmem_map(struct virtio_transport *transport, uint64_t offset, int fd,
                    uint64_t file_offset, uint64_t size, bool writable, virtio_done done,
                    void *data, uint64_t cookie)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    int error = check(vhost, offset, size);
    if (error)
        return error;
    struct vhost_operation operation = {
        .type = VHOST_BACKEND_SHMEM_MAP,
        .range = {.offset = offset, .size = size, .file_offset = file_offset},
        .writable = writable,
        .done = done,
        .data = data,
        .cookie = cookie,
    };
    if (!virtio_file_identify(fd, &operation.range.file))
        return -EINVAL;
    operation.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (operation.fd < 0)
        return -errno;
    error = begin(vhost, &operation);
    if (error)
        close(operation.fd);
    return error;
}

int vhost_shmem_unmap(struct virtio_transport *transport, uint64_t offset, uint64_t size,
                      virtio_done done, void *data, uint64_t cookie)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    int error = check(vhost, offset, size);
    if (error)
        return error;
    struct vhost_operation operation = {
        .type = VHOST_BACKEND_SHMEM_UNMAP,
        .range = {.offset = offset, .size = size},
        .fd = -1,
        .done = done,
        .data = data,
        .cookie = cookie,
    };
    return begin(vhost, &operation);
}

void vhost_shmem_config_changed(struct virtio_transport *transport)
{
    struct vhost_user *vhost = vhost_user_of(transport);
    if (vhost->backend && vhost->state == VHOST_RUNNING && vhost->protocol & VHOST_PROTOCOL_CONFIG)
        virtio_channel_send(vhost->backend, VHOST_BACKEND_CONFIG_CHANGE, 0, NULL, 0, -1);
}
