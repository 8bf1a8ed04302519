// Private to src/gpu: telling those who look at the outputs (output.h).
#ifndef GPU_LISTENERS_H
#define GPU_LISTENERS_H

#include <stdint.h>

#include "gpu/output.h"

struct gpu_device;

// The output has another picture; all of it, `width` x `height` pixels, is damaged.
void gpu_listeners_changed(struct gpu_device *device, uint32_t output, uint32_t width,
                           uint32_t height);
void gpu_listeners_damaged(struct gpu_device *device, uint32_t output,
                           const struct picture_rect *rect);
void gpu_listeners_cursor(struct gpu_device *device, uint32_t output);
void gpu_listeners_file_gone(struct gpu_device *device, uint64_t file_id);

#endif
