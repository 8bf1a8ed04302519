// One window: an output of the guest, on the person's screen.
//
// Thread: the main thread.
#ifndef WINDOW_WINDOW_H
#define WINDOW_WINDOW_H

#include "display/window/input.h"
#include "display/window/present.h"

struct window_settings {
    struct display *display;
    struct window_input *input;
    enum window_scale scale;
    bool fullscreen, grab;
    bool mouse;       // the guest has one that can be moved without bounds
    const char *name; // the VM's
    bool numbered;    // the title says which output it is
    Uint32 event;     // type of the events
};

struct window {
    struct window_settings settings;
    uint32_t output;
    SDL_Window *sdl;
    struct window_presenter *presenter; // NULL: not made yet
    bool grabbed;
    bool captured;          // the person's mouse
    uint32_t width, height; // pixels
    const char *farewell;   // in the title, when the person has closed it once; NULL: nothing
    const char *notice;     // what it says instead of a picture; NULL: it shows the picture

    // The guest's mode follows the window, and the window the guest's mode.
    uint32_t guest_width, guest_height; // the picture's
    uint32_t asked_width, asked_height; // what the guest was told last
    uint32_t told_refresh, told_dpi;    // of the screen that it is on
    uint64_t mode_due_ns;               // the person has resized the window; 0: no
    uint64_t off_due_ns;                // the guest has switched the output off; 0: no
    uint64_t ours_until_ns;             // size events until then are answers to our own resizing

    SDL_Cursor *cursor; // the guest's
};

// `width` and `height` are the guest's mode, pixels. `vulkan`: Vulkan will present to it.
// Errors: false after a log line.
bool window_open(struct window *window, const struct window_settings *settings, uint32_t output,
                 uint32_t width, uint32_t height, bool vulkan);
// Puts a new SDL window in place of the one it has. Its presenter must be gone.
// Errors: false after a log line.
bool window_reopen(struct window *window, bool vulkan);
void window_close(struct window *window);
// Adds a static text to the title.
void window_say(struct window *window, const char *farewell);

// Shows by `presenter` from here on; NULL: by none. Owns: the window takes it over.
void window_set_presenter(struct window *window, struct window_presenter *presenter);

// What the display tells (display.h).
void window_picture(struct window *window);
void window_frame(struct window *window, const struct picture_rect *damage);
void window_cursor(struct window *window, bool shape_changed);

// What the person does.
void window_event(struct window *window, const SDL_WindowEvent *event);
// Turns a place in the window (SDL's units) into pixels of the picture. False: there is no picture.
bool window_point(const struct window *window, double *x, double *y);
void window_toggle_grab(struct window *window);
// The person's mouse moves the guest's mouse, and not the pointer on the screen. The guest must
// have one.
void window_capture(struct window *window, bool captured);
void window_toggle_fullscreen(struct window *window);

// When to call window_tick (os_now_ns); 0: never.
uint64_t window_deadline(const struct window *window);
void window_tick(struct window *window, uint64_t now_ns);

#endif
