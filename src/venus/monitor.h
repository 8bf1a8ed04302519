// One thread per context that never runs a guest's command: tells the guest that its rings are
// alive, and notices when the device process is gone while everyone else waits for the driver.
#ifndef VENUS_MONITOR_H
#define VENUS_MONITOR_H

#include <stdatomic.h>
#include <stdint.h>

struct venus_context;
struct venus_monitor;

// Owns: the caller, who destroys it. Errors: NULL: no memory or no thread.
struct venus_monitor *venus_monitor_create(struct venus_context *context);
void venus_monitor_destroy(struct venus_monitor *monitor);

// Sets ALIVE in *status at least once per `period_us` until unwatched. `status` must stay mapped
// until then.
// Thread: the context's.
void venus_monitor_watch(struct venus_monitor *monitor, _Atomic(uint32_t) *status,
                         uint32_t period_us);
void venus_monitor_unwatch(struct venus_monitor *monitor, _Atomic(uint32_t) *status);

#endif
