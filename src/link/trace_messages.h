// Messages from a worker to whoever traces its commands (hesper trace), over a socket of their own
// that the worker gets with LINK_TRACE. The tracer sends nothing.
//
// A worker may have been taken over by its guest: what it tells is shown, and nothing relies on it.
#ifndef LINK_TRACE_MESSAGES_H
#define LINK_TRACE_MESSAGES_H

#include <stdint.h>

enum link_trace_type {
    LINK_TRACE_HELLO = 224, // struct link_trace_hello; the first message
    LINK_TRACE_COMMAND,     // struct link_trace_command + bytes of the request + bytes of the reply
    LINK_TRACE_LOST,        // text, no NUL, at most LINK_MAX_TEXT: why the context is lost
};

struct link_trace_hello {
    uint32_t context_id;
    uint32_t pid;  // of the worker
    char name[64]; // what the guest calls itself; NUL-terminated
};

enum link_trace_flags {
    LINK_TRACE_NESTED = 1, // it stood in a stream that vkExecuteCommandStreamsMESA named
};

// A command that was carried out. Bytes are as the guest wrote them, and as it was answered or
// would have been: the reply is there whether or not the guest wanted it. What is too long to be
// told is cut off at LINK_TRACE_MAX_BYTES.
struct link_trace_command {
    uint64_t begin_ns, end_ns; // of the clock that does not jump
    uint64_t stream;           // id of the ring; 0: the context stream
    uint32_t flags;            // enum link_trace_flags
    uint32_t missed;           // commands before it that were not told, as the tracer was slow
    uint32_t request_size, reply_size; // bytes that follow; multiples of 4
    uint32_t request_cut, reply_cut;   // bytes that were cut off
};

#define LINK_TRACE_MAX_BYTES (4u << 20) // of a request, and of a reply

#endif
