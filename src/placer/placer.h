// Messages between the device process and the placer inside QEMU, over a Unix stream socket. The
// plugin connects and speaks first (PLACER_HELLO). After that it answers every request with one
// reply, in order. Requests may be pipelined. Byte order is native: both ends run on one machine.
// The framing is vhost-user's: struct placer_header, then `size` bytes.
#ifndef PLACER_PLACER_H
#define PLACER_PLACER_H

#include <stdint.h>

enum placer_type {
    PLACER_HELLO = 1, // struct placer_hello, from the plugin
    // The aperture's file (one descriptor; the guest does not use it yet) is mapped in this
    // process. Finds it there, and serves it from now on under `generation`.
    PLACER_BIND,
    // Maps [file_offset, file_offset + size) of the descriptor over [offset, offset + size) of the
    // aperture. All are multiples of a page.
    PLACER_PLACE,
    // Maps the aperture's own file back over [offset, offset + size).
    PLACER_UNPLACE,
    // QEMU may unmap the aperture from here on: nothing more is mapped until BIND or RESUME.
    // Placements stay.
    PLACER_UNBIND,
    // Asks whether the mapping of `generation` still stands, unchanged by others. Changes nothing.
    PLACER_QUERY,
    // The same. If it stands, the binding is in force again.
    PLACER_RESUME,
};

enum {
    PLACER_REPLY = 4,   // in flags: vhost-user's reply bit
    PLACER_VERSION = 2, // in flags, low two bits
    // in placer_request.flags
    PLACER_READ_ONLY = 1, // PLACE: the guest's writes do not reach the file (EINVAL on macOS)
    // BIND: the aperture is at `address`. Do not look it up, but look whether that is true. It is
    // always so on macOS, which has no list of mappings.
    PLACER_BY_ADDRESS = 2,
    PLACER_MAGIC = 0x52504c48,
};

struct placer_header {
    uint32_t type;
    uint32_t flags;
    uint32_t size; // bytes that follow
};

struct placer_hello {
    uint32_t magic;
    uint32_t page_size;      // granularity of placements, bytes
    uint32_t max_placements; // at a time, so that QEMU keeps mappings for itself; 0: unknown
    uint32_t padding;
};

// Follows every other type.
struct placer_request {
    // BIND: a number that was never used before. A request of another generation is refused:
    // ESTALE.
    uint64_t generation;
    uint64_t cookie; // comes back in the reply
    uint64_t offset; // in the aperture
    uint64_t size;   // BIND: the whole aperture's
    uint64_t file_offset;
    uint64_t address; // BIND: where QEMU said that the aperture is; 0: unknown
    // BIND, PLACE, UNPLACE: where the range begins in the guest's physical memory, for hypervisors
    // that must be told what was mapped; 0: unknown.
    uint64_t guest_address;
    uint64_t flags;
};

struct placer_reply {
    uint64_t generation, cookie;
    int64_t result; // 0 or -errno
};

#endif
