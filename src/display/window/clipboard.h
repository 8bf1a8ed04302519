// The host's clipboard and the guest's. Texts pass only while one of the windows has the keyboard:
// what a person copies elsewhere is not the guest's before they come to it, and a guest that nobody
// looks at puts nothing into the host's clipboard.
//
// Thread: the main thread.
#ifndef WINDOW_CLIPBOARD_H
#define WINDOW_CLIPBOARD_H

#include <stdbool.h>
#include <stddef.h>

struct display;

// {0}: not shared.
struct window_clipboard {
    struct display *display; // NULL: not shared
    bool focused;            // a window has the keyboard
    char *last; // what both have, as far as we know; NULL: not known. It goes with the process
};

// From the guest: `text` is UTF-8, `size` bytes, without a NUL.
void window_clipboard_take(struct window_clipboard *clipboard, struct display *display,
                           const char *text, size_t size);
void window_clipboard_focus(struct window_clipboard *clipboard, bool focused);
// The host's clipboard has changed. Not every SDL says so while a window has the keyboard.
void window_clipboard_changed(struct window_clipboard *clipboard);

#endif
