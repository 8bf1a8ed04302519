// The end of objects that were taken out of the table together: whatever their owner left behind.
#include "venus/device.h"

// Newest first, as a careful program would do it. The depth is that of Vulkan's objects.
void venus_release(struct venus_context *context, struct venus_object *object)
{
    if (object->class->stop)
        object->class->stop(context, object);
    while (object->children) {
        struct venus_object *child = object->children;
        object->children = child->next;
        venus_release(context, child);
    }
    if (object->class->release)
        object->class->release(context, object);
}
