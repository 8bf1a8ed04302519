// Virtio-gpu capset 4 ("Venus"), version 0: what the codec covers. For those who offer a guest the
// codec without using it.
//
// Thread: any.
#ifndef WIRE_CAPSET_H
#define WIRE_CAPSET_H

#include <stdint.h>

#define WIRE_CAPSET_SIZE 160

// 40 little-endian words.
void wire_capset(uint8_t capset[WIRE_CAPSET_SIZE]);

#endif
