// Private to src/gpu: what the guest's ids name.
#ifndef GPU_FIND_H
#define GPU_FIND_H

#include "gpu/device.h"

struct gpu_context;
struct gpu_resource;

// NULL: there is none.
static inline struct gpu_context *gpu_context_find(const struct gpu_device *device, uint32_t id)
{
    return id_table_find(&device->contexts, id);
}

// NULL: there is none.
static inline struct gpu_resource *gpu_resource_find(const struct gpu_device *device, uint32_t id)
{
    return id_table_find(&device->resources, id);
}

#endif
