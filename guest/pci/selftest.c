// Tries the hooks one after another, each with what those before it have shown to be right.
#include <string.h>

#include "guest/pci/gpu.h"

enum { PAGE = 4096, QUEUE_COUNT = 18, ROUNDS = 4000000 };

static int wrong(const struct pci_hooks *hooks, const char *line)
{
    if (hooks->system->log)
        hooks->system->log(hooks->system->context, line);
    return GUEST_ERROR_UNSUPPORTED;
}

static int try_system(const struct pci_hooks *hooks)
{
    const struct guest_system *system = hooks->system;
    uint8_t *one = system->allocate(system->context, 100),
            *other = system->allocate(system->context, 100);
    if (!one || !other)
        return wrong(hooks, "allocate: gives no 100 bytes");
    for (unsigned i = 0; i < 100; i++) {
        if (one[i] || other[i])
            return wrong(hooks, "allocate: the memory is not zeroed");
    }
    if ((uintptr_t)one & 15 || (uintptr_t)other & 15)
        return wrong(hooks, "allocate: the memory is not aligned to 16 bytes");
    memset(one, 1, 100);
    if (other[0] || other[99])
        return wrong(hooks, "allocate: two pieces of memory are in the same place");
    system->release(system->context, one);
    system->release(system->context, other);
    uint64_t began = system->now(system->context), last = began;
    for (uint32_t round = 0; last - began < 1000000; round++) {
        uint64_t now = system->now(system->context);
        if (now < last)
            return wrong(hooks, "now: the clock goes back");
        if (round == ROUNDS)
            return wrong(hooks, "now: the clock stands still");
        last = now;
        system->relax(system->context, round);
    }
    return 0;
}

static int try_configuration(const struct pci_hooks *hooks, struct pci_virtio *virtio)
{
    pci_place place;
    if (pci_find(hooks, PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 16, &place)) {
        uint32_t any = 0;
        for (pci_place at = 0; at < 256 && !any; at += 8)
            any = ~hooks->config_read(hooks->context, at, 0);
        return wrong(hooks,
                     any ? "config_read: works, and there is no virtio-gpu (1af4:1050) on any bus"
                         : "config_read: every place of bus 0 reads as all ones");
    }
    if (hooks->config_read(hooks->context, place, 0) != 0x10501af4)
        return wrong(hooks, "config_read: the same place reads differently the second time");
    if (pci_virtio_open(hooks, place, GPU_SHM_HOST_VISIBLE, virtio))
        return wrong(hooks,
                     "config_read: the device was found, but not its parts: offsets above 0x40 "
                     "do not work, or nobody has given it addresses");
    if ((hooks->config_read(hooks->context, place, 4) & 6) != 6)
        return wrong(hooks,
                     "config_write: the device's memory and bus mastering do not stay switched on");
    if (!virtio->shared.size)
        return wrong(hooks, "the device has no shared memory: it shows pictures, but no Vulkan");
    return 0;
}

static int try_registers(const struct pci_hooks *hooks, const struct pci_virtio *virtio)
{
    uint64_t start = virtio->common.address & ~(uint64_t)(PAGE - 1);
    uint64_t end = virtio->common.address + PCI_COMMON_SIZE;
    uint64_t size = (end - start + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    volatile uint8_t *mapping = hooks->map(hooks->context, start, size, false);
    if (!mapping)
        return wrong(hooks, "map: gives nothing for a page of registers");
    // The number of queues cannot be written.
    volatile uint16_t *queues =
        (volatile uint16_t *)(mapping + (virtio->common.address - start) + QUEUE_COUNT);
    *queues = 77;
    int error =
        *queues == 2 ? 0 : wrong(hooks, "map: what is mapped are not the device's registers");
    hooks->unmap(hooks->context, (void *)mapping, size);
    return error;
}

static int try_dma(const struct pci_hooks *hooks)
{
    uint8_t *memory = hooks->dma_allocate(hooks->context, 4 * PAGE);
    if (!memory)
        return wrong(hooks, "dma_allocate: gives no 16 KiB");
    if ((uintptr_t)memory % PAGE || hooks->dma_address(hooks->context, memory) % PAGE)
        return wrong(hooks, "dma_allocate: the memory is not aligned to 4096 bytes");
    for (unsigned i = 0; i < 4 * PAGE; i++) {
        if (memory[i])
            return wrong(hooks, "dma_allocate: the memory is not zeroed");
        if (hooks->dma_address(hooks->context, memory + i) !=
            hooks->dma_address(hooks->context, memory) + i)
            return wrong(hooks, "dma_address: the memory is not contiguous for the device");
    }
    hooks->dma_free(hooks->context, memory, 4 * PAGE);
    return 0;
}

static uint32_t word_of(unsigned i)
{
    return i * 2654435761u;
}

// Whether the blob, when it is mapped, shows zeroes or the words above; then it has the words.
static int try_blob(const struct pci_hooks *hooks, struct guest_transport *transport,
                    struct guest_blob *blob, bool words)
{
    if (transport->calls->blob_map(transport, blob))
        return wrong(hooks, "map: gives nothing for 16 KiB of the aperture");
    uint32_t *memory = blob->address;
    for (unsigned i = 0; i < PAGE; i++) {
        if (memory[i] != (words ? word_of(i) : 0))
            return wrong(hooks, "map: the aperture does not show the device's shared memory");
    }
    for (unsigned i = 0; i < PAGE; i++)
        memory[i] = word_of(i);
    return 0;
}

// Shared memory keeps what is written, also when it is mapped in another place. The second blob
// comes where the first was.
static int try_shared(const struct pci_hooks *hooks, struct guest_transport *transport)
{
    const struct guest_transport_calls *calls = transport->calls;
    struct guest_blob one, other = {0};
    if (calls->blob_create(transport, 0, 4 * PAGE, GUEST_BLOB_MAPPABLE, &one) ||
        calls->blob_create(transport, 0, 4 * PAGE, GUEST_BLOB_MAPPABLE, &other))
        return wrong(hooks, "the device makes no shared memory: its log says why");
    int error = try_blob(hooks, transport, &one, false);
    calls->blob_unmap(transport, &one);
    if (!error)
        error = try_blob(hooks, transport, &other, false);
    if (!error)
        error = try_blob(hooks, transport, &one, true);
    calls->blob_free(transport, &one);
    calls->blob_free(transport, &other);
    return error;
}

static int try_device(const struct pci_hooks *hooks)
{
    struct guest_info info;
    struct pci_gpu *gpu = hooks->system->allocate(hooks->system->context, sizeof(*gpu));
    if (!gpu)
        return GUEST_ERROR_MEMORY;
    int error = pci_gpu_open(gpu, hooks);
    if (error) {
        wrong(hooks, "map: the device cannot be started");
    } else {
        gpu->patience_ns = 2000000000;
        error = pci_gpu_outputs(gpu, &info);
        if (error)
            wrong(hooks, "dma_address: the device does not answer, so it does not see the queue");
        struct guest_transport *transport = error ? NULL : pci_transport_create(gpu);
        if (transport) {
            error = transport->calls->open(transport, GUEST_CAPSET_VENUS, "hooks");
            if (error)
                wrong(hooks, "the device opens no context: its log says why");
            else
                error = try_shared(hooks, transport);
            transport->calls->close(transport);
        }
        pci_gpu_close(gpu);
    }
    hooks->system->release(hooks->system->context, gpu);
    return error;
}

int pci_selftest(const struct pci_hooks *hooks)
{
    struct pci_virtio virtio;
    int error = try_system(hooks);
    if (!error)
        error = try_configuration(hooks, &virtio);
    if (!error)
        error = try_registers(hooks, &virtio);
    if (!error)
        error = try_dma(hooks);
    return error ? error : try_device(hooks);
}
