// Requests of virtio-gpu that a script makes up, and workers that answer what the device asks then.
//
// Numbers are drawn so that ids meet: most are small, some are pages, some are anything. Whoever
// includes this says where the guest's memory is: MEMORY_BASE, MEMORY_SIZE.
#ifndef FUZZ_GPU_REQUESTS_H
#define FUZZ_GPU_REQUESTS_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../unit/gpu/workers.h"
#include "gpu/gpu.h"
#include "gpu/protocol.h"
#include "os/shm.h"

struct script {
    const uint8_t *at, *end;
};

static uint8_t byte(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

static uint32_t word(struct script *script)
{
    uint8_t kind = byte(script);
    if (kind < 0xc0)
        return kind & 15;
    if (kind < 0xe0)
        return (uint32_t)(kind & 31) << 12;
    if (kind < 0xf0)
        return 1u << (kind & 15) << (byte(script) & 15);
    if (kind < 0xf8) {
        uint32_t value = 0;
        for (int i = 0; i < 4; i++)
            value = value << 8 | byte(script);
        return value;
    }
    return UINT32_MAX - (kind & 7);
}

static uint32_t format(struct script *script)
{
    static const uint8_t known[] = {1, 2, 3, 4, 67, 68, 121, 134};
    uint8_t which = byte(script);
    return which < 200 ? known[which % 8] : which;
}

// Addresses of guest memory, mostly.
static uint64_t address(struct script *script)
{
    uint8_t kind = byte(script);
    if (kind < 0xf0)
        return MEMORY_BASE + (uint64_t)kind * (MEMORY_SIZE / 0xf0) +
               (kind & 1 ? word(script) & 4095 : 0);
    return (uint64_t)word(script) << 32 | word(script);
}

struct request {
    struct gpu_header header;
    enum gpu_queue queue;
    uint8_t shape; // what else is drawn from: bits 3 to 5 are free
    size_t size;   // of the body
    union {
        uint32_t words[200];
        struct gpu_create_blob create_blob;
        struct gpu_attach_backing attach;
        struct gpu_set_scanout_blob scanout_blob;
        struct gpu_create_2d create_2d;
    } body;
};

static struct request some_request(struct script *script)
{
    static const uint32_t types[] = {
        GPU_CMD_RESOURCE_CREATE_2D,
        GPU_CMD_RESOURCE_UNREF,
        GPU_CMD_SET_SCANOUT,
        GPU_CMD_RESOURCE_FLUSH,
        GPU_CMD_TRANSFER_TO_HOST_2D,
        GPU_CMD_RESOURCE_ATTACH_BACKING,
        GPU_CMD_RESOURCE_DETACH_BACKING,
        GPU_CMD_RESOURCE_CREATE_BLOB,
        GPU_CMD_SET_SCANOUT_BLOB,
        GPU_CMD_CTX_CREATE,
        GPU_CMD_CTX_DESTROY,
        GPU_CMD_CTX_ATTACH_RESOURCE,
        GPU_CMD_CTX_DETACH_RESOURCE,
        GPU_CMD_SUBMIT_3D,
        GPU_CMD_RESOURCE_MAP_BLOB,
        GPU_CMD_RESOURCE_UNMAP_BLOB,
        GPU_CMD_GET_DISPLAY_INFO,
        GPU_CMD_GET_CAPSET_INFO,
        GPU_CMD_GET_CAPSET,
        GPU_CMD_GET_EDID,
        GPU_CMD_RESOURCE_ASSIGN_UUID,
        GPU_CMD_UPDATE_CURSOR,
        GPU_CMD_MOVE_CURSOR,
    };
    struct request request = {0};
    uint32_t type = request.header.type = types[byte(script) % (sizeof(types) / sizeof(types[0]))];
    uint8_t shape = request.shape = byte(script);
    request.header.flags = shape & 3;
    request.header.ctx_id = byte(script) % 6;
    request.header.ring_idx = byte(script) % 66;
    size_t words = 0, entries_at = 0;
    uint32_t entries = 0;
    switch (type) {
    case GPU_CMD_RESOURCE_CREATE_2D:
        request.body.create_2d =
            (struct gpu_create_2d){word(script), format(script), word(script), word(script)};
        words = 4;
        break;
    case GPU_CMD_RESOURCE_ATTACH_BACKING:
        entries = byte(script) % 40;
        request.body.attach = (struct gpu_attach_backing){word(script), entries};
        entries_at = words = 2;
        break;
    case GPU_CMD_RESOURCE_CREATE_BLOB: {
        uint8_t what = byte(script);
        request.body.create_blob =
            (struct gpu_create_blob){.resource_id = word(script), .size = word(script)};
        if (what & 0x80)
            request.body.create_blob.size <<= 12;
        if (what & 0x40) { // any combination
            request.body.create_blob.blob_mem = byte(script) % 4;
            request.body.create_blob.blob_flags = byte(script) % 9;
            request.body.create_blob.blob_id = word(script);
            entries = byte(script) % 40;
        } else if (what & 0x20) { // shared memory
            request.body.create_blob.blob_mem = GPU_BLOB_MEM_HOST3D;
            request.body.create_blob.blob_flags = GPU_BLOB_MAPPABLE;
        } else if (what & 0x10) { // memory of the context
            request.body.create_blob.blob_mem = GPU_BLOB_MEM_HOST3D;
            request.body.create_blob.blob_flags = what & 7;
            request.body.create_blob.blob_id = 1;
        } else { // guest pages
            request.body.create_blob.blob_mem = GPU_BLOB_MEM_GUEST;
            entries = what & 15;
        }
        request.body.create_blob.nr_entries = entries;
        entries_at = words = 8;
        break;
    }
    case GPU_CMD_RESOURCE_MAP_BLOB: {
        uint64_t offset = (uint64_t)byte(script) << 12;
        request.body.words[0] = word(script);
        if (shape & 4)
            offset = word(script);
        memcpy(&request.body.words[2], &offset, sizeof(offset));
        words = 4;
        break;
    }
    case GPU_CMD_SUBMIT_3D:
        request.body.words[0] = shape & 4 ? word(script) : (uint32_t)(byte(script) & 7) * 4;
        words = 2 + byte(script) % 40;
        break;
    case GPU_CMD_TRANSFER_TO_HOST_2D: // most of them fit
        for (words = 0; words < 8; words++)
            request.body.words[words] = shape & 4 ? word(script) : byte(script) & 3;
        request.body.words[6] = word(script);
        break;
    case GPU_CMD_SET_SCANOUT_BLOB:
        for (words = 0; words < 18; words++)
            request.body.words[words] = shape & 4 ? word(script) : byte(script) & 15;
        request.body.scanout_blob.format = format(script);
        request.body.scanout_blob.scanout_id = byte(script) % 3;
        if (!(shape & 4))
            request.body.scanout_blob.strides[0] *= 16;
        break;
    case GPU_CMD_CTX_CREATE:
        request.body.words[0] = word(script);
        request.body.words[1] = shape & 4 ? 4 : word(script);
        words = 18;
        break;
    default:
        for (; words < 16; words++)
            request.body.words[words] = word(script);
        break;
    }
    for (uint32_t i = 0; i < entries; i++) {
        struct gpu_memory_entry entry = {address(script), word(script) << (byte(script) & 7), 0};
        memcpy(&request.body.words[entries_at + i * 4], &entry, sizeof(entry));
        words += 4;
    }
    if (shape & 0x80) // cut off somewhere
        words = words * (shape & 0x70) / 0x80;
    request.size = words * 4;
    request.queue = type >= GPU_CMD_UPDATE_CURSOR ? GPU_CURSOR_QUEUE : GPU_CONTROL_QUEUE;
    return request;
}

// An honest worker does what it was asked. What it answers is not read yet.
static void worker_serves(struct link_pool *pool, unsigned index, uint64_t page)
{
    struct link_message message;
    struct link *to = pool->workers[index]->peer;
    while (to && workers_receive(pool, index, &message)) {
        if (message.type == LINK_BLOB_EXPORT) {
            const struct link_blob_export *export = (const void *)message.payload;
            uint64_t size = (export->size + page - 1) & ~(page - 1);
            int fd = os_shm_create("fuzz", size + page);
            struct link_blob_exported exported = {.resource_id = export->resource_id,
                                                  .result = fd < 0 ? -ENOMEM : 0,
                                                  .map_info = 1,
                                                  .offset = page,
                                                  .size = size};
            link_send(to, LINK_BLOB_EXPORTED, &exported, sizeof(exported), NULL, 0, &fd, fd >= 0);
            if (fd >= 0)
                close(fd);
        } else if (message.type == LINK_SUBMIT) {
            const struct link_submit *submit = (const void *)message.payload;
            struct link_fence_retired retired = {.fence_id = submit->fence_id,
                                                 .ring_idx = submit->ring_idx};
            if (submit->fence_id)
                link_send(to, LINK_FENCE_RETIRED, &retired, sizeof(retired), NULL, 0, NULL, 0);
        } else if (message.type == LINK_RESOURCE_ATTACH && pool->slow) {
            const struct link_resource_attach *attach = (const void *)message.payload;
            struct link_resource_attached attached = {.resource_id = attach->resource_id};
            if (attach->flags & LINK_ATTACH_ANSWER)
                link_send(to, LINK_RESOURCE_ATTACHED, &attached, sizeof(attached), NULL, 0, NULL,
                          0);
        }
    }
}

#endif
