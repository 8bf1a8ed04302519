#include "gpu/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "gpu/device.h"
#include "os/clock.h"

const char *gpu_response_name(uint32_t type)
{
    static const char *const names[] = {"ERR_UNSPEC",
                                        "ERR_OUT_OF_MEMORY",
                                        "ERR_INVALID_SCANOUT_ID",
                                        "ERR_INVALID_RESOURCE_ID",
                                        "ERR_INVALID_CONTEXT_ID",
                                        "ERR_INVALID_PARAMETER"};
    uint32_t index = type - GPU_RESP_ERR_UNSPEC;
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "OK";
}

static void note(struct gpu_journal *journal, struct log_limit *limit, const char *format,
                 va_list arguments)
{
    uint64_t now = os_now_ns();
    char text[900];
    vsnprintf(text, sizeof(text), format, arguments);
    struct gpu_complaint *kept = &journal->complaint[journal->complaints++ % GPU_STATUS_ERRORS];
    kept->at_ns = now;
    snprintf(kept->text, sizeof(kept->text), "%.*s", (int)sizeof(kept->text) - 1, text);
    if (log_limit_allows(limit, now, 20, 10000000000u))
        log_warning("%s", text);
}

void gpu_complain(struct gpu_device *device, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(&device->journal, &device->journal.complaint_limit, format, arguments);
    va_end(arguments);
}

void gpu_complain_of_loss(struct gpu_device *device, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(&device->journal, &device->journal.loss_limit, format, arguments);
    va_end(arguments);
}
