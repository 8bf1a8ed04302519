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

void gpu_complain(struct gpu_device *device, const char *format, ...)
{
    struct gpu_journal *journal = &device->journal;
    uint64_t now = os_now_ns();
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct gpu_complaint *kept = &journal->complaint[journal->complaints++ % GPU_STATUS_ERRORS];
    kept->at_ns = now;
    snprintf(kept->text, sizeof(kept->text), "%.*s", (int)sizeof(kept->text) - 1, text);
    if (log_limit_allows(&journal->limit, now, 20, 10000000000u))
        log_warning("%s", text);
}
