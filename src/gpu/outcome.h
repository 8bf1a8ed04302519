// Private to src/gpu: what became of a request. A handler returns it; gpu_settle answers.
#ifndef GPU_OUTCOME_H
#define GPU_OUTCOME_H

#include "gpu/protocol.h"

struct gpu_device;
struct gpu_request;

struct gpu_outcome {
    uint32_t type; // enum gpu_response_type; 0: the request is kept, and settled later
};

#define GPU_OK ((struct gpu_outcome){GPU_RESP_OK_NODATA})
#define GPU_PENDING ((struct gpu_outcome){0})
// Its context is lost. The line about the context has said why.
#define GPU_LOST ((struct gpu_outcome){GPU_RESP_ERR_UNSPEC})

// An error. The reason goes into one rate-limited line that names the command.
struct gpu_outcome gpu_refuse(struct gpu_device *device, enum gpu_response_type type,
                              const char *format, ...) __attribute__((format(printf, 3, 4)));
// A success with what follows the header; ERR_INVALID_PARAMETER instead if the guest left no room.
struct gpu_outcome gpu_respond(struct gpu_device *device, struct gpu_request *request,
                               enum gpu_response_type type, const void *payload, uint32_t size);

// The end of a request: it leaves its lanes and is completed, perhaps after earlier fences of its
// timeline. A pending outcome changes nothing. This is the only place that answers.
void gpu_settle(struct gpu_device *device, struct gpu_request *request, struct gpu_outcome outcome);

#endif
