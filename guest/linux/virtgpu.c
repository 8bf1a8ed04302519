#include "guest/linux/virtgpu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/linux/virtgpu_abi.h"

enum { FENCES = 8, FIRST_NODE = 128, NODES = 16 };

// Fences of a timeline that nobody has seen done. They end in order, so the oldest may give way to
// a newer one, which says the same later.
struct timeline {
    uint64_t last; // serial of the newest
    uint32_t count;
    struct {
        uint64_t serial;
        int fd;
    } fences[FENCES];
};

struct virtgpu {
    struct guest_transport base;
    const struct guest_system *system;
    int fd;
    struct timeline timelines[GUEST_TIMELINES];
};

static struct virtgpu *virtgpu_of(struct guest_transport *transport)
{
    return (struct virtgpu *)transport;
}

static int request(struct virtgpu *virtgpu, unsigned long number, void *args)
{
    int result;
    do {
        result = ioctl(virtgpu->fd, number, args);
    } while (result < 0 && (errno == EINTR || errno == EAGAIN));
    if (!result)
        return 0;
    switch (errno) {
    case ENOMEM:
    case ENOSPC:
        return GUEST_ERROR_MEMORY;
    case ENODEV:
    case EIO:
        return GUEST_ERROR_LOST;
    default:
        return GUEST_ERROR_REFUSED;
    }
}

// ---- fences ---------------------------------------------------------------

static void drop_first(struct timeline *timeline, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        close(timeline->fences[i].fd);
    timeline->count -= count;
    memmove(timeline->fences, timeline->fences + count,
            timeline->count * sizeof(timeline->fences[0]));
}

static uint64_t add_fence(struct timeline *timeline, int fd)
{
    if (timeline->count == FENCES)
        drop_first(timeline, 1);
    timeline->fences[timeline->count].serial = ++timeline->last;
    timeline->fences[timeline->count++].fd = fd;
    return timeline->last;
}

static int fence_wait(struct guest_transport *transport, uint64_t fence, uint64_t nanoseconds)
{
    struct timeline *timeline = &virtgpu_of(transport)->timelines[fence % GUEST_TIMELINES];
    uint64_t serial = fence / GUEST_TIMELINES;
    uint32_t i = 0;
    while (i < timeline->count && timeline->fences[i].serial < serial)
        i++;
    if (i == timeline->count)
        return 0; // seen done before
    uint64_t rounded = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
    struct pollfd wait = {.fd = timeline->fences[i].fd, .events = POLLIN};
    int found;
    do {
        found = poll(&wait, 1, rounded > INT32_MAX ? -1 : (int)rounded);
    } while (found < 0 && errno == EINTR);
    if (found <= 0)
        return GUEST_ERROR_TIMEOUT;
    drop_first(timeline, i + 1);
    return 0;
}

// ---- the calls ------------------------------------------------------------

static int info(struct guest_transport *transport, struct guest_info *info)
{
    memset(info, 0, sizeof(*info));
    return 0;
}

static int capset(struct guest_transport *transport, uint32_t id, uint32_t version, void *data,
                  size_t size)
{
    struct virtgpu_get_caps args = {
        .id = id, .version = version, .address = (uint64_t)(uintptr_t)data, .size = (uint32_t)size};
    memset(data, 0, size);
    return request(virtgpu_of(transport), VIRTGPU_GET_CAPS, &args) ? GUEST_ERROR_UNSUPPORTED : 0;
}

// The kernel names the context after the process.
static int open_context(struct guest_transport *transport, uint32_t capset_id, const char *name)
{
    uint64_t params[2][2] = {{VIRTGPU_CONTEXT_CAPSET, capset_id},
                             {VIRTGPU_CONTEXT_RINGS, GUEST_TIMELINES}};
    struct virtgpu_context_init args = {.count = 2, .params = (uint64_t)(uintptr_t)params};
    return request(virtgpu_of(transport), VIRTGPU_CONTEXT_INIT, &args);
}

static int submit(struct guest_transport *transport, const void *commands, size_t size,
                  uint32_t timeline, uint64_t *fence)
{
    struct virtgpu *virtgpu = virtgpu_of(transport);
    if (timeline >= GUEST_TIMELINES || size > UINT32_MAX)
        return GUEST_ERROR_UNSUPPORTED;
    if (!size && !fence)
        return 0;
    struct virtgpu_submit args = {.flags = VIRTGPU_RING_IDX | (fence ? VIRTGPU_FENCE_OUT : 0),
                                  .size = (uint32_t)size,
                                  .commands = (uint64_t)(uintptr_t)commands,
                                  .fence = -1,
                                  .ring_idx = timeline};
    int error = request(virtgpu, VIRTGPU_SUBMIT, &args);
    if (!error && fence)
        *fence = add_fence(&virtgpu->timelines[timeline], args.fence) * GUEST_TIMELINES + timeline;
    return error;
}

static int blob_create(struct guest_transport *transport, uint64_t id, uint64_t size,
                       uint32_t flags, struct guest_blob *blob)
{
    struct virtgpu_create_blob args = {
        .memory = VIRTGPU_BLOB_HOST3D, .flags = flags, .size = size, .id = id};
    int error = request(virtgpu_of(transport), VIRTGPU_CREATE_BLOB, &args);
    if (!error)
        *blob = (struct guest_blob){.resource = args.resource, .size = size, .own = args.handle};
    return error;
}

static int blob_map(struct guest_transport *transport, struct guest_blob *blob)
{
    struct virtgpu *virtgpu = virtgpu_of(transport);
    struct virtgpu_map args = {.handle = (uint32_t)blob->own};
    int error = request(virtgpu, VIRTGPU_MAP, &args);
    if (error)
        return error;
    void *address =
        mmap(NULL, blob->size, PROT_READ | PROT_WRITE, MAP_SHARED, virtgpu->fd, (off_t)args.offset);
    if (address == MAP_FAILED)
        return GUEST_ERROR_MEMORY;
    blob->address = address;
    return 0;
}

static void blob_unmap(struct guest_transport *transport, struct guest_blob *blob)
{
    if (blob->address)
        munmap(blob->address, blob->size);
    blob->address = NULL;
}

static void blob_free(struct guest_transport *transport, struct guest_blob *blob)
{
    struct virtgpu_close args = {.handle = (uint32_t)blob->own};
    blob_unmap(transport, blob);
    if (blob->resource)
        request(virtgpu_of(transport), VIRTGPU_CLOSE, &args);
    blob->resource = 0;
}

static int scanout(struct guest_transport *transport, uint32_t output,
                   const struct guest_blob *blob, const struct guest_picture *picture)
{
    return GUEST_ERROR_UNSUPPORTED;
}

static int flush(struct guest_transport *transport, const struct guest_blob *blob,
                 const struct guest_picture *picture)
{
    return GUEST_ERROR_UNSUPPORTED;
}

static void close_all(struct guest_transport *transport)
{
    struct virtgpu *virtgpu = virtgpu_of(transport);
    for (uint32_t i = 0; i < GUEST_TIMELINES; i++)
        drop_first(&virtgpu->timelines[i], virtgpu->timelines[i].count);
    close(virtgpu->fd);
    virtgpu->system->release(virtgpu->system->context, virtgpu);
}

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
    .close = close_all,
};

// ---- finding the device ---------------------------------------------------

static bool has(struct virtgpu *virtgpu, uint64_t param)
{
    int value = 0;
    struct virtgpu_get_param args = {.param = param, .value = (uint64_t)(uintptr_t)&value};
    return !request(virtgpu, VIRTGPU_GET_PARAM, &args) && value;
}

static bool is_ours(struct virtgpu *virtgpu)
{
    char name[16] = "";
    struct virtgpu_version version = {.name_size = sizeof(name) - 1, .name = name};
    return !request(virtgpu, VIRTGPU_VERSION, &version) && !strcmp(name, "virtio_gpu") &&
           has(virtgpu, VIRTGPU_PARAM_3D) && has(virtgpu, VIRTGPU_PARAM_BLOB) &&
           has(virtgpu, VIRTGPU_PARAM_HOST_VISIBLE) && has(virtgpu, VIRTGPU_PARAM_CONTEXT_INIT);
}

int guest_virtgpu_connect(const struct guest_system *system, struct guest_transport **transport)
{
    struct virtgpu *virtgpu = system->allocate(system->context, sizeof(*virtgpu));
    if (!virtgpu)
        return GUEST_ERROR_MEMORY;
    virtgpu->base.calls = &calls;
    virtgpu->system = system;
    for (int i = 0; i < NODES; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/dev/dri/renderD%d", FIRST_NODE + i);
        virtgpu->fd = open(path, O_RDWR | O_CLOEXEC);
        if (virtgpu->fd < 0)
            continue;
        if (is_ours(virtgpu)) {
            *transport = &virtgpu->base;
            return 0;
        }
        close(virtgpu->fd);
    }
    system->release(system->context, virtgpu);
    return GUEST_ERROR_UNSUPPORTED;
}
