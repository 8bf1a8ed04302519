// Ranges of the guest's files as buffers of the window's Vulkan device: imported, not copied.
//
// An imported range stays mapped and pinned. That is right for pictures, whose files are not
// punched while an output shows them. Imports are dropped with their file.
//
// Thread: the main thread, except window_import_release.
#ifndef WINDOW_IMPORT_H
#define WINDOW_IMPORT_H

#include "base/list.h"
#include "display/display.h"
#include "display/window/vulkan.h"

struct window_import {
    struct list node; // in `imports` of its file
    struct window_vulkan *vulkan;
    atomic_uint references;
    uint64_t start, end; // the range, bytes; whole pages
    void *map;
    VkDeviceMemory memory;
    VkBuffer buffer; // bytes [start, end) of the file
};

// `made` of a display_file.
struct window_import_file {
    struct list node; // in `import_files` of the device
    struct display_file *file;
    struct list imports; // the one used last first
};

// A reference to an import that holds [offset, offset + size) of the file. It is made if there is
// none, and the file keeps a reference too.
// Errors: NULL, after one log line per device.
struct window_import *window_import_get(struct window_vulkan *vulkan, struct display_file *file,
                                        uint64_t offset, uint64_t size);
// NULL is allowed. Thread: any.
void window_import_release(struct window_import *import);
// Drops the file's own references, or those of all files of the device.
void window_import_forget(struct display_file *file);
void window_import_forget_all(struct window_vulkan *vulkan);

#endif
