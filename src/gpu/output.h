// What the outputs show, for those who read it: the front to display processes.
//
// Thread: the device's. `output` must be below gpu_device_outputs in all functions.
#ifndef GPU_OUTPUT_H
#define GPU_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "picture/picture.h"

struct gpu_device;

enum {
    GPU_MAX_OUTPUTS = 16,
    GPU_MIN_REFRESH = 20, // Hz
    GPU_MAX_REFRESH = 500,
    GPU_MIN_DPI = 40,
    GPU_MAX_DPI = 800,
};

// ---- reading --------------------------------------------------------------

// A picture is a range of a file. The guest, or its GPU, may be writing to it at any time.
struct gpu_picture {
    // -1: nothing was shown yet. Owns: the device, until the next event of the loop; duplicate it
    // to keep it.
    int fd;
    uint64_t file_id;   // differs for each file that was ever shown; 0: none
    uint64_t file_size; // bytes; the file never shrinks
    // Bytes from the start of the file to the first pixel. The guest chose it: it is a multiple of
    // nothing.
    uint64_t offset;
    uint32_t stride;        // bytes
    uint32_t format;        // enum picture_format
    uint32_t width, height; // pixels
    bool enabled; // false: the guest has switched the output off; the rest is the last picture
    uint64_t generation; // differs whenever anything above has changed
};

// The hardware cursor.
struct gpu_cursor {
    bool visible;
    int32_t x, y; // pixels; place of the upper left corner on the output, may be negative
    uint32_t hot_x, hot_y, width, height;
    // width × height × 4 bytes, premultiplied. Owns: the device, until the next event of the loop.
    const uint8_t *rgba;
    uint64_t shape_serial; // differs whenever the shape has changed
};

uint32_t gpu_device_outputs(const struct gpu_device *device);
void gpu_output_picture(const struct gpu_device *device, uint32_t output,
                        struct gpu_picture *picture);
void gpu_output_cursor(const struct gpu_device *device, uint32_t output, struct gpu_cursor *cursor);

// ---- listening ------------------------------------------------------------

// Somebody who looks at the outputs and is told of changes. Callbacks may be NULL. A callback may
// call the functions of this header, except gpu_device_listen and gpu_device_unlisten.
struct gpu_listener {
    void *data;
    // The listener sets the pace: a flush is answered when the listener has shown it, or after
    // 100 ms. A listener that takes longer than a second is not waited for until it shows
    // something.
    bool paces;
    // gpu_output_picture has another generation. All of the output is damaged.
    void (*changed)(void *data, uint32_t output);
    void (*damaged)(void *data, uint32_t output);    // gpu_output_take_damage has something
    void (*cursor)(void *data, uint32_t output);     // moved, hidden, shown or another shape
    void (*file_gone)(void *data, uint64_t file_id); // no picture lies in it any more

    // Private to the device.
    struct list node;
    struct gpu_progress {
        struct picture_rect damage; // not taken yet; width 0: none
        uint64_t taken, shown;      // flushes of the output
        uint64_t busy_since_ns;     // 0: what was taken is shown
        bool asleep;
    } progress[GPU_MAX_OUTPUTS];
};
// All that is shown counts as damaged. Owns: `listener` stays the caller's, and must last until
// gpu_device_unlisten.
void gpu_device_listen(struct gpu_device *device, struct gpu_listener *listener);
void gpu_device_unlisten(struct gpu_device *device, struct gpu_listener *listener);

// The union of what was flushed since the listener's last call, in pixels of the picture. False:
// nothing was.
bool gpu_output_take_damage(struct gpu_device *device, struct gpu_listener *listener,
                            uint32_t output, struct picture_rect *damage);
// The listener has shown what it took last, and does not read the picture any more.
void gpu_output_shown(struct gpu_device *device, struct gpu_listener *listener, uint32_t output);

// ---- the device -----------------------------------------------------------

struct gpu_counters {           // since the device was made
    uint64_t pictures, flushes; // set by the guest; flushed by it
    uint64_t copied_bytes; // pixel data that this process copied between guest memory and files
};
struct gpu_counters gpu_device_counters(const struct gpu_device *device);

// The screen on which a person sees the output: its frames in a second and its pixels to an inch,
// for the EDID. What is 0 or no screen's, and what the options say, stays as it is. The guest hears
// of a change.
void gpu_device_set_screen(struct gpu_device *device, uint32_t output, uint32_t refresh,
                           uint32_t dpi);
// Gives the output another mode, such as the size of a person's window. Width 0 unplugs it. The
// guest hears of it by a configuration event.
// Errors: false, `output` or a size (16 to 16384) is out of range.
bool gpu_device_set_mode(struct gpu_device *device, uint32_t output, uint32_t width,
                         uint32_t height);

#endif
