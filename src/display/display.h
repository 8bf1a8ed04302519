// The display process's end of the link (link/display_messages.h), which all display programs
// share. It knows what each output shows and its cursor, and sends to the guest what a person does.
//
// A program waits until display_fd is readable (or writable, while display_wants_write), calls
// display_dispatch, and is called back. The device process is trusted more than the guest, but
// pictures are the guest's: their bytes change while they are read, and their sizes and offsets are
// checked here against the file.
//
// Thread: one; any poll loop.
#ifndef DISPLAY_DISPLAY_H
#define DISPLAY_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/display_messages.h"
#include "picture/picture.h"

struct display;

// A file that pictures lie in; the guest flips between a few.
// Owns: the display closes `fd`, after ops.file_closed.
struct display_file {
    uint64_t id;
    int fd;
    uint64_t size;
    void *made; // what the program has made of the file (an import); NULL at first
};

struct display_output {
    struct display_file *file; // NULL: nothing was shown yet
    uint64_t offset;           // bytes; the whole picture lies in the file
    uint32_t stride;           // bytes
    uint32_t format;           // enum picture_format, a known one
    uint32_t width, height;    // pixels
    bool enabled;              // false: the guest has switched it off; the last picture stays
    bool frame_due;            // a frame waits for display_shown

    struct {
        bool visible;
        int32_t x, y;
        uint32_t width, height, hot_x, hot_y;
        uint8_t *rgba; // width × height × 4, premultiplied; NULL: no shape yet
    } cursor;
};

// Members may be NULL, unless said otherwise. They may call display_shown, display_output,
// display_read and display_count, and no other function of the display.
struct display_ops {
    void (*setup)(void *data, const struct link_display_setup *setup); // first; must be there
    void (*picture)(void *data, uint32_t output); // it shows another one, or is on or off
    // Show what has changed; then, now or later, call display_shown. Must be there.
    void (*frame)(void *data, uint32_t output, const struct picture_rect *damage);
    void (*cursor)(void *data, uint32_t output, bool shape_changed);
    void (*leds)(void *data, uint32_t leds);                  // struct link_keyboard_leds
    void (*state)(void *data, enum link_machine_state state); // the machine's
    // The guest's person has copied a text: UTF-8 without a NUL, at most LINK_MAX_CLIPBOARD bytes.
    // The first time it is empty: clipboards are shared.
    void (*clipboard)(void *data, const char *text, size_t size);
    void (*file_closed)(void *data, struct display_file *file); // no output shows it any more
};

// Owns: takes over `fd`, a connected socket.
// Errors: -errno; `fd` is closed.
int display_create(int fd, const struct display_ops *ops, void *data, struct display **created);
// Calls file_closed for files that are open.
void display_destroy(struct display *display);

int display_fd(const struct display *display);
bool display_wants_write(const struct display *display);
// Never blocks.
// Errors: false, the device process is gone, or broke the protocol (after a log line). The program
// ends.
bool display_dispatch(struct display *display);

// What output `index` shows. Valid until display_destroy; its members change in display_dispatch.
const struct display_output *display_output(const struct display *display, uint32_t index);

// The frame of this output was shown: its range is not read any more until the next frame.
void display_shown(struct display *display, uint32_t output);
void display_ready(struct display *display);
void display_closed(struct display *display);
void display_set_mode(struct display *display, uint32_t output, uint32_t width, uint32_t height);
// The screen on which a person sees the output; 0: not known.
void display_set_screen(struct display *display, uint32_t output, uint32_t refresh, uint32_t dpi);
// The display's person has copied a text. It is left out if clipboards are not shared, or it is
// none, as above.
void display_set_clipboard(struct display *display, const char *text, size_t size);
// Events are gathered and sent by display_dispatch, or by display_flush. The sender ends groups
// with SYN_REPORT (display_input_end). Nothing is lost: the socket's queue grows if it must.
void display_input(struct display *display, enum link_input_device device, uint16_t type,
                   uint16_t code, int32_t value);
void display_input_end(struct display *display, enum link_input_device device);
// `x` and `y` are pixels of `output`. They become ABS_X and ABS_Y of `device` (ABS_MT_POSITION_X
// and _Y of LINK_INPUT_TOUCH) over all outputs that are on, side by side (picture_side_by_side).
void display_input_position(struct display *display, enum link_input_device device, uint32_t output,
                            double x, double y);
void display_flush(struct display *display);
// For --stats: frames that were shown, bytes of pixels that a CPU has read or written, and the
// number of viewers now.
void display_count(struct display *display, uint64_t frames, uint64_t copied_bytes);
void display_count_viewers(struct display *display, uint32_t viewers);

// Reads a part of the picture into rows of `stride` bytes, 4 bytes a pixel, with A 255, and counts
// it as copied. A file is mapped once, and stays mapped. Errors: false, there is no picture, `rect`
// is not in it, or its file cannot be mapped.
bool display_read(struct display *display, uint32_t output, const struct picture_rect *rect,
                  enum picture_order order, uint8_t *pixels, size_t stride);
// Draws the cursor over pixels of `rect` of the output, as display_read has filled them.
void display_draw_cursor(const struct display *display, uint32_t output,
                         const struct picture_rect *rect, enum picture_order order, uint8_t *pixels,
                         size_t stride);

#endif
