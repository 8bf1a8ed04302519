// How the guest kit reaches a virtio-gpu device that speaks Venus: a context on the host, memory
// that both sides see, fences, and a screen. Everything above (ring, Vulkan) uses these calls only,
// so whoever carries them to another system has ported Vulkan.
//
// Back ends: guest/vtest (a Unix socket, no virtual machine), guest/linux (a Linux guest's
// kernel), guest/pci (the kit's own driver over PCI). README.md says what each call is in virtio
// and in vtest.
//
// A transport is one context: one VkInstance of a program. A back end fills in a `struct
// guest_transport`, embedded in a structure of its own, and returns a pointer to it.
//
// Thread: one call at a time; the kit holds its lock. No call is made from an interrupt.
// Owns: the back end made the transport; `close` frees it, and what is still open in it.
// Errors: 0 or a negative enum guest_error. After GUEST_ERROR_LOST every call may fail the same
// way, and `close` still works.
#ifndef GUEST_TRANSPORT_H
#define GUEST_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "guest/system.h"

#define GUEST_CAPSET_VENUS 4u
#define GUEST_TIMELINES 64u
#define GUEST_OUTPUTS 16u

struct guest_output {
    uint32_t width, height; // 0: not connected
};

struct guest_info {
    uint32_t output_count; // 0: no screens; then `scanout` and `flush` are not used
    struct guest_output outputs[GUEST_OUTPUTS];
    // Bytes of memory that can be mapped at a time; 0: no bound but the system's.
    uint64_t aperture;
};

enum guest_blob_flags {
    GUEST_BLOB_MAPPABLE = 1,  // virtio's VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE
    GUEST_BLOB_SHAREABLE = 2, // likewise; wanted for memory that becomes a picture
};

// Memory on the host. The back end fills it in; its user reads it.
struct guest_blob {
    uint32_t resource; // the device's number for it, which Venus commands name; 0: none
    void *address;     // where it is mapped; NULL: it is not
    uint64_t size;
    uint64_t own; // the back end's: a descriptor, an offset in the aperture, …
};

// Pixels in a blob, for an output.
struct guest_picture {
    uint32_t width, height;
    uint32_t stride; // bytes a row
    uint32_t offset; // of the first pixel in the blob
    uint32_t format; // virtio's: 1 B8G8R8A8, 2 B8G8R8X8, 67 R8G8B8A8, 134 R8G8B8X8
};

struct guest_transport {
    const struct guest_transport_calls *calls;
};

struct guest_transport_calls {
    // What the device has. May be asked at any time; outputs may have changed since.
    int (*info)(struct guest_transport *transport, struct guest_info *info);

    // The first `size` bytes of a capset; shorter ones are padded with zeroes.
    int (*capset)(struct guest_transport *transport, uint32_t id, uint32_t version, void *data,
                  size_t size);

    // The context, with this capset. Once, before all that follows. `name` is for the host's log.
    int (*open)(struct guest_transport *transport, uint32_t capset, const char *name);

    // Commands for the context's own stream (not a ring), a multiple of 4 bytes; none at all if
    // `size` is 0. `fence`, if not NULL, becomes a number that stands for "all of this, and all
    // before it on this timeline, is done". Timeline 0 is the stream itself; 1 to 63 are queues
    // that were bound to it. The bytes may be reused after the return.
    int (*submit)(struct guest_transport *transport, const void *commands, size_t size,
                  uint32_t timeline, uint64_t *fence);

    // Memory: id 0 makes new zeroed memory that the host's command streams can use; another id is
    // that of a VkDeviceMemory, once at most. Attached to the context; not mapped yet.
    int (*blob_create)(struct guest_transport *transport, uint64_t id, uint64_t size,
                       uint32_t flags, struct guest_blob *blob);

    // Whole and cached, readable and writable; `blob->address` is set. A blob is mapped once.
    int (*blob_map)(struct guest_transport *transport, struct guest_blob *blob);
    void (*blob_unmap)(struct guest_transport *transport, struct guest_blob *blob);

    // Gives the number back, unmaps it if need be. Memory of a VkDeviceMemory stays with that.
    void (*blob_free)(struct guest_transport *transport, struct guest_blob *blob);

    // 0: the fence is done. A timeout of 0 only looks. UINT64_MAX: as long as it takes, which ends
    // if the device is lost.
    int (*fence_wait)(struct guest_transport *transport, uint64_t fence, uint64_t nanoseconds);

    // Shows the picture on an output. blob NULL: the output shows nothing.
    int (*scanout)(struct guest_transport *transport, uint32_t output,
                   const struct guest_blob *blob, const struct guest_picture *picture);

    // The pixels have changed. Returns when the display has taken them: the pace of a program that
    // draws.
    int (*flush)(struct guest_transport *transport, const struct guest_blob *blob,
                 const struct guest_picture *picture);

    void (*close)(struct guest_transport *transport);
};

#endif
