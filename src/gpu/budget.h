// Private to src/gpu: the host memory that a guest's pictures and lists may take (max_2d_bytes).
#ifndef GPU_BUDGET_H
#define GPU_BUDGET_H

#include "base/checked.h"
#include "gpu/device.h"

// Counts `bytes`. Errors: false, too much.
static inline bool gpu_charge(struct gpu_device *device, uint64_t bytes)
{
    if (!checked_range(device->host_bytes, bytes, device->options.max_2d_bytes))
        return false;
    device->host_bytes += bytes;
    return true;
}

static inline void gpu_uncharge(struct gpu_device *device, uint64_t bytes)
{
    device->host_bytes -= bytes;
}

#endif
