// A guest, a front and workers (workers.h) for tests of the device: no QEMU, no Vulkan, no process.
#ifndef TESTS_GPU_MACHINE_H
#define TESTS_GPU_MACHINE_H

#include "gpu/gpu.h"
#include "gpu/protocol.h"
#include "os/loop.h"
#include "workers.h"

// Guest memory: two banks that are neighbours for the guest and strangers on the host.
enum { BANK_BASE = 0x100000, BANKS = 2 };
#ifndef BANK_SIZE // bytes of each
#define BANK_SIZE (4 << 20)
#endif
#define BANK_SEAM ((uint64_t)BANK_BASE + BANK_SIZE)
#define BANK_END (BANK_SEAM + BANK_SIZE)

enum { MAX_PLACEMENTS = 4096, ROOM = 1200 };

struct answer {
    struct answer *next;
    bool done, twice;
    uint32_t written, room;
    uint8_t *request; // the guest's copy, which it may change
    size_t request_size;
    _Alignas(8) uint8_t bytes[ROOM];
};

struct placement {
    bool live;
    uint64_t offset, size, file_offset;
    int fd;
    uint64_t cookie;
};

enum place_mode { PLACE_AT_ONCE, PLACE_LATER, PLACE_REFUSED, PLACE_FAILS, PLACE_STOPPED };

struct machine {
    struct os_loop *loop;
    struct gpu_device *device;
    struct gpu_options options;
    struct link_pool pool;
    uint8_t *banks[BANKS];

    struct gpu_header header; // flags, fence, context and ring of the next request
    size_t split;             // readable bytes in the first part of a request; 0: all in one
    uint32_t room;            // writable bytes of a request
    struct answer *answers;
    unsigned completions, flushes, config_changes;

    enum place_mode place_mode;
    struct placement placements[MAX_PLACEMENTS];
    uint64_t cookies[MAX_PLACEMENTS]; // of placements and removals that are under way
    unsigned placement_count, cookie_count, places, unplaces;
};

// `options` with sizes that suit tests; change and pass them, or NULL.
struct gpu_options machine_options(void);
struct machine *machine_create(const struct gpu_options *options);
void machine_destroy(struct machine *machine);
// The guest's driver goes and comes back: everything that the front held is void.
void machine_reset(struct machine *machine);
// Runs the loop once: timers that are due, flushes.
void machine_round(struct machine *machine);

// The host's view of guest memory, whatever bank it is in. Aborts outside it.
uint8_t *guest_at(struct machine *machine, uint64_t address);

// Sends a request made of machine->header, `type` and the body, and resets machine->header.
struct answer *machine_ask(struct machine *machine, enum gpu_queue queue, uint32_t type,
                           const void *body, size_t size);
// Raw bytes.
struct answer *machine_send(struct machine *machine, enum gpu_queue queue, const void *bytes,
                            size_t size);
// The type of the response; 0: not answered yet, or without a response.
uint32_t answer_type(const struct answer *answer);
// On the control queue, where it is answered at once.
uint32_t machine_now(struct machine *machine, uint32_t type, const void *body, size_t size);

// Front: confirms (or, with an error, refuses) the oldest placement or removal under way.
void machine_confirm(struct machine *machine, int error);
// The live placement at `offset`, or NULL.
struct placement *machine_placement(struct machine *machine, uint64_t offset);

// Workers: lets the device read what they sent. True if there was anything.
bool machine_pump(struct machine *machine);
// What the device has sent to worker `index`; false: nothing more.
bool worker_receive(struct machine *machine, unsigned index, struct link_message *message);
void worker_retire(struct machine *machine, unsigned index, uint32_t ring, uint64_t fence);
void worker_attached(struct machine *machine, unsigned index, uint32_t resource);
// Answers an export with a range of `fd`.
void worker_export(struct machine *machine, unsigned index, uint32_t resource, int result, int fd,
                   uint64_t offset, uint64_t size);
// The process ends: its socket closes, the owner is told.
void worker_die(struct machine *machine, unsigned index, const char *how);

// Common commands, answered at once unless said otherwise.
uint32_t create_2d(struct machine *machine, uint32_t id, uint32_t format, uint32_t width,
                   uint32_t height);
uint32_t unref(struct machine *machine, uint32_t id);
uint32_t attach_backing(struct machine *machine, uint32_t id,
                        const struct gpu_memory_entry *entries, uint32_t count);
uint32_t transfer(struct machine *machine, uint32_t id, struct picture_rect rect, uint64_t offset);
uint32_t set_scanout(struct machine *machine, uint32_t scanout, uint32_t id,
                     struct picture_rect rect);
uint32_t flush(struct machine *machine, uint32_t id, struct picture_rect rect);
uint32_t ctx_create(struct machine *machine, uint32_t context, uint32_t capset, const char *name);
uint32_t ctx_destroy(struct machine *machine, uint32_t context);
struct answer *ctx_attach(struct machine *machine, uint32_t context, uint32_t id);
struct answer *ctx_detach(struct machine *machine, uint32_t context, uint32_t id);
// May have to wait for the worker.
struct answer *create_blob(struct machine *machine, uint32_t context, uint32_t id, uint32_t mem,
                           uint32_t flags, uint64_t blob_id, uint64_t size);
struct answer *map_blob(struct machine *machine, uint32_t id, uint64_t offset);
struct answer *unmap_blob(struct machine *machine, uint32_t id);
// ring < 0: without RING_IDX. fence 0: without a fence.
struct answer *submit(struct machine *machine, uint32_t context, int ring, uint64_t fence,
                      const void *bytes, uint32_t size);

#endif
