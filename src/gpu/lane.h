// Private to src/gpu: order without blocking. See lane.c.
#ifndef GPU_LANE_H
#define GPU_LANE_H

#include <stdbool.h>

struct gpu_device;
struct gpu_request;

enum { GPU_SLOT_FIRST = 1, GPU_SLOT_RESOURCE = 2, GPU_SLOT_BOTH = 3 };

enum gpu_lane_result { GPU_LANES_RUN, GPU_LANES_PARKED, GPU_LANES_NO_MEMORY };
// slots[].key are set: may the request run now? If not it is kept, and becomes ready when those
// before it are done.
enum gpu_lane_result gpu_lanes_enter(struct gpu_device *device, struct gpu_request *request);
// A running request keeps the lanes of `slots` until it is settled, and leaves the others.
// Errors: false, no memory.
bool gpu_lanes_hold(struct gpu_device *device, struct gpu_request *request, unsigned slots);
void gpu_lanes_leave(struct gpu_device *device, struct gpu_request *request);
// A request that is pending runs again, in the lanes that it holds.
void gpu_lanes_resume(struct gpu_device *device, struct gpu_request *request);
// The next request that is ready to run; NULL: none.
struct gpu_request *gpu_lanes_next(struct gpu_device *device);
// All lanes are empty from here on; their requests are the caller's.
void gpu_lanes_reset(struct gpu_device *device);
void gpu_lanes_finish(struct gpu_device *device);

#endif
