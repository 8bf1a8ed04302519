// Instances, devices, images and barriers on a driver that remembers what it was asked: what the
// guest is told, and what the host gets to see instead of what the guest wrote.
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

static bool lists(const struct venus_physical_device *physical_device, const char *name,
                  uint32_t *version)
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

// ---- instance -------------------------------------------------------------

static void refuses_layers_and_foreign_extensions(void **state)
{
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"}, *const surface[] = {
                                                                             "VK_KHR_surface"};
    static const char *const private[] = {"VK_EXT_command_serialization", "VK_MESA_venus_protocol"};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .enabledLayerCount = 1,
                                 .ppEnabledLayerNames = layers};
    VkInstance id = ID(VkInstance, 1);
    struct wire_args_vkCreateInstance args = {.pCreateInfo = &info, .pInstance = &id};
    assert_true(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_ERROR_LAYER_NOT_PRESENT);
    info = (VkInstanceCreateInfo){
        .sType = info.sType, .enabledExtensionCount = 1, .ppEnabledExtensionNames = surface};
    assert_true(fake_call(&f, WIRE_vkCreateInstance, &args, NULL, 0, NULL));
    assert_int_equal(args.ret, VK_ERROR_EXTENSION_NOT_PRESENT);
    info = (VkInstanceCreateInfo){
        .sType = info.sType, .enabledExtensionCount = 2, .ppEnabledExtensionNames = private};
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

// ---- physical devices -----------------------------------------------------

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
    struct wire_args_vkEnumeratePhysicalDevices args = {.pPhysicalDeviceCount = &count,
                                                        .pPhysicalDevices = &same};
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
    VkPhysicalDeviceGroupProperties groups[2] = {{.physicalDevices = {0}},
                                                 {.physicalDevices = {0}}};
    uint32_t count = 2;
    struct wire_args_vkEnumeratePhysicalDeviceGroups args = {
        .pPhysicalDeviceGroupCount = &count, .pPhysicalDeviceGroupProperties = groups};
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
    assert_true(physical_device->memory.memoryTypes[1].propertyFlags &
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_false(physical_device->memory.memoryTypes[2].propertyFlags &
                 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_false(physical_device->memory.memoryTypes[3].propertyFlags &
                 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    assert_int_equal(fake.devices_alive, 0); // the probe's is gone
}

static void a_known_device_is_not_probed_again(void **state)
{
    struct venus_probe known = {.importable_types = 0x2, .import_alignment = 4096};
    f.host.probes = &known;
    f.host.probe_count = 1;
    fake_instance(&f);
    struct venus_physical_device *physical_device = (void *)fake_physical_device(&f);
    assert_int_equal(physical_device->importable_types, 0x2);
    assert_int_equal(physical_device->import_alignment, 4096);
    assert_int_equal(fake.devices_created, 0);
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
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    struct wire_args_vkGetPhysicalDeviceProperties2 args = {.pProperties = &properties};
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceProperties2, &args, &physical_device, 1, NULL));
    assert_int_equal(properties.properties.apiVersion, wire_vk_xml_version());
    assert_true(properties.properties.limits.lineWidthRange[1] == 8.0f);
}

static VkPhysicalDeviceProperties properties_of_lavapipe(bool vtest)
{
    fake.on_cpu = true;
    f.context.same_kernel = vtest;
    fake_instance(&f);
    struct venus_object *physical_device = fake_physical_device(&f);
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceProperties2 properties2 = {.sType =
                                                   VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    struct wire_args_vkGetPhysicalDeviceProperties args = {.pProperties = &properties};
    struct wire_args_vkGetPhysicalDeviceProperties2 args2 = {.pProperties = &properties2};
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceProperties, &args, &physical_device, 1, NULL));
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceProperties2, &args2, &physical_device, 1, NULL));
    assert_int_equal(properties.deviceType, properties2.properties.deviceType);
    assert_string_equal(properties.deviceName, properties2.properties.deviceName);
    return properties;
}

static void a_machine_gets_a_virtual_gpu_of_a_cpu(void **state)
{
    VkPhysicalDeviceProperties properties = properties_of_lavapipe(false);
    assert_int_equal(properties.deviceType, VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU);
    assert_string_equal(properties.deviceName, "lavapipe (LLVM)");
}

static void over_vtest_a_cpu_is_a_cpu(void **state)
{
    VkPhysicalDeviceProperties properties = properties_of_lavapipe(true);
    assert_int_equal(properties.deviceType, VK_PHYSICAL_DEVICE_TYPE_CPU);
    assert_string_equal(properties.deviceName, "llvmpipe (LLVM)");
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
    struct wire_args_vkGetPhysicalDeviceQueueFamilyProperties args_families = {
        .pQueueFamilyPropertyCount = &count, .pQueueFamilyProperties = families};
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceProperties, &args, &physical_device, 1, NULL));
    assert_true(
        fake_call(&f, WIRE_vkGetPhysicalDeviceFeatures, &args_features, &physical_device, 1, NULL));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceFeatures2, &args_features2, &physical_device,
                          1, NULL));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceQueueFamilyProperties, &args_families,
                          &physical_device, 1, NULL));
    assert_true(properties.limits.lineWidthRange[1] == 1.0f);
    assert_int_equal(properties.limits.maxGeometryOutputVertices, 0);
    assert_false(features.geometryShader);
    assert_true(features.tessellationShader);
    assert_false(features2.features.geometryShader);
    assert_false(families[0].queueFlags & VK_QUEUE_SPARSE_BINDING_BIT);
}

// ---- devices --------------------------------------------------------------

static void emulated_extensions_stay_here(void **state)
{
    static const char *const asked[] = {"VK_EXT_robustness2", "VK_KHR_external_memory_fd",
                                        "VK_EXT_image_drm_format_modifier",
                                        "VK_KHR_external_semaphore_fd"};
    fake_instance(&f);
    assert_int_equal(fake_device(&f, asked, 4, NULL), VK_SUCCESS);
    assert_int_equal(fake.extension_count, 2);
    assert_true(host_got("VK_EXT_robustness2"));
    assert_true(host_got("VK_EXT_external_memory_host"));
}

// Mesa offers some that it carries out itself, and names them here since others require them.
static void extensions_of_the_guests_driver_are_accepted(void **state)
{
    static const char *const asked[] = {"VK_KHR_deferred_host_operations", "VK_KHR_map_memory2"};
    fake_instance(&f);
    assert_int_equal(fake_device(&f, asked, 2, NULL), VK_SUCCESS);
    assert_true(host_got("VK_KHR_map_memory2")); // the host has it, and may require it likewise
    assert_false(host_got("VK_KHR_deferred_host_operations"));
}

static void unlisted_extensions_are_refused(void **state)
{
    static const char *const asked[] = {"VK_KHR_swapchain"}, *const host_only[] = {
                                                                 "VK_EXT_external_memory_host"};
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
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .queueCreateInfoCount = repeat,
                               .pQueueCreateInfos = queues};
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
    assert_int_equal(device_with_queue(1, 1, 2),
                     VK_ERROR_INITIALIZATION_FAILED); // the same family twice
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
    VkDeviceQueueTimelineInfoMESA timeline = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = 1};
    info.pNext = &timeline;
    info.queueIndex = 1; // there is one
    assert_false(fake_call(&f, WIRE_vkGetDeviceQueue2, &args, &device, 1, NULL));
}

#define TEST(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

// ---- private data ---------------------------------------------------------

static uint64_t private_object;

static VKAPI_ATTR VkResult VKAPI_CALL set_private_data(VkDevice device, VkObjectType type,
                                                       uint64_t object, VkPrivateDataSlot slot,
                                                       uint64_t data)
{
    private_object = object;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_private_data(VkDevice device, VkObjectType type,
                                                   uint64_t object, VkPrivateDataSlot slot,
                                                   uint64_t *data)
{
    private_object = object;
}

static PFN_vkVoidFunction private_data(const char *name)
{
    return strcmp(name, "vkSetPrivateData") == 0   ? (PFN_vkVoidFunction)set_private_data
           : strcmp(name, "vkGetPrivateData") == 0 ? (PFN_vkVoidFunction)get_private_data
                                                   : NULL;
}

// The driver follows the number as a pointer.
static void private_data_is_of_objects_of_ours(void **state)
{
    fake.more = private_data;
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    struct venus_object *device = fake_find(&f, 3);
    struct wire_args_vkSetPrivateData set = {
        .objectType = VK_OBJECT_TYPE_DEVICE, .objectHandle = 3, .data = 7};
    assert_true(fake_call(&f, WIRE_vkSetPrivateData, &set, &device, 1, NULL));
    assert_int_equal(set.ret, VK_SUCCESS);
    assert_true(private_object == device->handle);
    uint64_t number;
    struct wire_args_vkGetPrivateData get = {
        .objectType = VK_OBJECT_TYPE_DEVICE, .objectHandle = 3, .pData = &number};
    private_object = 0;
    assert_true(fake_call(&f, WIRE_vkGetPrivateData, &get, &device, 1, NULL));
    assert_true(private_object == device->handle);

    const struct {
        VkObjectType type;
        uint64_t object;
    } wrong[] = {
        {VK_OBJECT_TYPE_DEVICE, 0x414141414000},    // no object
        {VK_OBJECT_TYPE_DEVICE, 0},                 // null
        {VK_OBJECT_TYPE_BUFFER, 3},                 // of another type
        {VK_OBJECT_TYPE_UNKNOWN, 3},                // of no type
        {VK_OBJECT_TYPE_INSTANCE, 1},               // not of the device
        {VK_OBJECT_TYPE_PHYSICAL_DEVICE, 2},        // nor this
        {VK_OBJECT_TYPE_SURFACE_KHR, 3},            // does not cross
        {(VkObjectType)0x7ffffffe, device->handle}, // senseless
    };
    private_object = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set.objectType = get.objectType = wrong[i].type;
        set.objectHandle = get.objectHandle = wrong[i].object;
        assert_false(fake_call(&f, WIRE_vkSetPrivateData, &set, &device, 1, NULL));
        assert_false(fake_call(&f, WIRE_vkGetPrivateData, &get, &device, 1, NULL));
    }
    assert_true(private_object == 0);
}

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
        TEST(set_up, a_known_device_is_not_probed_again),
        TEST(set_up, a_device_without_mappable_memory_is_not_shown),
        TEST(set_up, api_version_is_at_most_the_codecs),
        TEST(set_up, a_machine_gets_a_virtual_gpu_of_a_cpu),
        TEST(set_up, over_vtest_a_cpu_is_a_cpu),
        TEST(set_up_portable, portable_filters_every_query),
        TEST(set_up, emulated_extensions_stay_here),
        TEST(set_up, extensions_of_the_guests_driver_are_accepted),
        TEST(set_up, unlisted_extensions_are_refused),
        TEST(set_up, portability_subset_is_enabled_where_it_is_listed),
        TEST(set_up_portable, features_outside_the_profile_are_refused),
        TEST(set_up, queues_must_exist),
        TEST(set_up, a_queue_without_timeline_breaks_the_stream),
        TEST(set_up, private_data_is_of_objects_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
