// Private to src/gpu: the one capset, Venus. What is in it is the codec's business.
#ifndef GPU_CAPSET_H
#define GPU_CAPSET_H

#include <stdbool.h>

#include "gpu/outcome.h"

// Whether the guest's driver has what Venus takes on this host; known once features are taken.
bool gpu_offers_venus(const struct gpu_device *device);
struct gpu_outcome gpu_get_capset_info(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_get_capset(struct gpu_device *device, struct gpu_request *request);

#endif
