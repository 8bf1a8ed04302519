// Private to src/gpu: what a monitor says of itself, made for a mode. Pure.
#ifndef GPU_EDID_H
#define GPU_EDID_H

#include <stddef.h>
#include <stdint.h>

#define GPU_EDID_MAX 256

struct gpu_screen {
    uint32_t width, height; // 1 to 16384 pixels
    uint32_t refresh;       // GPU_MIN_REFRESH to GPU_MAX_REFRESH, Hz
    uint32_t dpi;           // GPU_MIN_DPI to GPU_MAX_DPI
};

// EDID 1.4 of such a screen. A mode that the base block cannot express is in a DisplayID extension.
// `output` goes into the serial number.
// Returns the bytes written: 128 or 256.
size_t gpu_edid_make(uint8_t edid[GPU_EDID_MAX], const struct gpu_screen *screen, uint32_t output);

#endif
