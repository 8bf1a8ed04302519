// By Redox's C interfaces: relibc, the schemes memory and pci. Never run: README.md.
#include "guest/redox/hooks.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// relibc's, without a header for C. A call of a scheme: bytes either way, and numbers that say what
// is wanted. Negative: -errno.
long redox_sys_call_v0(size_t fd, uint8_t *payload, size_t size, size_t flags,
                       const uint64_t *metadata, size_t metadata_count);
enum { CALL_WRITE = 1 << 9, CALL_READ = 1 << 10 };

static struct {
    int cached, uncached; // physical memory
    int contiguous;       // new memory
    int translation;      // addresses of the program to physical ones
    int pci;              // configuration space
} schemes;

// ---- system.h -------------------------------------------------------------

static void *allocate(void *context, size_t size)
{
    return calloc(1, size ? size : 1);
}

static void release(void *context, void *memory)
{
    free(memory);
}

static uint64_t now(void *context)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// Looks quickly at first, since most answers take some microseconds, and then lets others run.
static void relax(void *context, uint32_t round)
{
    if (round >= 64)
        sched_yield();
}

static void log_line(void *context, const char *line)
{
    fprintf(stderr, "hesper: %s\n", line);
}

// ---- memory ---------------------------------------------------------------

static void *map(void *context, uint64_t address, uint64_t size, bool cached)
{
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                         cached ? schemes.cached : schemes.uncached, (off_t)address);
    return mapping == MAP_FAILED ? NULL : mapping;
}

static void unmap(void *context, void *mapping, uint64_t size)
{
    munmap(mapping, size);
}

static void *dma_allocate(void *context, uint64_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, schemes.contiguous, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static uint64_t dma_address(void *context, const void *memory)
{
    uint64_t address = (uintptr_t)memory;
    long result = redox_sys_call_v0((size_t)schemes.translation, (uint8_t *)&address,
                                    sizeof(address), CALL_READ, NULL, 0);
    return result < 0 ? 0 : address;
}

// ---- PCI ------------------------------------------------------------------

enum { ACCESS_READ = 1 };

static uint32_t config_read(void *context, pci_place place, uint32_t offset)
{
    uint32_t value = ~0u;
    const uint64_t metadata[2] = {ACCESS_READ, (uint64_t)place << 12 | offset};
    long result = redox_sys_call_v0((size_t)schemes.pci, (uint8_t *)&value, sizeof(value),
                                    CALL_READ, metadata, 2);
    return result < 0 ? ~0u : value;
}

// The one register that the driver writes is COMMAND, and pcid has set it when it enabled the
// device for this program (99-hesper.toml). Its own write access, as of 2026, writes to the
// register behind the one that is named.
static void config_write(void *context, pci_place place, uint32_t offset, uint32_t value)
{
    uint32_t is = config_read(context, place, offset);
    if ((is & value & 0xffff) != (value & 0xffff))
        log_line(NULL, "pcid has not enabled the device: is its rule in /etc/pcid.d?");
}

const struct pci_hooks *redox_hooks(void)
{
    static const struct guest_system system = {
        .allocate = allocate, .release = release, .now = now, .relax = relax, .log = log_line};
    static const struct pci_hooks hooks = {
        .system = &system,
        .config_read = config_read,
        .config_write = config_write,
        .map = map,
        .unmap = unmap,
        .dma_allocate = dma_allocate,
        .dma_free = unmap,
        .dma_address = dma_address,
    };
    schemes.cached = open("/scheme/memory/physical@wb", O_RDWR | O_CLOEXEC);
    schemes.uncached = open("/scheme/memory/physical@uc", O_RDWR | O_CLOEXEC);
    // Not cached on arm64, where Redox takes no device's memory to be coherent.
#ifdef __aarch64__
    schemes.contiguous = open("/scheme/memory/zeroed@uc?phys_contiguous", O_RDWR | O_CLOEXEC);
#else
    schemes.contiguous = open("/scheme/memory/zeroed@wb?phys_contiguous", O_RDWR | O_CLOEXEC);
#endif
    schemes.translation = open("/scheme/memory/translation", O_RDWR | O_CLOEXEC);
    schemes.pci = open("/scheme/pci/access", O_RDWR | O_CLOEXEC);
    if (schemes.cached < 0 || schemes.uncached < 0 || schemes.contiguous < 0 ||
        schemes.translation < 0 || schemes.pci < 0)
        return NULL;
    return &hooks;
}
