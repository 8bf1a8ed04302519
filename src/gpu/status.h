// What a person may want to know about a running device.
//
// Thread: the device's.
#ifndef GPU_STATUS_H
#define GPU_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct gpu_device;
struct renderers;

enum { GPU_STATUS_ERRORS = 8, GPU_STATUS_ERROR_SIZE = 320 };

struct gpu_status {
    uint64_t offered, taken; // feature bits of the device type; 0 taken: no driver yet
    uint32_t capset_reads;   // by the driver, of the Venus capset
    bool capset_withheld;    // the driver does not align memory to this host's pages
    uint32_t contexts, max_contexts;
    uint64_t contexts_created, contexts_lost; // since the device was made
    uint64_t creations_failed; // objects that the host refused while the guest did not wait
    uint32_t resources, max_resources;
    uint64_t shared_bytes, aperture_size; // of blobs in the aperture
    uint32_t outputs_enabled;             // bits
    uint32_t outputs_by_cpu; // bits: what they show is memory of the guest, that its CPU has drawn
    // The newest complaints first: what was lost or refused, and how long ago.
    struct gpu_status_error {
        uint64_t age_ns;
        char text[GPU_STATUS_ERROR_SIZE];
    } errors[GPU_STATUS_ERRORS];
    uint32_t error_count; // in errors
    uint64_t complaints;  // in all
};

void gpu_device_status(const struct gpu_device *device, struct gpu_status *status);

// The guest's contexts. Owns: the device. NULL: no Venus.
struct renderers *gpu_device_renderers(const struct gpu_device *device);

// The name of feature bit `bit` ("VIRTIO_GPU_F_VIRGL"), or NULL. Static.
const char *gpu_feature_name(unsigned bit);

#endif
