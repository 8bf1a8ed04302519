#include "display/vnc/clipboard.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "os/shm.h"

// What old viewers understand: a character that Latin-1 lacks is a question mark.
static size_t to_latin1(const uint8_t *text, size_t size, char *to)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x80)
            to[count++] = (char)text[i];
        else if (text[i] >= 0xc0)
            to[count++] = text[i] < 0xc4 ? (char)(text[i] << 6 | (text[i + 1] & 0x3f)) : '?';
    }
    return count;
}

void vnc_clipboard_show(rfbClientPtr client, const struct vnc_message *message, int fd)
{
    size_t size = message->width;
    void *file;
    if (fd < 0 || !size || size > VNC_MAX_TEXT || os_shm_size(fd) < (int64_t)size ||
        os_shm_map(fd, 0, size, &file))
        return;
    char *text = malloc(size + 1), *latin1 = malloc(size + 1);
    if (text && latin1) {
        memcpy(text, file, size);
        text[size] = 0;
        size_t count = to_latin1((const uint8_t *)text, size, latin1);
        bool sent = false;
        latin1[count] = 0;
#ifdef LIBVNCSERVER_HAVE_LIBZ
        // The library can choose by itself, but announces a wrong length to old viewers (0.9.14).
        sent = client->enableExtendedClipboard;
        if (sent)
            rfbSendServerCutTextUTF8(client->screen, text, (int)size, latin1, (int)count);
#endif
        if (!sent)
            rfbSendServerCutText(client->screen, latin1, (int)count);
    }
    free(text);
    free(latin1);
    os_shm_unmap(file, size);
}

uint32_t vnc_clipboard_put(uint8_t *file, const char *text, int length, bool latin1)
{
    size_t count = 0, size = length > 0 ? strnlen(text, (size_t)length) : 0;
    if (!latin1) {
        if (size > VNC_MAX_TEXT || !utf8_is_text(text, size))
            return 0;
        memcpy(file, text, size);
        return (uint32_t)size;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (count + 2 > VNC_MAX_TEXT)
            return 0;
        if (byte >= 0x80)
            file[count++] = (uint8_t)(0xc0 | byte >> 6);
        file[count++] = byte < 0x80 ? byte : (uint8_t)(0x80 | (byte & 0x3f));
    }
    return (uint32_t)count;
}
