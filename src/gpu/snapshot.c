// Pictures for those who need them as plain bytes.
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/file.h"
#include "gpu/pixels.h"
#include "gpu/screen.h"
#include "os/os.h"
#include "os/shm.h"

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

static void draw_cursor(const struct gpu_device *device, uint32_t index, uint8_t *rgba,
                        uint32_t width, uint32_t height)
{
    struct gpu_cursor cursor;
    gpu_scanout_cursor(device, index, &cursor);
    if (cursor.visible)
        gpu_pixels_blend(cursor.rgba, cursor.width, cursor.height, cursor.x, cursor.y,
                         GPU_ORDER_RGBA, rgba, (size_t)width * 4, width, height);
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
        gpu_pixels_convert(output->format, from + (uint64_t)row * output->stride, GPU_ORDER_RGBA,
                           rgba + (uint64_t)row * width * 4, width, true);
    os_shm_unmap(mapping, mapping_size);
    if (with_cursor)
        draw_cursor(device, index, rgba, width, height);
    return 0;
}
