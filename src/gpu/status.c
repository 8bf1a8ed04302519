#include "gpu/status.h"

#include <stdio.h>

#include "gpu/capset.h"
#include "gpu/device.h"
#include "gpu/find.h"
#include "gpu/resource.h"
#include "os/clock.h"

void gpu_device_status(const struct gpu_device *device, struct gpu_status *status)
{
    const struct gpu_journal *journal = &device->journal;
    uint64_t now = os_now_ns();
    *status = (struct gpu_status){
        .offered = gpu_device_features(device),
        .taken = device->features,
        .capset_reads = journal->capset_reads,
        .capset_withheld = device->options.venus && device->features && !gpu_offers_venus(device),
        .contexts = device->contexts.count,
        .max_contexts = device->options.max_contexts,
        .contexts_created = journal->contexts_created,
        .contexts_lost = journal->contexts_lost,
        .creations_failed = journal->creations_failed,
        .resources = device->resources.count,
        .max_resources = device->options.max_resources,
        .shared_bytes = device->shm_bytes,
        .aperture_size = device->options.aperture_size,
        .complaints = journal->complaints,
    };
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        const struct gpu_output *output = &device->outputs[i];
        const struct gpu_resource *shown = gpu_resource_find(device, output->resource_id);
        bool by_cpu =
            shown && (shown->kind == GPU_RESOURCE_2D || shown->kind == GPU_RESOURCE_GUEST);
        status->outputs_enabled |= output->enabled ? 1u << i : 0;
        status->outputs_by_cpu |= output->enabled && by_cpu ? 1u << i : 0;
    }
    while (status->error_count < GPU_STATUS_ERRORS && status->error_count < journal->complaints) {
        const struct gpu_complaint *complaint =
            &journal
                 ->complaint[(journal->complaints - 1 - status->error_count) % GPU_STATUS_ERRORS];
        struct gpu_status_error *error = &status->errors[status->error_count++];
        error->age_ns = now - complaint->at_ns;
        snprintf(error->text, sizeof(error->text), "%s", complaint->text);
    }
}

const char *gpu_feature_name(unsigned bit)
{
    static const char *const names[] = {"VIRGL",         "EDID",         "RESOURCE_UUID",
                                        "RESOURCE_BLOB", "CONTEXT_INIT", "BLOB_ALIGNMENT"};
    return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

struct renderers *gpu_device_renderers(const struct gpu_device *device)
{
    return device->renderers;
}
