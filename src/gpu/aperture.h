// Private to src/gpu: which resource lies where in the aperture that the guest sees. Offsets are
// the guest's choice.
#ifndef GPU_APERTURE_H
#define GPU_APERTURE_H

#include "base/id_table.h"
#include "base/list.h"
#include "gpu/outcome.h"

struct gpu_resource;

enum gpu_placement { GPU_UNPLACED, GPU_PLACING, GPU_PLACED, GPU_REMOVING, GPU_STUCK };

struct gpu_aperture {
    struct gpu_resource **ranges; // in use, by offset
    uint32_t count, capacity;
    struct id_table pending; // cookie → resource
    struct list postponed;   // struct gpu_resource: can't be placed or taken out now
    struct list waiting;     // struct gpu_request: maps of ranges that are being taken out
};

void gpu_aperture_init(struct gpu_aperture *aperture);

// Begins to place an unplaced resource at `offset` for a MAP_BLOB, and settles that. Waits if the
// range is just being taken out: the handler runs again then.
struct gpu_outcome gpu_aperture_place(struct gpu_device *device, struct gpu_resource *resource,
                                      uint64_t offset, struct gpu_request *request);
// Begins to take out a placed resource. The handler runs again when it is out, or stuck there for
// ever.
struct gpu_outcome gpu_aperture_remove(struct gpu_device *device, struct gpu_resource *resource,
                                       struct gpu_request *request);
// Before the resources are freed.
void gpu_aperture_reset(struct gpu_device *device);

#endif
