// What the sample programs share: a device on the first GPU that the Vulkan loader finds, memory,
// buffers, images, submission, output files.
//
// Everything ends the program on failure, with one line on stderr that names the call and its
// result. Results go to stdout and must be the same on every implementation of the same hardware:
// the real-program tests compare them byte by byte, natively and through Hesper.
#pragma once

#define VK_NO_PROTOTYPES
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan.h>

#include "functions.h"

// Exit status of a program whose device lacks what it shows; the reason is on stdout.
#define APP_SKIP 77

struct vk_functions {
#define VK_FUNCTION(name) PFN_vk##name name;
    VK_GLOBAL_FUNCTIONS
    VK_INSTANCE_FUNCTIONS
    VK_DEVICE_FUNCTIONS
#undef VK_FUNCTION
};

// The loaded functions; filled by app_init(), members that the device lacks are NULL.
extern struct vk_functions vk;

struct app {
    VkInstance instance;
    VkPhysicalDevice gpu;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice device;
    uint32_t family; // a family with graphics and compute
    VkQueue queue;
    VkCommandPool pool;
};

struct app_wants {
    uint32_t api_version;          // 0: 1.1
    const char *const *extensions; // device extensions; a missing one makes the program skip
    uint32_t extension_count;
    const void *features; // pNext chain of VkDeviceCreateInfo
    // Headed by VkPhysicalDeviceFeatures2: filled with what the device offers, all of it enabled.
    VkPhysicalDeviceFeatures2 *offered;
};

// One of the things that a program shows, on a device of its own.
struct app_mode {
    const char *name;                               // chooses it on the command line
    void (*run)(struct app *app, const char *path); // path: of a file to write, NULL: none
    uint32_t api_version;                           // 0: 1.3
    const char *extensions[4];                      // NULL-terminated
    void *features; // chain, to be filled with what the device offers, behind those of Vulkan 1.3
};

struct buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *map; // NULL if the memory is not HOST_VISIBLE
};

struct image {
    VkImage image;
    VkImageView view;
    VkDeviceMemory memory;
    VkFormat format;
    uint32_t width, height;
};

#define VK_CHECK(call) app_check((call), #call)

void app_check(VkResult result, const char *call);
void app_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void app_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
// Ends the program unless `ok`.
void app_expect(bool ok, const char *what);

void app_init(struct app *app, const struct app_wants *wants);
void app_finish(struct app *app);
bool app_has_extension(VkPhysicalDevice gpu, const char *name);
// Runs the mode argv[1] of the list, ended by a NULL name, or all of them; argv[2] is its path.
// Everything that the device offers is enabled. Returns 0.
int app_run_modes(const struct app_mode *modes, int argc, char **argv);

// First memory type allowed by `bits` with all of `flags`; UINT32_MAX if there is none.
uint32_t memory_type(const struct app *app, uint32_t bits, VkMemoryPropertyFlags flags);

// `flags` may hold HOST_VISIBLE: then the buffer is mapped (and HOST_COHERENT).
struct buffer buffer_create(struct app *app, VkDeviceSize size, VkBufferUsageFlags usage,
                            VkMemoryPropertyFlags flags);
void buffer_destroy(struct app *app, struct buffer *buffer);

struct image image_create(struct app *app, const VkImageCreateInfo *info,
                          VkImageAspectFlags aspect);
void image_destroy(struct app *app, struct image *image);
void image_barrier(VkCommandBuffer cmd, VkImage image, VkImageAspectFlags aspect,
                   VkImageLayout from, VkImageLayout to, VkPipelineStageFlags src_stage,
                   VkAccessFlags src, VkPipelineStageFlags dst_stage, VkAccessFlags dst);

VkShaderModule shader_create(struct app *app, const uint32_t *code, size_t size);
VkPipeline compute_pipeline(struct app *app, VkPipelineCreateFlags flags, VkPipelineCache cache,
                            VkPipelineLayout layout, VkShaderModule module,
                            const VkSpecializationInfo *special);

// What transfers have written is there for further ones and for the host.
void transfer_barrier(VkCommandBuffer cmd);

VkCommandBuffer commands_begin(struct app *app);
// Ends, submits, waits for and frees the command buffer.
void commands_run(struct app *app, VkCommandBuffer cmd);

// The device works: a buffer is filled by it.
void app_go_on(struct app *app);

// FNV-1a, 64 bit.
uint64_t hash_bytes(const void *data, size_t size);
// `rgba`: 4 bytes a pixel, `stride` bytes a row; alpha is dropped. NULL path: nothing.
void write_ppm(const char *path, const uint8_t *rgba, uint32_t width, uint32_t height,
               size_t stride);
// Seconds of a steady clock.
double now(void);
