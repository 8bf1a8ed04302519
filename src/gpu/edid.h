// Private to src/gpu: what a monitor says of itself, made for a mode. Pure.
#ifndef GPU_EDID_H
#define GPU_EDID_H

#include <stddef.h>
#include <stdint.h>

#define GPU_EDID_MAX 256

// EDID 1.4 with the preferred mode width × height (1 to 16384 pixels) at 60 Hz. A mode that the
// base block cannot express is in a DisplayID extension. `output` goes into the serial number.
// Returns the bytes written: 128 or 256.
size_t gpu_edid_make(uint8_t edid[GPU_EDID_MAX], uint32_t width, uint32_t height, uint32_t output);

#endif
