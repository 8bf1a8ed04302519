// Texts of strangers.
//
// Thread: any.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// UTF-8 as RFC 3629 has it, and no NUL in it.
bool utf8_is_text(const char *text, size_t size);

#endif
