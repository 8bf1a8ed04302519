// What the program shows, in plain Vulkan 1.1: a turning torus, lit and textured, before a depth
// buffer, drawn straight into the memory that the screen shows; and some numbers computed by a
// shader.
//
// It knows no machine: the same file runs with no operating system and on Linux.
// Thread: one. Errors: VkResult.
#ifndef BARE_SCENE_H
#define BARE_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

enum { SCENE_PICTURES = 2, SCENE_WORDS = 1024 };
enum { SCENE_TURN = 64 }; // pictures of a full turn, where they are the same every time

struct scene_memory {
    VkDeviceMemory memory;
    void *pixels; // NULL: it is not mapped
};

// A picture that can be shown while the next is drawn.
struct scene_picture {
    VkImage image;
    VkImageView view;
    VkFramebuffer framebuffer;
    VkCommandBuffer commands;
    struct scene_memory memory; // that the screen shows
    // Where a linear image cannot be drawn to, it is drawn elsewhere and copied here.
    VkBuffer copy;
    struct scene_memory drawn;
};

struct scene {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceMemoryProperties memory;
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    VkDevice device;
    uint32_t family;
    VkQueue queue;
    VkCommandPool pool;
    VkFence fence;
    uint32_t width, height;
    uint32_t stride, offset; // bytes, of the pixels (B8G8R8A8) in a picture's memory
    bool copied;             // and not drawn in place
    struct scene_picture pictures[SCENE_PICTURES];
    VkImage depth, skin;
    VkImageView depth_view, skin_view;
    struct scene_memory depth_memory, skin_memory, mesh_memory, words_memory;
    VkBuffer mesh, words;
    VkSampler sampler;
    VkDescriptorPool descriptors;
    VkDescriptorSetLayout skin_layout, words_layout;
    VkDescriptorSet skin_set, words_set;
    VkPipelineLayout draw_layout, compute_layout;
    VkRenderPass pass;
    VkPipeline draw_pipeline, compute_pipeline;
};

// Instance, device, and all that is drawn with. `copy`: as if linear images could not be drawn to.
VkResult scene_create(struct scene *scene, uint32_t width, uint32_t height, bool copy);
// After the device was lost: another one, in the same instance, and all that is drawn with.
VkResult scene_renew(struct scene *scene);
// Draws picture `index`; returns when it is there.
VkResult scene_draw(struct scene *scene, uint32_t index, double turn);
// Runs the compute shader over words that are 0, 1, 2, …; *sum is that of the results, *right
// whether each is what the processor computes.
VkResult scene_compute(struct scene *scene, uint64_t *sum, bool *right);
void scene_destroy(struct scene *scene);

#endif
