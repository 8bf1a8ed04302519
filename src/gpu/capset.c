// The one capset: Venus. What is in it is the codec's business.
#include "gpu/device.h"
#include "wire/wire.h"

void gpu_get_capset_info(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t index = request->body.get_capset_info.index;
    if (index) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "no capset with index %u",
                   index);
        return;
    }
    struct gpu_capset_info info = {.id = GPU_CAPSET_VENUS, .max_size = WIRE_CAPSET_SIZE};
    gpu_answer_with(device, request, GPU_RESP_OK_CAPSET_INFO, &info, sizeof info);
}

void gpu_get_capset(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_get_capset *body = &request->body.get_capset;
    if (body->id != GPU_CAPSET_VENUS || body->version) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "no capset %u of version %u",
                   body->id, body->version);
        return;
    }
    uint8_t capset[WIRE_CAPSET_SIZE];
    wire_capset(capset);
    gpu_answer_with(device, request, GPU_RESP_OK_CAPSET, capset, sizeof capset);
}
