// A virtio-gpu device on PCI: its queue of commands, and the commands that need no context. What a
// program renders with is transport.h, which pci_transport_create gives.
//
// Thread: one at a time.
// Errors: 0 or a negative enum guest_error.
#ifndef PCI_GPU_H
#define PCI_GPU_H

#include "gpu/protocol.h"
#include "guest/pci/pci.h"
#include "guest/pci/queue.h"
#include "guest/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

// Ranges of the aperture that may be in use at once.
enum { PCI_GPU_RANGES = 512 };

struct pci_gpu {
    const struct pci_hooks *hooks;
    struct pci_virtio virtio;
    volatile uint8_t *common, *notify, *config; // registers
    struct pci_queue queue;                     // of commands
    struct pci_queue cursors;                   // no memory: the device has no such queue
    uint32_t features;
    uint64_t alignment; // of blobs, bytes
    uint32_t capset_count;
    bool lost;
    uint64_t patience_ns; // a device that says nothing for so long is lost
    uint32_t next_resource, next_context;
    uint64_t next_fence;
    struct pci_range ranges[PCI_GPU_RANGES]; // of the aperture, in order
    uint32_t range_count;
};

// Finds the device and starts it. GUEST_ERROR_UNSUPPORTED: there is none.
int pci_gpu_open(struct pci_gpu *gpu, const struct pci_hooks *hooks);
// Stops it. What was made with it must be gone.
void pci_gpu_close(struct pci_gpu *gpu);

// Sends a request (a struct gpu_header, then its body) and waits for the answer, of which up to
// `room` bytes without the header are copied to `answer`; what the device leaves out is zero.
int pci_gpu_ask(struct pci_gpu *gpu, const void *request, uint32_t size, void *answer,
                uint32_t room);
// The same with `more` bytes of DMA memory behind the request.
int pci_gpu_ask_more(struct pci_gpu *gpu, const void *request, uint32_t size, const void *memory,
                     uint32_t more, void *answer, uint32_t room);

// A free range of the aperture, or GUEST_ERROR_MEMORY.
int pci_gpu_take_range(struct pci_gpu *gpu, uint64_t size, uint64_t *offset);
void pci_gpu_give_range(struct pci_gpu *gpu, uint64_t offset);

// ---- commands without a context -------------------------------------------

int pci_gpu_outputs(struct pci_gpu *gpu, struct guest_info *info);
// Its size; `edid` takes up to 1024 bytes.
int pci_gpu_edid(struct pci_gpu *gpu, uint32_t output, void *edid);

// Pixels without Vulkan: DMA memory that the device copies from.
struct pci_picture {
    uint32_t resource, width, height;
    void *pixels; // B8G8R8X8, rows of width * 4 bytes
    uint64_t size;
};
int pci_picture_create(struct pci_gpu *gpu, uint32_t width, uint32_t height,
                       struct pci_picture *picture);
// Shows all of it on an output; returns when it is shown.
int pci_picture_show(struct pci_gpu *gpu, const struct pci_picture *picture, uint32_t output);
// The device takes the pixels as they are now.
int pci_picture_upload(struct pci_gpu *gpu, const struct pci_picture *picture);
void pci_picture_destroy(struct pci_gpu *gpu, struct pci_picture *picture);

// The pointer's picture: the host draws it over the output, or lets its own pointer look like it.
enum { PCI_CURSOR_SIDE = 64 };
struct pci_cursor {
    uint32_t output, x, y; // where the hot spot is
    uint32_t hot_x, hot_y; // in the picture
};
// A picture of 64 x 64, whose fourth byte is alpha; NULL: no pointer. It may be destroyed when
// another takes its place.
int pci_cursor_show(struct pci_gpu *gpu, const struct pci_picture *picture,
                    const struct pci_cursor *cursor);
int pci_cursor_move(struct pci_gpu *gpu, const struct pci_cursor *cursor);

// ---- contexts -------------------------------------------------------------

// A transport over the device, which may have several. NULL: no memory.
struct guest_transport *pci_transport_create(struct pci_gpu *gpu);

// Tries each hook and says in the log which is wrong. 0: none is.
int pci_selftest(const struct pci_hooks *hooks);

#ifdef __cplusplus
}
#endif

#endif
