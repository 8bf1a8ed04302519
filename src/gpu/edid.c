#include "gpu/edid.h"

#include <stdbool.h>
#include <string.h>

enum {
    BLOCK = 128,
    MAX_DETAILED = 4095, // pixels of a detailed timing descriptor, each way
    MAX_CLOCK = 65535,   // its pixel clock, 10 kHz
    MAX_DISPLAYID_CLOCK = 1 << 24,
};

// CVT with reduced blanking, for flat panels.
struct timing {
    uint32_t clock; // 10 kHz
    uint32_t width, h_blank, h_front, h_sync;
    uint32_t height, v_blank, v_front, v_sync;
};

// The vertical sync width tells the aspect ratio.
static uint32_t sync_lines(uint32_t width, uint32_t height)
{
    static const struct {
        uint8_t x, y, lines;
    } aspects[] = {{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}};
    for (size_t i = 0; i < sizeof(aspects) / sizeof(aspects[0]); i++)
        if (width * aspects[i].y == height * aspects[i].x)
            return aspects[i].lines;
    return 10;
}

static struct timing timing_of(uint32_t width, uint32_t height, uint32_t refresh,
                               uint32_t max_clock)
{
    struct timing timing = {
        .width = width,
        .height = height,
        .h_blank = 160,
        .h_front = 48,
        .h_sync = 32,
        .v_front = 3,
        .v_sync = sync_lines(width, height),
    };
    // At least 460 µs without lines; the rest of the frame is for lines.
    const uint32_t blank_us = 460, frame_us = 1000000 / refresh;
    timing.v_blank = blank_us * height / (frame_us - blank_us) + 1;
    if (timing.v_blank < timing.v_front + timing.v_sync + 6)
        timing.v_blank = timing.v_front + timing.v_sync + 6;
    uint64_t pixels = (uint64_t)(width + timing.h_blank) * (height + timing.v_blank);
    uint64_t clock = pixels * refresh / 10000;
    clock -= clock % 25; // a step of 0.25 MHz
    // Huge screens refresh more slowly.
    timing.clock = clock > max_clock ? max_clock : clock ? (uint32_t)clock : 1;
    return timing;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = value & 0xff;
    at[1] = value >> 8 & 0xff;
}

static uint32_t millimetres(uint32_t pixels, uint32_t dpi)
{
    return (pixels * 254 + dpi * 5) / (dpi * 10);
}

static void put_detailed(uint8_t *at, const struct timing *timing, const struct gpu_screen *screen)
{
    // The base block says at most 255 cm.
    uint32_t width_mm = millimetres(screen->width, screen->dpi);
    uint32_t height_mm = millimetres(screen->height, screen->dpi);
    width_mm = width_mm > 2550 ? 2550 : width_mm;
    height_mm = height_mm > 2550 ? 2550 : height_mm;
    put16(at, timing->clock);
    at[2] = timing->width & 0xff;
    at[3] = timing->h_blank & 0xff;
    at[4] = (uint8_t)((timing->width >> 8) << 4 | timing->h_blank >> 8);
    at[5] = timing->height & 0xff;
    at[6] = timing->v_blank & 0xff;
    at[7] = (uint8_t)((timing->height >> 8) << 4 | timing->v_blank >> 8);
    at[8] = timing->h_front & 0xff;
    at[9] = timing->h_sync & 0xff;
    at[10] = (uint8_t)((timing->v_front & 15) << 4 | (timing->v_sync & 15));
    at[11] = (uint8_t)((timing->h_front >> 8) << 6 | (timing->h_sync >> 8) << 4 |
                       (timing->v_front >> 4) << 2 | timing->v_sync >> 4);
    at[12] = width_mm & 0xff;
    at[13] = height_mm & 0xff;
    at[14] = (uint8_t)((width_mm >> 8) << 4 | height_mm >> 8);
    at[17] = 0x1a; // digital, separate syncs: horizontal positive, vertical negative
}

static void put_text(uint8_t *at, uint8_t tag, const char *text)
{
    size_t length = strlen(text);
    at[3] = tag;
    memset(at + 5, ' ', 13);
    memcpy(at + 5, text, length);
    if (length < 13)
        at[5 + length] = '\n';
}

static uint8_t checksum(const uint8_t *bytes, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bytes[i];
    return (uint8_t)(256 - sum % 256);
}

// Modes that every guest may want. Aspects: 0 16:10, 1 4:3, 2 5:4, 3 16:9.
static void put_standard(uint8_t *at)
{
    static const struct {
        uint16_t width;
        uint8_t aspect;
    } modes[8] = {{1280, 3}, {1280, 0}, {1280, 2}, {1440, 0},
                  {1600, 3}, {1680, 0}, {1920, 3}, {1920, 0}};
    for (int i = 0; i < 8; i++) {
        at[i * 2] = (uint8_t)(modes[i].width / 8 - 31);
        at[i * 2 + 1] = (uint8_t)(modes[i].aspect << 6 | 0 /* Hz above 60 */);
    }
}

static void put_base(uint8_t *block, const struct timing *timing, const struct gpu_screen *screen,
                     uint32_t output)
{
    static const uint8_t header[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    // sRGB's primaries and white, 10 bits each.
    static const uint8_t chromaticity[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c,
                                             0x99, 0x26, 0x0f, 0x50, 0x54};
    uint32_t width_cm = millimetres(screen->width, screen->dpi) / 10;
    uint32_t height_cm = millimetres(screen->height, screen->dpi) / 10;
    memcpy(block, header, sizeof(header));
    block[8] = 0x22; // "HSP": five bits per letter
    block[9] = 0x70;
    put16(block + 10, 1);
    block[12] = (uint8_t)(output + 1); // serial number
    block[16] = 0xff;                  // the model year follows
    block[17] = 2026 - 1990;
    block[18] = 1;
    block[19] = 4;
    block[20] = 0xa0; // digital, 8 bits per colour
    block[21] = (uint8_t)(width_cm > 255 ? 255 : width_cm ? width_cm : 1);
    block[22] = (uint8_t)(height_cm > 255 ? 255 : height_cm ? height_cm : 1);
    block[23] = 120;  // gamma 2.2
    block[24] = 0x06; // RGB 4:4:4, sRGB, the first detailed timing is the native mode
    memcpy(block + 25, chromaticity, sizeof(chromaticity));
    block[35] = 0x21; // 640x480, 800x600
    block[36] = 0x08; // 1024x768
    put_standard(block + 38);
    put_detailed(block + 54, timing, screen);
    put_text(block + 72, 0xfc, "Hesper");
    block[93] = block[111] = 0x10; // two empty descriptors
}

// In tenths of a millimetre, as far as 16 bits go.
static uint32_t tenths(uint32_t pixels, uint32_t dpi)
{
    uint32_t size = millimetres(pixels, dpi) * 10;
    return size > UINT16_MAX ? UINT16_MAX : size;
}

static void put_displayid(uint8_t *block, const struct timing *timing, uint32_t dpi)
{
    enum { SECTION = 121 };
    block[0] = 0x70; // DisplayID extension
    block[1] = 0x12; // version 1.2
    block[2] = SECTION;
    block[3] = 3; // a stand-alone display
    // Product identification: who, which, number, year, no name (the base block has it).
    static const uint8_t identification[15] = {0, 0, 12, 'H', 'S', 'P',         1, 0,
                                               0, 0, 0,  0,   0,   2026 - 2000, 0};
    // Display parameters: sizes follow; gamma 2.2, no aspect, 8 bits per colour.
    static const uint8_t parameters[15] = {1, 0, 12, [12] = 120, [14] = 0x77};
    // Interface features: DisplayPort, one link, RGB with 8 bits.
    static const uint8_t interface[13] = {0x0f, 0, 10, 0xa1, 0x12, 0x02};
    uint8_t *data = block + 5;
    memcpy(data, identification, sizeof(identification));
    data += sizeof(identification);
    memcpy(data, parameters, sizeof(parameters));
    put16(data + 3, tenths(timing->width, dpi));
    put16(data + 5, tenths(timing->height, dpi));
    put16(data + 7, timing->width);
    put16(data + 9, timing->height);
    data[13] = (uint8_t)(timing->width >= timing->height && timing->width < timing->height * 3
                             ? timing->width * 100 / timing->height - 100
                             : 0);
    data += sizeof(parameters);
    memcpy(data, interface, sizeof(interface));
    data += sizeof(interface);
    data[0] = 0x03; // type I detailed timings
    data[2] = 20;
    uint8_t *at = data + 3;
    put16(at, timing->clock - 1);
    at[2] = (uint8_t)((timing->clock - 1) >> 16);
    at[3] = 0x88; // preferred, aspect ratio not named
    put16(at + 4, timing->width - 1);
    put16(at + 6, timing->h_blank - 1);
    put16(at + 8, (timing->h_front - 1) | 0x8000); // positive sync
    put16(at + 10, timing->h_sync - 1);
    put16(at + 12, timing->height - 1);
    put16(at + 14, timing->v_blank - 1);
    put16(at + 16, timing->v_front - 1);
    put16(at + 18, timing->v_sync - 1);
    block[5 + SECTION] = checksum(block + 1, 4 + SECTION);
    block[BLOCK - 1] = checksum(block, BLOCK - 1);
}

size_t gpu_edid_make(uint8_t edid[GPU_EDID_MAX], const struct gpu_screen *screen, uint32_t output)
{
    uint32_t width = screen->width, height = screen->height;
    memset(edid, 0, GPU_EDID_MAX);
    struct timing timing = timing_of(width, height, screen->refresh, MAX_DISPLAYID_CLOCK);
    bool fits = width <= MAX_DETAILED && height <= MAX_DETAILED && timing.clock <= MAX_CLOCK;
    struct timing base = fits ? timing : timing_of(1920, 1080, 60, MAX_CLOCK);
    put_base(edid, &base, screen, output);
    edid[126] = !fits;
    edid[127] = checksum(edid, BLOCK - 1);
    if (fits)
        return BLOCK;
    put_displayid(edid + BLOCK, &timing, screen->dpi);
    return GPU_EDID_MAX;
}
