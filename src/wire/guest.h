// The guest's half of the codec, for tests, replay and benchmarks: requests out, replies in. The
// renderer needs none of it.
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
// new storage. Outputs that the reply leaves out are NULL then.
bool wire_decode_reply(struct wire_decoder *decoder, struct wire_call *call);

#endif
