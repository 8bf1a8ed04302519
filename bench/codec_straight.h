// What a generator of straight-line code would write for six commands: the other side of the
// comparison in codec.c.
#ifndef BENCH_CODEC_STRAIGHT_H
#define BENCH_CODEC_STRAIGHT_H

#include "wire/wire.h"

// As wire_decode, for the commands that codec.c measures.
bool straight_decode(struct wire_decoder *decoder, struct wire_call *call);

#endif
