// Images, formats, barriers and copies on a driver that remembers what it was asked: what leaves
// the context is linear, on host memory, and what the guest is told about it is ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/image.h"
#include "venus/profile.h"

#define ID(type, number) ((type)(uintptr_t)(number))

static struct fake_context f;

static int set_up(void **state)
{
    fake_reset();
    fake_context_init(&f, false);
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    assert_int_equal(fake.devices_alive, 0);
    assert_int_equal(fake.images_alive, 0);
    assert_int_equal(fake.instances_alive, 0);
    return 0;
}

// ---- images ---------------------------------------------------------------

static const VkImageCreateInfo plain_image = {
    .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
    .imageType = VK_IMAGE_TYPE_2D,
    .format = VK_FORMAT_B8G8R8A8_UNORM,
    .extent = {64, 32, 1},
    .mipLevels = 1,
    .arrayLayers = 1,
    .samples = VK_SAMPLE_COUNT_1_BIT,
    .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
};

static VkResult create_image(VkImageCreateInfo *info)
{
    struct venus_object *device = fake_find(&f, 3);
    VkImage id = ID(VkImage, 10);
    struct wire_args_vkCreateImage args = {.pCreateInfo = info, .pImage = &id};
    assert_true(fake_call(&f, WIRE_vkCreateImage, &args, &device, 1, NULL));
    return args.ret;
}

static int set_up_device(void **state)
{
    set_up(state);
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    return 0;
}

static int set_up_device_plain(void **state)
{
    set_up_device(state);
    fake.imports_images = false;
    return 0;
}

static void images_with_modifiers_are_linear_on_the_host(void **state)
{
    const uint64_t modifiers[] = {0x0100000000000001ull, 0};
    VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    VkImageDrmFormatModifierListCreateInfoEXT list = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .pNext = &external,
        .drmFormatModifierCount = 2,
        .pDrmFormatModifiers = modifiers};
    VkImageCreateInfo info = plain_image;
    info.pNext = &list;
    info.tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    assert_int_equal(create_image(&info), VK_SUCCESS);
    assert_int_equal(fake.image.tiling, VK_IMAGE_TILING_LINEAR);
    assert_false(fake.image_had_modifier);
    assert_int_equal(fake.image_handles, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);

    struct venus_object *objects[] = {fake_find(&f, 3), fake_find(&f, 10)};
    VkImageDrmFormatModifierPropertiesEXT modifier = {.drmFormatModifier = 77};
    struct wire_args_vkGetImageDrmFormatModifierPropertiesEXT args = {.pProperties = &modifier};
    assert_true(
        fake_call(&f, WIRE_vkGetImageDrmFormatModifierPropertiesEXT, &args, objects, 2, NULL));
    assert_int_equal(modifier.drmFormatModifier, 0);

    // Its memory plane is its colour; there is no second one.
    VkImageSubresource subresource = {.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT};
    VkSubresourceLayout layout = {0};
    struct wire_args_vkGetImageSubresourceLayout args_layout = {.pSubresource = &subresource,
                                                                .pLayout = &layout};
    assert_true(fake_call(&f, WIRE_vkGetImageSubresourceLayout, &args_layout, objects, 2, NULL));
    assert_int_equal(layout.rowPitch, 256);
    layout.rowPitch = 0;
    subresource.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_1_BIT_EXT;
    assert_true(fake_call(&f, WIRE_vkGetImageSubresourceLayout, &args_layout, objects, 2, NULL));
    assert_int_equal(layout.rowPitch, 0);

    // Only memory that can be shared.
    VkMemoryRequirements requirements;
    struct wire_args_vkGetImageMemoryRequirements args_memory = {.pMemoryRequirements =
                                                                     &requirements};
    assert_true(fake_call(&f, WIRE_vkGetImageMemoryRequirements, &args_memory, objects, 2, NULL));
    assert_int_equal(requirements.memoryTypeBits, 0x6);
}

static void a_driver_that_does_not_know_host_memory_gets_plain_images(void **state)
{
    VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT};
    VkImageCreateInfo info = plain_image;
    info.pNext = &external;
    info.tiling = VK_IMAGE_TILING_LINEAR;
    assert_int_equal(create_image(&info), VK_SUCCESS);
    assert_int_equal(fake.image_handles, 0);
}

static void foreign_modifiers_and_formats_are_refused(void **state)
{
    const uint64_t modifiers[] = {0x0100000000000001ull};
    VkImageDrmFormatModifierListCreateInfoEXT list = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .drmFormatModifierCount = 1,
        .pDrmFormatModifiers = modifiers};
    VkImageCreateInfo info = plain_image;
    info.pNext = &list;
    info.tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    assert_true(create_image(&info) < 0);
    info = plain_image;
    info.tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT; // and no list at all
    assert_true(create_image(&info) < 0);
    info = plain_image;
    info.format = (VkFormat)4711;
    assert_true(create_image(&info) < 0);
    info = plain_image;
    info.samples = 3;
    assert_true(create_image(&info) < 0);
    info = plain_image;
    info.sharingMode = VK_SHARING_MODE_CONCURRENT;
    info.queueFamilyIndexCount = 2; // and no array
    assert_true(create_image(&info) < 0);
    assert_null(fake_find(&f, 10));
}

static void explicit_layouts_must_be_the_drivers(void **state)
{
    VkSubresourceLayout plane = {.rowPitch = 256};
    VkImageDrmFormatModifierExplicitCreateInfoEXT layout = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT,
        .drmFormatModifierPlaneCount = 1,
        .pPlaneLayouts = &plane,
    };
    VkImageCreateInfo info = plain_image;
    info.pNext = &layout;
    info.tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    assert_int_equal(create_image(&info), VK_SUCCESS);

    VkImage id = ID(VkImage, 11);
    struct venus_object *device = fake_find(&f, 3);
    struct wire_args_vkCreateImage args = {.pCreateInfo = &info, .pImage = &id};
    plane.rowPitch = 260;
    info = plain_image;
    info.pNext = &layout;
    info.tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    assert_true(fake_call(&f, WIRE_vkCreateImage, &args, &device, 1, NULL));
    assert_int_equal(args.ret, VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT);
    assert_int_equal(fake.images_alive, 1);
}

static void ordinary_images_pass_untouched(void **state)
{
    VkImageCreateInfo info = plain_image;
    info.queueFamilyIndexCount = 2; // ignored: not concurrent
    assert_int_equal(create_image(&info), VK_SUCCESS);
    assert_int_equal(fake.image.tiling, VK_IMAGE_TILING_OPTIMAL);
    assert_int_equal(fake.image.queueFamilyIndexCount, 0);
    assert_int_equal(fake.image_handles, 0);
    struct venus_object *objects[] = {fake_find(&f, 3), fake_find(&f, 10)};
    VkMemoryRequirements requirements;
    struct wire_args_vkGetImageMemoryRequirements args = {.pMemoryRequirements = &requirements};
    assert_true(fake_call(&f, WIRE_vkGetImageMemoryRequirements, &args, objects, 2, NULL));
    assert_int_equal(requirements.memoryTypeBits, 0xf);
}

static void shared_buffers_name_host_memory(void **state)
{
    struct venus_object *device = fake_find(&f, 3);
    VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &external, .size = 64};
    VkBuffer id = ID(VkBuffer, 20);
    struct wire_args_vkCreateBuffer args = {.pCreateInfo = &info, .pBuffer = &id};
    assert_true(fake_call(&f, WIRE_vkCreateBuffer, &args, &device, 1, NULL));
    assert_int_equal(fake.buffer_handles, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);
    struct venus_object *objects[] = {device, fake_find(&f, 20)};
    VkMemoryRequirements requirements;
    struct wire_args_vkGetBufferMemoryRequirements args_memory = {.pMemoryRequirements =
                                                                      &requirements};
    assert_true(fake_call(&f, WIRE_vkGetBufferMemoryRequirements, &args_memory, objects, 2, NULL));
    assert_int_equal(requirements.memoryTypeBits, 0x6);
}

// ---- queries about formats ------------------------------------------------

static VkResult image_properties(VkImageTiling tiling, uint64_t modifier,
                                 VkExternalMemoryHandleTypeFlagBits handle,
                                 VkExternalImageFormatProperties *external)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkPhysicalDeviceExternalImageFormatInfo external_info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = handle};
    VkPhysicalDeviceImageDrmFormatModifierInfoEXT modifier_info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT,
        .pNext = handle ? &external_info : NULL,
        .drmFormatModifier = modifier,
    };
    VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &modifier_info,
        .format = VK_FORMAT_B8G8R8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = tiling,
        .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
    };
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
                                           .pNext = external};
    *external = (VkExternalImageFormatProperties){
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    struct wire_args_vkGetPhysicalDeviceImageFormatProperties2 args = {
        .pImageFormatInfo = &info, .pImageFormatProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceImageFormatProperties2, &args,
                          &physical_device, 1, NULL));
    assert_ptr_equal(properties.pNext, external); // the reply is encoded from it
    assert_int_equal(properties.imageFormatProperties.maxMipLevels,
                     args.ret == VK_SUCCESS ? 12 : 0);
    return args.ret;
}

static void linear_is_the_modifier_that_leaves(void **state)
{
    const VkImageTiling modifier = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    const VkExternalMemoryHandleTypeFlagBits dma_buf =
        VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    const VkExternalMemoryFeatureFlags both =
        VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    VkExternalImageFormatProperties external;
    assert_int_equal(image_properties(modifier, 0, dma_buf, &external), VK_SUCCESS);
    assert_int_equal(external.externalMemoryProperties.externalMemoryFeatures, both);
    assert_true(external.externalMemoryProperties.compatibleHandleTypes & dma_buf);
    assert_int_equal(image_properties(modifier, 0, 0, &external), VK_SUCCESS);
    assert_int_equal(external.externalMemoryProperties.externalMemoryFeatures, 0);
    assert_int_equal(image_properties(modifier, 1, dma_buf, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    assert_int_equal(image_properties(VK_IMAGE_TILING_LINEAR, 0,
                                      VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_WIN32_BIT, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    // Optimal images leave if the driver says that they may lie in imported memory, and every type
    // of memory can be.
    const VkExternalMemoryHandleTypeFlagBits opaque = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    assert_int_equal(image_properties(VK_IMAGE_TILING_OPTIMAL, 0, opaque, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    ((struct venus_physical_device *)fake_find(&f, 2))->importable_types = 0xf;
    assert_int_equal(image_properties(VK_IMAGE_TILING_OPTIMAL, 0, opaque, &external), VK_SUCCESS);
    fake.imports_images = false;
    assert_int_equal(image_properties(VK_IMAGE_TILING_OPTIMAL, 0, opaque, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    assert_int_equal(image_properties(modifier, 0, dma_buf, &external), VK_SUCCESS);
}

static uint32_t modifier_count(VkFormat format, VkDrmFormatModifierPropertiesEXT *out,
                               uint32_t capacity)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkDrmFormatModifierPropertiesListEXT list = {
        .sType = VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT,
        .drmFormatModifierCount = capacity,
        .pDrmFormatModifierProperties = out};
    VkFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
                                      .pNext = &list};
    struct wire_args_vkGetPhysicalDeviceFormatProperties2 args = {.format = format,
                                                                  .pFormatProperties = &properties};
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceFormatProperties2, &args, &physical_device, 1, NULL));
    assert_ptr_equal(properties.pNext, &list);
    return list.drmFormatModifierCount;
}

static void modifier_lists_are_ours(void **state)
{
    VkDrmFormatModifierPropertiesEXT out[4];
    fake.own_modifiers = true;
    assert_int_equal(modifier_count(VK_FORMAT_B8G8R8A8_UNORM, NULL, 0), 1);
    assert_int_equal(modifier_count(VK_FORMAT_B8G8R8A8_UNORM, out, 4), 1);
    assert_int_equal(out[0].drmFormatModifier, 0);
    assert_int_equal(out[0].drmFormatModifierPlaneCount, 1);
    assert_int_equal(out[0].drmFormatModifierTilingFeatures,
                     VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT);
    assert_int_equal(modifier_count(VK_FORMAT_B8G8R8A8_UNORM, out, 0), 0);
    assert_int_equal(modifier_count(VK_FORMAT_R8_UINT, out, 4), 0); // no linear images of it
    assert_int_equal(modifier_count(VK_FORMAT_D32_SFLOAT, out, 4), 0);
}

static void sync_files_are_offered_for_binary_semaphores(void **state)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkPhysicalDeviceExternalSemaphoreInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
        .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT};
    VkExternalSemaphoreProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES};
    struct wire_args_vkGetPhysicalDeviceExternalSemaphoreProperties args = {
        .pExternalSemaphoreInfo = &info, .pExternalSemaphoreProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args,
                          &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures,
                     VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT |
                         VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT);
    VkSemaphoreTypeCreateInfo timeline = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                          .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    info.pNext = &timeline;
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args,
                          &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures, 0);
    info.pNext = NULL;
    info.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args,
                          &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures, 0);
}

// ---- barriers and copies --------------------------------------------------

static void barrier(uint32_t source, uint32_t target)
{
    struct venus_object *device = fake_find(&f, 3);
    VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                    .srcQueueFamilyIndex = source,
                                    .dstQueueFamilyIndex = target};
    struct wire_args_vkCmdPipelineBarrier args = {.imageMemoryBarrierCount = 1,
                                                  .pImageMemoryBarriers = &barrier};
    assert_true(fake_call(&f, WIRE_vkCmdPipelineBarrier, &args, &device, 1, NULL));
    uint32_t first[2] = {fake.source_family, fake.target_family};

    VkImageMemoryBarrier2 barrier2 = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
                                      .srcQueueFamilyIndex = source,
                                      .dstQueueFamilyIndex = target};
    VkDependencyInfo info = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                             .imageMemoryBarrierCount = 1,
                             .pImageMemoryBarriers = &barrier2};
    struct wire_args_vkCmdPipelineBarrier2 args2 = {.pDependencyInfo = &info};
    assert_true(fake_call(&f, WIRE_vkCmdPipelineBarrier2, &args2, &device, 1, NULL));
    assert_int_equal(fake.source_family, first[0]);
    assert_int_equal(fake.target_family, first[1]);
}

static void foreign_queues_become_external(void **state)
{
    barrier(0, VK_QUEUE_FAMILY_FOREIGN_EXT);
    assert_int_equal(fake.source_family, 0);
    assert_int_equal(fake.target_family, VK_QUEUE_FAMILY_EXTERNAL);
    barrier(VK_QUEUE_FAMILY_FOREIGN_EXT, 1);
    assert_int_equal(fake.source_family, VK_QUEUE_FAMILY_EXTERNAL);
    assert_int_equal(fake.target_family, 1);
    barrier(VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED);
    assert_int_equal(fake.source_family, VK_QUEUE_FAMILY_IGNORED);
    assert_int_equal(fake.target_family, VK_QUEUE_FAMILY_IGNORED);
}

static void families_that_do_not_exist_are_ignored(void **state)
{
    barrier(2, 1);
    assert_int_equal(fake.source_family, VK_QUEUE_FAMILY_IGNORED);
    barrier(4711, 4711);
    assert_int_equal(fake.source_family, VK_QUEUE_FAMILY_IGNORED);
    assert_int_equal(fake.target_family, VK_QUEUE_FAMILY_IGNORED);
}

static void host_copies_must_fit_their_bytes(void **state)
{
    VkImageCreateInfo image = plain_image;
    assert_int_equal(create_image(&image), VK_SUCCESS);
    struct venus_object *objects[] = {fake_find(&f, 3), fake_find(&f, 10)};
    static uint8_t bytes[64 * 32 * 4];
    VkCopyImageToMemoryInfoMESA info = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                        .imageExtent = {64, 32, 1}};
    struct wire_args_vkCopyImageToMemoryMESA args = {
        .pCopyImageToMemoryInfo = &info, .dataSize = sizeof(bytes) - 1, .pData = bytes};
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_true(args.ret < 0);
    assert_int_equal(fake.copies, 0);
    args.dataSize = sizeof(bytes);
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_int_equal(fake.copies, 1);
    // The driver's own layout: its size can't be known here without the query, so nothing is
    // copied.
    info.flags = VK_HOST_IMAGE_COPY_MEMCPY_EXT;
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_true(args.ret < 0);
}

#define TEST(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

// ---- sparse resources -----------------------------------------------------

static VKAPI_ATTR void VKAPI_CALL get_sparse_formats(VkPhysicalDevice d, VkFormat format,
                                                     VkImageType type,
                                                     VkSampleCountFlagBits samples,
                                                     VkImageUsageFlags usage, VkImageTiling tiling,
                                                     uint32_t *count,
                                                     VkSparseImageFormatProperties *properties)
{
    *count = 1;
}

static PFN_vkVoidFunction sparse_formats(const char *name)
{
    return strcmp(name, "vkGetPhysicalDeviceSparseImageFormatProperties") == 0
               ? (PFN_vkVoidFunction)get_sparse_formats
               : NULL;
}

static uint32_t sparse_format_count(struct venus_object *physical_device)
{
    uint32_t count = 7;
    struct wire_args_vkGetPhysicalDeviceSparseImageFormatProperties args = {
        .format = VK_FORMAT_B8G8R8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .pPropertyCount = &count};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceSparseImageFormatProperties, &args,
                          &physical_device, 1, NULL));
    return count;
}

static VkResult sparse_image_format(struct venus_object *physical_device)
{
    VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = VK_FORMAT_B8G8R8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT};
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    struct wire_args_vkGetPhysicalDeviceImageFormatProperties2 args = {
        .pImageFormatInfo = &info, .pImageFormatProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceImageFormatProperties2, &args,
                          &physical_device, 1, NULL));
    return args.ret;
}

// A driver that has the feature shows its properties whatever the guest is shown of it.
static void sparse_properties_go_with_the_features(void **state)
{
    fake.more = sparse_formats;
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    struct venus_object *physical_device = fake_find(&f, 2);
    struct venus_physical_device *device = (struct venus_physical_device *)physical_device;
    VkImageCreateInfo info = plain_image;
    info.flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT;
    assert_int_equal(sparse_format_count(physical_device), 1);
    assert_int_equal(sparse_image_format(physical_device), VK_SUCCESS);

    device->profile = venus_profile_dense(device->profile);
    assert_int_equal(sparse_format_count(physical_device), 0);
    assert_int_equal(sparse_image_format(physical_device), VK_ERROR_FORMAT_NOT_SUPPORTED);
    assert_true(create_image(&info) < 0);
    VkBufferCreateInfo buffer_info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                      .flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT,
                                      .size = 4096};
    VkBuffer buffer = ID(VkBuffer, 11);
    struct venus_object *object = fake_find(&f, 3);
    struct wire_args_vkCreateBuffer args = {.pCreateInfo = &buffer_info, .pBuffer = &buffer};
    assert_true(fake_call(&f, WIRE_vkCreateBuffer, &args, &object, 1, NULL));
    assert_true(args.ret < 0);
    VkPhysicalDeviceProperties2 properties = {
        .properties.limits.sparseAddressSpaceSize = 1 << 30,
        .properties.sparseProperties.residencyStandard2DBlockShape = VK_TRUE};
    venus_profile_filter_limits(device->profile, &properties);
    assert_int_equal(properties.properties.limits.sparseAddressSpaceSize, 0);
    assert_false(properties.properties.sparseProperties.residencyStandard2DBlockShape);
}

int main(int argc, char **argv)
{
    const struct os_options options = {.portable = argc > 1 && strcmp(argv[1], "portable") == 0};
    os_init(&options);
    const struct CMUnitTest tests[] = {
        TEST(set_up_device, images_with_modifiers_are_linear_on_the_host),
        TEST(set_up_device_plain, a_driver_that_does_not_know_host_memory_gets_plain_images),
        TEST(set_up_device, foreign_modifiers_and_formats_are_refused),
        TEST(set_up_device, explicit_layouts_must_be_the_drivers),
        TEST(set_up_device, ordinary_images_pass_untouched),
        TEST(set_up_device, shared_buffers_name_host_memory),
        TEST(set_up_device, linear_is_the_modifier_that_leaves),
        TEST(set_up_device, modifier_lists_are_ours),
        TEST(set_up_device, sync_files_are_offered_for_binary_semaphores),
        TEST(set_up_device, foreign_queues_become_external),
        TEST(set_up_device, families_that_do_not_exist_are_ignored),
        TEST(set_up_device, host_copies_must_fit_their_bytes),
        TEST(set_up, sparse_properties_go_with_the_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
