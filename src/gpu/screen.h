// Private to src/gpu: the outputs as commands see them. For readers: scanout.h.
#ifndef GPU_SCREEN_H
#define GPU_SCREEN_H

#include "gpu/resource.h"

// Does the rectangle (which may be empty) lie within width × height?
bool gpu_rect_fits(const struct gpu_rect *rect, uint32_t width, uint32_t height);

// Outputs that show it are switched off; the picture stays.
void gpu_screen_resource_gone(struct gpu_device *device, const struct gpu_resource *resource);
// All outputs are switched off, cursors are hidden; pictures stay.
void gpu_screen_reset(struct gpu_device *device);
void gpu_screen_finish(struct gpu_device *device);
void gpu_screen_file_gone(struct gpu_device *device, uint64_t file_id);

// ---- pace (pace.c) --------------------------------------------------------

// A flush of the output was carried out: the request is answered when that is shown.
void gpu_pace_flush(struct gpu_device *device, struct gpu_output *output,
                    struct gpu_request *request);
// Flushes that wait are forgotten; their requests are the caller's.
void gpu_pace_reset(struct gpu_device *device);
void gpu_pace_timer(void *data);

// Maps [offset, offset + size) of a file for reading; *mapping and *mapping_size are for
// os_shm_unmap (NULL: nothing to unmap). NULL: errno.
const uint8_t *gpu_file_map(const struct gpu_file *file, uint64_t offset, uint64_t size,
                            void **mapping, uint64_t *mapping_size);

void gpu_set_scanout(struct gpu_device *device, struct gpu_request *request);
void gpu_set_scanout_blob(struct gpu_device *device, struct gpu_request *request);
void gpu_resource_flush(struct gpu_device *device, struct gpu_request *request);
void gpu_cursor_update(struct gpu_device *device, struct gpu_request *request);
void gpu_cursor_move(struct gpu_device *device, struct gpu_request *request);

#endif
