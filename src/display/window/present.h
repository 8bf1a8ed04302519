// How the pictures of one output get into its window: by Vulkan (presenter.c) or, where that is
// impossible, by SDL's renderer (software.c).
//
// Thread: the main thread, except window_event_push.
#ifndef WINDOW_PRESENT_H
#define WINDOW_PRESENT_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/display.h"
#include "display/window/layout.h"
#include "os/notifier.h"

struct window_vulkan;

enum window_present {
    WINDOW_PRESENT_GPU,      // imported and blitted by the GPU; if that fails, as UPLOAD
    WINDOW_PRESENT_UPLOAD,   // copied by the CPU, blitted by the GPU
    WINDOW_PRESENT_SOFTWARE, // copied by the CPU, presented by SDL
};

// The `code` of events that presenters push. The settings give their type.
enum window_event {
    WINDOW_EVENT_LINK,  // the display's socket is ready: wake up
    WINDOW_EVENT_SHOWN, // data1: output. Its frame was shown, display_shown is due
    WINDOW_EVENT_LOST,  // the Vulkan device or a surface is gone: make all presenters anew
};

struct window_present_settings {
    struct display *display;
    uint32_t output;
    SDL_Window *window;
    enum window_scale scale;
    bool upload;                    // WINDOW_PRESENT_UPLOAD
    Uint32 event;                   // type of the events
    const struct os_notifier *wake; // signalled with each event
};

struct window_presenter {
    const struct window_presenter_ops *ops;
};

struct window_presenter_ops {
    // Shows the output's frame that is due. WINDOW_EVENT_SHOWN follows.
    void (*frame)(struct window_presenter *presenter, const struct picture_rect *damage);
    // Shows a picture of our own in place of the output's. Owns: takes over `rgba`, from malloc.
    void (*notice)(struct window_presenter *presenter, uint8_t *rgba, uint32_t width,
                   uint32_t height);
    // Takes the window's new size in pixels and the time between two frames of its screen, and
    // draws again what was shown last.
    void (*resize)(struct window_presenter *presenter, uint32_t width, uint32_t height,
                   uint64_t period_ns);
    void (*destroy)(struct window_presenter *presenter);
};

// Errors: NULL after a log line.
struct window_presenter *window_presenter_create(struct window_vulkan *vulkan,
                                                 const struct window_present_settings *settings);
struct window_presenter *window_software_create(const struct window_present_settings *settings);

// Pushes an event, even if the queue is full of input. Thread: any.
void window_event_push(Uint32 type, enum window_event event, uint32_t output,
                       const struct os_notifier *wake);

// Keeps the frames of a window to its screen's pace, even where the system does not slow them down.
struct window_pace {
    uint64_t next_ns;
};
// Returns when the frame that is ready now may count as shown (os_now_ns): now, or a little later.
uint64_t window_pace_next(struct window_pace *pace, uint64_t now_ns, uint64_t period_ns);

#endif
