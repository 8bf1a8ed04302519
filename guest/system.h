// What the guest kit asks of the system under it: memory, time, and a few words to a person. The
// kit needs no C library but memcpy, memset, memcmp, strlen and strcmp, no threads, and no
// interrupts.
//
// These headers serve C++ as well; the kit itself is C11.
//
// Thread: any that uses the kit may call any hook. A system with one thread leaves the lock out.
// Owns: the caller keeps the structure, and what `context` points to, for as long as it uses the
// kit.
#ifndef GUEST_SYSTEM_H
#define GUEST_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

// What calls of the kit return: 0 or one of these.
enum guest_error {
    GUEST_ERROR_MEMORY = -1,      // no memory left, or no room in the aperture
    GUEST_ERROR_TIMEOUT = -2,     // it did not happen in time
    GUEST_ERROR_LOST = -3,        // the host gave the context up, or the device is gone
    GUEST_ERROR_UNSUPPORTED = -4, // the device or the back end has no such thing
    GUEST_ERROR_REFUSED = -5,     // the host said no to this one request
};

struct guest_system {
    void *context; // given to every hook

    // Zeroed memory, aligned to 16 bytes; NULL: there is none left. `release` takes NULL too.
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory);

    // Nanoseconds of a clock that never goes back. It may be coarse, but it must move.
    uint64_t (*now)(void *context);

    // Called between two looks at memory that the host writes. `round` counts the calls of this
    // wait, from 0: spin at first, yield from 64 on, and from 256 on sleep for about round - 256
    // µs, or halt until the next interrupt.
    void (*relax)(void *context, uint32_t round);

    // One line for a person, without a newline; NULL: nobody listens.
    void (*log)(void *context, const char *line);

    // One lock for the whole kit, not recursive; both NULL: there is one thread.
    void (*lock)(void *context);
    void (*unlock)(void *context);
};

#endif
