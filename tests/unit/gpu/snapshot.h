// What a screenshot of an output would hold, read through the interface for readers (gpu/output.h).
#ifndef TESTS_GPU_SNAPSHOT_H
#define TESTS_GPU_SNAPSHOT_H

#include <errno.h>
#include <string.h>

#include "../short.h"
#include "gpu/output.h"
#include "os/os.h"
#include "os/shm.h"

// Copies the output's picture as R, G, B, A bytes (A = 255) into `rgba`, with the cursor drawn over
// it if wanted. 0; -ENODATA: nothing was shown yet; -ENOSPC: `size` is too small; -EIO: unreadable.
static inline int snapshot_output(struct gpu_device *device, uint32_t output, uint8_t *rgba,
                                  size_t size, bool with_cursor)
{
    struct gpu_picture picture;
    gpu_output_picture(device, output, &picture);
    if (picture.fd < 0)
        return -ENODATA;
    if ((uint64_t)picture.width * picture.height * 4 > size)
        return -ENOSPC;
    uint64_t start = picture.offset & ~(uint64_t)(os_page_size() - 1),
             lead = picture.offset - start;
    uint64_t bytes =
        lead + (uint64_t)picture.stride * (picture.height - 1) + (uint64_t)picture.width * 4;
    uint8_t *mapping = map_file(picture.fd, start, bytes);
    if (!mapping)
        return -EIO;
    for (uint32_t row = 0; row < picture.height; row++)
        picture_convert(picture.format, mapping + lead + (uint64_t)row * picture.stride,
                        PICTURE_ORDER_RGBA, rgba + (uint64_t)row * picture.width * 4, picture.width,
                        true);
    os_shm_unmap(mapping, bytes);
    struct gpu_cursor cursor;
    gpu_output_cursor(device, output, &cursor);
    if (with_cursor && cursor.visible)
        picture_blend(cursor.rgba, cursor.width, cursor.height, cursor.x, cursor.y,
                      PICTURE_ORDER_RGBA, rgba, (size_t)picture.width * 4, picture.width,
                      picture.height);
    return 0;
}

#endif
