// Order without blocking. A request belongs to at most two lanes (its context's or its output's,
// its resource's) and runs when it is the first in each. A request that cannot finish at once holds
// its lanes until it is settled. Requests enter in the order of the queue, so each waits only for
// earlier ones: there is no deadlock, and none waits for a slow one that it has nothing to do with.
//
// A lane exists only while somebody holds it: as long as everything finishes at once, there are
// none and entering costs a test.
#include "gpu/lane.h"

#include <stdlib.h>

#include "gpu/device.h"
#include "os/loop.h"

struct gpu_lane {
    uint64_t key;
    struct gpu_request *first, *last;
    struct gpu_lane *next_free;
};

enum { SLOTS = sizeof(((struct gpu_request *)0)->slots) / sizeof(struct gpu_lane_slot) };

static struct gpu_lane_slot *slot_in(struct gpu_request *request, const struct gpu_lane *lane)
{
    return &request->slots[request->slots[0].lane == lane ? 0 : 1];
}

static bool append(struct gpu_device *device, struct gpu_request *request,
                   struct gpu_lane_slot *slot)
{
    struct gpu_lane *lane = id_table_find(&device->lanes, slot->key);
    if (!lane) {
        lane = device->free_lanes;
        if (lane)
            device->free_lanes = lane->next_free;
        else if (!(lane = malloc(sizeof(*lane))))
            return false;
        *lane = (struct gpu_lane){.key = slot->key};
        if (!id_table_insert(&device->lanes, lane->key, lane)) {
            free(lane);
            return false;
        }
    }
    slot->lane = lane;
    slot->next = NULL;
    if (lane->last)
        slot_in(lane->last, lane)->next = request;
    else
        lane->first = request;
    lane->last = request;
    return true;
}

static bool is_first(const struct gpu_request *request)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (request->slots[i].lane && request->slots[i].lane->first != request)
            return false;
    return true;
}

// Runs at once if a request is being carried out, else at the end of the loop's round.
static void make_ready(struct gpu_device *device, struct gpu_request *request)
{
    list_append(&device->ready, &request->waiting);
    os_source_set_deadline(device->end_round, 1);
}

// The request is the first of its lane, or the last (undoing an append).
static void leave(struct gpu_device *device, struct gpu_request *request,
                  struct gpu_lane_slot *slot)
{
    struct gpu_lane *lane = slot->lane;
    if (!lane)
        return;
    if (lane->first == request) {
        lane->first = slot->next;
        if (!lane->first) {
            id_table_remove(&device->lanes, lane->key);
            lane->next_free = device->free_lanes;
            device->free_lanes = lane;
        }
    } else {
        struct gpu_request *before = lane->first;
        while (slot_in(before, lane)->next != request)
            before = slot_in(before, lane)->next;
        slot_in(before, lane)->next = slot->next;
        if (lane->last == request)
            lane->last = before;
    }
    struct gpu_request *next = slot->next;
    bool was_first = lane->first == next;
    slot->lane = NULL;
    slot->next = NULL;
    if (next && was_first && is_first(next))
        make_ready(device, next);
}

enum gpu_lane_result gpu_lanes_enter(struct gpu_device *device, struct gpu_request *request)
{
    bool wait = false;
    for (unsigned i = 0; device->lanes.count && i < SLOTS; i++)
        wait =
            wait || (request->slots[i].key && id_table_find(&device->lanes, request->slots[i].key));
    if (!wait)
        return GPU_LANES_RUN;
    bool ok = gpu_request_own(request);
    for (unsigned i = 0; ok && i < SLOTS; i++)
        ok = !request->slots[i].key || append(device, request, &request->slots[i]);
    if (ok)
        return GPU_LANES_PARKED;
    for (unsigned i = 0; i < SLOTS; i++)
        leave(device, request, &request->slots[i]);
    return GPU_LANES_NO_MEMORY;
}

bool gpu_lanes_hold(struct gpu_device *device, struct gpu_request *request, unsigned slots)
{
    if (!gpu_request_own(request))
        return false;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct gpu_lane_slot *slot = &request->slots[i];
        if (!(slots & 1u << i))
            leave(device, request, slot);
        else if (slot->key && !slot->lane && !append(device, request, slot))
            return false;
    }
    return true;
}

void gpu_lanes_leave(struct gpu_device *device, struct gpu_request *request)
{
    for (unsigned i = 0; i < SLOTS; i++)
        leave(device, request, &request->slots[i]);
}

void gpu_lanes_resume(struct gpu_device *device, struct gpu_request *request)
{
    list_remove(&request->waiting);
    request->resumed = true;
    make_ready(device, request);
}

struct gpu_request *gpu_lanes_next(struct gpu_device *device)
{
    struct gpu_request *request = LIST_FIRST(&device->ready, struct gpu_request, waiting);
    if (request)
        list_remove(&request->waiting);
    return request;
}

void gpu_lanes_reset(struct gpu_device *device)
{
    uint32_t cursor = 0;
    for (struct gpu_lane *lane; (lane = id_table_next(&device->lanes, &cursor));)
        free(lane);
    id_table_finish(&device->lanes);
    list_init(&device->ready);
}

void gpu_lanes_finish(struct gpu_device *device)
{
    while (device->free_lanes) {
        struct gpu_lane *lane = device->free_lanes;
        device->free_lanes = lane->next_free;
        free(lane);
    }
}
