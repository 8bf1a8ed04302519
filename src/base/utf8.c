#include "base/utf8.h"

#include <stdint.h>

bool utf8_is_text(const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + size;
    while (at < end) {
        uint8_t first = *at++;
        unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if (!first || (more && (first < 0xc2 || first > 0xf4)) || more > (size_t)(end - at))
            return false;
        // The shortest form only, no halves of UTF-16's pairs, nothing above U+10FFFF.
        uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        for (; more; more--, at++, least = 0x80, most = 0xbf)
            if (*at < least || *at > most)
                return false;
    }
    return true;
}
