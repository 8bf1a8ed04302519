// Tells a tracer (hesper trace) of each command that a context carries out.
//
// While nobody traces, a stream pays one look at a flag that lies beside what it reads anyway. A
// tracer that does not keep up delays a command by at most TAP_PATIENCE_NS; from then on commands
// are left out, and counted, until it has caught up.
#ifndef VENUS_TAP_H
#define VENUS_TAP_H

#include "venus/context.h"

struct venus_tap;

// From now on the tracer at the other end of the socket `fd` is told; one before it hears no more.
// Owns: takes over `fd`.
// Thread: the context's.
void venus_tap_open(struct venus_context *context, int fd);
// Sends what is left, for a moment. The context's threads have ended.
void venus_tap_close(struct venus_context *context);

// A command was carried out: `request` are its bytes, `wire` holds its results. Any stream's
// thread.
void venus_tap_command(struct venus_stream *stream, const struct wire_call *wire,
                       const uint8_t *request, size_t size, uint64_t begin_ns);
// The context is lost. Any thread.
void venus_tap_lost(struct venus_context *context, const char *text);

#endif
