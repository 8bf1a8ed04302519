// Descriptors and vertex buffers that are nothing, on a driver that has no such thing: it gets
// zeroes instead, wherever the guest writes nothing, and only there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/null_descriptor.h"

#define ID(type, number) ((type)(uintptr_t)(number))

static struct fake_context f;
static VkPhysicalDeviceRobustness2FeaturesEXT robustness;

// What the driver was given.
static struct {
    unsigned views, cleared, filled, submitted;
    VkDescriptorImageInfo image;
    VkDescriptorBufferInfo buffer;
    VkBufferView texels;
    VkBuffer vertices[2];
    VkDeviceSize offsets[2], sizes[2];
} got;

static VKAPI_ATTR VkResult VKAPI_CALL create_image_view(VkDevice d,
                                                        const VkImageViewCreateInfo *info,
                                                        const VkAllocationCallbacks *a,
                                                        VkImageView *view)
{
    *view = ID(VkImageView, 0x100 + got.views++);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_image_view(VkDevice d, VkImageView view,
                                                     const VkAllocationCallbacks *a)
{
    got.views--;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer_view(VkDevice d,
                                                         const VkBufferViewCreateInfo *info,
                                                         const VkAllocationCallbacks *a,
                                                         VkBufferView *view)
{
    *view = ID(VkBufferView, 0x200 + got.views++);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer_view(VkDevice d, VkBufferView view,
                                                      const VkAllocationCallbacks *a)
{
    got.views--;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_image(VkDevice d, VkImage i, VkDeviceMemory m,
                                                 VkDeviceSize o)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_buffer(VkDevice d, VkBuffer b, VkDeviceMemory m,
                                                  VkDeviceSize o)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice d, const VkCommandPoolCreateInfo *info,
                                                  const VkAllocationCallbacks *a,
                                                  VkCommandPool *pool)
{
    *pool = ID(VkCommandPool, 1);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pool(VkDevice d, VkCommandPool pool,
                                               const VkAllocationCallbacks *a)
{
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_commands(VkDevice d,
                                                        const VkCommandBufferAllocateInfo *info,
                                                        VkCommandBuffer *commands)
{
    *commands = ID(VkCommandBuffer, 1);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL begin(VkCommandBuffer c, const VkCommandBufferBeginInfo *info)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL end(VkCommandBuffer c)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL clear_image(VkCommandBuffer c, VkImage i, VkImageLayout l,
                                              const VkClearColorValue *colour, uint32_t n,
                                              const VkImageSubresourceRange *r)
{
    got.cleared++;
}

static VKAPI_ATTR void VKAPI_CALL fill_buffer(VkCommandBuffer c, VkBuffer b, VkDeviceSize o,
                                              VkDeviceSize s, uint32_t value)
{
    got.filled++;
    assert_int_equal(value, 0);
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue q, uint32_t n, const VkSubmitInfo *info,
                                             VkFence fence)
{
    got.submitted++;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_idle(VkQueue q)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL update(VkDevice d, uint32_t n, const VkWriteDescriptorSet *writes,
                                         uint32_t copies, const VkCopyDescriptorSet *c)
{
    for (uint32_t i = 0; i < n; i++) {
        if (writes[i].pImageInfo)
            got.image = writes[i].pImageInfo[0];
        if (writes[i].pBufferInfo)
            got.buffer = writes[i].pBufferInfo[0];
        if (writes[i].pTexelBufferView)
            got.texels = writes[i].pTexelBufferView[0];
    }
}

static VKAPI_ATTR void VKAPI_CALL bind_vertices(VkCommandBuffer c, uint32_t first, uint32_t n,
                                                const VkBuffer *buffers,
                                                const VkDeviceSize *offsets,
                                                const VkDeviceSize *sizes,
                                                const VkDeviceSize *strides)
{
    for (uint32_t i = 0; i < n; i++) {
        got.vertices[i] = buffers[i];
        got.offsets[i] = offsets[i];
        got.sizes[i] = sizes[i];
    }
}

static PFN_vkVoidFunction more(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
#define ENTRY(vk, function) {#vk, (PFN_vkVoidFunction)function}
        ENTRY(vkCreateImageView, create_image_view),
        ENTRY(vkDestroyImageView, destroy_image_view),
        ENTRY(vkCreateBufferView, create_buffer_view),
        ENTRY(vkDestroyBufferView, destroy_buffer_view),
        ENTRY(vkBindImageMemory, bind_image),
        ENTRY(vkBindBufferMemory, bind_buffer),
        ENTRY(vkCreateCommandPool, create_pool),
        ENTRY(vkDestroyCommandPool, destroy_pool),
        ENTRY(vkAllocateCommandBuffers, allocate_commands),
        ENTRY(vkBeginCommandBuffer, begin),
        ENTRY(vkEndCommandBuffer, end),
        ENTRY(vkCmdClearColorImage, clear_image),
        ENTRY(vkCmdFillBuffer, fill_buffer),
        ENTRY(vkQueueSubmit, submit),
        ENTRY(vkQueueWaitIdle, wait_idle),
        ENTRY(vkUpdateDescriptorSets, update),
        ENTRY(vkCmdBindVertexBuffers2, bind_vertices),
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!strcmp(table[i].name, name))
            return table[i].function;
    }
    return NULL;
}

static int set_up(void **state)
{
    fake_reset();
    fake.more = more;
    memset(&got, 0, sizeof(got));
    robustness = (VkPhysicalDeviceRobustness2FeaturesEXT){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
        .nullDescriptor = VK_TRUE};
    fake_context_init(&f, false);
    fake_instance(&f);
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    assert_int_equal(fake.devices_alive, 0);
    assert_int_equal(fake.images_alive, 0);
    assert_int_equal(got.views, 0);
    return 0;
}

static struct venus_object *device_with_nulls(void)
{
    const char *names[] = {"VK_EXT_robustness2"};
    assert_int_equal(fake_device(&f, names, 1, &robustness), VK_SUCCESS);
    return fake_find(&f, 3);
}

static void it_is_offered_where_the_driver_has_the_rest_of_the_extension(void **state)
{
    struct venus_object *physical_device = fake_physical_device(&f);
    robustness.nullDescriptor = VK_FALSE;
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &robustness};
    struct wire_args_vkGetPhysicalDeviceFeatures2 args = {.pFeatures = &features};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceFeatures2, &args, &physical_device, 1, NULL));
    assert_true(robustness.nullDescriptor);
}

static void the_driver_is_not_asked_for_it(void **state)
{
    device_with_nulls();
    assert_false(robustness.nullDescriptor);
    assert_int_equal(got.submitted, 1);
    assert_int_equal(got.cleared, 2);
    assert_int_equal(got.filled, 2);
}

static void a_program_that_does_not_ask_costs_nothing(void **state)
{
    robustness.nullDescriptor = VK_FALSE;
    device_with_nulls();
    assert_int_equal(got.views, 0);
    assert_int_equal(got.submitted, 0);
}

static void write_one(struct venus_object *device, VkWriteDescriptorSet write)
{
    write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    write.descriptorCount = 1;
    struct wire_args_vkUpdateDescriptorSets args = {.descriptorWriteCount = 1,
                                                    .pDescriptorWrites = &write};
    assert_true(fake_call(&f, WIRE_vkUpdateDescriptorSets, &args, &device, 1, NULL));
}

static void nothing_becomes_zeroes_of_its_kind(void **state)
{
    struct venus_object *device = device_with_nulls();
    VkDescriptorImageInfo image = {.sampler = ID(VkSampler, 7)};
    VkDescriptorBufferInfo buffer = {.range = VK_WHOLE_SIZE};
    VkBufferView texels = VK_NULL_HANDLE;
    write_one(device,
              (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                     .pImageInfo = &image});
    assert_non_null(got.image.imageView);
    assert_int_equal(got.image.imageLayout, VK_IMAGE_LAYOUT_GENERAL);
    assert_true(got.image.sampler == ID(VkSampler, 7));
    VkImageView read = got.image.imageView;

    image.imageView = VK_NULL_HANDLE;
    write_one(device, (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_IMAGE,
                                             .pImageInfo = &image});
    assert_non_null(got.image.imageView);
    assert_true(got.image.imageView != read); // what is written is not read elsewhere

    write_one(device, (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                                             .pBufferInfo = &buffer});
    assert_non_null(got.buffer.buffer);
    assert_int_equal(got.buffer.offset, 0);
    write_one(device,
              (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
                                     .pTexelBufferView = &texels});
    assert_non_null(got.texels);
}

static void what_is_something_stays(void **state)
{
    struct venus_object *device = device_with_nulls();
    VkDescriptorImageInfo image = {.imageView = ID(VkImageView, 9),
                                   .imageLayout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL};
    VkDescriptorBufferInfo buffer = {ID(VkBuffer, 8), 64, 128};
    write_one(device, (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE,
                                             .pImageInfo = &image});
    write_one(device, (VkWriteDescriptorSet){.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                             .pBufferInfo = &buffer});
    assert_true(got.image.imageView == ID(VkImageView, 9));
    assert_int_equal(got.image.imageLayout, VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    assert_true(got.buffer.buffer == ID(VkBuffer, 8) && got.buffer.offset == 64 &&
                got.buffer.range == 128);
}

static void vertex_buffers_may_be_nothing(void **state)
{
    struct venus_object *device = device_with_nulls();
    const VkBuffer buffers[] = {VK_NULL_HANDLE, ID(VkBuffer, 8)};
    const VkDeviceSize offsets[] = {0, 16}, sizes[] = {0, 32};
    struct wire_args_vkCmdBindVertexBuffers2 args = {
        .bindingCount = 2, .pBuffers = buffers, .pOffsets = offsets, .pSizes = sizes};
    assert_true(fake_call(&f, WIRE_vkCmdBindVertexBuffers2, &args, &device, 1, NULL));
    assert_non_null(got.vertices[0]);
    assert_true(got.sizes[0] == VK_WHOLE_SIZE);
    assert_true(got.vertices[1] == ID(VkBuffer, 8) && got.offsets[1] == 16 && got.sizes[1] == 32);
}

int main(int argc, char **argv)
{
    const struct os_options options = {.portable = argc > 1};
    os_init(&options);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_offered_where_the_driver_has_the_rest_of_the_extension),
        TEST(the_driver_is_not_asked_for_it),
        TEST(a_program_that_does_not_ask_costs_nothing),
        TEST(nothing_becomes_zeroes_of_its_kind),
        TEST(what_is_something_stays),
        TEST(vertex_buffers_may_be_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
