// Messages between the device process and a display process: a window, a VNC server, a writer of
// pictures. Framing is link.h's; a display is started and watched like a worker (pool.h).
//
// A picture is a range of a file that the guest, or its GPU, may be writing to. For each output the
// device sends LINK_PICTURE when it is another one, then LINK_FRAME, and no further frame of that
// output until LINK_FRAME_SHOWN answers it: what happens meanwhile is gathered into the next. So a
// display has at most one frame per output to show, always the newest, and a slow display slows
// nothing else.
#ifndef LINK_DISPLAY_MESSAGES_H
#define LINK_DISPLAY_MESSAGES_H

#include <stdint.h>

#define LINK_DISPLAY_OUTPUTS 16
#define LINK_MAX_CURSOR 512 // pixels, each way
#define LINK_MAX_INPUTS 1024
#define LINK_MAX_CLIPBOARD (1u << 20) // bytes

// Exit status of a display that was to show one picture: the guest has shown nothing yet.
enum { LINK_DISPLAY_NOTHING_SHOWN = 3 };

enum link_display_type {
    // device → display
    LINK_DISPLAY_SETUP = 128, // struct link_display_setup; the first message
    LINK_FILE_OPEN,           // struct link_file_open + 1 fd: a file that pictures will lie in
    LINK_FILE_CLOSE,          // struct link_file_close: none will, from here on
    LINK_PICTURE,             // struct link_picture: what the output shows from here on
    LINK_FRAME,               // struct link_frame: show it now; answered by LINK_FRAME_SHOWN
    LINK_CURSOR_SHAPE,        // struct link_cursor_shape + width × height × 4 bytes
    LINK_CURSOR_MOVE,         // struct link_cursor_move
    LINK_KEYBOARD_LEDS,       // struct link_keyboard_leds
    LINK_MACHINE_CONDITION,   // struct link_machine_condition; it runs until that says otherwise
    // Bytes, UTF-8: the guest's person has copied this text. The first one, which may be empty,
    // says that guest and host share their clipboards; before it none is sent either way
    LINK_CLIPBOARD,

    // display → device
    LINK_DISPLAY_READY = 192, // no payload: it works (the window is open, the port is bound)
    LINK_FRAME_SHOWN,         // struct link_frame_shown
    LINK_OUTPUT_MODE,         // struct link_output_mode: its person has resized the window
    LINK_INPUT,               // array of struct link_input, 1…LINK_MAX_INPUTS
    LINK_DISPLAY_CLOSED,      // no payload: its person has closed the window and means the VM
    LINK_DISPLAY_COUNTERS,    // struct link_display_counters, at most once per second
    LINK_OUTPUT_SCREEN,       // struct link_output_screen: the screen that its window is on
    LINK_CLIPBOARD_COPIED,    // bytes, UTF-8, not none: its person has copied this text
};

struct link_display_setup {
    uint32_t outputs;       // 1…16
    uint32_t width, height; // preferred mode of output 0, pixels
    uint32_t inputs;        // bit n: the guest has device n of enum link_input_device
    char name[64];          // of the VM, for titles; NUL-terminated
};

struct link_file_open {
    uint64_t file_id; // never 0, never used twice
    uint64_t size;    // bytes; the file cannot shrink
};

struct link_file_close {
    uint64_t file_id;
};

struct link_picture {
    uint32_t output;
    uint32_t format;  // enum picture_format: virtio's numbers
    uint64_t file_id; // 0: the output has shown nothing yet
    uint64_t offset;  // of the first pixel in the file, bytes; any multiple of what the guest chose
    uint32_t stride;  // bytes
    uint32_t width, height; // pixels
    uint32_t enabled; // 0: the guest has switched the output off; the rest is the last picture
};

struct link_frame {
    uint32_t output;
    uint32_t x, y, width, height; // what has changed since the last frame, pixels of the picture
    uint32_t pad;
    uint64_t serial;
};

struct link_cursor_shape {
    uint32_t output;
    uint32_t width, height; // 1…LINK_MAX_CURSOR
    uint32_t hot_x, hot_y;
    // R, G, B, A bytes follow, premultiplied
};

struct link_cursor_move {
    uint32_t output;
    uint32_t visible;
    int32_t x, y; // of the shape's upper left corner, pixels of the output
};

struct link_keyboard_leds {
    uint32_t leds; // bit n: the LED of evdev's code n (LED_NUML 0, LED_CAPSL 1, LED_SCROLLL 2)
};

enum link_machine_state {
    LINK_MACHINE_RUNS,
    LINK_MACHINE_PAUSED,
    LINK_MACHINE_FULL, // it stands still until a disk of the host has room
    LINK_MACHINE_STATES
};

struct link_machine_condition {
    uint32_t state; // enum link_machine_state
};

struct link_frame_shown {
    uint32_t output;
    uint32_t pad;
    uint64_t serial; // of the frame. The range is not read any more, until the next frame
};

struct link_output_mode {
    uint32_t output;
    uint32_t width, height; // pixels; width 0: unplugged
    uint32_t pad;
};

struct link_output_screen {
    uint32_t output;
    uint32_t refresh; // Hz; 0: not known
    uint32_t dpi;     // pixels to an inch; 0: not known
    uint32_t pad;
};

enum link_input_device {
    LINK_INPUT_KEYBOARD, // EV_KEY codes of evdev; 1: down, 0: up (the guest repeats by itself)
    // EV_ABS ABS_X and ABS_Y, 0…LINK_INPUT_RANGE over the pictures of all outputs that are on, side
    // by side (picture_side_by_side); EV_KEY BTN_LEFT…; EV_REL wheels. DISPLAY_INFO suggests modes
    // to the guest by the same rule: the places agree once the guest shows pictures of these sizes.
    LINK_INPUT_POINTER,
    // Multi-touch, protocol B: EV_ABS ABS_MT_SLOT, ABS_MT_TRACKING_ID, ABS_MT_POSITION_X, _Y as
    // above; EV_KEY BTN_TOUCH
    LINK_INPUT_TOUCH,
    // EV_REL REL_X and REL_Y, the host's counts; buttons and wheels as the pointer. They
    // come while the mouse of a person is captured
    LINK_INPUT_MOUSE,
    // Game pads of up to four players: EV_KEY BTN_SOUTH…, EV_ABS as Linux's xpad
    LINK_INPUT_PAD,
    LINK_INPUT_PAD4 = LINK_INPUT_PAD + 3,
    LINK_INPUT_DEVICES
};
#define LINK_INPUT_RANGE 32767

// Types, codes and values are Linux evdev's, as virtio-input carries them. The sender ends each
// group that belongs together with EV_SYN SYN_REPORT.
struct link_input {
    uint16_t device; // enum link_input_device
    uint16_t type;
    uint16_t code;
    uint16_t pad;
    int32_t value;
};

struct link_display_counters { // since the display started
    uint64_t frames;           // shown
    uint64_t copied_bytes;     // of pixels read or written by a CPU
    uint64_t viewers;          // now
};

#endif
