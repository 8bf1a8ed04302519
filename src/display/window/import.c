#include "display/window/import.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

// Imports that a file keeps. A guest flips between a few pictures. If it shows ever new places of a
// file, the oldest imports are dropped.
enum { KEEP = 8 };

void window_import_release(struct window_import *import)
{
    if (!import || atomic_fetch_sub(&import->references, 1) != 1)
        return;
    struct window_vulkan *vk = import->vulkan;
    vk->DestroyBuffer(vk->device, import->buffer, NULL);
    vk->FreeMemory(vk->device, import->memory, NULL);
    if (import->map)
        munmap(import->map, import->end - import->start);
    free(import);
}

void window_import_forget(struct display_file *file)
{
    struct window_import_file *entry = file->made;
    if (!entry)
        return;
    LIST_EACH (node, &entry->imports)
        window_import_release(LIST_ENTRY(node, struct window_import, node));
    list_remove(&entry->node);
    free(entry);
    file->made = NULL;
}

void window_import_forget_all(struct window_vulkan *vk)
{
    LIST_EACH (node, &vk->import_files)
        window_import_forget(LIST_ENTRY(node, struct window_import_file, node)->file);
}

static struct window_import_file *entry_of(struct window_vulkan *vk, struct display_file *file)
{
    struct window_import_file *entry = file->made ? file->made : calloc(1, sizeof(*entry));
    if (!entry || file->made)
        return entry;
    entry->file = file;
    list_init(&entry->imports);
    list_append(&vk->import_files, &entry->node);
    file->made = entry;
    return entry;
}

// Maps [start, end) at an address that is a multiple of `alignment`, a power of two.
static void *map_aligned(int fd, uint64_t start, uint64_t end, uint64_t alignment)
{
    size_t size = end - start;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t spare = alignment > page ? alignment : 0;
    uint8_t *room = mmap(NULL, size + spare, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    uint8_t *at = spare ? room + (-(uintptr_t)room & (alignment - 1)) : room;
    if (at > room)
        munmap(room, at - room);
    if (room + spare > at)
        munmap(at + size, room + spare - at);
    // Drivers pin pages for writing, though only reads are asked for here.
    if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, start) != MAP_FAILED ||
        mmap(at, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, start) != MAP_FAILED)
        return at;
    munmap(at, size);
    return NULL;
}

// Returns NULL, or why it failed.
static const char *import_map(struct window_import *import)
{
    struct window_vulkan *vk = import->vulkan;
    VkDeviceSize size = import->end - import->start;
    VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = size,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
    };
    if (vk->CreateBuffer(vk->device, &info, NULL, &import->buffer) < 0) {
        import->buffer = VK_NULL_HANDLE;
        return "the driver makes no buffer of its size";
    }
    VkMemoryRequirements needs;
    vk->GetBufferMemoryRequirements(vk->device, import->buffer, &needs);
    VkMemoryHostPointerPropertiesEXT pointer = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    if (vk->GetMemoryHostPointerPropertiesEXT(
            vk->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, import->map,
            &pointer) < 0)
        return "the driver refuses pages of a file";
    uint32_t bits = pointer.memoryTypeBits & needs.memoryTypeBits;
    if (!bits || needs.size > size)
        return "the driver has no type of memory for it";
    VkImportMemoryHostPointerInfoEXT host = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
        .pHostPointer = import->map,
    };
    VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &host,
        .allocationSize = size,
        .memoryTypeIndex = window_vulkan_memory(vk, bits, 0),
    };
    if (vk->AllocateMemory(vk->device, &allocation, NULL, &import->memory) < 0) {
        import->memory = VK_NULL_HANDLE;
        return "the driver refuses to import it";
    }
    if (vk->BindBufferMemory(vk->device, import->buffer, import->memory, 0) < 0)
        return "the driver refuses to bind it";
    return NULL;
}

// Says it once per device: a person cannot do more about the second than about the first.
static void refuse(struct window_vulkan *vk, const char *why)
{
    if (!vk->import_said)
        log_warning("the CPU copies what is shown: a picture cannot be imported: %s", why);
    vk->import_said = true;
}

static struct window_import *import_range(struct window_vulkan *vk, struct display_file *file,
                                          uint64_t start, uint64_t end)
{
    struct window_import *import = calloc(1, sizeof(*import));
    if (!import)
        return NULL;
    *import = (struct window_import){.vulkan = vk, .start = start, .end = end};
    atomic_init(&import->references, 1);
    import->map = map_aligned(file->fd, start, end, vk->import_alignment);
    const char *why = import->map ? import_map(import) : "its file cannot be mapped";
    if (!why)
        return import;
    refuse(vk, why);
    window_import_release(import);
    return NULL;
}

struct window_import *window_import_get(struct window_vulkan *vk, struct display_file *file,
                                        uint64_t offset, uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t unit = vk->import_alignment > page ? vk->import_alignment : page;
    if (vk->import_refused) {
        refuse(vk, vk->import_refused);
        return NULL;
    }
    uint64_t start = offset & ~(unit - 1);
    uint64_t end = (offset + size + unit - 1) & ~(unit - 1);
    // There is nothing to be pinned beyond the page that the file ends in.
    if (end > ((file->size + page - 1) & ~(page - 1))) {
        refuse(vk, "its file ends inside a unit of the driver");
        return NULL;
    }
    struct window_import_file *entry = entry_of(vk, file);
    if (!entry)
        return NULL;
    unsigned count = 0;
    struct window_import *import = NULL;
    LIST_EACH (node, &entry->imports) {
        struct window_import *known = LIST_ENTRY(node, struct window_import, node);
        if (known->start <= start && known->end >= end) {
            list_remove(node);
            import = known;
            break;
        }
        count++;
    }
    if (!import)
        import = import_range(vk, file, start, end);
    if (!import)
        return NULL;
    if (count >= KEEP) {
        struct window_import *last =
            LIST_ENTRY(entry->imports.previous, struct window_import, node);
        list_remove(&last->node);
        window_import_release(last);
    }
    list_prepend(&entry->imports, &import->node);
    atomic_fetch_add(&import->references, 1);
    return import;
}
