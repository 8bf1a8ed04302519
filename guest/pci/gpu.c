#include "guest/pci/gpu.h"

#include <stddef.h>
#include <string.h>

#include "guest/pci/gpu_private.h"

// Registers of the common part (virtio 1.2, 4.1.4.3).
enum {
    FEATURE_SELECT = 0,
    FEATURES = 4,
    TAKEN_SELECT = 8,
    TAKEN = 12,
    STATUS = 20,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY = 30,
    QUEUE_ADDRESSES = 32, // three of 64 bits
};

enum {
    ACKNOWLEDGED = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,

    VERSION_1 = 1, // in the second word of features
    PAGE = 4096,
    CAPSETS = 64, // virtio has ids for so many
    SHARED_MEMORY = GPU_SHM_HOST_VISIBLE,
};

// Some answers wait for a display, a worker, or a driver that compiles.
#define PATIENCE_NS 60000000000ull

static uint8_t read8(const volatile uint8_t *part, uint32_t offset)
{
    return part[offset];
}

static uint16_t read16(const volatile uint8_t *part, uint32_t offset)
{
    return *(const volatile uint16_t *)(part + offset);
}

static uint32_t read32(const volatile uint8_t *part, uint32_t offset)
{
    return *(const volatile uint32_t *)(part + offset);
}

static void write8(volatile uint8_t *part, uint32_t offset, uint8_t value)
{
    part[offset] = value;
}

static void write16(volatile uint8_t *part, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(part + offset) = value;
}

static void write32(volatile uint8_t *part, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(part + offset) = value;
}

// ---- registers ------------------------------------------------------------

// A part need not begin at a page: the pages around it are mapped.
static volatile uint8_t *map_part(const struct pci_hooks *hooks, const struct pci_range *part)
{
    uint64_t start = part->address & ~(uint64_t)(PAGE - 1);
    uint64_t end = (part->address + part->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    uint8_t *mapping = hooks->map(hooks->context, start, end - start, false);
    return mapping ? mapping + (part->address - start) : NULL;
}

static void unmap_part(const struct pci_hooks *hooks, const struct pci_range *part,
                       volatile uint8_t *mapping)
{
    uint64_t start = part->address & ~(uint64_t)(PAGE - 1);
    uint64_t end = (part->address + part->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (mapping)
        hooks->unmap(hooks->context, (uint8_t *)mapping - (part->address - start), end - start);
}

static bool reset(struct pci_gpu *gpu)
{
    const struct guest_system *system = gpu->hooks->system;
    uint64_t began = system->now(system->context);
    write8(gpu->common, STATUS, 0);
    for (uint32_t round = 0; read8(gpu->common, STATUS); round++) {
        if (system->now(system->context) - began > gpu->patience_ns)
            return false;
        system->relax(system->context, round);
    }
    return true;
}

static int agree(struct pci_gpu *gpu)
{
    const uint32_t wanted = 1u << GPU_F_VIRGL | 1u << GPU_F_EDID | 1u << GPU_F_RESOURCE_BLOB |
                            1u << GPU_F_CONTEXT_INIT | 1u << GPU_F_BLOB_ALIGNMENT;
    write8(gpu->common, STATUS, ACKNOWLEDGED);
    write8(gpu->common, STATUS, ACKNOWLEDGED | DRIVER);
    write32(gpu->common, FEATURE_SELECT, 0);
    gpu->features = read32(gpu->common, FEATURES) & wanted;
    write32(gpu->common, FEATURE_SELECT, 1);
    if (!(read32(gpu->common, FEATURES) & VERSION_1))
        return GUEST_ERROR_UNSUPPORTED;
    write32(gpu->common, TAKEN_SELECT, 0);
    write32(gpu->common, TAKEN, gpu->features);
    write32(gpu->common, TAKEN_SELECT, 1);
    write32(gpu->common, TAKEN, VERSION_1);
    write8(gpu->common, STATUS, ACKNOWLEDGED | DRIVER | FEATURES_OK);
    return read8(gpu->common, STATUS) & FEATURES_OK ? 0 : GUEST_ERROR_UNSUPPORTED;
}

static int start_queue(struct pci_gpu *gpu, struct pci_queue *queue, uint16_t index)
{
    uint64_t addresses[3];
    write16(gpu->common, QUEUE_SELECT, index);
    int error = pci_queue_create(queue, gpu->hooks, index, read16(gpu->common, QUEUE_SIZE));
    if (error)
        return error;
    write16(gpu->common, QUEUE_SIZE, queue->size);
    pci_queue_addresses(queue, addresses);
    for (unsigned i = 0; i < 3; i++) {
        write32(gpu->common, QUEUE_ADDRESSES + 8 * i, (uint32_t)addresses[i]);
        write32(gpu->common, QUEUE_ADDRESSES + 8 * i + 4, (uint32_t)(addresses[i] >> 32));
    }
    uint64_t doorbell = (uint64_t)read16(gpu->common, QUEUE_NOTIFY) * gpu->virtio.notify_multiplier;
    if (doorbell % 2 || doorbell + 2 > gpu->virtio.notify.size)
        return GUEST_ERROR_LOST;
    queue->doorbell = (volatile uint16_t *)(gpu->notify + doorbell);
    write16(gpu->common, QUEUE_ENABLE, 1);
    return 0;
}

int pci_gpu_open(struct pci_gpu *gpu, const struct pci_hooks *hooks)
{
    pci_place place;
    *gpu = (struct pci_gpu){.hooks = hooks, .alignment = PAGE, .patience_ns = PATIENCE_NS};
    int error = pci_find(hooks, PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 16, &place);
    if (!error)
        error = pci_virtio_open(hooks, place, SHARED_MEMORY, &gpu->virtio);
    if (error)
        return error;
    gpu->common = map_part(hooks, &gpu->virtio.common);
    gpu->notify = map_part(hooks, &gpu->virtio.notify);
    gpu->config = map_part(hooks, &gpu->virtio.config);
    error = !gpu->common || !gpu->notify || !gpu->config ? GUEST_ERROR_MEMORY
            : !reset(gpu)                                ? GUEST_ERROR_LOST
                                                         : agree(gpu);
    if (!error)
        error = start_queue(gpu, &gpu->queue, 0);
    // A device without a queue of cursors has no cursors.
    if (!error) {
        error = start_queue(gpu, &gpu->cursors, 1);
        error = error == GUEST_ERROR_UNSUPPORTED ? 0 : error;
    }
    if (error) {
        pci_gpu_close(gpu);
        return error;
    }
    write8(gpu->common, STATUS, ACKNOWLEDGED | DRIVER | FEATURES_OK | DRIVER_OK);
    gpu->capset_count = read32(gpu->config, offsetof(struct gpu_config, num_capsets));
    if (gpu->capset_count > CAPSETS)
        gpu->capset_count = CAPSETS;
    if (gpu->features & 1u << GPU_F_BLOB_ALIGNMENT &&
        gpu->virtio.config.size >= sizeof(struct gpu_config))
        gpu->alignment = read32(gpu->config, offsetof(struct gpu_config, blob_alignment));
    // Blobs are whole pages here, whatever else they are.
    if (!gpu->alignment || gpu->alignment % PAGE)
        gpu->alignment = PAGE;
    return 0;
}

void pci_gpu_close(struct pci_gpu *gpu)
{
    // A device that does not stop may still write to its queues: then their memory stays.
    if (!gpu->common || reset(gpu)) {
        pci_queue_destroy(&gpu->queue);
        pci_queue_destroy(&gpu->cursors);
    }
    unmap_part(gpu->hooks, &gpu->virtio.common, gpu->common);
    unmap_part(gpu->hooks, &gpu->virtio.notify, gpu->notify);
    unmap_part(gpu->hooks, &gpu->virtio.config, gpu->config);
    gpu->common = gpu->notify = gpu->config = NULL;
}

// ---- requests -------------------------------------------------------------

bool pci_gpu_alive(struct pci_gpu *gpu)
{
    if (!gpu->lost && read8(gpu->common, STATUS) & NEEDS_RESET)
        gpu->lost = true;
    return !gpu->lost;
}

int pci_gpu_take_slot(struct pci_gpu *gpu)
{
    const struct guest_system *system = gpu->hooks->system;
    uint64_t began = system->now(system->context);
    for (uint32_t round = 0; pci_gpu_alive(gpu); round++) {
        int slot = pci_queue_take(&gpu->queue);
        if (slot >= 0)
            return slot;
        if (system->now(system->context) - began > gpu->patience_ns)
            gpu->lost = true;
        system->relax(system->context, round);
    }
    return GUEST_ERROR_LOST;
}

int pci_gpu_result(struct pci_gpu *gpu, int slot)
{
    struct gpu_header header = {0};
    const struct pci_slot *answered = &gpu->queue.slots[slot];
    if (answered->written >= sizeof(header))
        memcpy(&header, pci_queue_slot(&gpu->queue, slot) + PCI_SLOT_ANSWER, sizeof(header));
    if (header.type >= GPU_RESP_OK_NODATA && header.type < GPU_RESP_ERR_UNSPEC)
        return 0;
    return header.type == GPU_RESP_ERR_OUT_OF_MEMORY ? GUEST_ERROR_MEMORY : GUEST_ERROR_REFUSED;
}

int pci_gpu_wait_slot(struct pci_gpu *gpu, int slot, uint64_t nanoseconds)
{
    const struct guest_system *system = gpu->hooks->system;
    uint64_t began = 0;
    for (uint32_t round = 0;; round++) {
        pci_queue_poll(&gpu->queue);
        if (gpu->queue.slots[slot].answered)
            return 0;
        uint64_t now = system->now(system->context);
        began = round ? began : now;
        // The register is far: it is looked at now and then only.
        if (round % 4096 == 4095 && !pci_gpu_alive(gpu))
            return GUEST_ERROR_LOST;
        if (now - began >= nanoseconds)
            return GUEST_ERROR_TIMEOUT;
        system->relax(system->context, round);
    }
}

int pci_gpu_ask_more(struct pci_gpu *gpu, const void *request, uint32_t size, const void *memory,
                     uint32_t more, void *answer, uint32_t room)
{
    int slot = pci_gpu_take_slot(gpu);
    if (slot < 0)
        return slot;
    uint8_t *bytes = pci_queue_slot(&gpu->queue, slot);
    uint64_t address = more ? gpu->hooks->dma_address(gpu->hooks->context, memory) : 0;
    memcpy(bytes, request, size);
    memset(bytes + PCI_SLOT_ANSWER, 0, sizeof(struct gpu_header) + room);
    pci_queue_send(&gpu->queue, slot, size, address, more, sizeof(struct gpu_header) + room);
    int error = pci_gpu_wait_slot(gpu, slot, gpu->patience_ns);
    if (error) {
        gpu->lost = true; // the device may still write there: the slot is never used again
        return GUEST_ERROR_LOST;
    }
    error = pci_gpu_result(gpu, slot);
    if (room)
        memcpy(answer, bytes + PCI_SLOT_ANSWER + sizeof(struct gpu_header), room);
    pci_queue_release(&gpu->queue, slot);
    return error;
}

int pci_gpu_ask(struct pci_gpu *gpu, const void *request, uint32_t size, void *answer,
                uint32_t room)
{
    return pci_gpu_ask_more(gpu, request, size, NULL, 0, answer, room);
}

// ---- the aperture ---------------------------------------------------------

int pci_gpu_take_range(struct pci_gpu *gpu, uint64_t size, uint64_t *offset)
{
    uint64_t start = 0;
    uint32_t i = 0;
    if (gpu->range_count == PCI_GPU_RANGES)
        return GUEST_ERROR_MEMORY;
    while (i < gpu->range_count && gpu->ranges[i].address - start < size) {
        start = gpu->ranges[i].address + gpu->ranges[i].size;
        i++;
    }
    if (size > gpu->virtio.shared.size || start > gpu->virtio.shared.size - size)
        return GUEST_ERROR_MEMORY;
    memmove(&gpu->ranges[i + 1], &gpu->ranges[i], (gpu->range_count - i) * sizeof(gpu->ranges[0]));
    gpu->ranges[i] = (struct pci_range){start, size};
    gpu->range_count++;
    *offset = start;
    return 0;
}

void pci_gpu_give_range(struct pci_gpu *gpu, uint64_t offset)
{
    for (uint32_t i = 0; i < gpu->range_count; i++) {
        if (gpu->ranges[i].address == offset) {
            gpu->range_count--;
            memmove(&gpu->ranges[i], &gpu->ranges[i + 1],
                    (gpu->range_count - i) * sizeof(gpu->ranges[0]));
            return;
        }
    }
}

// ---- commands without a context -------------------------------------------

int pci_gpu_outputs(struct pci_gpu *gpu, struct guest_info *info)
{
    struct gpu_header request = {.type = GPU_CMD_GET_DISPLAY_INFO};
    struct gpu_display_info answer;
    int error = pci_gpu_ask(gpu, &request, sizeof(request), &answer, sizeof(answer));
    if (error)
        return error;
    *info = (struct guest_info){.aperture = gpu->virtio.shared.size};
    info->output_count = read32(gpu->config, offsetof(struct gpu_config, num_scanouts));
    if (info->output_count > GUEST_OUTPUTS)
        info->output_count = GUEST_OUTPUTS;
    for (uint32_t i = 0; i < info->output_count; i++) {
        if (answer.modes[i].enabled)
            info->outputs[i] =
                (struct guest_output){answer.modes[i].rect.width, answer.modes[i].rect.height};
    }
    return 0;
}

int pci_gpu_edid(struct pci_gpu *gpu, uint32_t output, void *edid)
{
    struct {
        struct gpu_header header;
        struct gpu_get_edid body;
    } request = {{.type = GPU_CMD_GET_EDID}, {.scanout_id = output}};
    struct gpu_edid answer;
    if (!(gpu->features & 1u << GPU_F_EDID))
        return GUEST_ERROR_UNSUPPORTED;
    int error = pci_gpu_ask(gpu, &request, sizeof(request), &answer, sizeof(answer));
    if (error)
        return error;
    uint32_t size = answer.size < sizeof(answer.edid) ? answer.size : sizeof(answer.edid);
    memcpy(edid, answer.edid, size);
    return (int)size;
}
