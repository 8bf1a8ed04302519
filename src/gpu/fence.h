// Private to src/gpu: fences of the contexts' timelines, and the watchdog over what workers owe.
//
// A submission with a fence is answered when its worker says so. A fence without ring_idx is
// answered when its own command is done: the specification orders fences only within a timeline of
// a context.
#ifndef GPU_FENCE_H
#define GPU_FENCE_H

#include "gpu/context.h"

// Puts an owned request on a timeline. Returns what the worker shall call it (never 0).
uint64_t gpu_fence_add(struct gpu_context *context, uint32_t ring, struct gpu_request *request);
// An answered request: must it wait for earlier fences of its timeline? Then it is kept.
bool gpu_fence_defer(struct gpu_device *device, struct gpu_request *request);
// The worker is done up to `serial`. False: it was never given such a fence.
bool gpu_fence_retired(struct gpu_context *context, uint32_t ring, uint64_t serial);
// All of a context that ends.
void gpu_fence_retire_all(struct gpu_context *context);

// Somebody waits for a worker since now.
void gpu_watchdog_arm(struct gpu_device *device);
void gpu_watchdog(void *device); // os_timer_callback

#endif
