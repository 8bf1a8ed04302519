// Instances, devices, images and barriers on a driver that remembers what it was asked: what the guest is told, and what the host gets to
// see instead of what the guest wrote.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/image.h"

#define ID(type, number) ((type)(uintptr_t)(number))

static struct fake_context f;

static int set_up(void **state)
{
    fake_reset();
    fake_context_init(&f, false);
    return 0;
}

static int set_up_portable(void **state)
{
    fake_reset();
    fake_context_init(&f, true);
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

static bool lists(const struct venus_physical_device *physical_device, const char *name, uint32_t *version)
{
    for (uint32_t i = 0; i < physical_device->extension_count; i++) {
        if (strcmp(physical_device->extensions[i].extensionName, name) == 0) {
            if (version)
                *version = physical_device->extensions[i].specVersion;
            return true;
        }
    }
    return false;
}

static bool host_got(const char *name)
{
    for (uint32_t i = 0; i < fake.extension_count; i++) {
        if (strcmp(fake.extensions[i], name) == 0)
            return true;
    }
    return false;
}

// ---- instance --------------------------------------------------------------------------------------------------------------------

static void refuses_layers_and_foreign_extensions(void **state)
{
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"}, *const surface[] = {"VK_KHR_surface"};
    static const char *const private[] = {"VK_EXT_command_serialization", "VK_MESA_venus_protocol"};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .enabledLayerCount = 1, .ppEnabledLayerNames = layers};
    VkInstance id = ID(VkInstance, 1);
    struct wire_args_vkCreateInstance args = {.pCreateInfo = &info, .pInstance = &id};
    assert_true(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_ERROR_LAYER_NOT_PRESENT);
    info = (VkInstanceCreateInfo){.sType = info.sType, .enabledExtensionCount = 1, .ppEnabledExtensionNames = surface};
    assert_true(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_ERROR_EXTENSION_NOT_PRESENT);
    info = (VkInstanceCreateInfo){.sType = info.sType, .enabledExtensionCount = 2, .ppEnabledExtensionNames = private};
    assert_true(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_non_null(fake_find(&f, 1));
    // One per context.
    id = ID(VkInstance, 9);
    assert_false(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
}

static void instance_extensions_are_the_private_ones(void **state)
{
    uint32_t count = 1;
    VkExtensionProperties properties[2] = {0};
    struct wire_args_vkEnumerateInstanceExtensionProperties args = {.pPropertyCount = &count};
    assert_true(fake_call(&f, WIRE_vkEnumerateInstanceExtensionProperties, &args, NULL, 0, NULL));
    assert_int_equal(count, 2);
    args.pProperties = properties;
    count = 1;
    assert_true(fake_call(&f, WIRE_vkEnumerateInstanceExtensionProperties, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_INCOMPLETE);
    assert_int_equal(count, 1);
    count = 2;
    assert_true(fake_call(&f, WIRE_vkEnumerateInstanceExtensionProperties, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_string_equal(properties[1].extensionName, "VK_MESA_venus_protocol");
    assert_true(properties[1].specVersion > 0);
    args.pLayerName = "VK_LAYER_any";
    assert_false(fake_call(&f, WIRE_vkEnumerateInstanceExtensionProperties, &args, NULL, 0, NULL));
}

// ---- physical devices ------------------------------------------------------------------------------------------------------------

static void shows_only_devices_that_can_serve(void **state)
{
    fake_instance(&f);
    struct venus_object *instance = fake_find(&f, 1);
    uint32_t count = 7;
    struct wire_args_vkEnumeratePhysicalDevices args = {.pPhysicalDeviceCount = &count};
    assert_true(fake_call(&f, WIRE_vkEnumeratePhysicalDevices, &args, &instance, 1, NULL));
    assert_int_equal(count, 1); // the other lacks VK_EXT_external_memory_host
}

static void ids_are_bound_once(void **state)
{
    fake_instance(&f);
    struct venus_object *instance = fake_find(&f, 1), *physical_device = fake_physical_device(&f);
    assert_non_null(physical_device);
    VkPhysicalDevice same = ID(VkPhysicalDevice, 2), other = ID(VkPhysicalDevice, 5);
    uint32_t count = 1;
    struct wire_args_vkEnumeratePhysicalDevices args = {.pPhysicalDeviceCount = &count, .pPhysicalDevices = &same};
    assert_true(fake_call(&f, WIRE_vkEnumeratePhysicalDevices, &args, &instance, 1, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    args.pPhysicalDevices = &other;
    assert_false(fake_call(&f, WIRE_vkEnumeratePhysicalDevices, &args, &instance, 1, NULL));
}

static void groups_speak_in_ids(void **state)
{
    fake_instance(&f);
    struct venus_object *instance = fake_find(&f, 1);
    fake_physical_device(&f);
    VkPhysicalDeviceGroupProperties groups[2] = {{.physicalDevices = {0}}, {.physicalDevices = {0}}};
    uint32_t count = 2;
    struct wire_args_vkEnumeratePhysicalDeviceGroups args = {.pPhysicalDeviceGroupCount = &count, .pPhysicalDeviceGroupProperties = groups};
    assert_true(fake_call(&f, WIRE_vkEnumeratePhysicalDeviceGroups, &args, &instance, 1, NULL));
    assert_int_equal(count, 1);
    assert_int_equal(groups[0].physicalDeviceCount, 1);
    assert_int_equal((uintptr_t)groups[0].physicalDevices[0], 2);
}

static void extensions_are_the_hosts_ours_and_no_others(void **state)
{
    fake_instance(&f);
    const struct venus_physical_device *physical_device = (void *)fake_physical_device(&f);
    uint32_t version = 0;
    assert_true(lists(physical_device, "VK_EXT_robustness2", &version));
    assert_int_equal(version, wire_find_extension("VK_EXT_robustness2")->spec_version);
    assert_true(lists(physical_device, "VK_EXT_external_memory_dma_buf", NULL));
    assert_true(lists(physical_device, "VK_EXT_image_drm_format_modifier", NULL));
    assert_true(lists(physical_device, "VK_KHR_external_semaphore_fd", NULL));
    assert_true(lists(physical_device, "VK_EXT_mesh_shader", NULL));
    assert_false(lists(physical_device, "VK_KHR_swapchain", NULL));
    assert_false(lists(physical_device, "VK_KHR_map_memory2", NULL));
    assert_false(lists(physical_device, "VK_MESA_venus_protocol", NULL));
    assert_false(lists(physical_device, "VK_EXT_external_memory_host", NULL));
    assert_false(lists(physical_device, "VK_EXT_shader_stencil_export", NULL)); // the host lacks it
}

static void portable_hides_and_keeps_what_is_ours(void **state)
{
    fake_instance(&f);
    const struct venus_physical_device *physical_device = (void *)fake_physical_device(&f);
    assert_true(lists(physical_device, "VK_EXT_robustness2", NULL));
    assert_false(lists(physical_device, "VK_EXT_mesh_shader", NULL));
    assert_false(lists(physical_device, "VK_EXT_pci_bus_info", NULL));
    assert_true(lists(physical_device, "VK_KHR_external_memory_fd", NULL));
    assert_true(lists(physical_device, "VK_EXT_queue_family_foreign", NULL));
}

static void memory_types_are_probed(void **state)
{
    fake.host_types = 0xe;
    fake.refused_types = 0x8; // listed, and refused when it comes to it
    fake_instance(&f);
    struct venus_physical_device *physical_device = (void *)fake_physical_device(&f);
    assert_int_equal(physical_device->importable_types, 0x6);
    assert_int_equal(physical_device->import_alignment, 65536);
    assert_true(physical_device->memory.memoryTypes[1].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_false(physical_device->memory.memoryTypes[2].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_false(physical_device->memory.memoryTypes[3].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_int_equal(fake.devices_alive, 0); // the probe's is gone
}

static void a_device_without_mappable_memory_is_not_shown(void **state)
{
    fake.host_types = 0x4; // only the one that is not coherent
    fake_instance(&f);
    assert_null(fake_physical_device(&f));
}

static void api_version_is_at_most_the_codecs(void **state)
{
    fake_instance(&f);
    struct venus_object *physical_device = fake_physical_device(&f);
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    struct wire_args_vkGetPhysicalDeviceProperties2 args = {.pProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceProperties2, &args, &physical_device, 1, NULL));
    assert_int_equal(properties.properties.apiVersion, wire_vk_xml_version());
    assert_true(properties.properties.limits.lineWidthRange[1] == 8.0f);
}

static void portable_filters_every_query(void **state)
{
    fake_instance(&f);
    struct venus_object *physical_device = fake_physical_device(&f);
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceFeatures features;
    VkPhysicalDeviceFeatures2 features2 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    VkQueueFamilyProperties families[2];
    uint32_t count = 2;
    struct wire_args_vkGetPhysicalDeviceProperties args = {.pProperties = &properties};
    struct wire_args_vkGetPhysicalDeviceFeatures args_features = {.pFeatures = &features};
    struct wire_args_vkGetPhysicalDeviceFeatures2 args_features2 = {.pFeatures = &features2};
    struct wire_args_vkGetPhysicalDeviceQueueFamilyProperties args_families = {.pQueueFamilyPropertyCount = &count,
                                                                               .pQueueFamilyProperties = families};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceProperties, &args, &physical_device, 1, NULL));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceFeatures, &args_features, &physical_device, 1, NULL));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceFeatures2, &args_features2, &physical_device, 1, NULL));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceQueueFamilyProperties, &args_families, &physical_device, 1, NULL));
    assert_true(properties.limits.lineWidthRange[1] == 1.0f);
    assert_int_equal(properties.limits.maxGeometryOutputVertices, 0);
    assert_false(features.geometryShader);
    assert_true(features.tessellationShader);
    assert_false(features2.features.geometryShader);
    assert_false(families[0].queueFlags & VK_QUEUE_SPARSE_BINDING_BIT);
}

// ---- devices ---------------------------------------------------------------------------------------------------------------------

static void emulated_extensions_stay_here(void **state)
{
    static const char *const asked[] = {"VK_EXT_robustness2", "VK_KHR_external_memory_fd", "VK_EXT_image_drm_format_modifier",
                                        "VK_KHR_external_semaphore_fd"};
    fake_instance(&f);
    assert_int_equal(fake_device(&f, asked, 4, NULL), VK_SUCCESS);
    assert_int_equal(fake.extension_count, 2);
    assert_true(host_got("VK_EXT_robustness2"));
    assert_true(host_got("VK_EXT_external_memory_host"));
}

static void unlisted_extensions_are_refused(void **state)
{
    static const char *const asked[] = {"VK_KHR_swapchain"}, *const host_only[] = {"VK_EXT_external_memory_host"};
    fake_instance(&f);
    assert_int_equal(fake_device(&f, asked, 1, NULL), VK_ERROR_EXTENSION_NOT_PRESENT);
    assert_int_equal(fake_device(&f, host_only, 1, NULL), VK_ERROR_EXTENSION_NOT_PRESENT);
    assert_null(fake_find(&f, 3));
}

static void portability_subset_is_enabled_where_it_is_listed(void **state)
{
    fake.portability = true;
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    assert_true(host_got("VK_KHR_portability_subset"));
    assert_true(fake.had_portability_features);
}

static void features_outside_the_profile_are_refused(void **state)
{
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    features.features.tessellationShader = VK_TRUE;
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, &features), VK_SUCCESS);
    struct wire_args_vkDestroyDevice destroy = {.device = ID(VkDevice, 3)};
    assert_true(fake_call(&f, WIRE_vkDestroyDevice, &destroy, NULL, 0, NULL));
    features.features.geometryShader = VK_TRUE;
    assert_int_equal(fake_device(&f, NULL, 0, &features), VK_ERROR_FEATURE_NOT_PRESENT);
}

static VkResult device_with_queue(uint32_t family, uint32_t count, uint32_t repeat)
{
    struct venus_object *physical_device = fake_physical_device(&f);
    const float priorities[64] = {1};
    VkDeviceQueueCreateInfo queues[2];
    for (uint32_t i = 0; i < 2; i++)
        queues[i] = (VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                              .queueFamilyIndex = family,
                                              .queueCount = count,
                                              .pQueuePriorities = priorities};
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = repeat, .pQueueCreateInfos = queues};
    VkDevice id = ID(VkDevice, 3);
    struct wire_args_vkCreateDevice args = {.pCreateInfo = &info, .pDevice = &id};
    assert_true(fake_call(&f, WIRE_vkCreateDevice, &args, &physical_device, 1, NULL));
    return args.ret;
}

static void queues_must_exist(void **state)
{
    fake_instance(&f);
    assert_int_equal(device_with_queue(2, 1, 1), VK_ERROR_INITIALIZATION_FAILED);
    assert_int_equal(device_with_queue(UINT32_MAX, 1, 1), VK_ERROR_INITIALIZATION_FAILED);
    assert_int_equal(device_with_queue(1, 3, 1), VK_ERROR_INITIALIZATION_FAILED);
    assert_int_equal(device_with_queue(1, 0, 1), VK_ERROR_INITIALIZATION_FAILED);
    assert_int_equal(device_with_queue(1, 1, 2), VK_ERROR_INITIALIZATION_FAILED); // the same family twice
    assert_int_equal(device_with_queue(1, 2, 1), VK_SUCCESS);
}

static void a_queue_without_timeline_breaks_the_stream(void **state)
{
    fake_instance(&f);
    fake_device(&f, NULL, 0, NULL);
    struct venus_object *device = fake_find(&f, 3);
    VkDeviceQueueInfo2 info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2};
    VkQueue id = ID(VkQueue, 4);
    struct wire_args_vkGetDeviceQueue2 args = {.pQueueInfo = &info, .pQueue = &id};
    assert_false(fake_call(&f, WIRE_vkGetDeviceQueue2, &args, &device, 1, NULL));
    VkDeviceQueueTimelineInfoMESA timeline = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = 1};
    info.pNext = &timeline;
    info.queueIndex = 1; // there is one
    assert_false(fake_call(&f, WIRE_vkGetDeviceQueue2, &args, &device, 1, NULL));
}

// ---- images ----------------------------------------------------------------------------------------------------------------------

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
    VkExternalMemoryImageCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
                                                .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    VkImageDrmFormatModifierListCreateInfoEXT list = {.sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
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
    assert_true(fake_call(&f, WIRE_vkGetImageDrmFormatModifierPropertiesEXT, &args, objects, 2, NULL));
    assert_int_equal(modifier.drmFormatModifier, 0);

    // Its memory plane is its colour; there is no second one.
    VkImageSubresource subresource = {.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT};
    VkSubresourceLayout layout = {0};
    struct wire_args_vkGetImageSubresourceLayout args_layout = {.pSubresource = &subresource, .pLayout = &layout};
    assert_true(fake_call(&f, WIRE_vkGetImageSubresourceLayout, &args_layout, objects, 2, NULL));
    assert_int_equal(layout.rowPitch, 256);
    layout.rowPitch = 0;
    subresource.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_1_BIT_EXT;
    assert_true(fake_call(&f, WIRE_vkGetImageSubresourceLayout, &args_layout, objects, 2, NULL));
    assert_int_equal(layout.rowPitch, 0);

    // Only memory that can be shared.
    VkMemoryRequirements requirements;
    struct wire_args_vkGetImageMemoryRequirements args_memory = {.pMemoryRequirements = &requirements};
    assert_true(fake_call(&f, WIRE_vkGetImageMemoryRequirements, &args_memory, objects, 2, NULL));
    assert_int_equal(requirements.memoryTypeBits, 0x6);
}

static void a_driver_that_does_not_know_host_memory_gets_plain_images(void **state)
{
    VkExternalMemoryImageCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
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
    VkImageDrmFormatModifierListCreateInfoEXT list = {.sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
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
    VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                                 .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &external, .size = 64};
    VkBuffer id = ID(VkBuffer, 20);
    struct wire_args_vkCreateBuffer args = {.pCreateInfo = &info, .pBuffer = &id};
    assert_true(fake_call(&f, WIRE_vkCreateBuffer, &args, &device, 1, NULL));
    assert_int_equal(fake.buffer_handles, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);
    struct venus_object *objects[] = {device, fake_find(&f, 20)};
    VkMemoryRequirements requirements;
    struct wire_args_vkGetBufferMemoryRequirements args_memory = {.pMemoryRequirements = &requirements};
    assert_true(fake_call(&f, WIRE_vkGetBufferMemoryRequirements, &args_memory, objects, 2, NULL));
    assert_int_equal(requirements.memoryTypeBits, 0x6);
}

// ---- queries about formats -------------------------------------------------------------------------------------------------------

static VkResult image_properties(VkImageTiling tiling, uint64_t modifier, VkExternalMemoryHandleTypeFlagBits handle,
                                 VkExternalImageFormatProperties *external)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkPhysicalDeviceExternalImageFormatInfo external_info = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
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
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = external};
    *external = (VkExternalImageFormatProperties){.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    struct wire_args_vkGetPhysicalDeviceImageFormatProperties2 args = {.pImageFormatInfo = &info, .pImageFormatProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceImageFormatProperties2, &args, &physical_device, 1, NULL));
    assert_ptr_equal(properties.pNext, external); // the reply is encoded from it
    assert_int_equal(properties.imageFormatProperties.maxMipLevels, args.ret == VK_SUCCESS ? 12 : 0);
    return args.ret;
}

static void linear_is_the_modifier_that_leaves(void **state)
{
    const VkImageTiling modifier = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT;
    const VkExternalMemoryHandleTypeFlagBits dma_buf = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    const VkExternalMemoryFeatureFlags both = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    VkExternalImageFormatProperties external;
    assert_int_equal(image_properties(modifier, 0, dma_buf, &external), VK_SUCCESS);
    assert_int_equal(external.externalMemoryProperties.externalMemoryFeatures, both);
    assert_true(external.externalMemoryProperties.compatibleHandleTypes & dma_buf);
    assert_int_equal(image_properties(modifier, 0, 0, &external), VK_SUCCESS);
    assert_int_equal(external.externalMemoryProperties.externalMemoryFeatures, 0);
    assert_int_equal(image_properties(modifier, 1, dma_buf, &external), VK_ERROR_FORMAT_NOT_SUPPORTED);
    assert_int_equal(image_properties(VK_IMAGE_TILING_LINEAR, 0, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_WIN32_BIT, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    // Optimal images leave if the driver says that they may lie in imported memory.
    assert_int_equal(image_properties(VK_IMAGE_TILING_OPTIMAL, 0, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, &external), VK_SUCCESS);
    fake.imports_images = false;
    assert_int_equal(image_properties(VK_IMAGE_TILING_OPTIMAL, 0, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, &external),
                     VK_ERROR_FORMAT_NOT_SUPPORTED);
    assert_int_equal(image_properties(modifier, 0, dma_buf, &external), VK_SUCCESS);
}

static uint32_t modifier_count(VkFormat format, VkDrmFormatModifierPropertiesEXT *out, uint32_t capacity)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkDrmFormatModifierPropertiesListEXT list = {.sType = VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT,
                                                 .drmFormatModifierCount = capacity,
                                                 .pDrmFormatModifierProperties = out};
    VkFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2, .pNext = &list};
    struct wire_args_vkGetPhysicalDeviceFormatProperties2 args = {.format = format, .pFormatProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceFormatProperties2, &args, &physical_device, 1, NULL));
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
    assert_int_equal(out[0].drmFormatModifierTilingFeatures, VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT);
    assert_int_equal(modifier_count(VK_FORMAT_B8G8R8A8_UNORM, out, 0), 0);
    assert_int_equal(modifier_count(VK_FORMAT_R8_UINT, out, 4), 0); // no linear images of it
    assert_int_equal(modifier_count(VK_FORMAT_D32_SFLOAT, out, 4), 0);
}

static void sync_files_are_offered_for_binary_semaphores(void **state)
{
    struct venus_object *physical_device = fake_find(&f, 2);
    VkPhysicalDeviceExternalSemaphoreInfo info = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
                                                  .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT};
    VkExternalSemaphoreProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES};
    struct wire_args_vkGetPhysicalDeviceExternalSemaphoreProperties args = {.pExternalSemaphoreInfo = &info,
                                                                            .pExternalSemaphoreProperties = &properties};
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args, &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures, VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT);
    VkSemaphoreTypeCreateInfo timeline = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                          .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    info.pNext = &timeline;
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args, &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures, 0);
    info.pNext = NULL;
    info.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, &args, &physical_device, 1, NULL));
    assert_int_equal(properties.externalSemaphoreFeatures, 0);
}

// ---- barriers and copies ---------------------------------------------------------------------------------------------------------

static void barrier(uint32_t source, uint32_t target)
{
    struct venus_object *device = fake_find(&f, 3);
    VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER, .srcQueueFamilyIndex = source, .dstQueueFamilyIndex = target};
    struct wire_args_vkCmdPipelineBarrier args = {.imageMemoryBarrierCount = 1, .pImageMemoryBarriers = &barrier};
    assert_true(fake_call(&f, WIRE_vkCmdPipelineBarrier, &args, &device, 1, NULL));
    uint32_t first[2] = {fake.source_family, fake.target_family};

    VkImageMemoryBarrier2 barrier2 = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2, .srcQueueFamilyIndex = source, .dstQueueFamilyIndex = target};
    VkDependencyInfo info = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .imageMemoryBarrierCount = 1, .pImageMemoryBarriers = &barrier2};
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
    VkCopyImageToMemoryInfoMESA info = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1}, .imageExtent = {64, 32, 1}};
    struct wire_args_vkCopyImageToMemoryMESA args = {
        .pCopyImageToMemoryInfo = &info, .dataSize = sizeof(bytes) - 1, .pData = bytes};
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_true(args.ret < 0);
    assert_int_equal(fake.copies, 0);
    args.dataSize = sizeof(bytes);
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_int_equal(fake.copies, 1);
    // The driver's own layout: its size can't be known here without the query, so nothing is copied.
    info.flags = VK_HOST_IMAGE_COPY_MEMCPY_EXT;
    assert_true(fake_call(&f, WIRE_vkCopyImageToMemoryMESA, &args, objects, 2, NULL));
    assert_true(args.ret < 0);
}

#define TEST(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

int main(int argc, char **argv)
{
    const struct os_options options = {.portable = argc > 1 && strcmp(argv[1], "portable") == 0};
    os_init(&options);
    const struct CMUnitTest tests[] = {
        TEST(set_up, refuses_layers_and_foreign_extensions),
        TEST(set_up, instance_extensions_are_the_private_ones),
        TEST(set_up, shows_only_devices_that_can_serve),
        TEST(set_up, ids_are_bound_once),
        TEST(set_up, groups_speak_in_ids),
        TEST(set_up, extensions_are_the_hosts_ours_and_no_others),
        TEST(set_up_portable, portable_hides_and_keeps_what_is_ours),
        TEST(set_up, memory_types_are_probed),
        TEST(set_up, a_device_without_mappable_memory_is_not_shown),
        TEST(set_up, api_version_is_at_most_the_codecs),
        TEST(set_up_portable, portable_filters_every_query),
        TEST(set_up, emulated_extensions_stay_here),
        TEST(set_up, unlisted_extensions_are_refused),
        TEST(set_up, portability_subset_is_enabled_where_it_is_listed),
        TEST(set_up_portable, features_outside_the_profile_are_refused),
        TEST(set_up, queues_must_exist),
        TEST(set_up, a_queue_without_timeline_breaks_the_stream),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
