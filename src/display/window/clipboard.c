#include "display/window/clipboard.h"

#include <SDL.h>
#include <stdlib.h>
#include <string.h>

#include "display/display.h"

void window_clipboard_take(struct window_clipboard *clipboard, struct display *display,
                           const char *text, size_t size)
{
    bool first = !clipboard->display;
    clipboard->display = display;
    if (first)
        window_clipboard_changed(clipboard);
    char *copy = size && clipboard->focused ? malloc(size + 1) : NULL;
    if (!copy)
        return;
    memcpy(copy, text, size);
    copy[size] = 0;
    free(clipboard->last);
    clipboard->last = copy;
    SDL_SetClipboardText(copy);
}

void window_clipboard_changed(struct window_clipboard *clipboard)
{
    if (!clipboard->display || !clipboard->focused || !SDL_HasClipboardText())
        return;
    char *text = SDL_GetClipboardText();
    if (text && *text && (!clipboard->last || strcmp(text, clipboard->last))) {
        free(clipboard->last);
        clipboard->last = strdup(text);
        display_set_clipboard(clipboard->display, text, strlen(text));
    }
    SDL_free(text);
}

void window_clipboard_focus(struct window_clipboard *clipboard, bool focused)
{
    clipboard->focused = focused;
    window_clipboard_changed(clipboard);
}
