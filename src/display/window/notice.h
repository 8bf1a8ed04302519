// Sentences in a window that has no picture of its guest's to show.
#ifndef WINDOW_NOTICE_H
#define WINDOW_NOTICE_H

#include <stdint.h>

// R, G, B, A bytes of a black picture with `text` in its middle, from malloc; NULL: out of memory.
// Of the text, letters (all shown as capitals), digits, space and .,-:' are known. `text` wraps at
// spaces; what does not fit is left out.
uint8_t *window_notice(const char *text, uint32_t width, uint32_t height);

#endif
