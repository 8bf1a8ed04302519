#include "gpu/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "gpu/aperture.h"
#include "gpu/blob.h"
#include "gpu/context.h"
#include "gpu/fence.h"
#include "gpu/output_private.h"
#include "os/clock.h"
#include "os/loop.h"

#define BIT(feature) (1u << (feature))
enum { NEEDS_3D = BIT(GPU_F_VIRGL), NEEDS_BLOB = BIT(GPU_F_RESOURCE_BLOB) };

#define BODY(type) sizeof(struct type)
#define AT(type, member) offsetof(struct type, member)

static const struct gpu_command commands[] = {
    // type, name, queue, features, body, resource, scanout, context, handler
    {GPU_CMD_GET_DISPLAY_INFO, "GET_DISPLAY_INFO", GPU_CONTROL_QUEUE, 0, 0, -1, -1, false,
     gpu_get_display_info},
    {GPU_CMD_RESOURCE_CREATE_2D, "RESOURCE_CREATE_2D", GPU_CONTROL_QUEUE, 0, BODY(gpu_create_2d), 0,
     -1, false, gpu_resource_create_2d},
    {GPU_CMD_RESOURCE_UNREF, "RESOURCE_UNREF", GPU_CONTROL_QUEUE, 0, BODY(gpu_resource_only), 0, -1,
     false, gpu_resource_unref},
    {GPU_CMD_SET_SCANOUT, "SET_SCANOUT", GPU_CONTROL_QUEUE, 0, BODY(gpu_set_scanout),
     AT(gpu_set_scanout, resource_id), AT(gpu_set_scanout, scanout_id), false, gpu_set_scanout},
    {GPU_CMD_RESOURCE_FLUSH, "RESOURCE_FLUSH", GPU_CONTROL_QUEUE, 0, BODY(gpu_flush),
     AT(gpu_flush, resource_id), -1, false, gpu_resource_flush},
    {GPU_CMD_TRANSFER_TO_HOST_2D, "TRANSFER_TO_HOST_2D", GPU_CONTROL_QUEUE, 0,
     BODY(gpu_transfer_2d), AT(gpu_transfer_2d, resource_id), -1, false, gpu_transfer_to_host_2d},
    {GPU_CMD_RESOURCE_ATTACH_BACKING, "RESOURCE_ATTACH_BACKING", GPU_CONTROL_QUEUE, 0,
     BODY(gpu_attach_backing), 0, -1, false, gpu_resource_attach_backing},
    {GPU_CMD_RESOURCE_DETACH_BACKING, "RESOURCE_DETACH_BACKING", GPU_CONTROL_QUEUE, 0,
     BODY(gpu_resource_only), 0, -1, false, gpu_resource_detach_backing},
    {GPU_CMD_GET_CAPSET_INFO, "GET_CAPSET_INFO", GPU_CONTROL_QUEUE, NEEDS_3D,
     BODY(gpu_get_capset_info), -1, -1, false, gpu_get_capset_info},
    {GPU_CMD_GET_CAPSET, "GET_CAPSET", GPU_CONTROL_QUEUE, NEEDS_3D, BODY(gpu_get_capset), -1, -1,
     false, gpu_get_capset},
    {GPU_CMD_GET_EDID, "GET_EDID", GPU_CONTROL_QUEUE, BIT(GPU_F_EDID), BODY(gpu_get_edid), -1, -1,
     false, gpu_get_edid},
    {GPU_CMD_RESOURCE_ASSIGN_UUID, "RESOURCE_ASSIGN_UUID", GPU_CONTROL_QUEUE,
     BIT(GPU_F_RESOURCE_UUID), BODY(gpu_resource_only), 0, -1, false, gpu_resource_assign_uuid},
    {GPU_CMD_RESOURCE_CREATE_BLOB, "RESOURCE_CREATE_BLOB", GPU_CONTROL_QUEUE, NEEDS_BLOB,
     BODY(gpu_create_blob), 0, -1, true, gpu_resource_create_blob},
    {GPU_CMD_SET_SCANOUT_BLOB, "SET_SCANOUT_BLOB", GPU_CONTROL_QUEUE, NEEDS_BLOB,
     BODY(gpu_set_scanout_blob), AT(gpu_set_scanout_blob, resource_id),
     AT(gpu_set_scanout_blob, scanout_id), false, gpu_set_scanout_blob},
    {GPU_CMD_CTX_CREATE, "CTX_CREATE", GPU_CONTROL_QUEUE, NEEDS_3D, BODY(gpu_ctx_create), -1, -1,
     true, gpu_ctx_create},
    {GPU_CMD_CTX_DESTROY, "CTX_DESTROY", GPU_CONTROL_QUEUE, NEEDS_3D, 0, -1, -1, true,
     gpu_ctx_destroy},
    {GPU_CMD_CTX_ATTACH_RESOURCE, "CTX_ATTACH_RESOURCE", GPU_CONTROL_QUEUE, NEEDS_3D,
     BODY(gpu_resource_only), 0, -1, true, gpu_ctx_attach_resource},
    {GPU_CMD_CTX_DETACH_RESOURCE, "CTX_DETACH_RESOURCE", GPU_CONTROL_QUEUE, NEEDS_3D,
     BODY(gpu_resource_only), 0, -1, true, gpu_ctx_detach_resource},
    {GPU_CMD_SUBMIT_3D, "SUBMIT_3D", GPU_CONTROL_QUEUE, NEEDS_3D, BODY(gpu_submit), -1, -1, true,
     gpu_submit_3d},
    {GPU_CMD_RESOURCE_MAP_BLOB, "RESOURCE_MAP_BLOB", GPU_CONTROL_QUEUE, NEEDS_BLOB,
     BODY(gpu_map_blob), 0, -1, false, gpu_resource_map_blob},
    {GPU_CMD_RESOURCE_UNMAP_BLOB, "RESOURCE_UNMAP_BLOB", GPU_CONTROL_QUEUE, NEEDS_BLOB,
     BODY(gpu_resource_only), 0, -1, false, gpu_resource_unmap_blob},
    {GPU_CMD_UPDATE_CURSOR, "UPDATE_CURSOR", GPU_CURSOR_QUEUE, 0, BODY(gpu_update_cursor),
     AT(gpu_update_cursor, resource_id), 0, false, gpu_cursor_update},
    // Moves are frequent and small: what follows the position is optional.
    {GPU_CMD_MOVE_CURSOR, "MOVE_CURSOR", GPU_CURSOR_QUEUE, 0, AT(gpu_update_cursor, resource_id),
     -1, 0, false, gpu_cursor_move},
};

const struct gpu_command *gpu_find_command(uint32_t type)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].type == type)
            return &commands[i];
    return NULL;
}

const char *gpu_response_name(uint32_t type)
{
    static const char *const names[] = {"ERR_UNSPEC",
                                        "ERR_OUT_OF_MEMORY",
                                        "ERR_INVALID_SCANOUT_ID",
                                        "ERR_INVALID_RESOURCE_ID",
                                        "ERR_INVALID_CONTEXT_ID",
                                        "ERR_INVALID_PARAMETER"};
    uint32_t index = type - GPU_RESP_ERR_UNSPEC;
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "OK";
}

void gpu_complain(struct gpu_device *device, const char *format, ...)
{
    struct gpu_history *history = &device->history;
    uint64_t now = os_now_ns();
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct gpu_complaint *kept = &history->complaint[history->complaints++ % GPU_STATUS_ERRORS];
    kept->at_ns = now;
    snprintf(kept->text, sizeof(kept->text), "%.*s", (int)sizeof(kept->text) - 1, text);
    if (log_limit_allows(&device->log_limit, now, 20, 10000000000u))
        log_warning("%s", text);
}

bool gpu_charge(struct gpu_device *device, uint64_t bytes)
{
    if (!checked_range(device->host_bytes, bytes, device->options.max_2d_bytes))
        return false;
    device->host_bytes += bytes;
    return true;
}

void gpu_uncharge(struct gpu_device *device, uint64_t bytes)
{
    device->host_bytes -= bytes;
}

// ---- life -----------------------------------------------------------------

static void flush(void *data)
{
    struct gpu_device *device = data;
    device->flush_wanted = false;
    device->front.flush(device->front.data);
}

static bool possible(const struct gpu_options *options)
{
    bool size = options->width >= GPU_MIN_SIZE && options->width <= GPU_MAX_SIZE &&
                options->height >= GPU_MIN_SIZE && options->height <= GPU_MAX_SIZE;
    bool aperture = !options->aperture_size || (is_power_of_two_u64(options->aperture_size) &&
                                                options->aperture_size >= options->page_size);
    return options->outputs >= 1 && options->outputs <= GPU_MAX_OUTPUTS && size && aperture &&
           options->page_size >= 4096 && is_power_of_two_u64(options->page_size) &&
           (!options->venus || (options->aperture_size && options->pool));
}

struct gpu_device *gpu_device_create(struct os_loop *loop, const struct gpu_options *options,
                                     const struct gpu_front *front)
{
    if (!possible(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct gpu_device *device = calloc(1, sizeof(*device));
    if (!device)
        return NULL;
    device->loop = loop;
    device->options = *options;
    device->front = *front;
    device->ready_last = &device->ready;
    device->uuid_seed = os_now_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32;
    for (uint32_t i = 0; i < options->outputs; i++) {
        device->outputs[i].width = options->width;
        device->outputs[i].height = options->height;
        device->outputs[i].flushes_last = &device->outputs[i].flushes;
    }
    device->flush_timer = os_loop_add_timer(loop, 0, flush, device);
    device->watchdog = os_loop_add_timer(loop, 0, gpu_watchdog, device);
    device->pace_timer = os_loop_add_timer(loop, 0, gpu_pace_timer, device);
    if (!device->flush_timer || !device->watchdog || !device->pace_timer) {
        gpu_device_destroy(device);
        errno = ENOMEM;
        return NULL;
    }
    return device;
}

void gpu_device_reset(struct gpu_device *device)
{
    gpu_lanes_reset(device);
    gpu_pace_reset(device);
    while (device->live)
        gpu_request_free(device, device->live);
    gpu_contexts_reset(device);
    gpu_outputs_reset(device);
    gpu_aperture_reset(device);
    gpu_resources_reset(device);
    device->features = 0;
    device->events = 0;
}

void gpu_device_destroy(struct gpu_device *device)
{
    if (!device)
        return;
    device->listeners = NULL;
    gpu_device_reset(device);
    gpu_outputs_finish(device);
    os_source_remove(device->flush_timer);
    os_source_remove(device->watchdog);
    os_source_remove(device->pace_timer);
    while (device->free_requests) {
        struct gpu_request *request = device->free_requests;
        device->free_requests = request->next_ready;
        free(request);
    }
    gpu_lanes_finish(device);
    free(device->scratch);
    free(device);
}

uint64_t gpu_device_features(const struct gpu_device *device)
{
    const struct gpu_options *options = &device->options;
    uint64_t features = BIT(GPU_F_EDID) | BIT(GPU_F_RESOURCE_UUID) | BIT(GPU_F_RESOURCE_BLOB);
    if (options->venus)
        features |= BIT(GPU_F_VIRGL) | BIT(GPU_F_CONTEXT_INIT);
    if (options->page_size > 4096)
        features |= BIT(GPU_F_BLOB_ALIGNMENT);
    return features;
}

void gpu_device_set_features(struct gpu_device *device, uint64_t features)
{
    device->features = features & gpu_device_features(device);
}

void gpu_device_read_config(struct gpu_device *device, uint32_t offset, void *data, uint32_t size)
{
    struct gpu_config config = {
        .events_read = device->events,
        .num_scanouts = device->options.outputs,
        .num_capsets = device->options.venus ? 1 : 0,
        .blob_alignment = device->options.page_size > 4096 ? device->options.page_size : 0,
    };
    memset(data, 0, size);
    if (offset < sizeof(config))
        memcpy(data, (const uint8_t *)&config + offset,
               size < sizeof(config) - offset ? size : sizeof(config) - offset);
}

void gpu_device_write_config(struct gpu_device *device, uint32_t offset, const void *data,
                             uint32_t size)
{
    uint32_t clear;
    // A front may pass one member or the whole structure; only this member is writable.
    const uint32_t at = offsetof(struct gpu_config, events_clear);
    if (offset <= at && size >= sizeof(clear) && size - sizeof(clear) >= at - offset) {
        memcpy(&clear, (const uint8_t *)data + (at - offset), sizeof(clear));
        device->events &= ~clear;
    }
}

// ---- requests -------------------------------------------------------------

static uint64_t total(const struct iovec *parts, unsigned count)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

static uint32_t member(const struct gpu_request *request, int at)
{
    uint32_t value;
    memcpy(&value, request->body.bytes + at, sizeof(value));
    return value;
}

enum { LANE_CONTEXT = 1, LANE_OUTPUT, LANE_RESOURCE };

// Which orders the request is part of.
static void choose_lanes(const struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_command *command = request->command;
    uint32_t resource_id = command->resource_at >= 0 ? member(request, command->resource_at) : 0;
    if (resource_id)
        request->slots[1].key = (uint64_t)LANE_RESOURCE << 32 | resource_id;
    if (command->scanout_at >= 0) {
        request->slots[0].key = (uint64_t)LANE_OUTPUT << 32 | member(request, command->scanout_at);
    } else if (command->of_context && request->header.ctx_id) {
        // The kernel attaches a blob to the context that it comes from. The worker has it already
        // then, or is being asked for it: nothing is sent, so the context's next commands need not
        // wait for that.
        const struct gpu_resource *resource =
            resource_id ? gpu_resource_find(device, resource_id) : NULL;
        bool own = resource && resource->export && resource->exporter->id == request->header.ctx_id;
        if (!own || (command->type != GPU_CMD_CTX_ATTACH_RESOURCE &&
                     command->type != GPU_CMD_CTX_DETACH_RESOURCE))
            request->slots[0].key = (uint64_t)LANE_CONTEXT << 32 | request->header.ctx_id;
    }
}

// Copies what the guest wrote and checks what holds for every command. False: the request is
// answered.
static bool accept(struct gpu_device *device, struct gpu_request *request, enum gpu_queue queue)
{
    if (!gpu_request_read(request, 0, &request->header, sizeof(request->header))) {
        request->header = (struct gpu_header){0};
        gpu_refuse(device, request, GPU_RESP_ERR_UNSPEC, "%llu bytes are no command",
                   (unsigned long long)request->readable_size);
        return false;
    }
    const struct gpu_command *command = gpu_find_command(request->header.type);
    if (!command || command->queue != queue) {
        gpu_refuse(device, request, GPU_RESP_ERR_UNSPEC, "command 0x%x is unknown on this queue",
                   request->header.type);
        return false;
    }
    request->command = command;
    if (command->features & ~device->features) {
        gpu_refuse(device, request, GPU_RESP_ERR_UNSPEC,
                   "the driver has not taken the feature for it");
        return false;
    }
    uint64_t size = request->readable_size - sizeof(request->header);
    if (size < command->size) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "%llu of %u bytes",
                   (unsigned long long)size, command->size);
        return false;
    }
    gpu_request_read(request, sizeof(request->header), request->body.bytes, command->size);
    // A guest that asks for an answer must leave room for one; cursor commands ask for none.
    if (queue == GPU_CONTROL_QUEUE && request->writable_size < sizeof(request->header)) {
        gpu_refuse(device, request, GPU_RESP_ERR_UNSPEC, "no room for a response");
        return false;
    }
    return true;
}

void gpu_device_request(struct gpu_device *device, enum gpu_queue queue,
                        const struct iovec *readable, unsigned readable_count,
                        const struct iovec *writable, unsigned writable_count, void *token)
{
    struct gpu_request *request = gpu_request_create(device);
    if (!request) {
        gpu_complain(device, "virtio-gpu: out of memory for a request");
        device->front.complete(device->front.data, token, 0);
        device->front.flush(device->front.data);
        return;
    }
    request->token = token;
    request->readable = (struct iovec *)readable;
    request->readable_count = readable_count;
    request->readable_size = total(readable, readable_count);
    request->writable = (struct iovec *)writable;
    request->writable_count = writable_count;
    request->writable_size = total(writable, writable_count);
    if (accept(device, request, queue)) {
        choose_lanes(device, request);
        switch (gpu_lanes_enter(device, request)) {
        case GPU_LANES_RUN:
            request->command->handler(device, request);
            break;
        case GPU_LANES_PARKED:
            break;
        case GPU_LANES_NO_MEMORY:
            gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
            break;
        }
    }
    gpu_lanes_run(device);
}
