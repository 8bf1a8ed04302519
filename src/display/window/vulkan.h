// The window's own Vulkan device: instance, device, queues, and the functions that are used.
//
// Thread: the main thread makes and destroys it; the presenters' threads use it.
#ifndef WINDOW_VULKAN_H
#define WINDOW_VULKAN_H

#define VK_NO_PROTOTYPES
#include <SDL.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

#include "base/list.h"
#include "link/display_messages.h"

#define WINDOW_GLOBAL_FUNCTIONS(X)                                                                 \
    X(CreateInstance)                                                                              \
    X(EnumerateInstanceExtensionProperties)                                                        \
    X(EnumerateInstanceVersion)

#define WINDOW_INSTANCE_FUNCTIONS(X)                                                               \
    X(CreateDevice)                                                                                \
    X(DestroyInstance)                                                                             \
    X(DestroySurfaceKHR)                                                                           \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(EnumeratePhysicalDevices)                                                                    \
    X(GetDeviceProcAddr)                                                                           \
    X(GetPhysicalDeviceExternalBufferProperties)                                                   \
    X(GetPhysicalDeviceFormatProperties)                                                           \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(GetPhysicalDeviceSurfaceCapabilitiesKHR)                                                     \
    X(GetPhysicalDeviceSurfaceFormatsKHR)                                                          \
    X(GetPhysicalDeviceSurfaceSupportKHR)

#define WINDOW_DEVICE_FUNCTIONS(X)                                                                 \
    X(AcquireNextImageKHR)                                                                         \
    X(AllocateCommandBuffers)                                                                      \
    X(AllocateMemory)                                                                              \
    X(BeginCommandBuffer)                                                                          \
    X(BindBufferMemory)                                                                            \
    X(BindImageMemory)                                                                             \
    X(CmdBlitImage)                                                                                \
    X(CmdClearColorImage)                                                                          \
    X(CmdCopyBufferToImage)                                                                        \
    X(CmdPipelineBarrier)                                                                          \
    X(CreateBuffer)                                                                                \
    X(CreateCommandPool)                                                                           \
    X(CreateFence)                                                                                 \
    X(CreateImage)                                                                                 \
    X(CreateSemaphore)                                                                             \
    X(CreateSwapchainKHR)                                                                          \
    X(DestroyBuffer)                                                                               \
    X(DestroyCommandPool)                                                                          \
    X(DestroyDevice)                                                                               \
    X(DestroyFence)                                                                                \
    X(DestroyImage)                                                                                \
    X(DestroySemaphore)                                                                            \
    X(DestroySwapchainKHR)                                                                         \
    X(EndCommandBuffer)                                                                            \
    X(FreeMemory)                                                                                  \
    X(GetBufferMemoryRequirements)                                                                 \
    X(GetDeviceQueue)                                                                              \
    X(GetImageMemoryRequirements)                                                                  \
    X(GetSwapchainImagesKHR)                                                                       \
    X(MapMemory)                                                                                   \
    X(QueuePresentKHR)                                                                             \
    X(QueueSubmit)                                                                                 \
    X(QueueWaitIdle)                                                                               \
    X(ResetCommandPool)                                                                            \
    X(ResetFences)                                                                                 \
    X(WaitForFences)

// NULL without VK_EXT_external_memory_host.
#define WINDOW_OPTIONAL_FUNCTIONS(X) X(GetMemoryHostPointerPropertiesEXT)

struct window_vulkan {
#define WINDOW_MEMBER(name) PFN_vk##name name;
    WINDOW_GLOBAL_FUNCTIONS(WINDOW_MEMBER)
    WINDOW_INSTANCE_FUNCTIONS(WINDOW_MEMBER)
    WINDOW_DEVICE_FUNCTIONS(WINDOW_MEMBER)
    WINDOW_OPTIONAL_FUNCTIONS(WINDOW_MEMBER)
#undef WINDOW_MEMBER
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t family;
    // A window uses queue (output % count). Windows share queues if there are not enough: lock it.
    struct window_queue {
        VkQueue queue;
        pthread_mutex_t lock;
    } queues[LINK_DISPLAY_OUTPUTS];
    uint32_t queue_count;

    VkDeviceSize import_alignment; // 0: it cannot import ranges of files
    const char *import_refused;    // why it cannot
    bool import_said;
    struct list import_files; // struct window_import_file; the main thread's
    atomic_bool lost;         // the device or a surface: make everything anew
};

// `window` has SDL_WINDOW_VULKAN; the device must be able to present to it.
// Errors: NULL, and `why` gets the reason (static text).
struct window_vulkan *window_vulkan_create(SDL_Window *window, uint32_t outputs, const char **why);
// Everything that was made with it must be gone.
void window_vulkan_destroy(struct window_vulkan *vulkan);

// The type of memory in `bits` that has all of `flags`, or UINT32_MAX.
uint32_t window_vulkan_memory(const struct window_vulkan *vulkan, uint32_t bits,
                              VkMemoryPropertyFlags flags);

// A buffer that the CPU writes and the GPU copies from.
struct window_staging {
    VkBuffer buffer;
    VkDeviceMemory memory;
    uint8_t *bytes; // mapped for good
    VkDeviceSize size;
};
// Makes it at least `size` bytes large. Its contents are lost.
// Errors: false, out of memory.
bool window_staging_reserve(struct window_vulkan *vulkan, struct window_staging *staging,
                            VkDeviceSize size);
void window_staging_free(struct window_vulkan *vulkan, struct window_staging *staging);

#endif
