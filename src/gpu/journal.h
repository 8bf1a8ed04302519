// Private to src/gpu: what went wrong, for the log and for gpu_device_status.
#ifndef GPU_JOURNAL_H
#define GPU_JOURNAL_H

#include <stdint.h>

#include "base/log.h"
#include "gpu/status.h"

struct gpu_device;

// Outlives resets.
struct gpu_journal {
    uint32_t capset_reads;
    uint64_t contexts_created, contexts_lost, creations_failed, complaints;
    struct gpu_complaint {
        uint64_t at_ns;
        char text[GPU_STATUS_ERROR_SIZE];
    } complaint[GPU_STATUS_ERRORS]; // a ring; the newest is at (complaints - 1) modulo its size
    struct log_limit complaint_limit, loss_limit;
};

// One rate-limited line about what a guest or its worker did, kept for gpu_device_status.
void gpu_complain(struct gpu_device *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The same about a context that is lost: whoever complains much does not hide it.
void gpu_complain_of_loss(struct gpu_device *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *gpu_response_name(uint32_t type);

#endif
