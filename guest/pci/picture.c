// Pixels without Vulkan: a 2D resource over DMA memory.
#include <string.h>

#include "guest/pci/gpu.h"

static int unref(struct pci_gpu *gpu, uint32_t resource)
{
    struct {
        struct gpu_header header;
        struct gpu_resource_only body;
    } request = {{.type = GPU_CMD_RESOURCE_UNREF}, {.resource_id = resource}};
    return pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
}

static int create(struct pci_gpu *gpu, const struct pci_picture *picture)
{
    struct {
        struct gpu_header header;
        struct gpu_create_2d body;
    } request = {{.type = GPU_CMD_RESOURCE_CREATE_2D},
                 {.resource_id = picture->resource,
                  .format = PICTURE_FORMAT_B8G8R8X8,
                  .width = picture->width,
                  .height = picture->height}};
    struct {
        struct gpu_header header;
        struct gpu_attach_backing body;
        struct gpu_memory_entry entry;
    } backing = {
        {.type = GPU_CMD_RESOURCE_ATTACH_BACKING},
        {.resource_id = picture->resource, .nr_entries = 1},
        {.address = gpu->hooks->dma_address(gpu->hooks->context, picture->pixels),
         .length = (uint32_t)picture->size},
    };
    int error = pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
    if (error)
        return error;
    error = pci_gpu_ask(gpu, &backing, sizeof(backing), NULL, 0);
    if (error)
        unref(gpu, picture->resource);
    return error;
}

int pci_picture_create(struct pci_gpu *gpu, uint32_t width, uint32_t height,
                       struct pci_picture *picture)
{
    const uint64_t size = ((uint64_t)width * height * 4 + 4095) & ~4095ull;
    *picture = (struct pci_picture){.width = width, .height = height, .size = size};
    if (!width || !height || size > UINT32_MAX)
        return GUEST_ERROR_REFUSED;
    picture->resource = ++gpu->next_resource;
    picture->pixels = gpu->hooks->dma_allocate(gpu->hooks->context, size);
    if (!picture->pixels)
        return GUEST_ERROR_MEMORY;
    int error = create(gpu, picture);
    if (error && error != GUEST_ERROR_LOST) // it may still read there
        gpu->hooks->dma_free(gpu->hooks->context, picture->pixels, size);
    return error;
}

int pci_picture_upload(struct pci_gpu *gpu, const struct pci_picture *picture)
{
    struct {
        struct gpu_header header;
        struct gpu_transfer_2d body;
    } request = {
        {.type = GPU_CMD_TRANSFER_TO_HOST_2D},
        {.rect = {0, 0, picture->width, picture->height}, .resource_id = picture->resource}};
    return pci_gpu_ask(gpu, &request, sizeof(request), NULL, 0);
}

int pci_picture_show(struct pci_gpu *gpu, const struct pci_picture *picture, uint32_t output)
{
    const struct picture_rect all = {0, 0, picture->width, picture->height};
    struct {
        struct gpu_header header;
        struct gpu_set_scanout body;
    } scanout = {{.type = GPU_CMD_SET_SCANOUT},
                 {.rect = all, .scanout_id = output, .resource_id = picture->resource}};
    struct {
        struct gpu_header header;
        struct gpu_flush body;
    } flush = {{.type = GPU_CMD_RESOURCE_FLUSH}, {.rect = all, .resource_id = picture->resource}};
    int error = pci_picture_upload(gpu, picture);
    if (!error)
        error = pci_gpu_ask(gpu, &scanout, sizeof(scanout), NULL, 0);
    return error ? error : pci_gpu_ask(gpu, &flush, sizeof(flush), NULL, 0);
}

void pci_picture_destroy(struct pci_gpu *gpu, struct pci_picture *picture)
{
    // A device that does not answer may still read the memory: then it stays.
    if (unref(gpu, picture->resource) != GUEST_ERROR_LOST)
        gpu->hooks->dma_free(gpu->hooks->context, picture->pixels, picture->size);
    picture->pixels = NULL;
}
