// A Vulkan driver that gives away its mappable memory where the real one cannot. virglrenderer, the
// peer that bench/compare measures, needs VK_EXT_external_memory_dma_buf, which NVIDIA's driver
// lacks without its DRM device. Here such memory is a memfd, imported into the real driver by its
// address, as Hesper does; the "dma-buf" of it is the memfd. All else is passed on.
//
// EXPORTS_DRIVER names the real driver's library; it must have VK_EXT_external_memory_host.
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vulkan/vulkan.h>

#include "between.h"
#include "window.h"

#define HOST VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT
#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT

enum { PAGE = 4096, CHAINS = 1024 };

struct pages {
    struct pages *next;
    VkDeviceMemory memory;
    void *at;
    size_t size;
    int fd;
};

static struct pages *chains[CHAINS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t importable; // memory types that take pages by their address

// ---- chains of structures -------------------------------------------------

// The structure of that type, in a chain that may be changed: what calls us has decoded it for
// this.
static void *find(const void *first, VkStructureType type)
{
    VkBaseOutStructure *at = (VkBaseOutStructure *)first;
    while (at && at->sType != type)
        at = at->pNext;
    return at;
}

// Takes it out; NULL: not there.
static void *take(const void *first, VkStructureType type)
{
    for (VkBaseOutStructure *at = (VkBaseOutStructure *)first; at->pNext; at = at->pNext) {
        VkBaseOutStructure *found = at->pNext;
        if (found->sType == type) {
            at->pNext = found->pNext;
            return found;
        }
    }
    return NULL;
}

// ---- what the physical device says ----------------------------------------

#define REAL(name) static PFN_##name real_##name
REAL(vkEnumerateDeviceExtensionProperties);
REAL(vkGetPhysicalDeviceExternalBufferProperties);
REAL(vkGetPhysicalDeviceImageFormatProperties2);
REAL(vkCreateDevice);
REAL(vkAllocateMemory);
REAL(vkFreeMemory);
REAL(vkGetMemoryFdKHR);
REAL(vkGetMemoryFdPropertiesKHR);
REAL(vkCreateBuffer);
REAL(vkCreateImage);

static VKAPI_ATTR VkResult VKAPI_CALL extensions(VkPhysicalDevice gpu, const char *layer,
                                                 uint32_t *count, VkExtensionProperties *list)
{
    const uint32_t room = *count;
    const VkResult result = real_vkEnumerateDeviceExtensionProperties(gpu, layer, count, list);
    if (layer || result != VK_SUCCESS)
        return result;
    if (list && *count == room)
        return VK_INCOMPLETE;
    if (list)
        list[*count] = (VkExtensionProperties){VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME, 1};
    ++*count;
    return VK_SUCCESS;
}

static VkExternalMemoryProperties both_ways(void)
{
    return (VkExternalMemoryProperties){
        .externalMemoryFeatures =
            VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
        .exportFromImportedHandleTypes = DMA_BUF,
        .compatibleHandleTypes = DMA_BUF,
    };
}

static VKAPI_ATTR void VKAPI_CALL external_buffer(VkPhysicalDevice gpu,
                                                  const VkPhysicalDeviceExternalBufferInfo *info,
                                                  VkExternalBufferProperties *properties)
{
    if (info->handleType == DMA_BUF)
        properties->externalMemoryProperties = both_ways();
    else
        real_vkGetPhysicalDeviceExternalBufferProperties(gpu, info, properties);
}

static VKAPI_ATTR VkResult VKAPI_CALL image_format(VkPhysicalDevice gpu,
                                                   const VkPhysicalDeviceImageFormatInfo2 *info,
                                                   VkImageFormatProperties2 *properties)
{
    VkPhysicalDeviceExternalImageFormatInfo *external =
        find(info, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    const bool ours = external && external->handleType == DMA_BUF;
    if (ours)
        external->handleType = 0;
    const VkResult result = real_vkGetPhysicalDeviceImageFormatProperties2(gpu, info, properties);
    VkExternalImageFormatProperties *answer =
        find(properties, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (ours && answer)
        answer->externalMemoryProperties = both_ways();
    return result;
}

// ---- memory ---------------------------------------------------------------

static struct pages **chain_of(VkDeviceMemory memory)
{
    return &chains[((uint64_t)memory >> 4) % CHAINS];
}

static struct pages *pages_make(int fd, VkDeviceSize size)
{
    struct pages *pages = calloc(1, sizeof(*pages));
    pages->size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    pages->fd = fd >= 0 ? fd : memfd_create("exports", MFD_CLOEXEC);
    pages->at = MAP_FAILED;
    if (pages->fd >= 0 && (fd >= 0 || ftruncate(pages->fd, (off_t)pages->size) == 0))
        pages->at = mmap(NULL, pages->size, PROT_READ | PROT_WRITE, MAP_SHARED, pages->fd, 0);
    return pages;
}

static void pages_end(struct pages *pages)
{
    if (pages->at != MAP_FAILED)
        munmap(pages->at, pages->size);
    close(pages->fd);
    free(pages);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *allocator,
                                               VkDeviceMemory *memory)
{
    const VkImportMemoryFdInfoKHR *import = find(info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
    const VkExportMemoryAllocateInfo *export =
        find(info, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    const bool importing = import && import->handleType == DMA_BUF;
    const bool exporting = export && (export->handleTypes & DMA_BUF);
    if (!(importable & 1u << info->memoryTypeIndex) || (!importing && !exporting))
        return real_vkAllocateMemory(device, info, allocator, memory);
    take(info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
    take(info, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    take(info, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
    struct pages *pages = pages_make(importing ? import->fd : -1, info->allocationSize);
    if (pages->at == MAP_FAILED) {
        pages_end(pages);
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    VkMemoryAllocateInfo real = *info;
    const VkImportMemoryHostPointerInfoEXT by_address = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .pNext = info->pNext,
        .handleType = HOST,
        .pHostPointer = pages->at,
    };
    real.pNext = &by_address;
    real.allocationSize = pages->size;
    const VkResult result = real_vkAllocateMemory(device, &real, allocator, memory);
    if (result != VK_SUCCESS) {
        pages_end(pages);
        return result;
    }
    pages->memory = *memory;
    pthread_mutex_lock(&lock);
    pages->next = *chain_of(*memory);
    *chain_of(*memory) = pages;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

// The pages of that memory, taken out of the table if so wished; NULL: it has none.
static struct pages *pages_of(VkDeviceMemory memory, bool out)
{
    pthread_mutex_lock(&lock);
    struct pages **at = chain_of(memory);
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    struct pages *found = *at;
    if (found && out)
        *at = found->next;
    pthread_mutex_unlock(&lock);
    return found;
}

static VKAPI_ATTR void VKAPI_CALL release(VkDevice device, VkDeviceMemory memory,
                                          const VkAllocationCallbacks *allocator)
{
    struct pages *pages = memory ? pages_of(memory, true) : NULL;
    real_vkFreeMemory(device, memory, allocator);
    if (pages)
        pages_end(pages);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info,
                                             int *fd)
{
    const struct pages *pages = info->handleType == DMA_BUF ? pages_of(info->memory, false) : NULL;
    if (!pages)
        return real_vkGetMemoryFdKHR(device, info, fd);
    *fd = fcntl(pages->fd, F_DUPFD_CLOEXEC, 3);
    return *fd >= 0 ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
}

static VKAPI_ATTR VkResult VKAPI_CALL fd_properties(VkDevice device,
                                                    VkExternalMemoryHandleTypeFlagBits type, int fd,
                                                    VkMemoryFdPropertiesKHR *properties)
{
    if (type != DMA_BUF)
        return real_vkGetMemoryFdPropertiesKHR(device, type, fd, properties);
    properties->memoryTypeBits = importable;
    return VK_SUCCESS;
}

// Drivers take memory by its address for objects that were not made for it.
static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkBuffer *buffer)
{
    take(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    return real_vkCreateBuffer(device, info, allocator, buffer);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_image(VkDevice device, const VkImageCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator,
                                                   VkImage *image)
{
    take(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    return real_vkCreateImage(device, info, allocator, image);
}

// ---- a device -------------------------------------------------------------

static void ask_importable(VkDevice device)
{
    const PFN_vkGetMemoryHostPointerPropertiesEXT ask =
        (PFN_vkGetMemoryHostPointerPropertiesEXT)between_device(
            device, "vkGetMemoryHostPointerPropertiesEXT");
    struct pages *pages = pages_make(-1, PAGE);
    VkMemoryHostPointerPropertiesEXT p = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    if (ask && ask(device, HOST, pages->at, &p) == VK_SUCCESS)
        importable = p.memoryTypeBits;
    pages_end(pages);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice gpu,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkDevice *device)
{
    VkDeviceCreateInfo real = *info;
    const char **names = calloc(info->enabledExtensionCount + 1, sizeof(*names));
    real.enabledExtensionCount = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        const char *name = info->ppEnabledExtensionNames[i];
        if (strcmp(name, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) != 0 &&
            strcmp(name, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) != 0)
            names[real.enabledExtensionCount++] = name;
    }
    names[real.enabledExtensionCount++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    real.ppEnabledExtensionNames = names;
    const VkResult result = real_vkCreateDevice(gpu, &real, allocator, device);
    free(names);
    if (result == VK_SUCCESS)
        ask_importable(*device);
    return result;
}

// ---- what is taken over --------------------------------------------------

#define OURS(command, function)                                                                    \
    {                                                                                              \
#command, (PFN_vkVoidFunction)function, (PFN_vkVoidFunction *)&real_##command              \
    }
static const struct {
    const char *name;
    PFN_vkVoidFunction function;
    PFN_vkVoidFunction *real;
} ours[] = {
    OURS(vkEnumerateDeviceExtensionProperties, extensions),
    OURS(vkGetPhysicalDeviceExternalBufferProperties, external_buffer),
    OURS(vkGetPhysicalDeviceImageFormatProperties2, image_format),
    OURS(vkCreateDevice, create_device),
    OURS(vkAllocateMemory, allocate),
    OURS(vkFreeMemory, release),
    OURS(vkGetMemoryFdKHR, get_fd),
    OURS(vkGetMemoryFdPropertiesKHR, fd_properties),
    OURS(vkCreateBuffer, create_buffer),
    OURS(vkCreateImage, create_image),
};

PFN_vkVoidFunction between_wrap(const char *name, PFN_vkVoidFunction real)
{
    for (size_t i = 0; real && i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (between_same(ours[i].name, name)) {
            *ours[i].real = real;
            return ours[i].function;
        }
    }
    return window_wrap(name, real); // the window takes no pages of ours
}

__attribute__((constructor)) static void start(void)
{
    between_open("exports", "EXPORTS_DRIVER");
}
