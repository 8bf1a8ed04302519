#include "guest/vtest/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B8G8R8A8 = 1, B8G8R8X8 = 2, MOST = 16384 };

static const char *screen(uint32_t *width, uint32_t *height)
{
    const char *text = getenv("HESPER_GUEST_SCREEN");
    int end = 0;
    if (!text || sscanf(text, "%5ux%5u:%n", width, height, &end) != 2 || !end || !text[end] ||
        !*width || !*height || *width > MOST || *height > MOST)
        return NULL;
    return text + end;
}

void vtest_screen_info(struct guest_info *info)
{
    uint32_t width, height;
    if (!screen(&width, &height))
        return;
    info->output_count = 1;
    info->outputs[0] = (struct guest_output){.width = width, .height = height};
}

static int write_rows(FILE *file, const struct guest_blob *blob,
                      const struct guest_picture *picture)
{
    const int red = picture->format == B8G8R8A8 || picture->format == B8G8R8X8 ? 2 : 0;
    fprintf(file, "P6\n%u %u\n255\n", picture->width, picture->height);
    for (uint32_t y = 0; y < picture->height; y++) {
        const uint8_t *pixel =
            (const uint8_t *)blob->address + picture->offset + (size_t)y * picture->stride;
        for (uint32_t x = 0; x < picture->width; x++, pixel += 4) {
            putc(pixel[red], file);
            putc(pixel[1], file);
            putc(pixel[2 - red], file);
        }
    }
    return ferror(file);
}

int vtest_screen_show(const struct guest_blob *blob, const struct guest_picture *picture)
{
    char next[4096];
    uint32_t width, height;
    const char *path = screen(&width, &height);
    if (!path)
        return GUEST_ERROR_UNSUPPORTED;
    const uint64_t end = (uint64_t)picture->stride * picture->height + picture->offset;
    if (!blob->address || end > blob->size || picture->stride / 4 < picture->width ||
        snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
        return GUEST_ERROR_REFUSED;
    FILE *file = fopen(next, "wb");
    if (!file)
        return GUEST_ERROR_REFUSED;
    int error = write_rows(file, blob, picture);
    return fclose(file) || error || rename(next, path) ? GUEST_ERROR_REFUSED : 0;
}
