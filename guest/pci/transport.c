// The transport over the device: a context, its blobs, its submissions and their fences, its
// screen.
#include <string.h>

#include "guest/pci/gpu_private.h"

enum { PAGE = 4096 };
// Flags of blobs go through as they are.
_Static_assert((int)GUEST_BLOB_MAPPABLE == (int)GPU_BLOB_MAPPABLE, "one bit");
_Static_assert((int)GUEST_BLOB_SHAREABLE == (int)GPU_BLOB_SHAREABLE, "one bit");

// A fenced submission that is not answered yet.
struct pending {
    uint64_t fence; // 0: the place is free
    int slot;
    void *memory; // behind the request; NULL: it fitted the slot
    uint64_t size;
};

struct pci_transport {
    struct guest_transport base;
    struct pci_gpu *gpu;
    uint32_t context; // 0: not open
    bool lost;
    struct pending pending[PCI_QUEUE_SLOTS];
};

static struct pci_transport *own(struct guest_transport *transport)
{
    return (struct pci_transport *)transport;
}

// A lost context is told from a request that did not fit by the next request; the device's log has
// why.
static int note(struct pci_transport *transport, int error)
{
    if (error == GUEST_ERROR_LOST)
        transport->lost = true;
    return transport->lost ? GUEST_ERROR_LOST : error;
}

// ---- fences ---------------------------------------------------------------

// Those that are answered make room.
static void reap(struct pci_transport *transport)
{
    struct pci_gpu *gpu = transport->gpu;
    pci_queue_poll(&gpu->queue);
    for (unsigned i = 0; i < PCI_QUEUE_SLOTS; i++) {
        struct pending *pending = &transport->pending[i];
        if (!pending->fence || !gpu->queue.slots[pending->slot].answered)
            continue;
        // A submission is refused if the context is lost, and for nothing else that this file does.
        if (pci_gpu_result(gpu, pending->slot))
            transport->lost = true;
        pci_queue_release(&gpu->queue, pending->slot);
        if (pending->memory)
            gpu->hooks->dma_free(gpu->hooks->context, pending->memory, pending->size);
        pending->fence = 0;
    }
}

static struct pending *find_pending(struct pci_transport *transport, uint64_t fence)
{
    for (unsigned i = 0; i < PCI_QUEUE_SLOTS; i++) {
        if (transport->pending[i].fence == fence)
            return &transport->pending[i];
    }
    return NULL;
}

static int fence_wait(struct guest_transport *base, uint64_t fence, uint64_t nanoseconds)
{
    struct pci_transport *transport = own(base);
    struct pending *pending = find_pending(transport, fence);
    if (fence && pending) {
        int error = pci_gpu_wait_slot(transport->gpu, pending->slot, nanoseconds);
        if (error == GUEST_ERROR_TIMEOUT && !pci_gpu_alive(transport->gpu))
            error = GUEST_ERROR_LOST;
        if (error)
            return note(transport, error);
        reap(transport);
    }
    return note(transport, 0);
}

// ---- submissions ----------------------------------------------------------

struct submission {
    struct gpu_header header;
    struct gpu_submit body;
};

// The slots and places for pending fences are as many, but other requests use slots as well.
static int take_slot(struct pci_transport *transport)
{
    reap(transport);
    int slot = pci_gpu_take_slot(transport->gpu);
    reap(transport);
    return slot;
}

static int send_submission(struct pci_transport *transport, const struct submission *submission,
                           const void *commands, uint32_t size, struct pending *pending)
{
    struct pci_gpu *gpu = transport->gpu;
    const struct pci_hooks *hooks = gpu->hooks;
    const uint32_t inside = PCI_SLOT_ANSWER - sizeof(*submission);
    pending->memory = NULL;
    pending->size = 0;
    if (size > inside) {
        pending->size = ((uint64_t)size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
        pending->memory = hooks->dma_allocate(hooks->context, pending->size);
        if (!pending->memory)
            return GUEST_ERROR_MEMORY;
        memcpy(pending->memory, commands, size);
    }
    pending->slot = take_slot(transport);
    if (pending->slot < 0) {
        if (pending->memory)
            hooks->dma_free(hooks->context, pending->memory, pending->size);
        return pending->slot;
    }
    uint8_t *bytes = pci_queue_slot(&gpu->queue, pending->slot);
    memcpy(bytes, submission, sizeof(*submission));
    memset(bytes + PCI_SLOT_ANSWER, 0, sizeof(struct gpu_header));
    if (size && !pending->memory)
        memcpy(bytes + sizeof(*submission), commands, size);
    pci_queue_send(&gpu->queue, pending->slot, sizeof(*submission) + (pending->memory ? 0 : size),
                   pending->memory ? hooks->dma_address(hooks->context, pending->memory) : 0,
                   pending->memory ? size : 0, sizeof(struct gpu_header));
    return 0;
}

static int submit(struct guest_transport *base, const void *commands, size_t size,
                  uint32_t timeline, uint64_t *fence)
{
    struct pci_transport *transport = own(base);
    struct submission submission = {{.type = GPU_CMD_SUBMIT_3D, .ctx_id = transport->context},
                                    {.size = (uint32_t)size}};
    if (size > UINT32_MAX - PAGE || timeline >= GUEST_TIMELINES)
        return GUEST_ERROR_UNSUPPORTED;
    if (transport->lost)
        return GUEST_ERROR_LOST;
    if (fence) {
        submission.header.flags = GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX;
        submission.header.fence_id = ++transport->gpu->next_fence;
        submission.header.ring_idx = (uint8_t)timeline;
    }
    struct pending pending;
    int error = send_submission(transport, &submission, commands, (uint32_t)size, &pending);
    if (error)
        return note(transport, error);
    if (fence) {
        *fence = pending.fence = submission.header.fence_id;
        *find_pending(transport, 0) = pending;
        return 0;
    }
    error = pci_gpu_wait_slot(transport->gpu, pending.slot, transport->gpu->patience_ns);
    if (error) {
        transport->gpu->lost = true;
        return note(transport, GUEST_ERROR_LOST);
    }
    error = pci_gpu_result(transport->gpu, pending.slot);
    pci_queue_release(&transport->gpu->queue, pending.slot);
    if (pending.memory)
        transport->gpu->hooks->dma_free(transport->gpu->hooks->context, pending.memory,
                                        pending.size);
    return note(transport, error == GUEST_ERROR_REFUSED ? GUEST_ERROR_LOST : error);
}

// ---- the device and the context -------------------------------------------

static int info(struct guest_transport *base, struct guest_info *found)
{
    return pci_gpu_outputs(own(base)->gpu, found);
}

static int capset(struct guest_transport *base, uint32_t id, uint32_t version, void *data,
                  size_t size)
{
    struct pci_gpu *gpu = own(base)->gpu;
    uint8_t answer[PCI_SLOT_ANSWER - sizeof(struct gpu_header)];
    struct {
        struct gpu_header header;
        struct gpu_get_capset body;
    } request = {{.type = GPU_CMD_GET_CAPSET}, {.id = id, .version = version}};
    memset(data, 0, size);
    for (uint32_t i = 0; i < gpu->capset_count; i++) {
        struct {
            struct gpu_header header;
            struct gpu_get_capset_info body;
        } which = {{.type = GPU_CMD_GET_CAPSET_INFO}, {.index = i}};
        struct gpu_capset_info found;
        int error = pci_gpu_ask(gpu, &which, sizeof(which), &found, sizeof(found));
        if (error)
            return error;
        if (found.id != id || found.max_version < version)
            continue;
        uint32_t room = found.max_size < sizeof(answer) ? found.max_size : sizeof(answer);
        error = pci_gpu_ask(gpu, &request, sizeof(request), answer, room);
        if (!error)
            memcpy(data, answer, size < room ? size : room);
        return error;
    }
    return GUEST_ERROR_UNSUPPORTED;
}

static int open_context(struct guest_transport *base, uint32_t capset_id, const char *name)
{
    struct pci_transport *transport = own(base);
    struct pci_gpu *gpu = transport->gpu;
    const uint32_t wanted =
        1u << GPU_F_VIRGL | 1u << GPU_F_RESOURCE_BLOB | 1u << GPU_F_CONTEXT_INIT;
    if ((gpu->features & wanted) != wanted)
        return GUEST_ERROR_UNSUPPORTED;
    struct {
        struct gpu_header header;
        struct gpu_ctx_create body;
    } request = {{.type = GPU_CMD_CTX_CREATE, .ctx_id = ++gpu->next_context},
                 {.context_init = capset_id}};
    size_t length = strlen(name);
    if (length > sizeof(request.body.name) - 1)
        length = sizeof(request.body.name) - 1;
    memcpy(request.body.name, name, length);
    request.body.name_length = (uint32_t)length;
    int error = pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
    if (!error)
        transport->context = request.header.ctx_id;
    return error;
}

static void close_context(struct guest_transport *base)
{
    struct pci_transport *transport = own(base);
    const struct guest_system *system = transport->gpu->hooks->system;
    if (transport->context) {
        struct gpu_header request = {.type = GPU_CMD_CTX_DESTROY, .ctx_id = transport->context};
        pci_gpu_ask(transport->gpu, &request, sizeof(request), NULL, 0);
        // The fences of a context that is gone are answered, before this or behind it.
        for (unsigned i = 0; i < PCI_QUEUE_SLOTS; i++) {
            if (transport->pending[i].fence)
                pci_gpu_wait_slot(transport->gpu, transport->pending[i].slot,
                                  transport->gpu->patience_ns);
        }
        reap(transport);
    }
    system->release(system->context, transport);
}

// ---- blobs ----------------------------------------------------------------

static int on_resource(struct pci_gpu *gpu, uint32_t type, uint32_t context, uint32_t resource)
{
    struct {
        struct gpu_header header;
        struct gpu_resource_only body;
    } request = {{.type = type, .ctx_id = context}, {.resource_id = resource}};
    return pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
}

static int blob_create(struct guest_transport *base, uint64_t id, uint64_t size, uint32_t flags,
                       struct guest_blob *blob)
{
    struct pci_transport *transport = own(base);
    struct pci_gpu *gpu = transport->gpu;
    *blob = (struct guest_blob){.size = size};
    if (transport->lost)
        return GUEST_ERROR_LOST;
    if (!size || size > UINT64_MAX - gpu->alignment)
        return GUEST_ERROR_REFUSED;
    struct {
        struct gpu_header header;
        struct gpu_create_blob body;
    } request = {{.type = GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = transport->context},
                 {.resource_id = ++gpu->next_resource,
                  .blob_mem = GPU_BLOB_MEM_HOST3D,
                  .blob_flags = flags,
                  .blob_id = id,
                  .size = (size + gpu->alignment - 1) / gpu->alignment * gpu->alignment}};
    int error = pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
    if (error)
        return note(transport, error);
    error =
        on_resource(gpu, GPU_CMD_CTX_ATTACH_RESOURCE, transport->context, request.body.resource_id);
    if (error) {
        on_resource(gpu, GPU_CMD_RESOURCE_UNREF, 0, request.body.resource_id);
        return note(transport, error);
    }
    blob->resource = request.body.resource_id;
    blob->size = request.body.size;
    return 0;
}

static int blob_map(struct guest_transport *base, struct guest_blob *blob)
{
    struct pci_gpu *gpu = own(base)->gpu;
    const struct pci_hooks *hooks = gpu->hooks;
    struct gpu_map_info answer;
    struct {
        struct gpu_header header;
        struct gpu_map_blob body;
    } request = {{.type = GPU_CMD_RESOURCE_MAP_BLOB}, {.resource_id = blob->resource}};
    int error = pci_gpu_take_range(gpu, blob->size, &request.body.offset);
    if (error)
        return error;
    error = pci_gpu_ask(gpu, &request, sizeof(request), &answer, sizeof(answer));
    if (error) {
        pci_gpu_give_range(gpu, request.body.offset);
        return note(own(base), error);
    }
    blob->own = request.body.offset;
    blob->address = hooks->map(hooks->context, gpu->virtio.shared.address + blob->own, blob->size,
                               (answer.map_info & 15) == 1);
    if (blob->address)
        return 0;
    if (!on_resource(gpu, GPU_CMD_RESOURCE_UNMAP_BLOB, 0, blob->resource))
        pci_gpu_give_range(gpu, blob->own);
    return GUEST_ERROR_MEMORY;
}

static void blob_unmap(struct guest_transport *base, struct guest_blob *blob)
{
    struct pci_gpu *gpu = own(base)->gpu;
    if (!blob->address)
        return;
    gpu->hooks->unmap(gpu->hooks->context, blob->address, blob->size);
    blob->address = NULL;
    // What the device could not take out stays taken.
    if (!on_resource(gpu, GPU_CMD_RESOURCE_UNMAP_BLOB, 0, blob->resource))
        pci_gpu_give_range(gpu, blob->own);
}

static void blob_free(struct guest_transport *base, struct guest_blob *blob)
{
    struct pci_transport *transport = own(base);
    if (!blob->resource)
        return;
    blob_unmap(base, blob);
    on_resource(transport->gpu, GPU_CMD_CTX_DETACH_RESOURCE, transport->context, blob->resource);
    on_resource(transport->gpu, GPU_CMD_RESOURCE_UNREF, 0, blob->resource);
    blob->resource = 0;
}

// ---- the screen -----------------------------------------------------------

static int scanout(struct guest_transport *base, uint32_t output, const struct guest_blob *blob,
                   const struct guest_picture *picture)
{
    struct {
        struct gpu_header header;
        struct gpu_set_scanout body;
    } off = {{.type = GPU_CMD_SET_SCANOUT}, {.scanout_id = output}};
    struct {
        struct gpu_header header;
        struct gpu_set_scanout_blob body;
    } request = {{.type = GPU_CMD_SET_SCANOUT_BLOB}, {.scanout_id = output}};
    if (!blob)
        return pci_gpu_ask(own(base)->gpu, &off, sizeof(off), NULL, 0);
    request.body.rect = (struct picture_rect){0, 0, picture->width, picture->height};
    request.body.resource_id = blob->resource;
    request.body.width = picture->width;
    request.body.height = picture->height;
    request.body.format = picture->format;
    request.body.strides[0] = picture->stride;
    request.body.offsets[0] = picture->offset;
    return pci_gpu_ask(own(base)->gpu, &request, sizeof(request), NULL, 0);
}

static int flush(struct guest_transport *base, const struct guest_blob *blob,
                 const struct guest_picture *picture)
{
    struct {
        struct gpu_header header;
        struct gpu_flush body;
    } request = {{.type = GPU_CMD_RESOURCE_FLUSH},
                 {.rect = {0, 0, picture->width, picture->height}, .resource_id = blob->resource}};
    return pci_gpu_ask(own(base)->gpu, &request, sizeof(request), NULL, 0);
}

struct guest_transport *pci_transport_create(struct pci_gpu *gpu)
{
    static const struct guest_transport_calls calls = {
        .info = info,
        .capset = capset,
        .open = open_context,
        .submit = submit,
        .blob_create = blob_create,
        .blob_map = blob_map,
        .blob_unmap = blob_unmap,
        .blob_free = blob_free,
        .fence_wait = fence_wait,
        .scanout = scanout,
        .flush = flush,
        .close = close_context,
    };
    const struct guest_system *system = gpu->hooks->system;
    struct pci_transport *transport = system->allocate(system->context, sizeof(*transport));
    if (!transport)
        return NULL;
    transport->base.calls = &calls;
    transport->gpu = gpu;
    return &transport->base;
}
