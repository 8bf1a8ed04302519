#include "display/image/matroska.h"

#include <string.h>

// An element is an id, the size of what is in it, and that. Ids carry their own length, sizes are
// written in eight bytes.
static uint8_t *put_id(uint8_t *at, uint32_t id)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        if (id >> shift)
            *at++ = (uint8_t)(id >> shift);
    return at;
}

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

static uint8_t *put_open(uint8_t *at, uint32_t id, uint64_t size)
{
    at = put_number(put_id(at, id), size);
    at[-8] |= 1; // eight bytes follow
    return at;
}

// Says how much is in the element that was opened up to `content`.
static void close_element(uint8_t *content, const uint8_t *end)
{
    put_number(content - 8, (uint64_t)(end - content));
    content[-8] |= 1;
}

static uint8_t *put_unsigned(uint8_t *at, uint32_t id, uint64_t value)
{
    return put_number(put_open(at, id, 8), value);
}

static uint8_t *put_text(uint8_t *at, uint32_t id, const char *text)
{
    size_t length = strlen(text);
    at = put_open(at, id, length);
    memcpy(at, text, length);
    return at + length;
}

size_t matroska_header(uint8_t header[MATROSKA_HEADER], uint32_t width, uint32_t height,
                       uint64_t picture_ns)
{
    enum {
        EBML = 0x1a45dfa3,
        DOCUMENT = 0x4282,
        SEGMENT = 0x18538067,
        INFO = 0x1549a966,
        TICK = 0x2ad7b1, // ns
        TRACKS = 0x1654ae6b,
        TRACK = 0xae,
        TRACK_NUMBER = 0xd7,
        TRACK_TYPE = 0x83,
        CODEC = 0x86,
        PICTURE_TIME = 0x23e383, // ns
        VIDEO = 0xe0,
        WIDTH = 0xb0,
        HEIGHT = 0xba,
        COLOURS = 0x2eb524,
    };
    uint8_t *at = header, *tracks, *track, *video;
    at = put_open(at, EBML, 2 + 8 + 8);
    at = put_text(at, DOCUMENT, "matroska");
    at = put_open(at, SEGMENT, (1ull << 56) - 1); // to the end of the stream
    at = put_open(at, INFO, 3 + 8 + 8);
    at = put_unsigned(at, TICK, 1000);
    tracks = at = put_open(at, TRACKS, 0);
    track = at = put_open(at, TRACK, 0);
    at = put_unsigned(at, TRACK_NUMBER, 1);
    at = put_unsigned(at, TRACK_TYPE, 1);
    at = put_unsigned(at, PICTURE_TIME, picture_ns);
    at = put_text(at, CODEC, "V_UNCOMPRESSED");
    video = at = put_open(at, VIDEO, 0);
    at = put_unsigned(at, WIDTH, width);
    at = put_unsigned(at, HEIGHT, height);
    at = put_text(at, COLOURS, "RGBA");
    close_element(video, at);
    close_element(track, at);
    close_element(tracks, at);
    return (size_t)(at - header);
}

size_t matroska_picture(uint8_t header[MATROSKA_PICTURE], uint64_t time_us, uint64_t size)
{
    enum { CLUSTER = 0x1f43b675, TIME = 0xe7, BLOCK = 0xa3 };
    // A key frame of track 1, at the time of its cluster.
    static const uint8_t block[4] = {0x81, 0, 0, 0x80};
    uint8_t *at = header, *cluster;
    cluster = at = put_open(at, CLUSTER, 0);
    at = put_unsigned(at, TIME, time_us);
    at = put_open(at, BLOCK, sizeof(block) + size);
    memcpy(at, block, sizeof(block));
    at += sizeof(block);
    close_element(cluster, at + size);
    return (size_t)(at - header);
}
