// Words of memory by which a guest's driver learns that a fence is done. A Mesa before 26.2 does
// not ask for a fence's status: it lets the GPU fill a word with VK_SUCCESS (vkCmdFillBuffer, four
// bytes) and looks at the word, which says VK_NOT_READY until then. When the device is lost, nobody
// fills it any more; we do, with VK_ERROR_DEVICE_LOST, and the program is told.
//
// An application's own words of that kind are noted too. They may become VK_ERROR_DEVICE_LOST
// instead of one; what a lost device was to write is undefined (Vulkan, "Lost Device").
//
// Thread: any.
#ifndef VENUS_FEEDBACK_H
#define VENUS_FEEDBACK_H

#include "venus/device.h"

struct venus_feedback;

// Errors: NULL: memory.
struct venus_feedback *venus_feedback_create(void);
void venus_feedback_destroy(struct venus_feedback *feedback);

// Writes VK_ERROR_DEVICE_LOST into each word of the device that says VK_NOT_READY. False: it has
// none, or more than are kept, so that somebody may wait who was not told.
bool venus_feedback_tell(struct venus_device *device);

#endif
