// The guest's half of the codec, for the guest kit, tests, replay and benchmarks: requests out,
// replies in. The renderer needs none of it.
#ifndef WIRE_GUEST_H
#define WIRE_GUEST_H

#include "wire/wire.h"

// Writes header and parameters of call->number from call->args (ids for handles; storage for
// outputs, which only announces itself). False: no such command, or no room.
bool wire_encode_request(struct wire_encoder *encoder, const struct wire_call *call);
// Bytes that it takes; nothing is written. UINT64_MAX: no such command.
uint64_t wire_measure_request(const struct wire_call *call);

// Reads one reply into new args in the arena: `ret` and outputs are filled, everything else is
// zero. Counts that are inputs of the command are not in its reply, so commands whose output arrays
// are measured by an input need `args` preset: if call->args is not NULL it is filled instead of
// new storage, and the reply must be of call->number. Outputs that the reply leaves out are NULL
// then.
bool wire_decode_reply(struct wire_decoder *decoder, struct wire_call *call);

// A reply that is read into the caller's own structures, as a driver reads it: call->args holds the
// arguments of the request, its outputs point to the caller's memory, chains included. Needs no
// arena. Counters that the reply sets are bounded by the reply's end only: let that be what
// wire_measure_reply said before the request was sent.
struct wire_filler {
    const uint8_t *cursor, *end; // 4-byte aligned
    const char *reason;          // static text, set on failure
};
bool wire_fill_reply(struct wire_filler *filler, const struct wire_call *call);

#endif
