// The hardware cursor: its shape is copied when it is set, so that it needs no resource afterwards.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/listeners.h"
#include "gpu/resource.h"
#include "os/shm.h"
#include "picture/picture.h"

enum {
    MAX_CURSOR = 512, // pixels, each way
    BLOB_CURSOR = 64, // a blob has no size in pixels: cursors are this large, in B8G8R8A8
};

// What formats call unused is a cursor's alpha: Redox draws its cursor so, and QEMU hands it on so.
static uint32_t with_alpha(uint32_t format)
{
    switch (format) {
    case PICTURE_FORMAT_B8G8R8X8:
        return PICTURE_FORMAT_B8G8R8A8;
    case PICTURE_FORMAT_X8R8G8B8:
        return PICTURE_FORMAT_A8R8G8B8;
    case PICTURE_FORMAT_X8B8G8R8:
        return PICTURE_FORMAT_A8B8G8R8;
    case PICTURE_FORMAT_R8G8B8X8:
        return PICTURE_FORMAT_R8G8B8A8;
    default:
        return format;
    }
}

// 0 or -errno: copies width × height pixels of the resource into `rgba`.
static int read_shape(struct gpu_device *device, const struct gpu_resource *resource,
                      uint32_t width, uint32_t height, uint8_t *rgba)
{
    const uint64_t size = (uint64_t)width * height * 4;
    const uint32_t format =
        resource->kind == GPU_RESOURCE_2D ? with_alpha(resource->format) : PICTURE_FORMAT_B8G8R8A8;
    if (resource->kind == GPU_RESOURCE_GUEST) {
        uint8_t *pixels = malloc(size);
        int result = !pixels                                                         ? -ENOMEM
                     : gpu_backing_copy(device, &resource->backing, 0, pixels, size) ? 0
                                                                                     : -EFAULT;
        if (!result)
            picture_convert(format, pixels, PICTURE_ORDER_RGBA, rgba, width * height, false);
        free(pixels);
        return result;
    }
    void *mapping;
    uint64_t mapping_size;
    const uint8_t *pixels;
    int error =
        gpu_file_map(resource->file, resource->offset, size, &pixels, &mapping, &mapping_size);
    if (error)
        return error;
    picture_convert(format, pixels, PICTURE_ORDER_RGBA, rgba, width * height, false);
    os_shm_unmap(mapping, mapping_size);
    return 0;
}

static struct gpu_outcome set_shape(struct gpu_device *device, struct gpu_request *request,
                                    struct gpu_output *output)
{
    const struct gpu_update_cursor *body = &request->body.cursor;
    const struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                          body->resource_id);
    bool pixels = resource->kind == GPU_RESOURCE_2D;
    uint32_t width = pixels ? resource->width : BLOB_CURSOR,
             height = pixels ? resource->height : BLOB_CURSOR;
    if (width > MAX_CURSOR || height > MAX_CURSOR || resource->size < (uint64_t)width * height * 4)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "resource %u is too %s for a cursor", resource->id,
                          pixels ? "large" : "small");
    uint8_t *rgba = malloc((size_t)width * height * 4);
    int error = rgba ? read_shape(device, resource, width, height, rgba) : -ENOMEM;
    if (error) {
        free(rgba);
        return gpu_refuse(device,
                          error == -ENOMEM ? GPU_RESP_ERR_OUT_OF_MEMORY : GPU_RESP_ERR_UNSPEC,
                          "resource %u cannot be read: %s", resource->id, strerror(-error));
    }
    struct gpu_output_cursor *cursor = &output->cursor;
    // Guests set the same shape again and again: readers need not be told.
    if (!cursor->rgba || cursor->width != width || cursor->height != height ||
        cursor->hot_x != body->hot_x || cursor->hot_y != body->hot_y ||
        memcmp(cursor->rgba, rgba, (size_t)width * height * 4))
        cursor->shape_serial = ++device->serial;
    free(cursor->rgba);
    cursor->rgba = rgba;
    cursor->width = width;
    cursor->height = height;
    cursor->hot_x = body->hot_x;
    cursor->hot_y = body->hot_y;
    return GPU_OK;
}

struct gpu_outcome gpu_cursor_update(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_update_cursor *body = &request->body.cursor;
    struct gpu_outcome outcome = GPU_OK;
    struct gpu_output *output = gpu_output_find(device, body->scanout_id, &outcome);
    if (output && body->resource_id)
        outcome = set_shape(device, request, output);
    if (outcome.type != GPU_RESP_OK_NODATA)
        return outcome;
    output->cursor.resource_id = body->resource_id;
    output->cursor.x = body->x;
    output->cursor.y = body->y;
    gpu_listeners_cursor(device, body->scanout_id);
    return GPU_OK;
}

struct gpu_outcome gpu_cursor_move(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_update_cursor *body = &request->body.cursor;
    struct gpu_outcome outcome;
    struct gpu_output *output = gpu_output_find(device, body->scanout_id, &outcome);
    if (!output)
        return outcome;
    output->cursor.x = body->x;
    output->cursor.y = body->y;
    gpu_listeners_cursor(device, body->scanout_id);
    return GPU_OK;
}

void gpu_output_cursor(const struct gpu_device *device, uint32_t index, struct gpu_cursor *cursor)
{
    const struct gpu_output_cursor *own = &device->outputs[index].cursor;
    *cursor = (struct gpu_cursor){
        .visible = own->resource_id && own->rgba,
        .x = (int32_t)own->x,
        .y = (int32_t)own->y,
        .hot_x = own->hot_x,
        .hot_y = own->hot_y,
        .width = own->width,
        .height = own->height,
        .rgba = own->rgba,
        .shape_serial = own->shape_serial,
    };
}
