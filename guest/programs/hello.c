// Hello, GPU: the first program to try on a new system. It names the device and has it write a
// number into memory that the program then reads.
//
// Everything but main() is the same on every system.
#include <stdio.h>

#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        VkResult result_ = (call);                                                                 \
        if (result_ < 0) {                                                                         \
            printf("%s: error %d\n", #call, result_);                                              \
            return result_;                                                                        \
        }                                                                                          \
    } while (0)

enum { WORDS = 1024 };

// A buffer that the program sees.
static VkResult make_buffer(VkPhysicalDevice gpu, VkDevice device, VkBuffer *buffer,
                            VkDeviceMemory *memory, uint32_t **words)
{
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties types;
    VkMemoryRequirements needs;
    uint32_t type = 0;
    TRY(vkCreateBuffer(device,
                       &(VkBufferCreateInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                             .size = WORDS * 4,
                                             .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT},
                       NULL, buffer));
    vkGetBufferMemoryRequirements(device, *buffer, &needs);
    vkGetPhysicalDeviceMemoryProperties(gpu, &types);
    while (type < types.memoryTypeCount &&
           (!(needs.memoryTypeBits >> type & 1) ||
            (types.memoryTypes[type].propertyFlags & wanted) != wanted))
        type++;
    TRY(vkAllocateMemory(device,
                         &(VkMemoryAllocateInfo){.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                                 .allocationSize = needs.size,
                                                 .memoryTypeIndex = type},
                         NULL, memory));
    TRY(vkBindBufferMemory(device, *buffer, *memory, 0));
    return vkMapMemory(device, *memory, 0, VK_WHOLE_SIZE, 0, (void **)words);
}

// The GPU fills the buffer.
static VkResult fill(VkDevice device, VkQueue queue, VkBuffer buffer, uint32_t number)
{
    VkCommandPool pool;
    VkCommandBuffer commands;
    TRY(vkCreateCommandPool(
        device, &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO},
        NULL, &pool));
    TRY(vkAllocateCommandBuffers(
        device,
        &(VkCommandBufferAllocateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                       .commandPool = pool,
                                       .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                       .commandBufferCount = 1},
        &commands));
    TRY(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vkCmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, number);
    TRY(vkEndCommandBuffer(commands));
    TRY(vkQueueSubmit(queue, 1,
                      &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                      .commandBufferCount = 1,
                                      .pCommandBuffers = &commands},
                      VK_NULL_HANDLE));
    TRY(vkQueueWaitIdle(queue));
    vkDestroyCommandPool(device, pool, NULL);
    return VK_SUCCESS;
}

static VkResult hello(void)
{
    VkInstance instance;
    VkPhysicalDevice gpu;
    VkPhysicalDeviceProperties properties;
    VkDevice device;
    VkQueue queue;
    VkBuffer buffer;
    VkDeviceMemory memory;
    uint32_t count = 1, *words;
    TRY(vkCreateInstance(&(VkInstanceCreateInfo){.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO},
                         NULL, &instance));
    TRY(vkEnumeratePhysicalDevices(instance, &count, &gpu));
    vkGetPhysicalDeviceProperties(gpu, &properties);
    printf("Hello, %s\n", properties.deviceName);
    TRY(vkCreateDevice(
        gpu,
        &(VkDeviceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
            .queueCreateInfoCount = 1,
            .pQueueCreateInfos =
                &(VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &(float){1}}},
        NULL, &device));
    vkGetDeviceQueue(device, 0, 0, &queue);
    TRY(make_buffer(gpu, device, &buffer, &memory, &words));
    TRY(fill(device, queue, buffer, 42));
    printf("the GPU wrote %u and %u\n", words[0], words[WORDS - 1]);
    VkResult result = words[0] == 42 && words[WORDS - 1] == 42 ? VK_SUCCESS : VK_ERROR_UNKNOWN;
    vkDestroyBuffer(device, buffer, NULL);
    vkFreeMemory(device, memory, NULL);
    vkDestroyDevice(device, NULL);
    vkDestroyInstance(instance, NULL);
    return result;
}

// What is this system's own: where the GPU is, and what the kit may use.
static int connect_here(void *context, struct guest_transport **transport)
{
    return guest_vtest_connect(&guest_posix_system, NULL, transport);
}

int main(void)
{
    guest_use(&guest_posix_system, connect_here, NULL);
    return hello() < 0;
}
