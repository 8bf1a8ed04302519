// How the pictures of one output get into its window: by Vulkan (presenter.c) or, where that can't
// be, by SDL's renderer (software.c). All of the main thread.
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
    WINDOW_PRESENT_GPU,      // imported and blitted by the GPU, or else as the next
    WINDOW_PRESENT_UPLOAD,   // copied by the CPU, blitted by the GPU
    WINDOW_PRESENT_SOFTWARE, // copied by the CPU, the rest is SDL's
};

// Events that presenters push: `code` of SDL's event of the type that the settings give.
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
    const struct os_notifier *wake; // signalled with each
};

struct window_presenter {
    const struct window_presenter_ops *ops;
};

struct window_presenter_ops {
    // The output's frame that is due. WINDOW_EVENT_SHOWN follows.
    void (*frame)(struct window_presenter *presenter, const struct picture_rect *damage);
    // A picture of our own in the place of the output's; takes over `rgba`, from malloc.
    void (*notice)(struct window_presenter *presenter, uint8_t *rgba, uint32_t width,
                   uint32_t height);
    // The window's size now, in pixels, and the time between two frames of its screen; draws again
    // what was shown last.
    void (*resize)(struct window_presenter *presenter, uint32_t width, uint32_t height,
                   uint64_t period_ns);
    void (*destroy)(struct window_presenter *presenter);
};

// NULL, after a log line: it can't be had.
struct window_presenter *window_presenter_create(struct window_vulkan *vulkan,
                                                 const struct window_present_settings *settings);
struct window_presenter *window_software_create(const struct window_present_settings *settings);

// Pushes an event, whatever is in the queue. Any thread.
void window_event_push(Uint32 type, enum window_event event, uint32_t output,
                       const struct os_notifier *wake);

// Frames of one window keep its screen's pace, also where the system does not slow them down.
struct window_pace {
    uint64_t next_ns;
};
// When the frame that is ready now may count as shown (os_now_ns clock): now, or a little later.
uint64_t window_pace_next(struct window_pace *pace, uint64_t now_ns, uint64_t period_ns);

#endif
