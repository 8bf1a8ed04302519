// What the outputs show, for those who read it: the front to display processes.
//
// Thread: the device's.
#ifndef GPU_OUTPUT_H
#define GPU_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "picture/picture.h"

struct gpu_device;

enum { GPU_MAX_OUTPUTS = 16 };

// A picture is a range of a file. The guest (or its GPU) may be writing to it at any time.
struct gpu_picture {
    int fd; // borrowed until the next event of the loop (dup it to keep it); -1: nothing was shown
            // yet
    uint64_t file_id;   // another one for each file that was ever shown; 0: none
    uint64_t file_size; // bytes; the file can't shrink
    uint64_t offset; // of the first pixel in the file, bytes; any multiple of what the guest chose,
                     // not of a page
    uint32_t stride; // bytes
    uint32_t format; // enum picture_format
    uint32_t width, height; // pixels
    bool enabled; // false: the guest has switched the output off; the rest is the last picture
    uint64_t generation; // another number whenever anything above has changed
};

// The hardware cursor. `x`, `y`: of its upper left corner on the output, in pixels, negative when
// it hangs over.
struct gpu_cursor {
    bool visible;
    int32_t x, y;
    uint32_t hot_x, hot_y, width, height;
    const uint8_t
        *rgba; // width × height × 4, premultiplied; valid until the next event of the loop
    uint64_t shape_serial; // another number whenever the shape has changed
};

// `output` must be below the number of outputs in all functions.
uint32_t gpu_device_outputs(const struct gpu_device *device);
void gpu_output_picture(const struct gpu_device *device, uint32_t output,
                        struct gpu_picture *picture);
void gpu_output_cursor(const struct gpu_device *device, uint32_t output, struct gpu_cursor *cursor);

// Somebody who looks at the outputs, told of changes. Callbacks may be NULL; nothing of the device
// may be called from inside but the functions of this header other than gpu_device_listen and
// gpu_device_unlisten.
struct gpu_listener {
    void *data;
    // The outputs' pace is the listener's: a flush is answered when it was shown (or after 100 ms;
    // a listener that takes longer than a second is not waited for until it shows something).
    bool paces;
    void (*changed)(
        void *data,
        uint32_t output); // gpu_output_picture has another generation; all of it is damaged
    void (*damaged)(void *data, uint32_t output);    // gpu_output_take_damage has something
    void (*cursor)(void *data, uint32_t output);     // moved, hidden, shown or another shape
    void (*file_gone)(void *data, uint64_t file_id); // no picture lies in it any more

    // The device's.
    struct list node;
    struct gpu_progress {
        struct picture_rect damage; // not taken yet; width 0: none
        uint64_t taken, shown;      // flushes of the output
        uint64_t busy_since_ns;     // 0: what was taken is shown
        bool asleep;
    } progress[GPU_MAX_OUTPUTS];
};
// `listener` stays the caller's, until gpu_device_unlisten. All that is shown counts as damaged.
void gpu_device_listen(struct gpu_device *device, struct gpu_listener *listener);
void gpu_device_unlisten(struct gpu_device *device, struct gpu_listener *listener);

// The union of what was flushed since the listener's last call, in pixels of the picture. False:
// nothing.
bool gpu_output_take_damage(struct gpu_device *device, struct gpu_listener *listener,
                            uint32_t output, struct picture_rect *damage);
// What the listener has taken last is shown, and the picture is not read any more.
void gpu_output_shown(struct gpu_device *device, struct gpu_listener *listener, uint32_t output);

// Since the device was made.
struct gpu_counters {
    uint64_t pictures, flushes; // set by the guest; flushed
    uint64_t copied_bytes;      // of pixels, between guest memory and files, by this process
};
struct gpu_counters gpu_device_counters(const struct gpu_device *device);

// Another mode for an output: what a person's window has become. Width 0 unplugs it. The guest is
// told by a configuration event. False: `output` or a size (16…16384) is out of range.
bool gpu_device_set_mode(struct gpu_device *device, uint32_t output, uint32_t width,
                         uint32_t height);

#endif
