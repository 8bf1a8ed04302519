#include "gpu/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "gpu/blob.h"
#include "gpu/capset.h"
#include "gpu/context.h"
#include "gpu/find.h"
#include "gpu/lane.h"
#include "gpu/resource.h"
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

static const struct gpu_command *find_command(uint32_t type)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].type == type)
            return &commands[i];
    return NULL;
}

// ---- life -----------------------------------------------------------------

// Runs what has become ready; what that makes ready in turn follows.
static void run_ready(struct gpu_device *device)
{
    for (struct gpu_request *request; (request = gpu_lanes_next(device));)
        gpu_settle(device, request, request->command->handler(device, request));
}

static void end_round(void *data)
{
    struct gpu_device *device = data;
    run_ready(device);
    if (device->flush_wanted) {
        device->flush_wanted = false;
        device->front.flush(device->front.data);
    }
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

static struct renderers *create_renderers(struct os_loop *loop, const struct gpu_options *options)
{
    return renderers_create(loop, &(struct renderers_options){
                                      .pool = options->pool,
                                      .max_rings = RENDERER_MAX_RINGS,
                                      .max_resources = options->max_resources,
                                      .max_memory = {options->max_memory, options->max_card_memory},
                                      .max_wait_ns = options->max_wait_ns,
                                      .page_size = options->page_size,
                                      .max_queued = RENDERER_ENOUGH_QUEUED,
                                  });
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
    device->options.max_resources = renderers_resources(device->options.max_resources);
    device->uuid_seed = os_now_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32;
    list_init(&device->listeners);
    list_init(&device->live);
    list_init(&device->free_requests);
    list_init(&device->ready);
    gpu_aperture_init(&device->aperture);
    for (uint32_t i = 0; i < options->outputs; i++) {
        device->outputs[i].width = options->width;
        device->outputs[i].height = options->height;
        device->outputs[i].refresh = options->edid_refresh ? options->edid_refresh : 60;
        device->outputs[i].dpi = options->edid_dpi ? options->edid_dpi : 96;
        list_init(&device->outputs[i].flushes);
    }
    device->renderers = create_renderers(loop, &device->options);
    device->end_round = os_loop_add_timer(loop, 0, end_round, device);
    device->pace_timer = os_loop_add_timer(loop, 0, gpu_pace_timer, device);
    if (!device->renderers || !device->end_round || !device->pace_timer) {
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
    gpu_contexts_reset(device);
    for (struct gpu_request *request;
         (request = LIST_FIRST(&device->live, struct gpu_request, node));)
        gpu_request_free(device, request);
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
    list_init(&device->listeners);
    if (device->pace_timer)
        gpu_device_reset(device);
    gpu_outputs_finish(device);
    os_source_remove(device->end_round);
    os_source_remove(device->pace_timer);
    for (struct gpu_request *request;
         (request = LIST_FIRST(&device->free_requests, struct gpu_request, node));) {
        list_remove(&request->node);
        free(request);
    }
    gpu_lanes_finish(device);
    renderers_destroy(device->renderers);
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
        bool own =
            resource && resource->creator && resource->exporter->id == request->header.ctx_id;
        if (!own || (command->type != GPU_CMD_CTX_ATTACH_RESOURCE &&
                     command->type != GPU_CMD_CTX_DETACH_RESOURCE))
            request->slots[0].key = (uint64_t)LANE_CONTEXT << 32 | request->header.ctx_id;
    }
}

// Copies what the guest wrote and checks what holds for every command: GPU_OK, or an error.
static struct gpu_outcome accept(struct gpu_device *device, struct gpu_request *request,
                                 enum gpu_queue queue)
{
    if (!gpu_request_read(request, 0, &request->header, sizeof(request->header))) {
        request->header = (struct gpu_header){0};
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "%llu bytes are no command",
                          (unsigned long long)request->readable_size);
    }
    const struct gpu_command *command = find_command(request->header.type);
    if (!command || command->queue != queue)
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "command 0x%x is unknown on this queue",
                          request->header.type);
    request->command = command;
    if (command->features & ~device->features)
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC,
                          "the driver has not taken the feature for it");
    uint64_t size = request->readable_size - sizeof(request->header);
    if (size < command->size)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%llu of %u bytes",
                          (unsigned long long)size, command->size);
    gpu_request_read(request, sizeof(request->header), request->body.bytes, command->size);
    // A guest that asks for an answer must leave room for one; cursor commands ask for none.
    if (queue == GPU_CONTROL_QUEUE && request->writable_size < sizeof(request->header))
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "no room for a response");
    return GPU_OK;
}

// Runs the request, or parks it behind those that it has to wait for.
static struct gpu_outcome begin(struct gpu_device *device, struct gpu_request *request)
{
    choose_lanes(device, request);
    switch (gpu_lanes_enter(device, request)) {
    case GPU_LANES_RUN:
        return request->command->handler(device, request);
    case GPU_LANES_PARKED:
        return GPU_PENDING;
    case GPU_LANES_NO_MEMORY:
        break;
    }
    return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
}

void gpu_device_request(struct gpu_device *device, enum gpu_queue queue,
                        const struct iovec *readable, unsigned readable_count,
                        const struct iovec *writable, unsigned writable_count, void *token)
{
    struct gpu_request brief, *request = gpu_request_create(device, &brief);
    request->token = token;
    request->readable = (struct iovec *)readable;
    request->readable_count = readable_count;
    request->readable_size = total(readable, readable_count);
    request->writable = (struct iovec *)writable;
    request->writable_count = writable_count;
    request->writable_size = total(writable, writable_count);
    struct gpu_outcome outcome = accept(device, request, queue);
    if (outcome.type == GPU_RESP_OK_NODATA)
        outcome = request->brief ? gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory")
                                 : begin(device, request);
    gpu_settle(device, request, outcome);
    run_ready(device);
}
