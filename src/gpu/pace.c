// When a flush is answered: when what it flushed was shown, so that a guest that waits neither
// tears nor spins. Listeners set the pace; without one, the refresh rate does.
#include "gpu/device.h"
#include "gpu/lane.h"
#include "os/clock.h"
#include "os/loop.h"

#define MS 1000000ull

enum {
    PATIENCE_MS = 100, // a listener that takes longer delays no guest any further
    ASLEEP_MS = 1000,  // and then none at all, until it shows something
};

static uint32_t index_of(const struct gpu_device *device, const struct gpu_output *output)
{
    return (uint32_t)(output - device->outputs);
}

// The last flush that all listeners who set the pace have shown. False: no listener sets it.
static bool shown_by_all(const struct gpu_device *device, const struct gpu_output *output,
                         uint64_t *shown)
{
    bool any = false;
    uint32_t index = index_of(device, output);
    *shown = output->flush_count;
    LIST_EACH (node, &device->listeners) {
        const struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        const struct gpu_progress *progress = &listener->progress[index];
        if (!listener->paces || progress->asleep)
            continue;
        any = true;
        if (progress->shown < *shown)
            *shown = progress->shown;
    }
    return any;
}

static void put_late_to_sleep(struct gpu_device *device, const struct gpu_output *output,
                              uint64_t now)
{
    LIST_EACH (node, &device->listeners) {
        struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        struct gpu_progress *progress = &listener->progress[index_of(device, output)];
        if (progress->busy_since_ns && now - progress->busy_since_ns > ASLEEP_MS * MS)
            progress->asleep = true;
    }
}

// When a flush may be answered if no listener sets the pace.
static uint64_t next_tick(const struct gpu_device *device, const struct gpu_output *output)
{
    return device->options.paced ? output->last_shown_ns + 1000 * MS / output->refresh : 0;
}

// Answers what may be answered. Returns when to look again, 0: no need.
static uint64_t run_output(struct gpu_device *device, struct gpu_output *output, uint64_t now)
{
    uint64_t shown;
    put_late_to_sleep(device, output, now);
    for (struct gpu_request *first;
         (first = LIST_FIRST(&output->flushes, struct gpu_request, waiting));) {
        bool paced = shown_by_all(device, output, &shown);
        uint64_t deadline = first->deadline_ns, tick = next_tick(device, output);
        if (!paced && tick < deadline) // who was waited for has gone
            deadline = tick;
        if (!(paced && first->flush_serial <= shown) && now < deadline)
            return deadline;
        output->last_shown_ns = now;
        list_remove(&first->waiting);
        gpu_settle(device, first, GPU_OK);
    }
    return 0;
}

void gpu_pace_timer(void *data)
{
    struct gpu_device *device = data;
    uint64_t now = os_now_ns(), next = 0;
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        uint64_t due = run_output(device, &device->outputs[i], now);
        if (due && (!next || due < next))
            next = due;
    }
    os_source_set_deadline(device->pace_timer, next);
}

struct gpu_outcome gpu_pace_flush(struct gpu_device *device, struct gpu_output *output,
                                  struct gpu_request *request)
{
    uint64_t now = os_now_ns(), shown, deadline;
    bool paced = shown_by_all(device, output, &shown);
    deadline = paced ? now + PATIENCE_MS * MS : next_tick(device, output);
    bool at_once = paced ? shown >= output->flush_count : deadline <= now;
    if ((at_once && list_is_empty(&output->flushes)) || !gpu_request_own(request)) {
        output->last_shown_ns = now;
        return GPU_OK;
    }
    gpu_lanes_leave(device, request);
    request->flush_serial = output->flush_count;
    request->deadline_ns = deadline;
    list_append(&output->flushes, &request->waiting);
    gpu_pace_timer(device);
    return GPU_PENDING;
}

void gpu_pace_reset(struct gpu_device *device)
{
    for (uint32_t i = 0; i < device->options.outputs; i++)
        list_init(&device->outputs[i].flushes);
    os_source_set_deadline(device->pace_timer, 0);
}

bool gpu_output_take_damage(struct gpu_device *device, struct gpu_listener *listener,
                            uint32_t index, struct picture_rect *damage)
{
    struct gpu_progress *progress = &listener->progress[index];
    *damage = progress->damage;
    progress->damage = (struct picture_rect){0};
    progress->taken = device->outputs[index].flush_count;
    if (!progress->busy_since_ns)
        progress->busy_since_ns = os_now_ns();
    return damage->width;
}

void gpu_output_shown(struct gpu_device *device, struct gpu_listener *listener, uint32_t index)
{
    struct gpu_progress *progress = &listener->progress[index];
    progress->shown = progress->taken;
    progress->asleep = false;
    progress->busy_since_ns = 0;
    if (!list_is_empty(&device->outputs[index].flushes))
        gpu_pace_timer(device);
}
