// Private to src/gpu: the outputs as commands see them. What readers see of them is in output.h.
#ifndef GPU_OUTPUT_PRIVATE_H
#define GPU_OUTPUT_PRIVATE_H

#include "gpu/resource.h"

// Outputs that show it are switched off; the picture stays.
void gpu_outputs_resource_gone(struct gpu_device *device, const struct gpu_resource *resource);
// All outputs are switched off, cursors are hidden; pictures stay.
void gpu_outputs_reset(struct gpu_device *device);
void gpu_outputs_finish(struct gpu_device *device);
void gpu_outputs_file_gone(struct gpu_device *device, uint64_t file_id);

// ---- pace (pace.c) --------------------------------------------------------

// A flush of the output was carried out: the request is answered when that is shown.
void gpu_pace_flush(struct gpu_device *device, struct gpu_output *output,
                    struct gpu_request *request);
// Flushes that wait are forgotten; their requests are the caller's.
void gpu_pace_reset(struct gpu_device *device);
void gpu_pace_timer(void *data);

void gpu_set_scanout(struct gpu_device *device, struct gpu_request *request);
void gpu_set_scanout_blob(struct gpu_device *device, struct gpu_request *request);
void gpu_resource_flush(struct gpu_device *device, struct gpu_request *request);
void gpu_cursor_update(struct gpu_device *device, struct gpu_request *request);
void gpu_cursor_move(struct gpu_device *device, struct gpu_request *request);

#endif
