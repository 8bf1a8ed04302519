// The back-end channel: our requests to the front end, above all shared-memory mappings.
#include "front/vhost_user/private.h"

#include "base/checked.h"
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void vhost_shmem_finish(struct vhost_shmem *shmem)
{
    free(shmem->operations);
    free(shmem->ranges);
    *shmem = (struct vhost_shmem){0};
}

// ---- what is mapped ----------------------------------------------------------------------------

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
        struct vhost_shmem_range *ranges = realloc(shmem->ranges, capacity * sizeof *ranges);
        if (!ranges)
            return false;
        shmem->ranges = ranges;
        shmem->range_capacity = capacity;
    }
    shmem->ranges[shmem->range_count++] = *range;
    return true;
}

// The one added last, if several claim the place: it is the one that the front end refused.
static void remove_range(struct vhost_shmem *shmem, uint64_t offset)
{
    for (unsigned i = shmem->range_count; i-- > 0;) {
        if (shmem->ranges[i].offset != offset)
            continue;
        shmem->range_count--;
        memmove(&shmem->ranges[i], &shmem->ranges[i + 1], (shmem->range_count - i) * sizeof *shmem->ranges);
        return;
    }
}

bool vhost_shmem_owns(struct vhost_user *vhost, const struct vhost_memory_region *region, int fd)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    struct vhost_file_id id;
    if (!shmem->range_count || !vhost_file_identify(fd, &id))
        return false;
    bool owns = false;
    for (unsigned i = 0; i < shmem->range_count; i++) {
        struct vhost_shmem_range *range = &shmem->ranges[i];
        if (!vhost_file_same(range->file, id))
            continue;
        owns = true;
        if (checked_range(region->file_offset - range->file_offset, region->size, range->size))
            range->address = region->user_address - (region->file_offset - range->file_offset);
    }
    shmem->in_table |= owns;
    return owns;
}

uint64_t vhost_user_shmem_address(const struct vhost_user *vhost, uint64_t offset)
{
    const struct vhost_shmem_range *range = find_range(&vhost->shmem, offset);
    return range && range->address ? range->address + (offset - range->offset) : 0;
}

// ---- requests and their answers ----------------------------------------------------------------

static struct vhost_operation *first_operation(struct vhost_shmem *shmem)
{
    return shmem->count ? &shmem->operations[shmem->first & (shmem->capacity - 1)] : NULL;
}

static bool push_operation(struct vhost_shmem *shmem, const struct vhost_operation *operation)
{
    if (shmem->count == shmem->capacity) {
        unsigned capacity = shmem->capacity ? shmem->capacity * 2 : 64;
        struct vhost_operation *larger = malloc(capacity * sizeof *larger);
        if (!larger)
            return false;
        for (unsigned i = 0; i < shmem->count; i++)
            larger[i] = shmem->operations[(shmem->first + i) & (shmem->capacity - 1)];
        free(shmem->operations);
        shmem->operations = larger;
        shmem->capacity = capacity;
        shmem->first = 0;
    }
    shmem->operations[(shmem->first + shmem->count++) & (shmem->capacity - 1)] = *operation;
    return true;
}

static void finish_first(struct vhost_user *vhost, int error)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    struct vhost_operation operation = *first_operation(shmem);
    shmem->first++;
    shmem->count--;
    if (operation.type == VHOST_BACKEND_SHMEM_MAP && error)
        remove_range(shmem, operation.offset);
    if (operation.type == VHOST_BACKEND_SHMEM_UNMAP && !error)
        remove_range(shmem, operation.offset);
    if (operation.done)
        operation.done(operation.data, operation.cookie, error);
}

static void on_reply(void *data, struct vhost_message *message)
{
    struct vhost_user *vhost = data;
    struct vhost_operation *operation = first_operation(&vhost->shmem);
    const struct vhost_header *header = &message->header;
    uint64_t result;
    if (!operation || !(header->flags & VHOST_REPLY) || header->type != operation->type || header->size != sizeof result ||
        message->skipped) {
        if (log_limit_allows(&vhost->limit, 0, 5, UINT64_MAX))
            log_warning("%s: an answer on the back-end channel that nobody waits for (message %u)", vhost->device.name,
                        (unsigned)header->type);
        return;
    }
    memcpy(&result, message->payload, sizeof result);
    // The look-up is a barrier: that the object is unknown is the expected answer.
    bool ok = result == 0 || header->type == VHOST_BACKEND_SHARED_OBJECT_LOOKUP;
    finish_first(vhost, ok ? 0 : -EIO);
}

static void cancel_operations(struct vhost_user *vhost, bool answers_come)
{
    struct vhost_shmem *shmem = &vhost->shmem;
    for (unsigned i = 0; i < shmem->count; i++) {
        struct vhost_operation *operation = &shmem->operations[(shmem->first + i) & (shmem->capacity - 1)];
        vhost_user_done done = operation->done;
        operation->done = NULL;
        if (done)
            done(operation->data, operation->cookie, -ECANCELED);
    }
    if (!answers_come)
        shmem->count = 0;
}

static void on_closed(void *data, int error)
{
    struct vhost_user *vhost = data;
    (void)error;
    vhost_channel_destroy(vhost->backend);
    vhost->backend = NULL;
    cancel_operations(vhost, false);
}

bool vhost_shmem_set_channel(struct vhost_user *vhost, int fd)
{
    static const struct vhost_channel_ops ops = {.message = on_reply, .closed = on_closed};
    struct vhost_channel *channel = vhost_channel_create(vhost->loop, fd, &ops, vhost);
    if (!channel)
        return false;
    vhost_channel_destroy(vhost->backend);
    cancel_operations(vhost, false);
    vhost->backend = channel;
    return true;
}

void vhost_shmem_forget(struct vhost_user *vhost)
{
    vhost->shmem.range_count = 0;
    vhost->shmem.in_table = false;
    cancel_operations(vhost, vhost->backend != NULL);
}

// QEMU ends with a segmentation fault when it gets a shared-memory message for a device that isn't started.
static bool may_send(const struct vhost_user *vhost)
{
    if (!vhost->backend || !(vhost->protocol & VHOST_PROTOCOL_SHMEM))
        return false;
    if (vhost->state != VHOST_STARTING && vhost->state != VHOST_RUNNING)
        return false;
    for (unsigned i = 0; i < vhost->device.queue_count; i++)
        if (vhost->queues[i].running)
            return true;
    return false;
}

static int send_operation(struct vhost_user *vhost, const struct vhost_operation *operation, const void *payload, uint32_t size, int fd)
{
    if (!push_operation(&vhost->shmem, operation))
        return -ENOMEM;
    if (vhost_channel_send(vhost->backend, operation->type, VHOST_NEED_REPLY, payload, size, fd))
        return 0;
    vhost->shmem.count--;
    return -EIO;
}

static bool in_region(const struct vhost_user *vhost, uint64_t offset, uint64_t size)
{
    return size && checked_range(offset, size, vhost->device.shmem_size) && (offset | size) % os_page_size() == 0;
}

int vhost_user_shmem_map(struct vhost_user *vhost, uint64_t offset, int fd, uint64_t file_offset, uint64_t size, bool writable,
                         vhost_user_done done, void *data, uint64_t cookie)
{
    if (!may_send(vhost))
        return -ENODEV;
    struct vhost_shmem_range range = {.offset = offset, .size = size, .file_offset = file_offset};
    if (!in_region(vhost, offset, size) || !vhost_file_identify(fd, &range.file))
        return -EINVAL;
    struct vhost_shmem_map map = {
        .shmid = vhost->device.shmid,
        .file_offset = file_offset,
        .offset = offset,
        .size = size,
        .flags = writable ? VHOST_SHMEM_WRITABLE : 0,
    };
    struct vhost_operation operation = {done, data, cookie, VHOST_BACKEND_SHMEM_MAP, offset, size};
    // Counted from here on: a memory table with it may arrive before the answer.
    if (!add_range(&vhost->shmem, &range))
        return -ENOMEM;
    int error = send_operation(vhost, &operation, &map, sizeof map, fd);
    if (error)
        vhost->shmem.range_count--;
    return error;
}

int vhost_user_shmem_unmap(struct vhost_user *vhost, uint64_t offset, uint64_t size, vhost_user_done done, void *data, uint64_t cookie)
{
    if (!may_send(vhost))
        return -ENODEV;
    if (!in_region(vhost, offset, size))
        return -EINVAL;
    struct vhost_shmem_map map = {.shmid = vhost->device.shmid, .offset = offset, .size = size};
    struct vhost_operation operation = {done, data, cookie, VHOST_BACKEND_SHMEM_UNMAP, offset, size};
    return send_operation(vhost, &operation, &map, sizeof map, -1);
}

// The answer to a mapping comes before the front end has it in the guest's address space; what it does next, it does after that.
int vhost_user_shmem_barrier(struct vhost_user *vhost, vhost_user_done done, void *data, uint64_t cookie)
{
    static const uint8_t nobody[16] = {0x68, 0x65, 0x73, 0x70, 0x65, 0x72};
    if (!may_send(vhost))
        return -ENODEV;
    if (!(vhost->protocol & VHOST_PROTOCOL_SHARED_OBJECT))
        return -EOPNOTSUPP;
    struct vhost_operation operation = {done, data, cookie, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 0, 0};
    return send_operation(vhost, &operation, nobody, sizeof nobody, -1);
}

void vhost_user_config_changed(struct vhost_user *vhost)
{
    if (vhost->backend && vhost->state == VHOST_RUNNING && vhost->protocol & VHOST_PROTOCOL_CONFIG)
        vhost_channel_send(vhost->backend, VHOST_BACKEND_CONFIG_CHANGE, 0, NULL, 0, -1);
}
