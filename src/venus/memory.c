// Memory that a guest can map or share lies in shared pages, imported into the driver; the rest is
// the driver's own.
#include "venus/memory.h"

#include <errno.h>

#include "base/checked.h"
#include "venus/call.h"
#include "venus/import.h"

// A guest's kernel rounds blobs up to its own pages and maps them so; many an arm64 guest has pages
// of 16 KiB. Sharable memory has room for that on hosts with smaller ones.
enum { GUEST_PAGE = 16384 };

static bool type_is_mappable(const struct venus_physical_device *physical_device, uint32_t type)
{
    return physical_device->memory.memoryTypes[type].propertyFlags &
           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
}

// Shared pages for an allocation: those of the resource that it imports, or new ones.
static VkResult find_pages(struct venus_call *call, const VkMemoryAllocateInfo *info,
                           const VkImportMemoryResourceInfoMESA *import, bool shared,
                           struct venus_pages **pages)
{
    struct venus_context *context = call->context;
    uint64_t size, alignment = call->device->physical_device->import_alignment;
    if (import) {
        // Whoever owes memory that it had imported imports no more.
        if (!venus_ledger_take(&context->ledger, LINK_HOLDS_PAGES, 0))
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        struct venus_resource *resource =
            venus_resource_get(&context->resources, import->resourceId);
        if (!resource)
            return venus_fail(call, "no such resource"), VK_ERROR_UNKNOWN;
        // What the driver is given is whole units.
        bool usable = resource->kind == LINK_RESOURCE_MEMORY && info->allocationSize &&
                      checked_align_u64(info->allocationSize, alignment, &size) &&
                      size <= resource->pages->size &&
                      !((uintptr_t)resource->pages->address & (alignment - 1));
        if (usable)
            *pages = venus_pages_ref(resource->pages);
        venus_resource_unref(resource);
        return usable ? VK_SUCCESS : VK_ERROR_INVALID_EXTERNAL_HANDLE;
    }
    uint64_t granule = alignment > GUEST_PAGE ? alignment : GUEST_PAGE;
    if (!info->allocationSize || !checked_align_u64(info->allocationSize, granule, &size) ||
        !venus_ledger_take(&context->ledger, LINK_HOLDS_PAGES, size))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    enum venus_pages_use use = shared               ? VENUS_PAGES_SHARED
                               : context->own_files ? VENUS_PAGES_OWN_FILE
                                                    : VENUS_PAGES_RANGE;
    int error = venus_pages_alloc(context->pages, size, alignment, use, pages);
    if (error) {
        venus_ledger_give(&context->ledger, LINK_HOLDS_PAGES, size);
        return error == -EMFILE || error == -ENFILE ? VK_ERROR_TOO_MANY_OBJECTS
                                                    : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    (*pages)->ledger = &context->ledger;
    return VK_SUCCESS;
}

// Pages that somebody shares stay counted until the last one lets go.
static void drop(struct venus_context *context, struct venus_memory *memory)
{
    if (memory->pages)
        venus_pages_unref(context->pages, memory->pages);
    else
        venus_ledger_give(&context->ledger, memory->holding, memory->plain_size);
    memory->pages = NULL;
    memory->plain_size = 0;
}

static VkResult allocate(struct venus_call *call, const VkMemoryAllocateInfo *guest_info,
                         struct venus_memory *memory)
{
    struct venus_device *device = call->device;
    const struct venus_physical_device *physical_device = device->physical_device;
    // The decoded chain is ours to edit: what the host must not see is taken out.
    const VkImportMemoryResourceInfoMESA *import =
        venus_chain_unlink(guest_info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA);
    const VkExportMemoryAllocateInfo *export =
        venus_chain_unlink(guest_info, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    VkMemoryAllocateInfo info = *guest_info;

    if (info.memoryTypeIndex >= physical_device->memory.memoryTypeCount)
        return VK_ERROR_UNKNOWN;
    // Our files are sparse: they would take any size.
    uint32_t heap = physical_device->memory.memoryTypes[info.memoryTypeIndex].heapIndex;
    if (info.allocationSize > physical_device->memory.memoryHeaps[heap].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    bool shared = import || (export && export->handleTypes);
    struct venus_import way = {.file.fd = -1};
    memory->mappable = type_is_mappable(physical_device, info.memoryTypeIndex);
    memory->exportable = export && export->handleTypes;
    if (memory->mappable || shared) {
        if (!(physical_device->importable_types & (1u << info.memoryTypeIndex)))
            return import ? VK_ERROR_INVALID_EXTERNAL_HANDLE : VK_ERROR_OUT_OF_DEVICE_MEMORY;
        VkResult result = find_pages(call, &info, import, shared, &memory->pages);
        if (result != VK_SUCCESS)
            return result;
        // Imported host memory may not be a dedicated allocation
        // (VUID-VkMemoryAllocateInfo-pNext-02806).
        venus_chain_unlink(&info, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
        info.allocationSize = import
                                  ? (info.allocationSize + physical_device->import_alignment - 1) &
                                        ~(physical_device->import_alignment - 1)
                                  : memory->pages->size;
        if (venus_import_begin(&way, physical_device->import_handle, memory->pages, &info)) {
            drop(call->context, memory);
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        }
    } else {
        memory->holding = venus_heap_memory(physical_device, heap) == LINK_MEMORY_CARD
                              ? LINK_HOLDS_CARD
                              : LINK_HOLDS_PLAIN;
        if (!venus_ledger_take(&call->context->ledger, memory->holding, info.allocationSize))
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        memory->plain_size = info.allocationSize;
    }
    VkDeviceMemory handle;
    VkResult result = device->vk.AllocateMemory(venus_device_handle(device), &info, NULL, &handle);
    venus_import_end(&way, result);
    if (result == VK_SUCCESS)
        memory->base.handle = (uint64_t)handle;
    else
        drop(call->context, memory);
    return result;
}

static void release(struct venus_context *context, struct venus_object *object)
{
    struct venus_device *device = object->device;
    device->vk.FreeMemory(venus_device_handle(device), (VkDeviceMemory)object->handle, NULL);
    drop(context, (struct venus_memory *)object);
    venus_object_free(&context->objects, object);
}

static const struct venus_class memory_class = {.size = sizeof(struct venus_memory),
                                                .release = release};

static bool allocate_memory(struct venus_call *call, void *data)
{
    struct wire_args_vkAllocateMemory *args = data;
    struct venus_object_table *table = &call->context->objects;
    struct venus_memory *memory =
        venus_object_alloc(table, &memory_class, WIRE_HANDLE_DEVICE_MEMORY);
    if (!memory) {
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return true;
    }
    memory->base.device = call->device;
    memory->base.parent = &call->device->base;
    args->ret = allocate(call, args->pAllocateInfo, memory);
    if (args->ret != VK_SUCCESS) {
        venus_object_free(table, &memory->base);
        return !call->reason;
    }
    if (!venus_object_insert(table, &memory->base, (uint64_t)*args->pMemory)) {
        venus_release(call->context, &memory->base);
        return venus_fail(call, "the id of the new object is 0 or in use");
    }
    return true;
}

static bool free_memory(struct venus_call *call, void *data)
{
    struct wire_args_vkFreeMemory *args = data;
    struct venus_object_table *table = &call->context->objects;
    uint64_t id = (uint64_t)args->memory;
    if (!id)
        return true;
    struct venus_object *object = venus_object_find(table, id);
    if (!object || object->device != call->device ||
        !(object = venus_object_remove(table, WIRE_HANDLE_DEVICE_MEMORY, id)))
        return venus_fail(call, "no memory of this device has this id");
    venus_release(call->context, object);
    return true;
}

static bool get_memory_resource_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetMemoryResourcePropertiesMESA *args = data;
    VkMemoryResourcePropertiesMESA *properties = args->pMemoryResourceProperties;
    VkMemoryResourceAllocationSizePropertiesMESA *size = venus_chain_find(
        properties, VK_STRUCTURE_TYPE_MEMORY_RESOURCE_ALLOCATION_SIZE_PROPERTIES_MESA);
    struct venus_resource *resource =
        venus_resource_get(&call->context->resources, args->resourceId);
    if (!resource)
        return venus_fail(call, "no such resource");
    args->ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (resource->kind == LINK_RESOURCE_MEMORY) {
        args->ret = VK_SUCCESS;
        properties->memoryTypeBits = call->device->physical_device->importable_types;
        if (size)
            size->allocationSize = resource->pages->size;
    }
    venus_resource_unref(resource);
    return true;
}

// The guest's memory never needs them: what is mapped is coherent.
static bool nothing_to_do(struct venus_call *call, void *data)
{
    return true;
}

struct export
{
    const struct link_blob_export *request;
    struct venus_pages *pages; // a reference; NULL: `error`
    int error;
};

// A ring may free the memory at any time, but not while the table is locked.
static void take_pages(void *data, struct venus_object *object)
{
    struct export *export = data;
    struct venus_memory *memory = (struct venus_memory *)object;
    const uint32_t flags = export->request->blob_flags;
    if (!memory->pages || export->request->size > memory->pages->size ||
        ((flags & LINK_BLOB_MAPPABLE) && !memory->mappable) ||
        ((flags & (LINK_BLOB_SHAREABLE | LINK_BLOB_CROSS_DEVICE)) && !memory->exportable))
        export->error = -EINVAL;
    else if (atomic_exchange(&memory->exported, true))
        export->error = -EEXIST;
    else
        export->pages = venus_pages_ref(memory->pages);
}

int venus_memory_export(struct venus_context *context, const struct link_blob_export *request,
                        struct link_blob_exported *answer, int *out_fd)
{
    struct export export = {.request = request, .error = -ENOENT};
    // Memory that never came to be is found as such only.
    if (!venus_object_visit(&context->objects, WIRE_HANDLE_DEVICE_MEMORY, request->memory_id,
                            take_pages, &export) &&
        venus_object_find(&context->objects, request->memory_id))
        export.error = -ENOMEM;
    if (!export.pages)
        return export.error;
    answer->offset = export.pages->offset;
    answer->size = export.pages->size;
    // The pages are ordinary memory of the host, whatever the type says: always cached.
    answer->map_info = 1;
    *out_fd = export.pages->fd;
    return venus_resource_attach(&context->resources, request->resource_id, LINK_RESOURCE_MEMORY,
                                 export.pages)
               ? 0
               : -EEXIST;
}

const struct venus_handler_entry venus_memory_handlers[] = {
    {WIRE_vkAllocateMemory, allocate_memory},
    {WIRE_vkFreeMemory, free_memory},
    {WIRE_vkGetMemoryResourcePropertiesMESA, get_memory_resource_properties},
    {WIRE_vkUnmapMemory, nothing_to_do},
    {WIRE_vkUnmapMemory2, nothing_to_do},
    {WIRE_vkFlushMappedMemoryRanges, nothing_to_do},
    {WIRE_vkInvalidateMappedMemoryRanges, nothing_to_do},
    {0},
};
