// Private to src/gpu: the outputs as commands see them. What readers see of them is in output.h.
#ifndef GPU_OUTPUT_PRIVATE_H
#define GPU_OUTPUT_PRIVATE_H

#include "base/list.h"
#include "gpu/outcome.h"
#include "gpu/output.h"

struct gpu_file;
struct gpu_resource;

enum {
    GPU_MIN_SIZE = 16,    // pixels of a mode, each way
    GPU_MAX_SIZE = 16384, // and of any picture
};

struct gpu_output {
    uint32_t width, height; // mode; 0: unplugged
    uint32_t refresh, dpi;  // what the EDID says

    // What is shown: a range of `file`.
    struct gpu_file *file;
    uint64_t offset, generation;
    uint32_t stride, format;
    struct picture_rect source; // where the picture lies in the resource
    bool enabled;
    uint32_t resource_id; // 0: none. May be shown on after the resource is gone: only `file` counts

    // Flushes that wait to be shown (pace.c), oldest first: struct gpu_request.
    struct list flushes;
    uint64_t flush_count;   // so far
    uint64_t last_shown_ns; // if no listener sets the pace

    // A guest blob lies scattered in guest memory: its pixels are gathered here at every flush.
    struct gpu_file *shadow;
    uint32_t shadow_width, shadow_height;
    uint32_t shadow_of;   // the resource whose pixels it holds; 0: none
    uint64_t blob_offset; // of the picture in the blob
    uint32_t blob_stride;

    struct gpu_output_cursor {
        uint32_t resource_id, x, y, hot_x, hot_y, width, height;
        uint8_t *rgba;
        uint64_t shape_serial;
    } cursor;
};

// The output that a command names, or NULL.
struct gpu_output *gpu_output_find(struct gpu_device *device, uint32_t id,
                                   struct gpu_outcome *outcome);

// Outputs that show it are switched off; the picture stays.
void gpu_outputs_resource_gone(struct gpu_device *device, const struct gpu_resource *resource);
// All outputs are switched off, cursors are hidden; pictures stay.
void gpu_outputs_reset(struct gpu_device *device);
void gpu_outputs_finish(struct gpu_device *device);

// ---- pace (pace.c) --------------------------------------------------------

// A flush of the output was carried out: the request is answered when that is shown.
struct gpu_outcome gpu_pace_flush(struct gpu_device *device, struct gpu_output *output,
                                  struct gpu_request *request);
// Flushes that wait are forgotten; their requests are the caller's.
void gpu_pace_reset(struct gpu_device *device);
void gpu_pace_timer(void *device); // os_timer_callback

// ---- commands (mode.c, output.c, cursor.c) --------------------------------

struct gpu_outcome gpu_get_display_info(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_get_edid(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_set_scanout(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_set_scanout_blob(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_resource_flush(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_cursor_update(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_cursor_move(struct gpu_device *device, struct gpu_request *request);

#endif
