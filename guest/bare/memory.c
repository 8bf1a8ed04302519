// Memory: what the program gets is a part of itself. And the kit's hooks for it.
#include <stdlib.h>
#include <string.h>

#include "guest/bare/machine.h"
#include "guest/bare/print.h"

enum { PAGE = 4096, POOL = 24 << 20 };

// Pages from the front, pieces from the back.
static _Alignas(PAGE) uint8_t pool[POOL];
static uint64_t front, back = POOL;

void *machine_pages(uint64_t size)
{
    size = (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (size > back - front)
        return NULL;
    void *pages = pool + front;
    front += size;
    return pages;
}

// ---- tables of pages ------------------------------------------------------

#define LARGE_PAGE (2ull << 20)
#define TABLE_ADDRESS 0x0000fffffffff000ull

static uint64_t *table_below(uint64_t *entry, uint64_t table)
{
    if (!(*entry & 1)) {
        void *page = machine_pages(PAGE);
        if (!page)
            return NULL;
        *entry = (uintptr_t)page | table;
    }
    return (uint64_t *)(uintptr_t)(*entry & TABLE_ADDRESS);
}

void *machine_map(uint64_t *root, uint64_t address, uint64_t size, uint64_t table, uint64_t page)
{
    if (!size || size > 1ull << 47 || address > (1ull << 47) - size)
        return NULL;
    for (uint64_t at = address & ~(LARGE_PAGE - 1); at < address + size; at += LARGE_PAGE) {
        uint64_t *pointers = table_below(&root[at >> 39], table);
        uint64_t *directory = pointers ? table_below(&pointers[at >> 30 & 511], table) : NULL;
        if (!directory)
            return NULL;
        if (!(directory[at >> 21 & 511] & 1))
            directory[at >> 21 & 511] = at | page;
    }
    return (void *)(uintptr_t)address;
}

// ---- hooks of the driver over PCI -----------------------------------------

static void unmap(void *context, void *mapping, uint64_t size)
{
}

static void *dma_allocate(void *context, uint64_t size)
{
    return machine_pages(size);
}

static void dma_free(void *context, void *memory, uint64_t size)
{
}

// Addresses are physical.
static uint64_t dma_address(void *context, const void *memory)
{
    return (uintptr_t)memory;
}

const struct pci_hooks *machine_pci(void)
{
    static struct pci_hooks hooks = {
        .config_read = machine_config_read,
        .config_write = machine_config_write,
        .map = machine_map_physical,
        .unmap = unmap,
        .dma_allocate = dma_allocate,
        .dma_free = dma_free,
        .dma_address = dma_address,
    };
    hooks.system = machine_system();
    return &hooks;
}

// ---- the kit's memory -----------------------------------------------------

// Pieces in sizes of powers of two; those given back wait for the next of their size.
struct piece {
    struct piece *next;
    uint64_t order;
};
static struct piece *waiting[64];

void *malloc(size_t size)
{
    uint64_t order = 5;
    while (order < 40 && (1ull << order) < size + sizeof(struct piece))
        order++;
    struct piece *piece = waiting[order];
    if (piece) {
        waiting[order] = piece->next;
    } else {
        if ((1ull << order) > back - front)
            return NULL;
        back -= 1ull << order;
        piece = (struct piece *)(pool + back);
        piece->order = order;
    }
    return piece + 1;
}

void free(void *memory)
{
    if (!memory)
        return;
    struct piece *piece = (struct piece *)memory - 1;
    piece->next = waiting[piece->order];
    waiting[piece->order] = piece;
}

static void *allocate(void *context, size_t size)
{
    void *memory = malloc(size);
    return memory ? memset(memory, 0, size) : NULL;
}

static void release(void *context, void *memory)
{
    free(memory);
}

static uint64_t now(void *context)
{
    return machine_now_ns();
}

static void relax(void *context, uint32_t round)
{
    machine_relax();
}

static void log_line(void *context, const char *line)
{
    print("%s\n", line);
}

const struct guest_system *machine_system(void)
{
    static const struct guest_system system = {
        .allocate = allocate, .release = release, .now = now, .relax = relax, .log = log_line};
    return &system;
}
