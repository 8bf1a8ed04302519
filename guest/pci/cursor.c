// The pointer's picture on an output: commands of the device's second queue, which have no answer.
#include <string.h>

#include "guest/pci/gpu.h"
#include "guest/pci/gpu_private.h"

// Slots that the device has read.
static void reclaim(struct pci_queue *queue)
{
    pci_queue_poll(queue);
    for (int i = 0; i < PCI_QUEUE_SLOTS; i++) {
        if (queue->slots[i].busy && queue->slots[i].answered)
            pci_queue_release(queue, i);
    }
}

static int send(struct pci_gpu *gpu, const void *request, uint32_t size)
{
    const struct guest_system *system = gpu->hooks->system;
    uint64_t began = system->now(system->context);
    if (!gpu->cursors.memory)
        return GUEST_ERROR_UNSUPPORTED;
    for (uint32_t round = 0; pci_gpu_alive(gpu); round++) {
        reclaim(&gpu->cursors);
        int slot = pci_queue_take(&gpu->cursors);
        if (slot >= 0) {
            memcpy(pci_queue_slot(&gpu->cursors, slot), request, size);
            pci_queue_send(&gpu->cursors, slot, size, 0, 0, 0);
            return 0;
        }
        if (system->now(system->context) - began > gpu->patience_ns)
            break;
        system->relax(system->context, round);
    }
    return GUEST_ERROR_LOST;
}

static int place(struct pci_gpu *gpu, uint32_t type, const struct gpu_update_cursor *body)
{
    struct {
        struct gpu_header header;
        struct gpu_update_cursor body;
    } request = {{.type = type}, *body};
    return send(gpu, &request, sizeof(request));
}

int pci_cursor_show(struct pci_gpu *gpu, const struct pci_picture *picture,
                    const struct pci_cursor *cursor)
{
    struct gpu_update_cursor body = {
        .scanout_id = cursor->output,
        .x = cursor->x,
        .y = cursor->y,
        .resource_id = picture ? picture->resource : 0,
        .hot_x = cursor->hot_x,
        .hot_y = cursor->hot_y,
    };
    if (picture && (picture->width != PCI_CURSOR_SIDE || picture->height != PCI_CURSOR_SIDE))
        return GUEST_ERROR_REFUSED;
    int error = picture ? pci_picture_upload(gpu, picture) : 0;
    return error ? error : place(gpu, GPU_CMD_UPDATE_CURSOR, &body);
}

int pci_cursor_move(struct pci_gpu *gpu, const struct pci_cursor *cursor)
{
    struct gpu_update_cursor body = {.scanout_id = cursor->output, .x = cursor->x, .y = cursor->y};
    return place(gpu, GPU_CMD_MOVE_CURSOR, &body);
}
