#include "gpu/listeners.h"

#include "gpu/device.h"

void gpu_listeners_changed(struct gpu_device *device, uint32_t output, uint32_t width,
                           uint32_t height)
{
    LIST_EACH (node, &device->listeners) {
        struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        listener->progress[output].damage = (struct picture_rect){0, 0, width, height};
        if (listener->changed)
            listener->changed(listener->data, output);
    }
}

void gpu_listeners_damaged(struct gpu_device *device, uint32_t output,
                           const struct picture_rect *rect)
{
    LIST_EACH (node, &device->listeners) {
        struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        picture_rect_join(&listener->progress[output].damage, rect);
        if (listener->damaged)
            listener->damaged(listener->data, output);
    }
}

void gpu_listeners_cursor(struct gpu_device *device, uint32_t output)
{
    LIST_EACH (node, &device->listeners) {
        struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        if (listener->cursor)
            listener->cursor(listener->data, output);
    }
}

void gpu_listeners_file_gone(struct gpu_device *device, uint64_t file_id)
{
    LIST_EACH (node, &device->listeners) {
        struct gpu_listener *listener = LIST_ENTRY(node, struct gpu_listener, node);
        if (listener->file_gone)
            listener->file_gone(listener->data, file_id);
    }
}
