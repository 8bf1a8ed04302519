// Ranges in use are pointers to their resources in one array sorted by offset: searching takes a
// few cache lines, inserting moves some memory; both are far below the cost of a placement, up to
// tens of thousands.
#include "gpu/aperture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/device.h"
#include "gpu/file.h"
#include "gpu/lane.h"
#include "gpu/resource.h"

// Index of the first range that ends behind `offset`.
static uint32_t first_behind(const struct gpu_aperture *aperture, uint64_t offset)
{
    uint32_t low = 0, high = aperture->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct gpu_resource *resource = aperture->ranges[middle];
        if (resource->aperture_offset + resource->aperture_size > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool insert(struct gpu_aperture *aperture, uint32_t index, struct gpu_resource *resource)
{
    if (aperture->count == aperture->capacity) {
        uint32_t capacity = aperture->capacity ? aperture->capacity * 2 : 64;
        struct gpu_resource **larger = realloc(aperture->ranges, capacity * sizeof(*larger));
        if (!larger)
            return false;
        aperture->ranges = larger;
        aperture->capacity = capacity;
    }
    memmove(&aperture->ranges[index + 1], &aperture->ranges[index],
            (aperture->count - index) * sizeof(*aperture->ranges));
    aperture->ranges[index] = resource;
    aperture->count++;
    return true;
}

static void take_out(struct gpu_aperture *aperture, struct gpu_resource *resource)
{
    uint32_t index = first_behind(aperture, resource->aperture_offset);
    aperture->count--;
    memmove(&aperture->ranges[index], &aperture->ranges[index + 1],
            (aperture->count - index) * sizeof(*aperture->ranges));
    resource->placement = GPU_UNPLACED;
}

// Those who wait for a range try again, each in its turn.
static void wake_waiting(struct gpu_device *device)
{
    for (struct gpu_request *request;
         (request = LIST_FIRST(&device->aperture.waiting, struct gpu_request, waiting));)
        gpu_lanes_resume(device, request);
}

static struct gpu_outcome wait_for_range(struct gpu_device *device, struct gpu_request *request)
{
    if (!gpu_lanes_hold(device, request, GPU_SLOT_BOTH))
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    list_append(&device->aperture.waiting, &request->waiting);
    return GPU_PENDING;
}

static const char *place_error(int error)
{
    return error == -ENOSPC ? "no more placements are possible" : strerror(-error);
}

// The request is kept for gpu_device_placed. False: no memory.
static bool expect(struct gpu_device *device, struct gpu_resource *resource,
                   struct gpu_request *request, enum gpu_placement placement)
{
    resource->cookie = ++device->serial;
    if (!gpu_lanes_hold(device, request, GPU_SLOT_BOTH) ||
        !id_table_insert(&device->aperture.pending, resource->cookie, resource))
        return false;
    resource->placement = placement;
    resource->mover = request;
    return true;
}

static void begin(struct gpu_device *device, struct gpu_resource *resource)
{
    const struct gpu_front *front = &device->front;
    uint64_t cookie = resource->cookie;
    int result;
    if (resource->placement == GPU_PLACING)
        result = front->place(front->data, resource->aperture_offset, resource->file->fd,
                              resource->offset, resource->aperture_size, true, cookie);
    else
        result =
            front->unplace(front->data, resource->aperture_offset, resource->aperture_size, cookie);
    if (result < 0)
        gpu_device_placed(device, cookie, result);
}

struct gpu_outcome gpu_aperture_place(struct gpu_device *device, struct gpu_resource *resource,
                                      uint64_t offset, struct gpu_request *request)
{
    struct gpu_aperture *aperture = &device->aperture;
    uint64_t page = device->options.page_size, size;
    if (offset % page || resource->offset % page ||
        !checked_align_u64(resource->size, page, &size) ||
        !checked_range(offset, size, device->options.aperture_size))
        return gpu_refuse(
            device, GPU_RESP_ERR_INVALID_PARAMETER,
            "%llu bytes at %llu of an aperture of %llu bytes: outside it, or no multiple of "
            "the page size %llu",
            (unsigned long long)resource->size, (unsigned long long)offset,
            (unsigned long long)device->options.aperture_size, (unsigned long long)page);
    uint32_t index = first_behind(aperture, offset);
    for (uint32_t i = index;
         i < aperture->count && aperture->ranges[i]->aperture_offset < offset + size; i++) {
        if (aperture->ranges[i]->placement == GPU_REMOVING)
            continue;
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "the range at %llu of the aperture is in use by resource %u",
                          (unsigned long long)offset, aperture->ranges[i]->id);
    }
    if (index < aperture->count && aperture->ranges[index]->aperture_offset < offset + size)
        return wait_for_range(device, request);

    resource->aperture_offset = offset;
    resource->aperture_size = size;
    if (!expect(device, resource, request, GPU_PLACING))
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    if (!insert(aperture, index, resource)) {
        id_table_remove(&aperture->pending, resource->cookie);
        resource->placement = GPU_UNPLACED;
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    }
    begin(device, resource);
    return GPU_PENDING;
}

struct gpu_outcome gpu_aperture_remove(struct gpu_device *device, struct gpu_resource *resource,
                                       struct gpu_request *request)
{
    if (!expect(device, resource, request, GPU_REMOVING))
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    begin(device, resource);
    return GPU_PENDING;
}

static struct gpu_outcome placed(struct gpu_device *device, struct gpu_resource *resource,
                                 struct gpu_request *request, int error)
{
    struct gpu_map_info info = {.map_info = resource->map_info};
    if (!error) {
        resource->placement = GPU_PLACED;
        return gpu_respond(device, request, GPU_RESP_OK_MAP_INFO, &info, sizeof(info));
    }
    take_out(&device->aperture, resource);
    return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY,
                      "resource %u cannot be placed in the aperture: %s", resource->id,
                      place_error(error));
}

static void removed(struct gpu_device *device, struct gpu_resource *resource, int error)
{
    if (!error) {
        take_out(&device->aperture, resource);
        return;
    }
    // The guest may still see its pages there: the range must never show anything else.
    resource->placement = GPU_STUCK;
    gpu_complain(device,
                 "virtio-gpu: %llu bytes at %llu of the aperture cannot be taken out (%s) and "
                 "stay unused",
                 (unsigned long long)resource->aperture_size,
                 (unsigned long long)resource->aperture_offset, place_error(error));
}

void gpu_device_placed(struct gpu_device *device, uint64_t cookie, int error)
{
    struct gpu_aperture *aperture = &device->aperture;
    struct gpu_resource *resource = id_table_find(&aperture->pending, cookie);
    if (!resource || resource->is_postponed)
        return; // of a driver that is gone
    if (error == -EAGAIN) {
        resource->is_postponed = true;
        list_append(&aperture->postponed, &resource->postponed);
        return;
    }
    id_table_remove(&aperture->pending, cookie);
    struct gpu_request *request = resource->mover;
    resource->mover = NULL;
    if (resource->placement == GPU_PLACING) {
        gpu_settle(device, request, placed(device, resource, request, error));
    } else {
        removed(device, resource, error);
        gpu_lanes_resume(device, request);
    }
    wake_waiting(device);
}

void gpu_device_resumed(struct gpu_device *device)
{
    struct list again;
    list_init(&again);
    LIST_EACH (node, &device->aperture.postponed) {
        list_remove(node);
        list_append(&again, node);
    }
    LIST_EACH (node, &again) {
        struct gpu_resource *resource = LIST_ENTRY(node, struct gpu_resource, postponed);
        list_remove(node);
        resource->is_postponed = false;
        begin(device, resource);
    }
}

void gpu_aperture_init(struct gpu_aperture *aperture)
{
    *aperture = (struct gpu_aperture){0};
    list_init(&aperture->postponed);
    list_init(&aperture->waiting);
}

void gpu_aperture_reset(struct gpu_device *device)
{
    struct gpu_aperture *aperture = &device->aperture;
    for (uint32_t i = 0; i < aperture->count; i++)
        if (!aperture->ranges[i]->id)
            free(aperture->ranges[i]); // of a resource that went while it was stuck
    free(aperture->ranges);
    id_table_finish(&aperture->pending);
    gpu_aperture_init(aperture);
}
