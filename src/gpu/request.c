#include "gpu/request.h"

#include <stdlib.h>
#include <string.h>

#include "gpu/device.h"
#include "os/loop.h"

struct gpu_request *gpu_request_create(struct gpu_device *device, struct gpu_request *brief)
{
    struct gpu_request *request = LIST_FIRST(&device->free_requests, struct gpu_request, node);
    if (request)
        list_remove(&request->node);
    else if (!(request = malloc(sizeof(*request))))
        request = brief;
    *request = (struct gpu_request){.brief = request == brief};
    list_append(&device->live, &request->node);
    list_init(&request->waiting);
    return request;
}

void gpu_request_free(struct gpu_device *device, struct gpu_request *request)
{
    if (request->owned && request->readable != request->own)
        free(request->readable);
    // Kept: there are never more than the queues have places.
    list_remove(&request->node);
    if (!request->brief)
        list_prepend(&device->free_requests, &request->node);
}

bool gpu_request_own(struct gpu_request *request)
{
    if (request->owned)
        return true;
    if (request->brief)
        return false;
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

void gpu_request_write(const struct gpu_request *request, uint64_t offset, const void *data,
                       size_t size)
{
    transfer(request->writable, request->writable_count, offset, (void *)data, size, true);
}

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
        gpu_request_write(request, 0, &response, sizeof(response));
        written = sizeof(response) + request->payload_size;
    }
    void *token = request->token;
    gpu_request_free(device, request);
    device->flush_wanted = true;
    os_source_set_deadline(device->end_round, 1);
    device->front.complete(device->front.data, token, written);
}
