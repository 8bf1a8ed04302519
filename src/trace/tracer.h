// Reads what workers tell of their commands (link/trace_messages.h), and prints it: a line for each
// command, or a table at the end.
//
// A worker may have been taken over by its guest, and what it tells may be anything. It is decoded
// by the codec, which checks it; a worker that breaks the rules is disconnected, and a line says
// so.
//
// Thread: the loop's.
#ifndef TRACE_TRACER_H
#define TRACE_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct os_loop;
struct tracer;

struct tracer_options {
    FILE *out;
    bool stats; // a table at the end, no lines
    bool full;  // nothing is cut short
    // Commands whose name matches one of these globs; none: all. Owns: the caller's, for longer
    // than the tracer.
    const char *const *only;
    uint32_t only_count;
    // The last of the workers has gone. May be NULL.
    void (*idle)(void *data);
    void *data;
};

// Is there a command whose name matches?
bool trace_knows(const char *glob);

// Errors: NULL, out of memory.
struct tracer *tracer_create(struct os_loop *loop, const struct tracer_options *options);
// Prints the table, if one was wanted.
void tracer_destroy(struct tracer *tracer);

// Workers connect to the socket at `path`. Errors: -errno.
int tracer_listen(struct tracer *tracer, const char *path);
// This one is connected already. Owns: takes over the descriptor.
void tracer_adopt(struct tracer *tracer, int fd);
// How many workers are connected.
uint32_t tracer_connected(const struct tracer *tracer);

#endif
