// Sentences in a window that has no picture to show.
#ifndef WINDOW_NOTICE_H
#define WINDOW_NOTICE_H

#include <stdint.h>

// Makes a black picture with `text` in its middle: R, G, B, A bytes. The font has letters (shown as
// capitals), digits, space and .,-:'. Lines wrap at spaces; lines that do not fit are left out.
// Owns: the caller frees it.
// Errors: NULL, out of memory.
uint8_t *window_notice(const char *text, uint32_t width, uint32_t height);

#endif
