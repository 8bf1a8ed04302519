// Private to src/gpu: which resource lies where in the aperture that the guest sees. Offsets are
// the guest's choice.
#ifndef GPU_APERTURE_H
#define GPU_APERTURE_H

#include "gpu/resource.h"

// Begins to place an unplaced resource at `offset` for a MAP_BLOB; answers it at once or when the
// front says so. Waits if the range is just being taken out.
void gpu_aperture_place(struct gpu_device *device, struct gpu_resource *resource, uint64_t offset,
                        struct gpu_request *request);
// Begins to take out a placed resource, for UNMAP_BLOB or UNREF; for UNREF destroys it then.
void gpu_aperture_remove(struct gpu_device *device, struct gpu_resource *resource,
                         struct gpu_request *request);
// Before the resources are freed.
void gpu_aperture_reset(struct gpu_device *device);

#endif
