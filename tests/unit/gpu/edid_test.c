// EDID blocks, read back by the rules of VESA E-EDID 1.4 and DisplayID 1.2.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gpu/edid.h"

static unsigned sum(const uint8_t *bytes, size_t count)
{
    unsigned total = 0;
    for (size_t i = 0; i < count; i++)
        total += bytes[i];
    return total & 0xff;
}

struct mode {
    uint32_t width, height;
    double hertz;
};

static struct mode detailed(const uint8_t *at)
{
    struct mode mode = {.width = at[2] | (at[4] >> 4) << 8, .height = at[5] | (at[7] >> 4) << 8};
    uint32_t h_blank = at[3] | (at[4] & 15) << 8, v_blank = at[6] | (at[7] & 15) << 8;
    uint32_t h_front = at[8] | (at[11] >> 6) << 8, h_sync = at[9] | (at[11] >> 4 & 3) << 8;
    uint32_t v_front = at[10] >> 4 | (at[11] >> 2 & 3) << 4, v_sync = (at[10] & 15) | (at[11] & 3)
                                                                                          << 4;
    assert_true(h_front + h_sync < h_blank && v_front + v_sync < v_blank);
    assert_true(h_front && h_sync && v_front && v_sync);
    mode.hertz =
        (at[0] | at[1] << 8) * 10000.0 / ((mode.width + h_blank) * (mode.height + v_blank));
    return mode;
}

static struct mode displayid(const uint8_t *block)
{
    assert_int_equal(block[0], 0x70);
    assert_int_equal(sum(block + 1, 1u + block[2] + 4), 0); // header, data, checksum
    const uint8_t *data = block + 5;
    while (data[0] != 3 && data < block + 5 + block[2])
        data += 3 + data[2];
    assert_int_equal(data[0], 3); // type I timings
    assert_int_equal(data[2], 20);
    const uint8_t *at = data + 3;
    assert_true(at[3] & 0x80); // preferred
    struct mode mode = {.width = (at[4] | at[5] << 8) + 1u, .height = (at[12] | at[13] << 8) + 1u};
    uint32_t h_blank = (at[6] | at[7] << 8) + 1u, v_blank = (at[14] | at[15] << 8) + 1u;
    double clock = ((at[0] | at[1] << 8 | at[2] << 16) + 1) * 10000.0;
    mode.hertz = clock / ((double)(mode.width + h_blank) * (mode.height + v_blank));
    return mode;
}

static size_t make(uint8_t edid[GPU_EDID_MAX], uint32_t width, uint32_t height, uint32_t output)
{
    const struct gpu_screen screen = {.width = width, .height = height, .refresh = 60, .dpi = 96};
    return gpu_edid_make(edid, &screen, output);
}

static void the_mode_comes_out_as_it_went_in(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1280, 800},  {1920, 1080},   {640, 480},   {16, 16},
                                        {1023, 769},  {1367, 767},    {3840, 2160}, {4095, 2160},
                                        {1, 1},       {4096, 2160},   {5120, 2880}, {7680, 4320},
                                        {2000, 4096}, {16384, 16384}, {16, 16384}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t edid[GPU_EDID_MAX];
        size_t size = make(edid, sizes[i][0], sizes[i][1], 3);
        assert_int_equal(size, 128 * (edid[126] + 1));
        for (size_t block = 0; block < size; block += 128)
            assert_int_equal(sum(edid + block, 128), 0);
        assert_memory_equal(edid, "\0\377\377\377\377\377\377\0", 8);
        assert_int_equal(edid[18], 1);
        assert_int_equal(edid[19], 4);
        assert_true(edid[24] & 2); // the first timing is the preferred one
        assert_true(edid[21] && edid[22]);
        struct mode first = detailed(edid + 54);
        struct mode mode = size == 256 ? displayid(edid + 128) : first;
        assert_int_equal(mode.width, sizes[i][0]);
        assert_int_equal(mode.height, sizes[i][1]);
        // Reduced-blanking clocks are rounded down to 0.25 MHz, which tells on tiny screens; what
        // no clock can carry is slower.
        if (sizes[i][0] >= 640 && sizes[i][0] < 16384)
            assert_true(mode.hertz > 59.3 && mode.hertz < 60.2);
        else
            assert_true(mode.hertz > 1 && mode.hertz < 61);
    }
}

static void outputs_differ_in_their_serial_number(void **state)
{
    (void)state;
    uint8_t first[GPU_EDID_MAX], second[GPU_EDID_MAX];
    make(first, 800, 600, 0);
    make(second, 800, 600, 1);
    assert_int_not_equal(first[12], second[12]);
    assert_memory_equal(first + 75 + 2, "Hesper\n", 7);
}

// How large it is, in millimetres.
static void size_of(const uint8_t *edid, unsigned *width, unsigned *height)
{
    const uint8_t *at = edid + 54;
    *width = at[12] | (at[14] >> 4) << 8;
    *height = at[13] | (at[14] & 15) << 8;
}

static void rates_and_sizes_are_those_of_the_screen(void **state)
{
    (void)state;
    static const struct {
        struct gpu_screen screen;
        unsigned width, height; // mm
    } cases[] = {
        {{1920, 1080, 60, 96}, 508, 286},   {{1920, 1080, 144, 96}, 508, 286},
        {{2560, 1440, 120, 109}, 597, 336}, {{3840, 2160, 144, 192}, 508, 286},
        {{2880, 1800, 90, 220}, 333, 208},  {{1280, 800, 500, 40}, 813, 508},
        {{640, 480, 20, 800}, 20, 15},      {{16384, 16384, 20, 40}, 2550, 2550},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gpu_screen *screen = &cases[i].screen;
        uint8_t edid[GPU_EDID_MAX];
        unsigned width, height;
        size_t size = gpu_edid_make(edid, screen, 0);
        struct mode mode = size == 256 ? displayid(edid + 128) : detailed(edid + 54);
        for (size_t block = 0; block < size; block += 128)
            assert_int_equal(sum(edid + block, 128), 0);
        assert_int_equal(mode.width, screen->width);
        assert_int_equal(mode.height, screen->height);
        if (screen->width >= 1280 && screen->width < 16384)
            assert_true(mode.hertz > screen->refresh * 0.985 &&
                        mode.hertz < screen->refresh * 1.005);
        size_of(edid, &width, &height);
        assert_int_equal(width, cases[i].width);
        assert_int_equal(height, cases[i].height);
    }
}

// `edid_test FILE WIDTH HEIGHT HERTZ DPI` writes one for other programs to look at (edid-decode
// --check).
int main(int argc, char **argv)
{
    if (argc == 6) {
        struct gpu_screen screen;
        uint8_t edid[GPU_EDID_MAX];
        FILE *file = fopen(argv[1], "wb");
        if (!file || sscanf(argv[2], "%u", &screen.width) != 1 ||
            sscanf(argv[3], "%u", &screen.height) != 1 ||
            sscanf(argv[4], "%u", &screen.refresh) != 1 || sscanf(argv[5], "%u", &screen.dpi) != 1)
            return 2;
        size_t size = gpu_edid_make(edid, &screen, 0);
        return fwrite(edid, 1, size, file) != size || fclose(file);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mode_comes_out_as_it_went_in),
        cmocka_unit_test(rates_and_sizes_are_those_of_the_screen),
        cmocka_unit_test(outputs_differ_in_their_serial_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
