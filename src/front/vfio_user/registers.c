#include "front/vfio_user/registers.h"

#include <string.h>

#include "base/checked.h"
#include "front/vfio_user/config.h"

// The common configuration.
enum {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    CONFIG_VECTOR = 16,
    QUEUE_COUNT = 18,
    STATUS = 20,
    GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY = 30,
    QUEUE_DESCRIPTORS = 32,
    QUEUE_AVAILABLE = 40,
    QUEUE_USED = 48,
};

// More would cost memory and gain nothing: an input device's events come in small bursts.
enum { LARGEST_QUEUE = 256, DEVICE_INPUT = 18, LARGEST_INPUT_QUEUE = 64 };

static uint32_t largest_queue(const struct vfio_registers *registers)
{
    return registers->device->type == DEVICE_INPUT ? LARGEST_INPUT_QUEUE : LARGEST_QUEUE;
}

void vfio_registers_init(struct vfio_registers *registers, const struct virtio_device *device,
                         struct virtio_queue *queues)
{
    *registers = (struct vfio_registers){.device = device, .queues = queues};
    registers->offered =
        device->features | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1;
    vfio_registers_reset(registers);
}

void vfio_registers_reset(struct vfio_registers *registers)
{
    registers->features = 0;
    registers->offered_select = registers->features_select = 0;
    registers->config_vector = VFIO_NO_VECTOR;
    registers->queue_select = 0;
    registers->status = registers->interrupt = 0;
    for (unsigned i = 0; i < registers->device->queue_count; i++) {
        struct virtio_queue *queue = &registers->queues[i];
        registers->queue_vectors[i] = VFIO_NO_VECTOR;
        queue->size = largest_queue(registers);
        queue->descriptors_at = queue->available_at = queue->used_at = 0;
        queue->addressed = queue->enabled = false;
        queue->next = 0;
    }
}

// The queue that the driver has chosen; NULL: there is no such.
static struct virtio_queue *chosen(const struct vfio_registers *registers)
{
    return registers->queue_select < registers->device->queue_count
               ? &registers->queues[registers->queue_select]
               : NULL;
}

// ---- reading --------------------------------------------------------------

static void put(uint8_t *bytes, unsigned at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static void read_common(const struct vfio_registers *registers, uint8_t bytes[VFIO_COMMON_SIZE])
{
    const struct virtio_queue *queue = chosen(registers);
    memset(bytes, 0, VFIO_COMMON_SIZE);
    put(bytes, DEVICE_FEATURE_SELECT, registers->offered_select, 4);
    if (registers->offered_select < 2)
        put(bytes, DEVICE_FEATURE, registers->offered >> (32 * registers->offered_select), 4);
    put(bytes, DRIVER_FEATURE_SELECT, registers->features_select, 4);
    if (registers->features_select < 2)
        put(bytes, DRIVER_FEATURE, registers->features >> (32 * registers->features_select), 4);
    put(bytes, CONFIG_VECTOR, registers->config_vector, 2);
    put(bytes, QUEUE_COUNT, registers->device->queue_count, 2);
    bytes[STATUS] = registers->status;
    bytes[GENERATION] = registers->generation;
    put(bytes, QUEUE_SELECT, registers->queue_select, 2);
    if (!queue)
        return;
    put(bytes, QUEUE_SIZE, queue->size, 2);
    put(bytes, QUEUE_VECTOR, registers->queue_vectors[queue->index], 2);
    put(bytes, QUEUE_ENABLE, queue->enabled, 2);
    put(bytes, QUEUE_NOTIFY, queue->index, 2);
    put(bytes, QUEUE_DESCRIPTORS, queue->descriptors_at, 8);
    put(bytes, QUEUE_AVAILABLE, queue->available_at, 8);
    put(bytes, QUEUE_USED, queue->used_at, 8);
}

void vfio_registers_read(struct vfio_registers *registers, uint32_t offset, uint8_t *bytes,
                         uint32_t size)
{
    const struct virtio_device *device = registers->device;
    memset(bytes, 0, size);
    if (checked_range(offset, size, VFIO_COMMON_SIZE)) {
        uint8_t common[VFIO_COMMON_SIZE];
        read_common(registers, common);
        memcpy(bytes, common + offset, size);
    } else if (offset == VFIO_AT_ISR) {
        bytes[0] = registers->interrupt;
        registers->interrupt = 0;
    } else if (offset >= VFIO_AT_DEVICE &&
               checked_range(offset - VFIO_AT_DEVICE, size, device->config_size)) {
        device->ops->read_config(device->data, offset - VFIO_AT_DEVICE, bytes, size);
    }
}

// ---- writing --------------------------------------------------------------

static uint64_t get(const uint8_t *bytes, uint32_t size)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

// A driver may write an address as two halves, or as a whole.
static void set_address(uint64_t *address, uint32_t at, uint64_t value, uint32_t size)
{
    if (size == 8 && !at)
        *address = value;
    else if (size == 4 && !at)
        *address = (*address & 0xffffffff00000000ull) | value;
    else if (size == 4 && at == 4)
        *address = (*address & 0xffffffffull) | value << 32;
}

static void write_queue(struct vfio_registers *registers, uint32_t offset, uint64_t value,
                        uint32_t size)
{
    struct virtio_queue *queue = chosen(registers);
    if (!queue || queue->enabled)
        return;
    if (offset == QUEUE_SIZE && size == 2) {
        if (is_power_of_two_u64(value) && value <= largest_queue(registers))
            queue->size = (uint32_t)value;
    } else if (offset == QUEUE_ENABLE && size == 2) {
        queue->enabled = queue->addressed = value == 1;
    } else if (offset >= QUEUE_USED) {
        set_address(&queue->used_at, offset - QUEUE_USED, value, size);
    } else if (offset >= QUEUE_AVAILABLE) {
        set_address(&queue->available_at, offset - QUEUE_AVAILABLE, value, size);
    } else if (offset >= QUEUE_DESCRIPTORS) {
        set_address(&queue->descriptors_at, offset - QUEUE_DESCRIPTORS, value, size);
    }
}

static enum vfio_register_event write_status(struct vfio_registers *registers, uint8_t status)
{
    if (!status)
        return VFIO_STOP;
    bool runs = registers->status & VFIO_STATUS_DRIVER_OK;
    // A driver sets bits one by one, and takes none back but all.
    status |= registers->status;
    bool possible =
        !(registers->features & ~registers->offered) && registers->features & VIRTIO_F_VERSION_1;
    if (!(registers->status & VFIO_STATUS_FEATURES_OK) && !possible)
        status &= (uint8_t) ~(VFIO_STATUS_FEATURES_OK | VFIO_STATUS_DRIVER_OK);
    if (!(status & VFIO_STATUS_FEATURES_OK))
        status &= (uint8_t)~VFIO_STATUS_DRIVER_OK;
    registers->status = status;
    return !runs && status & VFIO_STATUS_DRIVER_OK ? VFIO_START : VFIO_NOTHING;
}

static uint16_t vector_of(const struct vfio_registers *registers, uint64_t value)
{
    return value <= registers->device->queue_count ? (uint16_t)value : VFIO_NO_VECTOR;
}

static enum vfio_register_event write_common(struct vfio_registers *registers, uint32_t offset,
                                             uint64_t value, uint32_t size)
{
    bool settled = registers->status & VFIO_STATUS_FEATURES_OK;
    if (offset == DEVICE_FEATURE_SELECT && size == 4) {
        registers->offered_select = (uint32_t)value;
    } else if (offset == DRIVER_FEATURE_SELECT && size == 4) {
        registers->features_select = (uint32_t)value;
    } else if (offset == DRIVER_FEATURE && size == 4) {
        unsigned shift = 32 * registers->features_select;
        if (registers->features_select < 2 && !settled)
            registers->features = (registers->features & ~(0xffffffffull << shift)) | value
                                                                                          << shift;
    } else if (offset == CONFIG_VECTOR && size == 2) {
        registers->config_vector = vector_of(registers, value);
        return VFIO_VECTORS;
    } else if (offset == STATUS && size == 1) {
        return write_status(registers, (uint8_t)value);
    } else if (offset == QUEUE_SELECT && size == 2) {
        registers->queue_select = (uint16_t)value;
    } else if (offset == QUEUE_VECTOR && size == 2) {
        if (chosen(registers))
            registers->queue_vectors[registers->queue_select] = vector_of(registers, value);
        return VFIO_VECTORS;
    } else if (offset >= QUEUE_SIZE) {
        write_queue(registers, offset, value, size);
    }
    return VFIO_NOTHING;
}

enum vfio_register_event vfio_registers_write(struct vfio_registers *registers, uint32_t offset,
                                              const uint8_t *bytes, uint32_t size, unsigned *queue)
{
    const struct virtio_device *device = registers->device;
    if (offset >= VFIO_AT_NOTIFY) {
        *queue = (offset - VFIO_AT_NOTIFY) / VFIO_NOTIFY_STRIDE;
        return *queue < device->queue_count ? VFIO_NOTIFY : VFIO_NOTHING;
    }
    if (offset >= VFIO_AT_DEVICE) {
        if (checked_range(offset - VFIO_AT_DEVICE, size, device->config_size))
            device->ops->write_config(device->data, offset - VFIO_AT_DEVICE, bytes, size);
        return VFIO_NOTHING;
    }
    bool known = size == 1 || size == 2 || size == 4 || size == 8;
    return known && checked_range(offset, size, VFIO_COMMON_SIZE)
               ? write_common(registers, offset, get(bytes, size), size)
               : VFIO_NOTHING;
}
