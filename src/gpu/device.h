// Private to src/gpu: the device, its requests and what every part needs of the others. One thread,
// see gpu.h.
#ifndef GPU_DEVICE_H
#define GPU_DEVICE_H

#include "base/id_table.h"
#include "base/log.h"
#include "gpu/gpu.h"
#include "gpu/output.h"
#include "gpu/protocol.h"
#include "gpu/status.h"

struct gpu_context;
struct gpu_file;
struct gpu_lane;
struct gpu_request;
struct gpu_resource;
struct link_worker;
struct os_source;

enum {
    GPU_OWN_IOVECS = 4, // a request that waits keeps this many without an allocation
    GPU_FILE_BUCKETS = 256,
    GPU_MIN_SIZE = 16,    // pixels of a mode, each way
    GPU_MAX_SIZE = 16384, // and of any picture
};

// ---- requests (request.c) -------------------------------------------------

// Carries out a request: answers it, or keeps it (gpu_lanes_hold, gpu_request_own) and sees to it
// that it is answered later.
typedef void (*gpu_handler)(struct gpu_device *device, struct gpu_request *request);

struct gpu_command {
    uint32_t type;
    const char *name;
    enum gpu_queue queue;
    uint32_t features; // bits that the driver must have taken
    uint16_t size;     // bytes that follow the header at least
    // Byte offsets of ids behind the header, -1: none. What the command is ordered by.
    int8_t resource_at, scanout_at;
    bool of_context; // ordered by header.ctx_id
    gpu_handler handler;
};

// A place in a lane; see lane.c.
struct gpu_lane_slot {
    uint64_t key; // 0: none
    struct gpu_lane *lane;
    struct gpu_request *next;
};

struct gpu_request {
    struct gpu_request *next, *previous; // in device->live
    struct gpu_request *next_ready;      // in device->ready; also the list of free ones
    void *token;
    const struct gpu_command *command;

    struct iovec *readable, *writable; // the caller's until gpu_request_own
    unsigned readable_count, writable_count;
    uint64_t readable_size, writable_size; // bytes
    bool owned;
    struct iovec own[GPU_OWN_IOVECS];

    // The guest's bytes, copied once.
    struct gpu_header header;
    union {
        struct gpu_resource_only resource;
        struct gpu_create_2d create_2d;
        struct gpu_set_scanout set_scanout;
        struct gpu_set_scanout_blob set_scanout_blob;
        struct gpu_flush flush;
        struct gpu_transfer_2d transfer_2d;
        struct gpu_attach_backing attach_backing;
        struct gpu_get_capset_info get_capset_info;
        struct gpu_get_capset get_capset;
        struct gpu_get_edid get_edid;
        struct gpu_create_blob create_blob;
        struct gpu_map_blob map_blob;
        struct gpu_ctx_create ctx_create;
        struct gpu_submit submit;
        struct gpu_update_cursor cursor;
        uint8_t bytes[96];
    } body;

    struct gpu_lane_slot slots[2]; // 0: context or output, 1: resource

    // The answer.
    uint32_t answer;       // enum gpu_response_type
    uint32_t payload_size; // bytes behind the response's header, already written

    // On a context's timeline (fence.c).
    struct gpu_request *next_fence;
    uint64_t fence_serial; // as the worker knows it; 0: answered, waits only for its turn
    uint64_t since_ns;     // waits since; for the watchdog

    // A flush that waits to be shown (pace.c).
    struct gpu_request *next_flush;
    uint64_t flush_serial, deadline_ns;
};

// NULL: no memory.
struct gpu_request *gpu_request_create(struct gpu_device *device);
void gpu_request_free(struct gpu_device *device, struct gpu_request *request);
// Copies the iovec arrays, so that the request can outlive gpu_device_request. Idempotent. False:
// no memory.
bool gpu_request_own(struct gpu_request *request);

// Copies readable bytes [offset, offset + size); false if there are not so many.
bool gpu_request_read(const struct gpu_request *request, uint64_t offset, void *data, size_t size);
// Where they lie, if they lie in one piece; else NULL.
const void *gpu_request_span(const struct gpu_request *request, uint64_t offset, size_t size);

// The end of a request: it leaves its lanes and is completed, perhaps after earlier fences of its
// timeline.
void gpu_answer(struct gpu_device *device, struct gpu_request *request,
                enum gpu_response_type type);
// With what follows the header; ERR_INVALID_PARAMETER instead if the guest left no room for it.
void gpu_answer_with(struct gpu_device *device, struct gpu_request *request,
                     enum gpu_response_type type, const void *payload, uint32_t size);
// An error, with one rate-limited line that names the command and says why.
void gpu_refuse(struct gpu_device *device, struct gpu_request *request, enum gpu_response_type type,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
// Writes the response and gives the token back. Used by fence.c; everybody else answers.
void gpu_request_complete(struct gpu_device *device, struct gpu_request *request);

// ---- order (lane.c) -------------------------------------------------------

enum { GPU_SLOT_FIRST = 1, GPU_SLOT_RESOURCE = 2, GPU_SLOT_BOTH = 3 };

enum gpu_lane_result { GPU_LANES_RUN, GPU_LANES_PARKED, GPU_LANES_NO_MEMORY };
// slots[].key are set: may the request run now? If not it is kept and runs when those before it are
// done.
enum gpu_lane_result gpu_lanes_enter(struct gpu_device *device, struct gpu_request *request);
// A running request keeps the lanes of `slots` until it is answered, and leaves the others. False:
// no memory.
bool gpu_lanes_hold(struct gpu_device *device, struct gpu_request *request, unsigned slots);
void gpu_lanes_leave(struct gpu_device *device, struct gpu_request *request);
// Runs what has become ready. Called at the end of everything that may answer a request.
void gpu_lanes_run(struct gpu_device *device);
void gpu_lanes_reset(struct gpu_device *device);
void gpu_lanes_finish(struct gpu_device *device);

// ---- the device -----------------------------------------------------------

// Ranges of the aperture in use, by offset (aperture.c).
struct gpu_aperture {
    struct gpu_resource **ranges;
    uint32_t count, capacity;
    struct id_table pending;        // cookie → resource
    struct gpu_resource *postponed; // their placements or removals can't be carried out now
    struct gpu_request *waiting;    // maps of ranges that are being taken out
};

struct gpu_output {
    uint32_t width, height; // mode; 0: unplugged

    // What is shown: a range of `file`.
    struct gpu_file *file;
    uint64_t offset, generation;
    uint32_t stride, format;
    struct picture_rect source; // where the picture lies in the resource
    bool enabled;
    uint32_t resource_id; // 0: none. May be shown on after the resource is gone: only `file` counts

    // Flushes that wait to be shown (pace.c), oldest first.
    struct gpu_request *flushes, **flushes_last;
    uint64_t flush_count;   // so far
    uint64_t last_shown_ns; // where nobody paces

    // A guest blob lies scattered in guest memory: its pixels are gathered here at every flush.
    struct gpu_file *shadow;
    uint32_t shadow_width, shadow_height;
    uint32_t shadow_of;   // resource whose pixels it holds; 0: nobody's
    uint64_t blob_offset; // of the picture in the blob
    uint32_t blob_stride;

    struct gpu_output_cursor {
        uint32_t resource_id, x, y, hot_x, hot_y, width, height;
        uint8_t *rgba;
        uint64_t shape_serial;
    } cursor;
};

// For gpu_device_status. Outlives resets.
struct gpu_history {
    uint32_t capset_reads;
    uint64_t contexts_created, contexts_lost, complaints;
    struct gpu_complaint {
        uint64_t at_ns;
        char text[GPU_STATUS_ERROR_SIZE];
    } complaint[GPU_STATUS_ERRORS]; // by number of the complaint, round and round
};

struct gpu_device {
    struct os_loop *loop;
    struct gpu_options options;
    struct gpu_front front;
    uint64_t features; // taken by the driver
    uint32_t events;

    struct id_table contexts, resources, lanes;
    struct gpu_aperture aperture;
    struct gpu_file *files[GPU_FILE_BUCKETS]; // by inode
    uint64_t host_bytes;                      // counted against max_2d_bytes
    uint64_t shm_bytes; // of all contexts; a guest maps it all, so the aperture is its limit
    struct gpu_output outputs[GPU_MAX_OUTPUTS];
    struct gpu_listener *listeners;
    struct gpu_counters counters;
    struct os_source *pace_timer; // when the next flush is answered, shown or not

    struct gpu_request *live, *free_requests, *ready, **ready_last;
    struct gpu_lane *free_lanes;
    bool running; // inside gpu_lanes_run

    struct os_source *flush_timer; // due at once: the loop runs timers last in a round
    bool flush_wanted;
    struct os_source *watchdog;
    bool watching;

    uint64_t serial; // cookies, fences, generations, UUIDs
    uint64_t uuid_seed;
    bool told_alignment; // log lines that are said once
    struct log_limit log_limit;
    struct gpu_history history;
    uint8_t *scratch; // gathers submissions that the guest has scattered
    size_t scratch_size;
};

// One rate-limited line about what a guest (or its worker) did; kept for gpu_device_status.
void gpu_complain(struct gpu_device *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *gpu_response_name(uint32_t type);
// Counts `bytes` against max_2d_bytes; false: too much.
bool gpu_charge(struct gpu_device *device, uint64_t bytes);
void gpu_uncharge(struct gpu_device *device, uint64_t bytes);
const struct gpu_command *gpu_find_command(uint32_t type);

// Handlers of commands that concern the device as a whole (display.c, capset.c).
void gpu_get_display_info(struct gpu_device *device, struct gpu_request *request);
void gpu_get_edid(struct gpu_device *device, struct gpu_request *request);
// Whether the guest's driver has what Venus takes on this host; known once features are taken.
bool gpu_offers_venus(const struct gpu_device *device);
void gpu_get_capset_info(struct gpu_device *device, struct gpu_request *request);
void gpu_get_capset(struct gpu_device *device, struct gpu_request *request);

#endif
