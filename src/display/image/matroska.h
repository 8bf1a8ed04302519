// Uncompressed video as a stream of Matroska (RFC 9559), for a program that encodes it: each
// picture goes with its time, which a pipe of bare pixels could not say.
#ifndef IMAGE_MATROSKA_H
#define IMAGE_MATROSKA_H

#include <stddef.h>
#include <stdint.h>

enum { MATROSKA_HEADER = 256, MATROSKA_PICTURE = 48 };

// What the stream begins with: one video of R, G, B, A bytes. A picture is shown for `picture_ns`
// at least: without that, encoders guess from the first times, and libvpx refuses a guess of
// nothing. Returns the number of bytes.
size_t matroska_header(uint8_t header[MATROSKA_HEADER], uint32_t width, uint32_t height,
                       uint64_t picture_ns);
// What stands before the `size` bytes of a picture that is shown from `time_us` on. Returns the
// number of bytes.
size_t matroska_picture(uint8_t header[MATROSKA_PICTURE], uint64_t time_us, uint64_t size);

#endif
