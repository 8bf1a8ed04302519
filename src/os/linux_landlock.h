// Private to src/os: which files a sandboxed process of Linux may open, by Landlock.
#ifndef OS_LINUX_LANDLOCK_H
#define OS_LINUX_LANDLOCK_H

#include "os/sandbox.h"

// Makes the folders of shader caches, which could not be made later.
// Thread: the only one, but for Landlock 8 and newer, which binds all threads.
// Errors: 0: nothing could be done; else the version that is in force.
int os_landlock_enter(const struct os_sandbox_options *options);

#endif
