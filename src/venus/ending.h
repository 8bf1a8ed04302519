// The end of a context: by its guest, or because the guest broke a stream or lost its device.
//
// Thread: any.
#ifndef VENUS_ENDING_H
#define VENUS_ENDING_H

#include "venus/context.h"

// Breaks the context: FATAL in every ring, one log line, LINK_CONTEXT_LOST. Only the first call
// counts.
void venus_context_lose(struct venus_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The same without a line in the log: the guest's program is gone.
void venus_context_end(struct venus_context *context);
// Wakes and ends every wait, without an error (the guest has gone).
void venus_context_stop(struct venus_context *context);
// Set once: every wait looks at it.
static inline bool venus_context_stopping(const struct venus_context *context)
{
    return atomic_load_explicit(&context->stopping, memory_order_relaxed);
}

// No single wait on the driver is longer than this.
#define VENUS_WAIT_SLICE_NS 50000000ull

// Tells the device process which of its fences are done.
void venus_context_retire(struct venus_context *context, const struct link_fence_retired *fences,
                          uint32_t count);

#endif
