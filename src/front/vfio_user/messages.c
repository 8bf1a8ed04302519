// What the front end says, and its answers.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "front/vfio_user/private.h"
#include "os/clock.h"

// A message, its header copied. QEMU, and a processor of the guest with it, waits for nearly every
// answer, so an answer goes out at once.
struct vfio_message {
    struct vfio_header header;
    const void *payload;
    uint32_t size;
    int *fds; // closed after the call unless set to -1
    unsigned fd_count;
};

static int64_t payload_size(const void *bytes)
{
    struct vfio_header header;
    memcpy(&header, bytes, sizeof(header));
    int64_t size = (int64_t)header.size - (int64_t)sizeof(header);
    return size < 0 || size > VIRTIO_MAX_PAYLOAD ? -EPROTO : size;
}

const struct virtio_channel_form vfio_user_form = {
    .header_size = sizeof(struct vfio_header), .payload_size = payload_size, .in_turns = true};
_Static_assert(sizeof(struct vfio_header) <= VIRTIO_MAX_HEADER, "a channel has room for it");
_Static_assert(VFIO_USER_MAX_ACCESS + sizeof(struct vfio_region_access) <= VIRTIO_MAX_PAYLOAD,
               "a channel has room for it");

static void send(struct vfio_user *vfio, const struct vfio_message *message, const void *payload,
                 uint32_t size, const void *tail, uint32_t tail_size, int fd)
{
    struct vfio_header header = {.id = message->header.id,
                                 .command = message->header.command,
                                 .size = (uint32_t)sizeof(header) + size + tail_size,
                                 .flags = VFIO_USER_REPLY};
    const struct iovec parts[] = {
        {&header, sizeof(header)}, {(void *)payload, size}, {(void *)tail, tail_size}};
    if (!(message->header.flags & VFIO_USER_NO_REPLY))
        virtio_channel_send_parts(vfio->channel, parts, 3, fd);
}

static void answer(struct vfio_user *vfio, const struct vfio_message *message, const void *payload,
                   uint32_t size)
{
    send(vfio, message, payload, size, NULL, 0, -1);
}

static void refuse(struct vfio_user *vfio, const struct vfio_message *message, int error)
{
    struct vfio_header header = {.id = message->header.id,
                                 .command = message->header.command,
                                 .size = sizeof(header),
                                 .flags = VFIO_USER_REPLY | VFIO_USER_ERROR,
                                 .error = (uint32_t)-error};
    const struct iovec part = {&header, sizeof(header)};
    if (!(message->header.flags & VFIO_USER_NO_REPLY))
        virtio_channel_send_parts(vfio->channel, &part, 1, -1);
}

// Copies the fixed part of a message; what it has beyond that stays where it is.
static bool take(const struct vfio_message *message, void *to, uint32_t size)
{
    if (message->size < size)
        return false;
    memcpy(to, message->payload, size);
    return true;
}

// ---- what the device is ---------------------------------------------------

// QEMU takes no answer that is longer than its question.
static int version(struct vfio_user *vfio, const struct vfio_message *message)
{
    static const char text[] =
        "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096}}";
    struct vfio_version said, ours = {0, 0};
    if (!take(message, &said, sizeof(said)) || said.major != ours.major)
        return -EINVAL;
    if (message->size < sizeof(ours) + sizeof(text))
        return -EINVAL;
    vfio->greeted = true;
    send(vfio, message, &ours, sizeof(ours), text, sizeof(text), -1);
    return 0;
}

static int get_info(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_device_info info;
    if (!take(message, &info, sizeof(info)))
        return -EINVAL;
    info = (struct vfio_device_info){.room = sizeof(info),
                                     .flags = VFIO_DEVICE_RESETS | VFIO_DEVICE_IS_PCI,
                                     .regions = VFIO_REGION_COUNT,
                                     .interrupts = VFIO_INTERRUPT_COUNT};
    answer(vfio, message, &info, sizeof(info));
    return 0;
}

static int get_region_info(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_region_info info;
    if (!take(message, &info, sizeof(info)) || info.index >= VFIO_REGION_COUNT)
        return -EINVAL;
    info = (struct vfio_region_info){.room = sizeof(info), .index = info.index};
    int fd = -1;
    switch (info.index) {
    case VFIO_BAR_VIRTIO:
        info.size = VFIO_VIRTIO_SIZE;
        break;
    case VFIO_BAR_MSIX:
        info.size = VFIO_MSIX_SIZE;
        break;
    case VFIO_BAR_APERTURE:
        info.size = vfio->device.shmem_size;
        fd = vfio->base.shmem_file;
        break;
    case VFIO_REGION_CONFIG:
        info.size = VFIO_CONFIG_SIZE;
        break;
    }
    if (info.size)
        info.flags = VFIO_REGION_READABLE | VFIO_REGION_WRITABLE;
    if (fd >= 0)
        info.flags |= VFIO_REGION_MAPPABLE;
    send(vfio, message, &info, sizeof(info), NULL, 0, fd);
    return 0;
}

// No interrupt but by MSI-X: at the first on a pin QEMU would take the mapping of the aperture
// away, for good. QEMU warns of kinds whose count is 0, and is content with an error.
static int get_interrupt_info(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_interrupt_info info;
    if (!take(message, &info, sizeof(info)) || info.index >= VFIO_INTERRUPT_COUNT)
        return -EINVAL;
    if (info.index > VFIO_INTERRUPT_MSIX)
        return -EINVAL;
    info = (struct vfio_interrupt_info){.room = sizeof(info), .index = info.index};
    if (info.index == VFIO_INTERRUPT_MSIX) {
        info.flags = VFIO_INTERRUPT_EVENTFD;
        info.count = vfio->interrupts.count;
    }
    answer(vfio, message, &info, sizeof(info));
    return 0;
}

// ---- what it is told ------------------------------------------------------

static int map(struct vfio_user *vfio, struct vfio_message *message)
{
    struct vfio_dma_map request;
    if (!take(message, &request, sizeof(request)) || message->fd_count > 1)
        return -EINVAL;
    int error = vfio_dma_map(&vfio->dma, &request, message->fd_count ? message->fds[0] : -1);
    if (!error)
        answer(vfio, message, NULL, 0);
    return error;
}

static int unmap(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_dma_unmap request;
    if (!take(message, &request, sizeof(request)))
        return -EINVAL;
    int error = vfio_dma_unmap(&vfio->dma, &request);
    if (!error)
        answer(vfio, message, &request, sizeof(request));
    return error;
}

static int set_interrupts(struct vfio_user *vfio, struct vfio_message *message)
{
    struct vfio_set_interrupts request;
    if (!take(message, &request, sizeof(request)))
        return -EINVAL;
    int error = vfio_interrupts_set(&vfio->interrupts, &request, message->fds, message->fd_count);
    vfio_user_update(vfio);
    if (!error)
        answer(vfio, message, NULL, 0);
    return error;
}

// ---- registers ------------------------------------------------------------

// True: [offset, offset + count) is in a region that is served here.
static bool is_inside(const struct vfio_region_access *access)
{
    static const uint32_t sizes[] = {[VFIO_BAR_VIRTIO] = VFIO_VIRTIO_SIZE,
                                     [VFIO_BAR_MSIX] = VFIO_MSIX_SIZE,
                                     [VFIO_REGION_CONFIG] = VFIO_CONFIG_SIZE};
    return access->region <= VFIO_REGION_CONFIG && access->count &&
           access->count <= VFIO_USER_MAX_ACCESS &&
           checked_range(access->offset, access->count, sizes[access->region]);
}

static int read_region(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_region_access access;
    uint8_t bytes[VFIO_USER_MAX_ACCESS];
    if (!take(message, &access, sizeof(access)) || !is_inside(&access))
        return -EINVAL;
    uint32_t offset = (uint32_t)access.offset, at;
    switch (access.region) {
    case VFIO_BAR_VIRTIO:
        vfio_registers_read(&vfio->registers, offset, bytes, access.count);
        break;
    case VFIO_REGION_CONFIG:
        if (vfio_config_is_window(&vfio->config, offset, access.count, &at))
            vfio_registers_read(&vfio->registers, at, bytes, access.count);
        else
            vfio_config_read(&vfio->config, offset, bytes, access.count);
        break;
    default: // MSI-X: nothing is pending that was not told
        memset(bytes, 0, access.count);
    }
    send(vfio, message, &access, sizeof(access), bytes, access.count, -1);
    return 0;
}

static int write_region(struct vfio_user *vfio, const struct vfio_message *message)
{
    struct vfio_region_access access;
    if (!take(message, &access, sizeof(access)) || !is_inside(&access) ||
        message->size - sizeof(access) < access.count)
        return -EINVAL;
    const uint8_t *bytes = (const uint8_t *)message->payload + sizeof(access);
    uint32_t offset = (uint32_t)access.offset, at;
    unsigned queue = 0;
    enum vfio_register_event event = VFIO_NOTHING;
    if (access.region == VFIO_BAR_VIRTIO) {
        event = vfio_registers_write(&vfio->registers, offset, bytes, access.count, &queue);
    } else if (access.region == VFIO_REGION_CONFIG) {
        if (vfio_config_is_window(&vfio->config, offset, access.count, &at))
            event = vfio_registers_write(&vfio->registers, at, bytes, access.count, &queue);
        else if (vfio_config_write(&vfio->config, offset, bytes, access.count))
            vfio_user_reset(vfio);
        vfio_user_update(vfio);
    }
    // A kick is answered before its work is done: the guest's processor goes on meanwhile.
    if (event != VFIO_NOTIFY)
        vfio_user_act(vfio, event);
    answer(vfio, message, &access, sizeof(access));
    if (event == VFIO_NOTIFY)
        vfio_user_kick(vfio, queue);
    return 0;
}

static int reset(struct vfio_user *vfio, const struct vfio_message *message)
{
    vfio_config_reset(&vfio->config);
    vfio_user_reset(vfio);
    vfio_user_update(vfio);
    answer(vfio, message, NULL, 0);
    return 0;
}

void vfio_user_handle(struct vfio_user *vfio, struct virtio_message *whole)
{
    struct vfio_message said = {.payload = whole->payload,
                                .size = whole->size,
                                .fds = whole->fds,
                                .fd_count = whole->fd_count};
    struct vfio_message *message = &said;
    int error = -ENOSYS;
    memcpy(&message->header, whole->header_bytes, sizeof(message->header));
    if ((message->header.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_REPLY)
        return; // nothing was asked
    if (!vfio->greeted && message->header.command != VFIO_USER_VERSION) {
        refuse(vfio, message, -EINVAL);
        return;
    }
    switch (message->header.command) {
    case VFIO_USER_VERSION:
        error = version(vfio, message);
        break;
    case VFIO_USER_DMA_MAP:
        error = map(vfio, message);
        break;
    case VFIO_USER_DMA_UNMAP:
        error = unmap(vfio, message);
        break;
    case VFIO_USER_GET_INFO:
        error = get_info(vfio, message);
        break;
    case VFIO_USER_GET_REGION_INFO:
        error = get_region_info(vfio, message);
        break;
    case VFIO_USER_GET_IRQ_INFO:
        error = get_interrupt_info(vfio, message);
        break;
    case VFIO_USER_SET_IRQS:
        error = set_interrupts(vfio, message);
        break;
    case VFIO_USER_REGION_READ:
        error = read_region(vfio, message);
        break;
    case VFIO_USER_REGION_WRITE:
        error = write_region(vfio, message);
        break;
    case VFIO_USER_RESET:
        error = reset(vfio, message);
        break;
    }
    if (!error)
        return;
    refuse(vfio, message, error);
    // QEMU asks for kinds of interrupts that there may be.
    if (message->header.command != VFIO_USER_GET_IRQ_INFO &&
        log_limit_allows(&vfio->limit, os_now_ns(), 5, 10000000000ull))
        log_warning("%s: QEMU's request %u was refused: %s", vfio->device.name,
                    message->header.command, strerror(-error));
}
