// What the checks share: a device with all that it offers, objects that go when their check ends,
// and the three ways in which a check ends.
//
// A check says what Vulkan's specification promises, never what some driver does. It returns if
// that came true; it calls fail() if not, and lack() if the device does not offer it.
#pragma once

#include <setjmp.h>
#include <string.h>

#include "app.h"

extern struct app gpu; // one device for all checks
extern struct offers {
    VkPhysicalDeviceFeatures2 features;
    VkPhysicalDeviceVulkan11Features v11;
    VkPhysicalDeviceVulkan12Features v12;
    VkPhysicalDeviceVulkan13Features v13;
    VkPhysicalDeviceRobustness2FeaturesEXT robustness2;
    VkPhysicalDeviceCustomBorderColorFeaturesEXT border;
    VkPhysicalDeviceIndexTypeUint8FeaturesEXT index8;
    bool push_descriptor;
} offers;

// Runs the check, and prints one line about it.
void check(const char *name, void (*run)(const void *argument), const void *argument);

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void lack(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void expect(bool ok, const char *what);
void expect_words(const void *got, const uint32_t *want, uint32_t count, const char *what);
void need(bool offered, const char *what); // or else lack()
void try_(VkResult result, const char *call);
#define TRY(call) try_((call), #call)

// The groups, a file each.
void format_checks(void);
void copy_checks(void);
void shader_checks(void);
void sampler_checks(void);
void draw_checks(void);
void state_checks(void);
void sync_checks(void);
void answer_checks(void);

// ---- objects --------------------------------------------------------------

#define KINDS                                                                                      \
    KIND(Buffer)                                                                                   \
    KIND(BufferView)                                                                               \
    KIND(Image)                                                                                    \
    KIND(ImageView)                                                                                \
    KIND(Sampler)                                                                                  \
    KIND(ShaderModule)                                                                             \
    KIND(DescriptorSetLayout)                                                                      \
    KIND(DescriptorPool)                                                                           \
    KIND(PipelineLayout)                                                                           \
    KIND(PipelineCache)                                                                            \
    KIND(Pipeline)                                                                                 \
    KIND(RenderPass)                                                                               \
    KIND(Framebuffer)                                                                              \
    KIND(CommandPool)                                                                              \
    KIND(Fence)                                                                                    \
    KIND(Semaphore)                                                                                \
    KIND(Event)                                                                                    \
    KIND(QueryPool)

// keep_Fence(fence) destroys it when the check ends, and returns it; likewise for all kinds.
#define KIND(name) Vk##name keep_##name(Vk##name handle);
KINDS
#undef KIND
VkDeviceMemory keep_memory(VkDeviceMemory memory);

// Host visible and mapped. It may be the source and the destination of copies.
struct buffer make_buffer(VkDeviceSize size, VkBufferUsageFlags usage);
// With these words in it.
struct buffer make_words(const uint32_t *words, uint32_t count, VkBufferUsageFlags usage);

struct picture {
    VkImage image;
    VkImageView view; // all of it
    VkImageAspectFlags aspect;
    VkImageCreateInfo info;
};
// What is 0 becomes 1 level, 1 layer, 1 sample, depth 1, 2D. It may be the source and the
// destination of copies. It is in the general layout, and stays there.
struct picture make_picture(VkImageCreateInfo info);
VkImageView make_view(const struct picture *picture, VkImageViewType type, VkFormat format,
                      VkImageSubresourceRange range);
bool format_has(VkFormat format, VkFormatFeatureFlags2 features);

// ---- commands -------------------------------------------------------------

VkCommandBuffer begin(void);
VkCommandBuffer begin_secondary(const VkCommandBufferInheritanceInfo *inheritance,
                                VkCommandBufferUsageFlags flags);
// All that was recorded before is done and visible to all that follows.
void barrier(VkCommandBuffer cmd);
// Ends, submits, waits.
void run(VkCommandBuffer cmd);
VkFence make_fence(VkFenceCreateFlags flags);

// The texels of one level and layer, close together; valid until the check ends.
const void *texels_of(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                      uint32_t layer, uint32_t texel_size);
// Fills one level and layer.
void fill_texels(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                 uint32_t layer, const void *texels, size_t size);
VkBufferImageCopy whole(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                        uint32_t layer);

// ---- compute --------------------------------------------------------------

struct bound {
    VkDescriptorType type;
    VkDescriptorBufferInfo buffer;
    VkDescriptorImageInfo image;
    VkBufferView texels;
};

// A compute pipeline and its one set, whose binding i is bound[i].
struct work {
    const uint32_t *code;
    size_t code_size;
    const struct bound *bound;
    uint32_t bound_count;
    const void *push;
    uint32_t push_size;
    const VkSpecializationInfo *special;
    const uint32_t *dynamic_offsets;
    uint32_t dynamic_count;
    // Made by prepare().
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    VkDescriptorSet set;
};

#define CODE(array) .code = (array), .code_size = sizeof(array)
#define STORAGE(b)                                                                                 \
    {                                                                                              \
        .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .buffer = {(b).buffer, 0, VK_WHOLE_SIZE }       \
    }

VkShaderModule make_shader(const uint32_t *code, size_t size);
void prepare(struct work *work);
void bind(VkCommandBuffer cmd, const struct work *work);
// All of it: prepare, bind, dispatch, run.
void compute(struct work *work, uint32_t groups);
// Texel (1, 2) of a picture of unsigned integers, as a shader reads it.
void fetch_uint(VkImageView view, uint32_t texel[4]);
