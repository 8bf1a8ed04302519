// Private to src/gpu: what a monitor says of itself, made for a mode. Pure.
#ifndef GPU_EDID_H
#define GPU_EDID_H

#include <stddef.h>
#include <stdint.h>

#define GPU_EDID_MAX 256

// EDID 1.4 with the preferred mode width × height (1…16384) at 60 Hz; one that its base block can't
// express is in a DisplayID extension. Returns the bytes written: 128 or 256. `output` goes into
// the serial number.
size_t gpu_edid_make(uint8_t edid[GPU_EDID_MAX], uint32_t width, uint32_t height, uint32_t output);

#endif
