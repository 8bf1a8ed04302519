// A sequence of commands with a reply stream of its own: the context stream, or a ring's.
//
// Thread: the stream's own.
#ifndef VENUS_STREAM_H
#define VENUS_STREAM_H

#include "venus/call.h"
#include "venus/resource.h"

struct venus_ring;

struct venus_stream {
    struct venus_context *context;
    struct venus_ring *ring; // NULL: the context stream
    uint64_t ring_id;        // as the guest knows it; 0: the context stream
    struct arena arena;
    bool indirect; // inside vkExecuteCommandStreamsMESA
    struct {
        struct venus_resource *resource; // NULL: none set
        uint8_t *base;
        uint64_t size, cursor; // bytes
    } reply;
    uint8_t *copy; // of a piece of an indirect stream
    size_t copy_size;
    bool more, cut;         // there are bytes behind `end`; a command goes on there
    const void *loose;      // where the data of vkCmdUpdateBuffer lies, if it is not in the copy
    atomic_bool stopping;   // its ring is being destroyed
    struct venus_call call; // the command being carried out
};

void venus_stream_init(struct venus_stream *stream, struct venus_context *context,
                       struct venus_ring *ring);
void venus_stream_finish(struct venus_stream *stream);

// Carries out the command at *cursor (private memory) and moves the cursor behind it.
// Errors: false: the context is lost or stopping, or the ring is.
bool venus_stream_step(struct venus_stream *stream, const uint8_t **cursor, const uint8_t *end);

// Carries out all of them. Errors: as above.
bool venus_stream_run(struct venus_stream *stream, const uint8_t *bytes, size_t size);

// The same for `size` bytes at `shared`, which the guest can change at any time: multiples of 4.
bool venus_stream_run_shared(struct venus_stream *stream, const uint8_t *shared, size_t size);

// Must this stream's waits end? A ring ends for itself or with its context.
bool venus_stream_stopping(const struct venus_stream *stream);

// Bytes that the commands of a context may take together while they are carried out: their bytes,
// structures and results, in all streams. One image of 16384 by 16384 with 8 bytes a pixel is half
// of it.
#define VENUS_COMMAND_MEMORY ((size_t)(4ull << 30))
_Static_assert(VENUS_COMMAND_MEMORY, "addresses have 64 bits");

#endif
