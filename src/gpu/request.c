#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/device.h"
#include "gpu/fence.h"
#include "os/loop.h"

struct gpu_request *gpu_request_create(struct gpu_device *device)
{
    struct gpu_request *request = device->free_requests;
    if (request)
        device->free_requests = request->next_ready;
    else if (!(request = malloc(sizeof(*request))))
        return NULL;
    *request = (struct gpu_request){.next = device->live};
    if (request->next)
        request->next->previous = request;
    device->live = request;
    return request;
}

void gpu_request_free(struct gpu_device *device, struct gpu_request *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        device->live = request->next;
    if (request->next)
        request->next->previous = request->previous;
    if (request->owned && request->readable != request->own)
        free(request->readable);
    // Kept: there are never more than the queues have places.
    request->next_ready = device->free_requests;
    device->free_requests = request;
}

bool gpu_request_own(struct gpu_request *request)
{
    if (request->owned)
        return true;
    unsigned count = request->readable_count + request->writable_count;
    struct iovec *copy = count <= GPU_OWN_IOVECS ? request->own : malloc(count * sizeof(*copy));
    if (!copy)
        return false;
    if (request->readable_count)
        memcpy(copy, request->readable, request->readable_count * sizeof(*copy));
    if (request->writable_count)
        memcpy(copy + request->readable_count, request->writable,
               request->writable_count * sizeof(*copy));
    request->readable = copy;
    request->writable = copy + request->readable_count;
    request->owned = true;
    return true;
}

// Copies between [offset, offset + size) of the parts and `data`; false if there are not so many
// bytes.
static bool transfer(const struct iovec *parts, unsigned count, uint64_t offset, void *data,
                     size_t size, bool write)
{
    uint8_t *at = data;
    for (unsigned i = 0; i < count && size; i++) {
        if (offset >= parts[i].iov_len) {
            offset -= parts[i].iov_len;
            continue;
        }
        size_t piece = parts[i].iov_len - offset;
        if (piece > size)
            piece = size;
        uint8_t *guest = (uint8_t *)parts[i].iov_base + offset;
        memcpy(write ? guest : at, write ? at : guest, piece);
        at += piece;
        size -= piece;
        offset = 0;
    }
    return !size;
}

bool gpu_request_read(const struct gpu_request *request, uint64_t offset, void *data, size_t size)
{
    return transfer(request->readable, request->readable_count, offset, data, size, false);
}

const void *gpu_request_span(const struct gpu_request *request, uint64_t offset, size_t size)
{
    for (unsigned i = 0; i < request->readable_count; i++) {
        const struct iovec *part = &request->readable[i];
        if (offset < part->iov_len)
            return size <= part->iov_len - offset ? (const uint8_t *)part->iov_base + offset : NULL;
        offset -= part->iov_len;
    }
    return NULL;
}

// ---- answers --------------------------------------------------------------

void gpu_request_complete(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t written = 0;
    if (request->writable_size >= sizeof(struct gpu_header)) {
        struct gpu_header response = {.type = request->answer};
        if (request->header.flags & GPU_FLAG_FENCE) {
            response.flags = request->header.flags & (GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX);
            response.fence_id = request->header.fence_id;
            response.ctx_id = request->header.ctx_id;
            response.ring_idx = request->header.ring_idx;
        }
        transfer(request->writable, request->writable_count, 0, &response, sizeof(response), true);
        written = sizeof(response) + request->payload_size;
    }
    void *token = request->token;
    gpu_request_free(device, request);
    if (!device->flush_wanted) {
        device->flush_wanted = true;
        os_source_set_deadline(device->flush_timer, 1);
    }
    device->front.complete(device->front.data, token, written);
}

void gpu_answer(struct gpu_device *device, struct gpu_request *request, enum gpu_response_type type)
{
    gpu_lanes_leave(device, request);
    request->answer = type;
    if (type >= GPU_RESP_ERR_UNSPEC)
        request->payload_size = 0;
    if (!gpu_fence_defer(device, request))
        gpu_request_complete(device, request);
}

void gpu_answer_with(struct gpu_device *device, struct gpu_request *request,
                     enum gpu_response_type type, const void *payload, uint32_t size)
{
    if (request->writable_size < sizeof(struct gpu_header) + size) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER,
                   "%llu bytes are no room for a response of %zu",
                   (unsigned long long)request->writable_size, sizeof(struct gpu_header) + size);
        return;
    }
    transfer(request->writable, request->writable_count, sizeof(struct gpu_header), (void *)payload,
             size, true);
    request->payload_size = size;
    gpu_answer(device, request, type);
}

void gpu_refuse(struct gpu_device *device, struct gpu_request *request, enum gpu_response_type type,
                const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    gpu_complain(device, "virtio-gpu: %s (context %u): %s; answered with %s",
                 request->command ? request->command->name : "a request", request->header.ctx_id,
                 reason, gpu_response_name(type));
    gpu_answer(device, request, type);
}
