#include "gpu/fence.h"

#include "gpu/resource.h"
#include "os/clock.h"
#include "os/loop.h"

static void append(struct gpu_context *context, uint32_t ring, struct gpu_request *request)
{
    struct gpu_timeline *timeline = &context->timelines[ring];
    request->next_fence = NULL;
    if (timeline->last)
        timeline->last->next_fence = request;
    else
        timeline->first = request;
    timeline->last = request;
    context->busy_rings |= 1ull << ring;
}

uint64_t gpu_fence_add(struct gpu_context *context, uint32_t ring, struct gpu_request *request)
{
    request->answer = GPU_RESP_OK_NODATA;
    request->fence_serial = ++context->device->serial;
    request->since_ns = os_now_ns();
    append(context, ring, request);
    gpu_watchdog_arm(context->device);
    return request->fence_serial;
}

// The ring that orders a request, or -1.
static int ring_of(const struct gpu_request *request)
{
    const uint32_t both = GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX;
    return (request->header.flags & both) == both && request->header.ring_idx < GPU_RINGS
               ? request->header.ring_idx
               : -1;
}

bool gpu_fence_defer(struct gpu_device *device, struct gpu_request *request)
{
    int ring = ring_of(request);
    struct gpu_context *context =
        ring < 0 ? NULL : gpu_context_find(device, request->header.ctx_id);
    if (!context || !context->timelines[ring].first || !gpu_request_own(request))
        return false;
    request->fence_serial = 0;
    append(context, (uint32_t)ring, request);
    return true;
}

static void complete_first(struct gpu_context *context, uint32_t ring)
{
    struct gpu_timeline *timeline = &context->timelines[ring];
    struct gpu_request *request = timeline->first;
    timeline->first = request->next_fence;
    if (!timeline->first) {
        timeline->last = NULL;
        context->busy_rings &= ~(1ull << ring);
    }
    gpu_request_complete(context->device, request);
}

bool gpu_fence_retired(struct gpu_context *context, uint32_t ring, uint64_t serial)
{
    if (ring >= GPU_RINGS || serial > context->device->serial)
        return false;
    struct gpu_timeline *timeline = &context->timelines[ring];
    // Whatever the worker left out is done as well: a timeline retires in order. What is not there
    // any more was left out before.
    while (timeline->first && timeline->first->fence_serial <= serial)
        complete_first(context, ring);
    return true;
}

void gpu_fence_retire_all(struct gpu_context *context)
{
    while (context->busy_rings) {
        uint32_t ring = (uint32_t)__builtin_ctzll(context->busy_rings);
        complete_first(context, ring);
    }
}

// ---- watchdog -------------------------------------------------------------

// Since when the context's worker owes something; 0: it doesn't. *what names it.
static uint64_t oldest_debt(const struct gpu_context *context, const char **what)
{
    uint64_t oldest = 0;
    for (uint64_t rings = context->busy_rings; rings; rings &= rings - 1) {
        uint64_t since = context->timelines[__builtin_ctzll(rings)].first->since_ns;
        if (!oldest || since < oldest) {
            oldest = since;
            *what = "a fence";
        }
    }
    for (const struct gpu_resource *resource = context->exports; resource;
         resource = resource->next_export) {
        if (!oldest || resource->export->since_ns < oldest) {
            oldest = resource->export->since_ns;
            *what = "a blob";
        }
    }
    return oldest;
}

void gpu_watchdog_arm(struct gpu_device *device)
{
    if (!device->watching && device->options.max_wait_ns) {
        device->watching = true;
        os_source_set_deadline(device->watchdog, os_now_ns() + device->options.max_wait_ns);
    }
}

void gpu_watchdog(void *data)
{
    struct gpu_device *device = data;
    uint64_t now = os_now_ns(), limit = device->options.max_wait_ns, first = 0;
    device->watching = false;
    uint32_t cursor = 0;
    for (struct gpu_context *context; (context = id_table_next(&device->contexts, &cursor));) {
        const char *what = "";
        uint64_t since = oldest_debt(context, &what);
        if (since && now - since >= limit)
            gpu_context_lose(context, "its worker owes %s for %.1f s: hung", what,
                             (double)(now - since) / 1e9);
        else if (since && (!first || since < first))
            first = since;
    }
    if (first) {
        device->watching = true;
        os_source_set_deadline(device->watchdog, first + limit);
    }
    gpu_lanes_run(device);
}
