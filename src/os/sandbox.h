// Takes away from a worker what a Vulkan driver does not need.
//
// Thread: the first one of a worker.
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <stddef.h>

// Called in a worker after its driver is loaded and before it reads a guest's byte. Irrevocable. No
// core dumps, no new privileges; Linux with Landlock, macOS with Seatbelt: no file may be created,
// written or executed any more except below the driver's cache folders and device nodes; no TCP.
// Best effort, says in `summary` what is in force ("landlock 4, no-new-privs").
// Errors: -errno only if nothing could be applied.
int os_sandbox_enter(char *summary, size_t summary_size);

#endif
