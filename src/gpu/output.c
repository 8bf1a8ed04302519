#include "gpu/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/budget.h"
#include "gpu/device.h"
#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/listeners.h"
#include "gpu/resource.h"

// ---- changes --------------------------------------------------------------

static uint32_t index_of(const struct gpu_device *device, const struct gpu_output *output)
{
    return (uint32_t)(output - device->outputs);
}

static void changed(struct gpu_device *device, struct gpu_output *output)
{
    output->generation = ++device->serial;
    gpu_listeners_changed(device, index_of(device, output), output->source.width,
                          output->source.height);
}

static void switch_off(struct gpu_device *device, struct gpu_output *output)
{
    output->resource_id = 0;
    if (output->enabled) {
        output->enabled = false;
        changed(device, output);
    }
}

// Takes over the reference of `file`. Flipping between buffers of one resource is a change too:
// readers look at generations.
static void show(struct gpu_device *device, struct gpu_output *output, struct gpu_file *file,
                 uint64_t offset, uint32_t stride, uint32_t format,
                 const struct picture_rect *source, uint32_t resource_id)
{
    bool same = output->enabled && output->file == file && output->offset == offset &&
                output->stride == stride && output->format == format &&
                !memcmp(&output->source, source, sizeof(*source));
    if (!file->id)
        file->id = ++device->serial;
    struct gpu_file *previous = output->file;
    output->file = file;
    output->offset = offset;
    output->stride = stride;
    output->format = format;
    output->source = *source;
    output->resource_id = resource_id;
    output->enabled = true;
    device->counters.pictures++;
    if (!same)
        changed(device, output);
    gpu_file_unref(device, previous); // after listeners know the next one
}

void gpu_outputs_resource_gone(struct gpu_device *device, const struct gpu_resource *resource)
{
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        struct gpu_output *output = &device->outputs[i];
        if (output->resource_id == resource->id)
            switch_off(device, output);
        if (output->shadow_of == resource->id)
            output->shadow_of = 0;
    }
}

static void hide_cursor(struct gpu_device *device, struct gpu_output *output)
{
    if (output->cursor.resource_id) {
        output->cursor.resource_id = 0;
        gpu_listeners_cursor(device, index_of(device, output));
    }
}

void gpu_outputs_reset(struct gpu_device *device)
{
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        switch_off(device, &device->outputs[i]);
        device->outputs[i].shadow_of = 0;
        hide_cursor(device, &device->outputs[i]);
    }
}

static void drop_shadow(struct gpu_device *device, struct gpu_output *output)
{
    if (output->shadow)
        gpu_uncharge(device, output->shadow->size);
    gpu_file_unref(device, output->shadow);
    output->shadow = NULL;
}

void gpu_outputs_finish(struct gpu_device *device)
{
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        drop_shadow(device, &device->outputs[i]);
        gpu_file_unref(device, device->outputs[i].file);
        free(device->outputs[i].cursor.rgba);
    }
}

// ---- guest blobs ----------------------------------------------------------

// Gathers a part of the picture out of guest pages; `rect` is of the picture.
static bool gather(struct gpu_device *device, struct gpu_output *output,
                   const struct gpu_resource *resource, const struct picture_rect *rect)
{
    uint64_t from =
        output->blob_offset + (uint64_t)rect->y * output->blob_stride + (uint64_t)rect->x * 4;
    uint64_t to = (uint64_t)rect->y * output->stride + (uint64_t)rect->x * 4;
    return gpu_backing_copy_rows(device, &resource->backing, from, output->blob_stride,
                                 output->shadow->address + to, output->stride,
                                 (uint64_t)rect->width * 4, rect->height);
}

// A file for the pixels of a guest blob. 0 or -errno.
static int make_shadow(struct gpu_device *device, struct gpu_output *output, uint32_t width,
                       uint32_t height)
{
    if (output->shadow && output->shadow_width == width && output->shadow_height == height)
        return 0;
    uint64_t size = (uint64_t)width * height * 4;
    if (!gpu_charge(device, size))
        return -ENOMEM;
    struct gpu_file *shadow;
    int error = gpu_file_create(renderers_account(device->renderers), "hesper-scanout", size, true,
                                &shadow);
    if (error) {
        gpu_uncharge(device, size);
        return error;
    }
    drop_shadow(device, output);
    output->shadow = shadow;
    output->shadow_width = width;
    output->shadow_height = height;
    output->shadow_of = 0;
    return 0;
}

// ---- commands -------------------------------------------------------------

struct gpu_output *gpu_output_find(struct gpu_device *device, uint32_t id,
                                   struct gpu_outcome *outcome)
{
    if (id < device->options.outputs)
        return &device->outputs[id];
    *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_SCANOUT_ID, "no scanout %u", id);
    return NULL;
}

// Errors: false and *outcome.
static bool check_source(struct gpu_device *device, const struct picture_rect *source,
                         uint32_t width, uint32_t height, struct gpu_outcome *outcome)
{
    if (source->width && source->height && width <= GPU_MAX_SIZE && height <= GPU_MAX_SIZE &&
        picture_rect_fits(source, width, height))
        return true;
    *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%ux%u at %u,%u of %ux%u pixels",
                          source->width, source->height, source->x, source->y, width, height);
    return false;
}

struct gpu_outcome gpu_set_scanout(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_set_scanout *body = &request->body.set_scanout;
    struct gpu_outcome outcome;
    struct gpu_output *output = gpu_output_find(device, body->scanout_id, &outcome);
    if (!output)
        return outcome;
    if (!body->resource_id) {
        switch_off(device, output);
        return GPU_OK;
    }
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource || resource->kind != GPU_RESOURCE_2D)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "resource %u is no 2D resource",
                          body->resource_id);
    if (!check_source(device, &body->rect, resource->width, resource->height, &outcome))
        return outcome;
    uint64_t offset = (uint64_t)body->rect.y * resource->stride + (uint64_t)body->rect.x * 4;
    show(device, output, gpu_file_ref(resource->file), offset, resource->stride, resource->format,
         &body->rect, resource->id);
    return GPU_OK;
}

static struct gpu_outcome show_guest_blob(struct gpu_device *device, struct gpu_request *request,
                                          struct gpu_output *output,
                                          const struct gpu_resource *resource, uint64_t offset)
{
    const struct gpu_set_scanout_blob *body = &request->body.set_scanout_blob;
    int error = make_shadow(device, output, body->rect.width, body->rect.height);
    if (error)
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "no copy of %ux%u pixels: %s",
                          body->rect.width, body->rect.height, strerror(-error));
    if (output->blob_offset != offset || output->blob_stride != body->strides[0])
        output->shadow_of = 0;
    output->blob_offset = offset;
    output->blob_stride = body->strides[0];
    // The pixels come with the next flush.
    show(device, output, gpu_file_ref(output->shadow), 0, body->rect.width * 4, body->format,
         &body->rect, resource->id);
    return GPU_OK;
}

struct gpu_outcome gpu_set_scanout_blob(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_set_scanout_blob *body = &request->body.set_scanout_blob;
    struct gpu_outcome outcome;
    struct gpu_output *output = gpu_output_find(device, body->scanout_id, &outcome);
    if (!output)
        return outcome;
    if (!body->resource_id) {
        switch_off(device, output);
        return GPU_OK;
    }
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource || resource->kind == GPU_RESOURCE_2D)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "resource %u is no blob",
                          body->resource_id);
    if (!picture_format_known(body->format))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "unknown format %u",
                          body->format);
    if (!check_source(device, &body->rect, body->width, body->height, &outcome))
        return outcome;
    // All of the picture lies in the blob; the sizes are small enough for 64 bits.
    uint64_t end = body->offsets[0] + (uint64_t)body->strides[0] * (body->height - 1) +
                   (uint64_t)body->width * 4;
    if (body->strides[0] < body->width * 4 || end > resource->size)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "%ux%u pixels, stride %u, offset %u: blob %u has %llu bytes", body->width,
                          body->height, body->strides[0], body->offsets[0], resource->id,
                          (unsigned long long)resource->size);
    uint64_t offset =
        body->offsets[0] + (uint64_t)body->rect.y * body->strides[0] + (uint64_t)body->rect.x * 4;
    if (resource->kind == GPU_RESOURCE_GUEST)
        return show_guest_blob(device, request, output, resource, offset);
    show(device, output, gpu_file_ref(resource->file), resource->offset + offset, body->strides[0],
         body->format, &body->rect, resource->id);
    return GPU_OK;
}

// The part of `rect` (of the resource) that the output shows, in pixels of the picture. False:
// none.
static bool visible_part(const struct gpu_output *output, const struct picture_rect *rect,
                         struct picture_rect *part)
{
    const struct picture_rect *source = &output->source;
    uint64_t left = rect->x > source->x ? rect->x : source->x,
             top = rect->y > source->y ? rect->y : source->y;
    uint64_t right = (uint64_t)rect->x + rect->width, bottom = (uint64_t)rect->y + rect->height;
    if (right > (uint64_t)source->x + source->width)
        right = (uint64_t)source->x + source->width;
    if (bottom > (uint64_t)source->y + source->height)
        bottom = (uint64_t)source->y + source->height;
    if (left >= right || top >= bottom)
        return false;
    *part = (struct picture_rect){(uint32_t)(left - source->x), (uint32_t)(top - source->y),
                                  (uint32_t)(right - left), (uint32_t)(bottom - top)};
    return true;
}

// Firmware and boot loaders write on a text console letter by letter, and wait for each. Their
// pixels are copied already, so nothing can tear, and a letter that waits for a frame of its own
// would make a menu take half a minute.
static bool is_detail(const struct gpu_resource *resource, const struct gpu_flush *flush)
{
    return resource->kind == GPU_RESOURCE_2D && 2ull * flush->rect.width * flush->rect.height <
                                                    (uint64_t)resource->width * resource->height;
}

struct gpu_outcome gpu_resource_flush(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_flush *body = &request->body.flush;
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                          body->resource_id);
    if (resource->kind == GPU_RESOURCE_2D &&
        !picture_rect_fits(&body->rect, resource->width, resource->height))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%ux%u at %u,%u of %ux%u pixels",
                          body->rect.width, body->rect.height, body->rect.x, body->rect.y,
                          resource->width, resource->height);
    struct gpu_output *shown = NULL;
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        struct gpu_output *output = &device->outputs[i];
        struct picture_rect part;
        if (!output->enabled || output->resource_id != resource->id ||
            !visible_part(output, &body->rect, &part))
            continue;
        if (resource->kind == GPU_RESOURCE_GUEST) {
            if (output->shadow_of != resource->id) // it holds another buffer's pixels
                part = (struct picture_rect){0, 0, output->source.width, output->source.height};
            if (!gather(device, output, resource, &part))
                return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                                  "the backing of resource %u is too short or gone", resource->id);
            output->shadow_of = resource->id;
        }
        output->flush_count++;
        shown = shown ? shown : output;
        gpu_listeners_damaged(device, i, &part);
    }
    device->counters.flushes++;
    return shown && !is_detail(resource, body) ? gpu_pace_flush(device, shown, request) : GPU_OK;
}

// ---- readers --------------------------------------------------------------

uint32_t gpu_device_outputs(const struct gpu_device *device)
{
    return device->options.outputs;
}

void gpu_device_listen(struct gpu_device *device, struct gpu_listener *listener)
{
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        const struct gpu_output *output = &device->outputs[i];
        listener->progress[i] = (struct gpu_progress){
            .damage = {0, 0, output->source.width, output->source.height},
            .taken = output->flush_count,
            .shown = output->flush_count,
        };
    }
    list_append(&device->listeners, &listener->node);
}

void gpu_device_unlisten(struct gpu_device *device, struct gpu_listener *listener)
{
    list_remove(&listener->node);
    gpu_pace_timer(device); // flushes may have waited for this listener only
}

struct gpu_counters gpu_device_counters(const struct gpu_device *device)
{
    return device->counters;
}

void gpu_output_picture(const struct gpu_device *device, uint32_t index,
                        struct gpu_picture *picture)
{
    const struct gpu_output *output = &device->outputs[index];
    *picture = (struct gpu_picture){
        .fd = output->file ? output->file->fd : -1,
        .file_id = output->file ? output->file->id : 0,
        .file_size = output->file ? output->file->size : 0,
        .offset = output->offset,
        .stride = output->stride,
        .format = output->format,
        .width = output->source.width,
        .height = output->source.height,
        .enabled = output->enabled,
        .generation = output->generation,
    };
}
