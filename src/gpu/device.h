// Private to src/gpu: the device, and what every part needs of it. The command table and the
// device's life are in device.c, above all other files.
#ifndef GPU_DEVICE_H
#define GPU_DEVICE_H

#include "base/id_table.h"
#include "base/list.h"
#include "gpu/aperture.h"
#include "gpu/gpu.h"
#include "gpu/journal.h"
#include "gpu/output_private.h"
#include "gpu/request.h"

struct gpu_file;
struct gpu_lane;
struct os_source;

enum { GPU_FILE_BUCKETS = 256 };

struct gpu_device {
    struct os_loop *loop;
    struct gpu_options options;
    struct gpu_front front;
    uint64_t features; // taken by the driver
    uint32_t events;

    struct id_table contexts, resources, lanes;
    struct renderers *renderers; // NULL: no Venus
    struct gpu_aperture aperture;
    struct gpu_file *files[GPU_FILE_BUCKETS]; // by inode
    uint64_t host_bytes;                      // counted against max_2d_bytes
    uint64_t shm_bytes; // of all contexts; a guest maps it all, so the aperture is its limit
    struct gpu_output outputs[GPU_MAX_OUTPUTS];
    struct list listeners; // struct gpu_listener
    struct gpu_counters counters;
    struct os_source *pace_timer; // when the next flush is answered, shown or not

    struct list live, free_requests, ready; // struct gpu_request
    struct gpu_lane *free_lanes;
    char reason[256]; // of the refusal that gpu_settle is about to answer; empty: none

    struct os_source *end_round; // due at once: the loop runs timers last in a round
    bool flush_wanted;

    uint64_t serial; // cookies, generations, UUIDs
    uint64_t uuid_seed;
    bool told_alignment; // log lines that are said once
    struct gpu_journal journal;
    uint8_t *scratch; // gathers submissions that the guest has scattered
    size_t scratch_size;
};

#endif
