// Pages of the guest that a resource is made of, and copying out of them.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/budget.h"
#include "gpu/resource.h"

enum {
    PAGE = 4096, // the guest's pages are at least this large: what is contiguous within one is so
                 // on the host
    MAX_ENTRIES = 1 << 20,
};

// Is [address, address + size) guest memory? In one piece, else page by page.
static bool is_guest_memory(struct gpu_device *device, uint64_t address, uint64_t size)
{
    if (device->front.guest_memory(device->front.data, address, size))
        return true;
    while (size) {
        uint64_t piece = PAGE - address % PAGE;
        if (piece > size)
            piece = size;
        if (!device->front.guest_memory(device->front.data, address, piece))
            return false;
        address += piece;
        size -= piece;
    }
    return true;
}

// What is wrong with one entry; NULL: nothing.
static const char *entry_fault(struct gpu_device *device, const struct gpu_memory_entry *entry,
                               uint64_t used)
{
    uint64_t end;
    if (!entry->length || !checked_add_u64(entry->address, entry->length, &end))
        return "an empty memory entry, or one that wraps around";
    if (used && !is_guest_memory(device, entry->address, used))
        return "a memory entry lies outside guest memory";
    return NULL;
}

struct gpu_outcome gpu_backing_read(struct gpu_device *device, const struct gpu_request *request,
                                    uint64_t offset, uint32_t count, uint64_t wanted,
                                    struct gpu_backing *backing)
{
    uint64_t bytes = (uint64_t)count * sizeof(struct gpu_memory_entry);
    if (!count || count > MAX_ENTRIES || !checked_range(offset, bytes, request->readable_size))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "the list of memory entries is empty, too long or longer than the "
                          "request");
    uint64_t own = count * sizeof(*backing->entries);
    if (!gpu_charge(device, own))
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY,
                          "lists of memory entries have reached their limit");
    struct gpu_memory_entry *guest = malloc(bytes);
    *backing = (struct gpu_backing){.count = count, .entries = malloc(own)};
    const char *fault = guest && backing->entries ? NULL : "out of memory";
    if (!fault)
        gpu_request_read(request, offset, guest, bytes);
    struct gpu_outcome outcome = {fault ? GPU_RESP_ERR_OUT_OF_MEMORY
                                        : GPU_RESP_ERR_INVALID_PARAMETER};
    for (uint32_t i = 0; !fault && i < count; i++) {
        // What lies behind the resource's end is never used, so it isn't looked at: that bounds the
        // work.
        uint64_t used = backing->size < wanted ? wanted - backing->size : 0;
        fault = entry_fault(device, &guest[i], used < guest[i].length ? used : guest[i].length);
        backing->entries[i] =
            (struct gpu_backing_entry){guest[i].address, backing->size, guest[i].length};
        backing->size += guest[i].length;
    }
    free(guest);
    if (!fault)
        return GPU_OK;
    gpu_backing_free(device, backing);
    return gpu_refuse(device, outcome.type, "%s", fault);
}

void gpu_backing_free(struct gpu_device *device, struct gpu_backing *backing)
{
    if (backing->count)
        gpu_uncharge(device, backing->count * sizeof(*backing->entries));
    free(backing->entries);
    *backing = (struct gpu_backing){0};
}

// Index of the entry that holds byte `offset`, which is below the size.
static uint32_t entry_at(const struct gpu_backing *backing, uint64_t offset)
{
    uint32_t low = 0, high = backing->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (backing->entries[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool copy_from_guest(struct gpu_device *device, uint64_t address, uint8_t *to, uint64_t size)
{
    const void *from = device->front.guest_memory(device->front.data, address, size);
    if (from) {
        memcpy(to, from, size);
        return true;
    }
    while (size) {
        uint64_t piece = PAGE - address % PAGE;
        if (piece > size)
            piece = size;
        from = device->front.guest_memory(device->front.data, address, piece);
        if (!from)
            return false;
        memcpy(to, from, piece);
        address += piece;
        to += piece;
        size -= piece;
    }
    return true;
}

// As gpu_backing_copy, from entry *index on, which is left where the copy ended.
static bool copy_from(struct gpu_device *device, const struct gpu_backing *backing, uint32_t *index,
                      uint64_t offset, uint8_t *to, uint64_t size)
{
    while (size) {
        const struct gpu_backing_entry *entry = &backing->entries[*index];
        uint64_t skip = offset - entry->start;
        if (skip >= entry->length) {
            ++*index;
            continue;
        }
        uint64_t piece = entry->length - skip;
        if (piece > size)
            piece = size;
        if (!copy_from_guest(device, entry->address + skip, to, piece))
            return false;
        to += piece;
        offset += piece;
        size -= piece;
    }
    return true;
}

bool gpu_backing_copy(struct gpu_device *device, const struct gpu_backing *backing, uint64_t offset,
                      void *data, uint64_t size)
{
    return gpu_backing_copy_rows(device, backing, offset, size, data, size, size, 1);
}

bool gpu_backing_copy_rows(struct gpu_device *device, const struct gpu_backing *backing,
                           uint64_t offset, uint64_t stride, uint8_t *to, uint64_t to_stride,
                           uint64_t width_bytes, uint32_t rows)
{
    if (!rows || !width_bytes)
        return true;
    // Rows that touch each other are one.
    if (width_bytes == stride && stride == to_stride) {
        width_bytes *= rows;
        rows = 1;
    }
    uint64_t last;
    if (__builtin_mul_overflow(stride, (uint64_t)(rows - 1), &last) ||
        !checked_add_u64(last, width_bytes, &last) || !checked_range(offset, last, backing->size))
        return false;
    uint32_t index = entry_at(backing, offset);
    for (uint32_t row = 0; row < rows; row++) {
        // A stride of the guest's choice may leap back over no entry: rows only go forward.
        if (!copy_from(device, backing, &index, offset, to, width_bytes))
            return false;
        offset += stride;
        to += to_stride;
    }
    return true;
}
