// Pictures for those who need them as plain bytes: screenshots, cursors.
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/file.h"
#include "gpu/screen.h"
#include "os/os.h"
#include "os/shm.h"

// Where R, G and B lie in a pixel; A: -1 if the byte means nothing.
struct layout {
    int8_t red, green, blue, alpha;
};

static struct layout layout_of(uint32_t format)
{
    switch (format) {
    case GPU_FORMAT_B8G8R8A8:
        return (struct layout){2, 1, 0, 3};
    case GPU_FORMAT_B8G8R8X8:
        return (struct layout){2, 1, 0, -1};
    case GPU_FORMAT_A8R8G8B8:
        return (struct layout){1, 2, 3, 0};
    case GPU_FORMAT_X8R8G8B8:
        return (struct layout){1, 2, 3, -1};
    case GPU_FORMAT_R8G8B8A8:
        return (struct layout){0, 1, 2, 3};
    case GPU_FORMAT_X8B8G8R8:
        return (struct layout){3, 2, 1, -1};
    case GPU_FORMAT_A8B8G8R8:
        return (struct layout){3, 2, 1, 0};
    default: // GPU_FORMAT_R8G8B8X8
        return (struct layout){0, 1, 2, -1};
    }
}

void gpu_pixels_to_rgba(uint32_t format, const uint8_t *from, uint8_t *to, uint32_t count,
                        bool opaque)
{
    struct layout layout = layout_of(format);
    if (opaque)
        layout.alpha = -1;
    for (; count; count--, from += 4, to += 4) {
        to[0] = from[layout.red];
        to[1] = from[layout.green];
        to[2] = from[layout.blue];
        to[3] = layout.alpha < 0 ? 255 : from[layout.alpha];
    }
}

const uint8_t *gpu_file_map(const struct gpu_file *file, uint64_t offset, uint64_t size,
                            void **mapping, uint64_t *mapping_size)
{
    *mapping = NULL;
    *mapping_size = 0;
    if (file->address)
        return file->address + offset;
    uint64_t start = offset & ~(uint64_t)(os_page_size() - 1);
    *mapping_size = offset - start + size;
    *mapping = os_shm_map(file->fd, start, *mapping_size);
    return *mapping ? (const uint8_t *)*mapping + (offset - start) : NULL;
}

// The cursor over the picture. Its colours are premultiplied, as the kernel's cursor plane has
// them.
static void draw_cursor(const struct gpu_device *device, uint32_t index, uint8_t *rgba,
                        uint32_t width, uint32_t height)
{
    struct gpu_cursor cursor;
    gpu_scanout_cursor(device, index, &cursor);
    if (!cursor.visible)
        return;
    for (uint32_t row = 0; row < cursor.height; row++) {
        int64_t y = (int64_t)cursor.y + row;
        if (y < 0 || y >= height)
            continue;
        for (uint32_t column = 0; column < cursor.width; column++) {
            int64_t x = (int64_t)cursor.x + column;
            if (x < 0 || x >= width)
                continue;
            const uint8_t *from = cursor.rgba + ((uint64_t)row * cursor.width + column) * 4;
            uint8_t *to = rgba + ((uint64_t)y * width + (uint64_t)x) * 4;
            for (int i = 0; i < 3; i++) {
                unsigned sum = from[i] + (to[i] * (255u - from[3]) + 127) / 255;
                to[i] = sum > 255 ? 255 : (uint8_t)sum;
            }
        }
    }
}

int gpu_scanout_snapshot(struct gpu_device *device, uint32_t index, uint8_t *rgba, size_t size,
                         bool with_cursor)
{
    const struct gpu_output *output = &device->outputs[index];
    const uint32_t width = output->source.width, height = output->source.height;
    if (!output->file)
        return -ENODATA;
    if ((uint64_t)width * height * 4 > size)
        return -ENOSPC;
    uint64_t bytes = (uint64_t)output->stride * (height - 1) + (uint64_t)width * 4, mapping_size;
    void *mapping;
    const uint8_t *from =
        gpu_file_map(output->file, output->offset, bytes, &mapping, &mapping_size);
    if (!from)
        return -errno;
    for (uint32_t row = 0; row < height; row++)
        gpu_pixels_to_rgba(output->format, from + (uint64_t)row * output->stride,
                           rgba + (uint64_t)row * width * 4, width, true);
    os_shm_unmap(mapping, mapping_size);
    if (with_cursor)
        draw_cursor(device, index, rgba, width, height);
    return 0;
}
