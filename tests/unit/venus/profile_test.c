// Host profiles: what is not shown can't be used either. And the small helpers they rest on: chains
// and the table of formats.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "venus/chain.h"
#include "venus/format.h"
#include "venus/image.h"
#include "venus/profile.h"

static void native_shows_what_the_host_has(void **state)
{
    const struct venus_profile *native = venus_profile_find("native");
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    features.features.geometryShader = VK_TRUE;
    venus_profile_filter_features(native, &features);
    assert_true(features.features.geometryShader);
    assert_false(venus_profile_hides_extension(native, "VK_EXT_mesh_shader"));
    assert_false(venus_profile_hides_extension(native, "VK_KHR_external_memory_fd"));
}

// A driver that can't bind shared pages shows no sparse resources, and nothing else less.
static void dense_lacks_sparse_resources_only(void **state)
{
    const struct venus_profile *dense = venus_profile_dense(venus_profile_find("native"));
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    features.features.geometryShader = features.features.sparseBinding = VK_TRUE;
    features.features.sparseResidencyImage2D = VK_TRUE;
    venus_profile_filter_features(dense, &features);
    assert_true(features.features.geometryShader);
    assert_false(features.features.sparseBinding);
    assert_false(features.features.sparseResidencyImage2D);
    assert_true(dense->queue_flags & VK_QUEUE_SPARSE_BINDING_BIT);
    assert_false(venus_profile_find("native")->queue_flags & VK_QUEUE_SPARSE_BINDING_BIT);
    assert_false(venus_profile_hides_extension(dense, "VK_EXT_transform_feedback"));
}

static void portable_looks_like_a_mac(void **state)
{
    const struct venus_profile *portable = venus_profile_find("portable");
    static const char *const hidden[] = {
        "VK_KHR_external_memory_fd",
        "VK_EXT_external_memory_dma_buf",
        "VK_EXT_image_drm_format_modifier",
        "VK_KHR_external_semaphore_fd",
        "VK_KHR_external_fence_fd",
        "VK_EXT_queue_family_foreign",
        "VK_EXT_pci_bus_info",
        "VK_EXT_transform_feedback",
    };
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        assert_true(venus_profile_hides_extension(portable, hidden[i]));
    assert_false(venus_profile_hides_extension(portable, "VK_EXT_external_memory_host"));
    assert_false(venus_profile_hides_extension(portable, "VK_KHR_timeline_semaphore"));
}

static void features_of_a_chain_are_filtered(void **state)
{
    VkPhysicalDeviceRobustness2FeaturesEXT robustness = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
        .nullDescriptor = VK_TRUE,
        .robustImageAccess2 = VK_TRUE};
    VkPhysicalDeviceVulkan11Features core11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &robustness,
        .multiview = VK_TRUE,
        .multiviewGeometryShader = VK_TRUE};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &core11};
    features.features.geometryShader = features.features.tessellationShader = VK_TRUE;
    venus_profile_filter_features(venus_profile_find("portable"), &features);
    assert_false(features.features.geometryShader);
    assert_true(features.features.tessellationShader);
    assert_false(core11.multiviewGeometryShader);
    assert_true(core11.multiview);
    assert_false(robustness.nullDescriptor);
    assert_true(robustness.robustImageAccess2);
}

// Every feature that a query shows as absent is refused when it is asked for, in both places where
// it can be asked for.
static void queries_and_creation_agree(void **state)
{
    static const char *const names[] = {"native", "portable", "moltenvk", "kosmickrisp"};
    for (int i = 0; i < 4; i++) {
        const struct venus_profile *profile = venus_profile_dense(venus_profile_find(names[i]));
        for (const struct venus_profile_feature *feature = profile->features; feature->type;
             feature++) {
            _Alignas(8) uint8_t structure[512] = {0};
            VkBaseOutStructure *node = (VkBaseOutStructure *)structure;
            node->sType = feature->type;
            VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .pNext = structure};
            assert_true(feature->offset + sizeof(VkBool32) <= sizeof(structure));
            assert_null(venus_profile_refuses(profile, NULL, &info));
            *(VkBool32 *)(structure + feature->offset) = VK_TRUE;
            assert_string_equal(venus_profile_refuses(profile, NULL, &info), feature->name);
            if (feature->type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2) {
                VkDeviceCreateInfo plain = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO};
                const VkPhysicalDeviceFeatures *core =
                    &((VkPhysicalDeviceFeatures2 *)structure)->features;
                assert_string_equal(venus_profile_refuses(profile, core, &plain), feature->name);
            }
        }
    }
}

static void limits_are_only_lowered(void **state)
{
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    properties.properties.limits.lineWidthRange[0] = 0.5f;
    properties.properties.limits.lineWidthRange[1] = 64.0f;
    properties.properties.limits.maxVertexInputAttributes = 16;
    properties.properties.limits.maxGeometryOutputVertices = 256;
    venus_profile_filter_limits(venus_profile_find("portable"), &properties);
    assert_true(properties.properties.limits.lineWidthRange[0] == 0.5f);
    assert_true(properties.properties.limits.lineWidthRange[1] == 1.0f);
    assert_int_equal(properties.properties.limits.maxVertexInputAttributes, 16);
    assert_int_equal(properties.properties.limits.maxGeometryOutputVertices, 0);
}

// ---- moltenvk: from data --------------------------------------------------

static void moltenvk_is_laid_over_a_driver(void **state)
{
    const struct venus_profile *mac = venus_profile_find("moltenvk");
    assert_true(mac->portable);
    assert_int_equal(mac->api_version, VK_MAKE_API_VERSION(0, 1, 4, 334));
    assert_false(venus_profile_hides_extension(mac, "VK_EXT_external_memory_host"));
    assert_false(venus_profile_hides_extension(mac, "VK_KHR_maintenance6"));
    assert_true(venus_profile_hides_extension(mac, "VK_EXT_transform_feedback"));
    assert_true(venus_profile_hides_extension(mac, "VK_KHR_external_memory_fd"));

#ifdef VK_VERSION_1_4
    // A feature that moves to the core of a later version is judged alike in both structures.
    VkPhysicalDeviceVulkan14Features core14 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES,
        .dynamicRenderingLocalRead = VK_TRUE,
        .rectangularLines = VK_TRUE,
        .bresenhamLines = VK_TRUE};
    VkPhysicalDeviceLineRasterizationFeatures lines = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_LINE_RASTERIZATION_FEATURES,
        .pNext = &core14,
        .rectangularLines = VK_TRUE,
        .bresenhamLines = VK_TRUE};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &lines};
    features.features.geometryShader = features.features.tessellationShader = VK_TRUE;
    venus_profile_filter_features(mac, &features);
    assert_false(features.features.geometryShader || lines.rectangularLines ||
                 core14.rectangularLines);
    assert_true(features.features.tessellationShader && lines.bresenhamLines &&
                core14.bresenhamLines && core14.dynamicRenderingLocalRead);
#endif
}

// What is better on the Mac stays as it is here, what is worse there becomes so.
static void moltenvk_limits_are_the_tighter_ones(void **state)
{
    VkPhysicalDeviceDepthStencilResolveProperties resolve = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DEPTH_STENCIL_RESOLVE_PROPERTIES,
        .supportedStencilResolveModes = VK_RESOLVE_MODE_SAMPLE_ZERO_BIT | VK_RESOLVE_MODE_MIN_BIT};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &resolve};
    VkPhysicalDeviceLimits *limits = &properties.properties.limits;
    limits->maxImageDimension2D = 8192;
    limits->maxPerStageDescriptorStorageBuffers = 1000000;
    limits->minStorageBufferOffsetAlignment = 4;
    limits->minUniformBufferOffsetAlignment = 256;
    limits->minTexelOffset = -32;
    limits->framebufferColorSampleCounts = VK_SAMPLE_COUNT_4_BIT | VK_SAMPLE_COUNT_8_BIT;
    limits->strictLines = VK_TRUE;
    limits->maxComputeWorkGroupSize[1] = 4096;
    limits->timestampPeriod = 0.25f;
    limits->minMemoryMapAlignment = 4096;
    venus_profile_filter_limits(venus_profile_find("moltenvk"), &properties);
    assert_int_equal(limits->maxImageDimension2D, 8192);
    assert_int_equal(limits->maxPerStageDescriptorStorageBuffers, 31);
    assert_int_equal(limits->minStorageBufferOffsetAlignment, 16);
    assert_int_equal(limits->minUniformBufferOffsetAlignment, 256);
    assert_int_equal(limits->minTexelOffset, -8);
    assert_int_equal(limits->framebufferColorSampleCounts, VK_SAMPLE_COUNT_4_BIT);
    assert_false(limits->strictLines);
    assert_int_equal(limits->maxComputeWorkGroupSize[1], 1024);
    assert_int_equal(resolve.supportedStencilResolveModes, VK_RESOLVE_MODE_SAMPLE_ZERO_BIT);
    assert_true(limits->timestampPeriod == 0.25f); // a fact of the machine
    assert_int_equal(limits->minMemoryMapAlignment, 4096);
}

// ---- kosmickrisp: from data -----------------------------------------------

static void kosmickrisp_is_the_other_mac(void **state)
{
    const struct venus_profile *mac = venus_profile_find("kosmickrisp");
    assert_true(mac->portable);
    assert_null(mac->lacking[0]); // all of Vulkan, no subset
    assert_false(venus_profile_hides_extension(mac, "VK_EXT_external_memory_host"));
    assert_false(venus_profile_hides_extension(mac, "VK_EXT_conditional_rendering"));
    assert_true(venus_profile_hides_extension(mac, "VK_EXT_transform_feedback"));
    assert_true(venus_profile_hides_extension(mac, "VK_KHR_portability_subset"));
    VkPhysicalDeviceRobustness2FeaturesEXT robustness = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
        .robustBufferAccess2 = VK_TRUE,
        .nullDescriptor = VK_TRUE};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &robustness};
    features.features.geometryShader = features.features.tessellationShader = VK_TRUE;
    features.features.logicOp = features.features.fillModeNonSolid = VK_TRUE;
    venus_profile_filter_features(mac, &features);
    assert_true(robustness.nullDescriptor && robustness.robustBufferAccess2);
    assert_true(features.features.tessellationShader && features.features.logicOp);
    assert_false(features.features.geometryShader || features.features.fillModeNonSolid);
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    properties.properties.limits.maxPushConstantsSize = 4096;
    venus_profile_filter_limits(mac, &properties);
    assert_int_equal(properties.properties.limits.maxPushConstantsSize, 128);
}

static void memory_types_are_those_of_the_profile(void **state)
{
    const VkMemoryPropertyFlags shared = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    VkPhysicalDeviceMemoryProperties memory = {.memoryTypeCount = 4};
    memory.memoryTypes[0].propertyFlags =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_PROTECTED_BIT;
    memory.memoryTypes[1].propertyFlags = shared;
    memory.memoryTypes[2].propertyFlags = shared | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD;
    memory.memoryTypes[3].propertyFlags = 0;
    venus_profile_filter_memory(venus_profile_find("moltenvk"), &memory);
    assert_int_equal(memory.memoryTypes[0].propertyFlags, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    assert_int_equal(memory.memoryTypes[1].propertyFlags, shared);
    assert_int_equal(memory.memoryTypes[2].propertyFlags, shared);
    assert_int_equal(memory.memoryTypes[3].propertyFlags, 0);
    memory.memoryTypes[0].propertyFlags |= VK_MEMORY_PROPERTY_PROTECTED_BIT;
    venus_profile_filter_memory(venus_profile_find("native"), &memory);
    assert_true(memory.memoryTypes[0].propertyFlags & VK_MEMORY_PROPERTY_PROTECTED_BIT);
}

static void a_lifted_structure_returns_to_its_place(void **state)
{
    VkBaseOutStructure c = {.sType = 3}, b = {.sType = 2, .pNext = &c},
                       a = {.sType = 1, .pNext = &b}, root = {.pNext = &a};
    struct venus_chain_gap first, second, nothing;
    assert_ptr_equal(venus_chain_lift(&root, 2, &first), &b);
    assert_ptr_equal(venus_chain_lift(&root, 1, &second), &a);
    assert_null(venus_chain_lift(&root, 9, &nothing));
    assert_ptr_equal(root.pNext, &c);
    venus_chain_mend(&nothing);
    venus_chain_mend(&second);
    venus_chain_mend(&first);
    assert_ptr_equal(root.pNext, &a);
    assert_ptr_equal(a.pNext, &b);
    assert_ptr_equal(b.pNext, &c);
    assert_null(c.pNext);
}

static void formats_have_their_sizes(void **state)
{
    assert_int_equal(venus_format_info(VK_FORMAT_B8G8R8A8_UNORM)->block_size, 4);
    assert_int_equal(venus_format_info(VK_FORMAT_BC1_RGB_UNORM_BLOCK)->block_size, 8);
    assert_int_equal(venus_format_info(VK_FORMAT_ASTC_12x10_UNORM_BLOCK)->block_width, 12);
    assert_int_equal(venus_format_info(VK_FORMAT_ASTC_12x10_UNORM_BLOCK)->block_height, 10);
    assert_int_equal(venus_format_info(VK_FORMAT_D24_UNORM_S8_UINT)->depth_size, 4);
    assert_int_equal(venus_format_info(VK_FORMAT_D24_UNORM_S8_UINT)->stencil_size, 1);
    const struct venus_format_info *nv12 = venus_format_info(VK_FORMAT_G8_B8R8_2PLANE_420_UNORM);
    assert_int_equal(nv12->planes, 2);
    assert_int_equal(nv12->plane[1].size, 2);
    assert_int_equal(nv12->plane[1].width_divisor, 2);
    assert_null(venus_format_info(VK_FORMAT_UNDEFINED));
    assert_null(venus_format_info((VkFormat)12345));
    assert_null(venus_format_info((VkFormat)-1));
}

static void modifiers_are_for_plain_colour(void **state)
{
    assert_true(venus_format_has_modifier(VK_FORMAT_B8G8R8A8_SRGB));
    assert_false(venus_format_has_modifier(VK_FORMAT_D32_SFLOAT));
    assert_false(venus_format_has_modifier(VK_FORMAT_BC7_UNORM_BLOCK));
    assert_false(venus_format_has_modifier(VK_FORMAT_G8_B8R8_2PLANE_420_UNORM));
    assert_false(venus_format_has_modifier(VK_FORMAT_UNDEFINED));
}

// ---- what a copy touches --------------------------------------------------

static uint64_t size_of(VkFormat format, VkImageAspectFlags aspect, uint32_t layers,
                        VkExtent3D extent, uint32_t row, uint32_t rows)
{
    const struct venus_image image = {
        .format = format, .extent = {64, 32, 4}, .mip_levels = 2, .array_layers = 3};
    VkImageSubresourceLayers subresource = {aspect, 0, 0, layers};
    return venus_host_copy_size(&image, &subresource, (VkOffset3D){0, 0, 0}, extent, row, rows);
}

static void copies_touch_up_to_their_last_block(void **state)
{
    const VkImageAspectFlags color = VK_IMAGE_ASPECT_COLOR_BIT;
    const VkFormat rgba = VK_FORMAT_R8G8B8A8_UNORM;
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){64, 32, 1}, 0, 0), 64 * 32 * 4);
    // A longer row in memory: all rows but the last are whole.
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){10, 3, 1}, 100, 0), (2 * 100 + 10) * 4);
    // Layers and depth follow each other at the height of an image.
    assert_int_equal(size_of(rgba, color, 2, (VkExtent3D){10, 3, 1}, 0, 8),
                     (8 * 10 + 2 * 10 + 10) * 4);
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){64, 32, 4}, 0, 0), 4 * 64 * 32 * 4);
    assert_int_equal(size_of(rgba, color, VK_REMAINING_ARRAY_LAYERS, (VkExtent3D){64, 32, 1}, 0, 0),
                     3 * 64 * 32 * 4);
    // Blocks at the edge are whole.
    assert_int_equal(
        size_of(VK_FORMAT_BC1_RGB_UNORM_BLOCK, color, 1, (VkExtent3D){64, 32, 1}, 0, 0),
        16 * 8 * 8);
    assert_int_equal(size_of(VK_FORMAT_BC1_RGB_UNORM_BLOCK, color, 1, (VkExtent3D){5, 5, 1}, 0, 0),
                     2 * 2 * 8);
    // Aspects have sizes of their own; planes are smaller than the image.
    assert_int_equal(size_of(VK_FORMAT_D32_SFLOAT_S8_UINT, VK_IMAGE_ASPECT_STENCIL_BIT, 1,
                             (VkExtent3D){64, 32, 1}, 0, 0),
                     64 * 32);
    assert_int_equal(size_of(VK_FORMAT_D32_SFLOAT_S8_UINT, VK_IMAGE_ASPECT_DEPTH_BIT, 1,
                             (VkExtent3D){64, 32, 1}, 0, 0),
                     64 * 32 * 4);
    assert_int_equal(size_of(VK_FORMAT_G8_B8R8_2PLANE_420_UNORM, VK_IMAGE_ASPECT_PLANE_1_BIT, 1,
                             (VkExtent3D){32, 16, 1}, 0, 0),
                     32 * 16 * 2);
}

static void copies_outside_the_image_are_refused(void **state)
{
    const VkImageAspectFlags color = VK_IMAGE_ASPECT_COLOR_BIT;
    const VkFormat rgba = VK_FORMAT_R8G8B8A8_UNORM;
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){65, 32, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){64, 33, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){64, 32, 5}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){0, 32, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 4, (VkExtent3D){64, 32, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 0, (VkExtent3D){64, 32, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, color, 1, (VkExtent3D){64, 32, 1}, 63, 0), 0);
    assert_int_equal(size_of(rgba, VK_IMAGE_ASPECT_DEPTH_BIT, 1, (VkExtent3D){64, 32, 1}, 0, 0), 0);
    assert_int_equal(size_of(rgba, VK_IMAGE_ASPECT_COLOR_BIT | VK_IMAGE_ASPECT_DEPTH_BIT, 1,
                             (VkExtent3D){64, 32, 1}, 0, 0),
                     0);
    assert_int_equal(size_of(VK_FORMAT_G8_B8R8_2PLANE_420_UNORM, VK_IMAGE_ASPECT_PLANE_1_BIT, 1,
                             (VkExtent3D){64, 32, 1}, 0, 0),
                     0);
    assert_int_equal(size_of(VK_FORMAT_G8_B8R8_2PLANE_420_UNORM, VK_IMAGE_ASPECT_PLANE_2_BIT, 1,
                             (VkExtent3D){8, 8, 1}, 0, 0),
                     0);

    const struct venus_image image = {
        .format = rgba, .extent = {64, 32, 1}, .mip_levels = 2, .array_layers = 1};
    VkImageSubresourceLayers mip = {color, 2, 0, 1};
    assert_int_equal(
        venus_host_copy_size(&image, &mip, (VkOffset3D){0, 0, 0}, (VkExtent3D){1, 1, 1}, 0, 0), 0);
    VkImageSubresourceLayers first = {color, 1, 0, 1};
    assert_int_equal(
        venus_host_copy_size(&image, &first, (VkOffset3D){-1, 0, 0}, (VkExtent3D){1, 1, 1}, 0, 0),
        0);
    assert_int_equal(
        venus_host_copy_size(&image, &first, (VkOffset3D){31, 15, 0}, (VkExtent3D){1, 1, 1}, 0, 0),
        4);
    assert_int_equal(
        venus_host_copy_size(&image, &first, (VkOffset3D){31, 15, 0}, (VkExtent3D){2, 1, 1}, 0, 0),
        0);
    assert_int_equal(venus_host_copy_size(&image, &first, (VkOffset3D){INT32_MAX, 0, 0},
                                          (VkExtent3D){UINT32_MAX, 1, 1}, 0, 0),
                     0);
}

static void huge_pitches_do_not_overflow(void **state)
{
    const VkImageAspectFlags color = VK_IMAGE_ASPECT_COLOR_BIT;
    const VkFormat rgba = VK_FORMAT_R32G32B32A32_SFLOAT;
    assert_true(size_of(rgba, color, 3, (VkExtent3D){64, 32, 4}, UINT32_MAX, UINT32_MAX) ==
                UINT64_MAX);
}

// ---- memory types ---------------------------------------------------------

static void only_importable_coherent_types_can_be_mapped(void **state)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    VkPhysicalDeviceMemoryProperties memory = {.memoryTypeCount = 4};
    memory.memoryTypes[0].propertyFlags = local;
    memory.memoryTypes[1].propertyFlags = visible | coherent | cached;
    memory.memoryTypes[2].propertyFlags = visible | cached;
    memory.memoryTypes[3].propertyFlags = local | visible | coherent;
    venus_memory_types_hide(&memory, 0x6);
    assert_int_equal(memory.memoryTypes[0].propertyFlags, local);
    assert_int_equal(memory.memoryTypes[1].propertyFlags, visible | coherent | cached);
    assert_int_equal(memory.memoryTypes[2].propertyFlags, 0);
    assert_int_equal(memory.memoryTypes[3].propertyFlags, local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_shows_what_the_host_has),
        cmocka_unit_test(dense_lacks_sparse_resources_only),
        cmocka_unit_test(portable_looks_like_a_mac),
        cmocka_unit_test(features_of_a_chain_are_filtered),
        cmocka_unit_test(queries_and_creation_agree),
        cmocka_unit_test(limits_are_only_lowered),
        cmocka_unit_test(moltenvk_is_laid_over_a_driver),
        cmocka_unit_test(moltenvk_limits_are_the_tighter_ones),
        cmocka_unit_test(kosmickrisp_is_the_other_mac),
        cmocka_unit_test(memory_types_are_those_of_the_profile),
        cmocka_unit_test(a_lifted_structure_returns_to_its_place),
        cmocka_unit_test(formats_have_their_sizes),
        cmocka_unit_test(modifiers_are_for_plain_colour),
        cmocka_unit_test(copies_touch_up_to_their_last_block),
        cmocka_unit_test(copies_outside_the_image_are_refused),
        cmocka_unit_test(huge_pitches_do_not_overflow),
        cmocka_unit_test(only_importable_coherent_types_can_be_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
