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
    const char *state;      // the machine's, in the title; NULL: it runs
    bool counted;           // the title says how many frames a second were shown
    unsigned frames;        // since then:
    uint64_t counted_ns;    // when the title was made last
    double rate;            // frames a second before that; negative: not known yet
    const char *farewell;   // in the title, when the person has closed it once; NULL: nothing
    const char *notice;     // what it says instead of a picture; NULL: it shows the picture

    // The guest's mode follows the window, and the window the guest's mode.
    uint32_t guest_width, guest_height; // the picture's
    uint32_t asked_width, asked_height; // what the guest was told last
    uint32_t told_refresh, told_dpi;    // of the screen that it is on
    uint64_t mode_due_ns;               // the person has resized the window; 0: no
    uint64_t off_due_ns;                // the guest has switched the output off; 0: no
    uint64_t place_due_ns;              // it was moved; 0: no
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
// Adds a static text to the title; NULL: none.
void window_say(struct window *window, const char *farewell);
void window_say_state(struct window *window, const char *state);

// Shows by `presenter` from here on; NULL: by none. Owns: the window takes it over.
void window_set_presenter(struct window *window, struct window_presenter *presenter);

// What the display tells (display.h).
void window_picture(struct window *window);
void window_frame(struct window *window, const struct picture_rect *damage);
void window_cursor(struct window *window, bool shape_changed);
// A frame is on the screen.
void window_shown(struct window *window);

// What the person does.
// A key that goes down with Ctrl+Alt. False: it is the guest's.
bool window_shortcut(struct window *window, SDL_Scancode key);
void window_event(struct window *window, const SDL_WindowEvent *event);
// Turns a place in the window (SDL's units) into pixels of the picture. False: there is no picture.
bool window_point(const struct window *window, double *x, double *y);
// The person's mouse moves the guest's mouse, and not the pointer on the screen. The guest must
// have one.
void window_capture(struct window *window, bool captured);

// When to call window_tick (os_now_ns); 0: never.
uint64_t window_deadline(const struct window *window);
void window_tick(struct window *window, uint64_t now_ns);

#endif
