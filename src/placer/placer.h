// What the device process and the placer inside QEMU say to each other over a Unix stream socket.
// The plugin connects and speaks first (PLACER_HELLO); after that it answers every request with one
// reply, in order. Requests may be pipelined. Native byte order: both ends run on one machine. The
// framing is vhost-user's: struct placer_header, then `size` bytes.
#ifndef PLACER_PLACER_H
#define PLACER_PLACER_H

#include <stdint.h>

enum placer_type {
    PLACER_HELLO = 1, // struct placer_hello, from the plugin
    // The file of the aperture (one descriptor, nobody uses it yet) is mapped in this process.
    // Finds it there and serves it from now on under `generation`.
    PLACER_BIND,
    // Maps [file_offset, file_offset + size) of the descriptor over [offset, offset + size) of the
    // aperture. All page multiples.
    PLACER_PLACE,
    // Maps the aperture's own file back over [offset, offset + size).
    PLACER_UNPLACE,
    // QEMU may unmap the aperture from here on: nothing is mapped any more until BIND or RESUME.
    // What was placed stays.
    PLACER_UNBIND,
    // Does the mapping of `generation` still stand, unchanged by anybody else? Changes nothing.
    PLACER_QUERY,
    // The same, and if it does the binding is in force again.
    PLACER_RESUME,
};

enum {
    PLACER_REPLY = 4,   // in flags: vhost-user's reply bit
    PLACER_VERSION = 2, // in flags, low two bits
    // in placer_request.flags
    PLACER_READ_ONLY = 1,  // PLACE: the guest's writes don't reach the file (EINVAL on macOS)
    PLACER_BY_ADDRESS = 2, // BIND: it is at `address`; don't look it up, look whether that is true.
                           // So it is on macOS, which has no list of mappings to look into
    PLACER_MAGIC = 0x52504c48,
};

struct placer_header {
    uint32_t type;
    uint32_t flags;
    uint32_t size; // of what follows, bytes
};

struct placer_hello {
    uint32_t magic;
    uint32_t page_size;      // granularity of placements, bytes
    uint32_t max_placements; // at a time, so that QEMU keeps mappings for itself; 0: unknown
    uint32_t padding;
};

// Follows every other type.
struct placer_request {
    uint64_t generation; // a number never used before for each BIND; a request of another
                         // generation is refused with ESTALE
    uint64_t cookie;     // comes back in the reply
    uint64_t offset;     // in the aperture
    uint64_t size;       // BIND: of the whole aperture
    uint64_t file_offset;
    uint64_t address; // BIND: where QEMU said that the aperture is; 0: unknown
    // BIND, PLACE, UNPLACE: where the range begins in the guest's physical memory; 0: unknown. For
    // hypervisors that must be told what was mapped
    uint64_t guest_address;
    uint64_t flags;
};

struct placer_reply {
    uint64_t generation, cookie;
    int64_t result; // 0 or -errno
};

#endif
