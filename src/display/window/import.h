// Ranges of the guest's files as buffers of the window's Vulkan device: imported, not copied.
//
// What is imported stays mapped and pinned. That is right for pictures, whose files are not punched
// while an output shows them; imports are dropped with their file.
#ifndef WINDOW_IMPORT_H
#define WINDOW_IMPORT_H

#include "display/display.h"
#include "display/window/vulkan.h"

struct window_import {
    struct window_import *next; // of the same file, the one used last first
    struct window_vulkan *vulkan;
    atomic_uint references;
    uint64_t start, end; // of the file, bytes; whole pages
    void *map;
    VkDeviceMemory memory;
    VkBuffer buffer; // bytes [start, end) of the file
};

struct window_import_file {                      // what a display_file's `sink` is
    struct window_import_file *next, **previous; // of the device
    struct display_file *file;
    struct window_import *imports;
};

// A reference to an import that holds [offset, offset + size) of the file, made at need; kept for
// the file too. NULL, after one log line per device: it can't be imported. The main thread.
struct window_import *window_import_get(struct window_vulkan *vulkan, struct display_file *file,
                                        uint64_t offset, uint64_t size);
// Any thread; NULL is allowed.
void window_import_release(struct window_import *import);
// Drops the file's own references; those of all files of the device. The main thread.
void window_import_forget(struct display_file *file);
void window_import_forget_all(struct window_vulkan *vulkan);

#endif
