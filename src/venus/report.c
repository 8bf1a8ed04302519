#include "venus/report.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "venus/extensions.h"
#include "venus/null_descriptor.h"
#include "venus/portability.h"
#include "venus/profile.h"

// ---- what programs of a guest may miss ------------------------------------

struct features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDeviceRobustness2FeaturesEXT robustness;
    VkPhysicalDeviceVulkan12Features vulkan12;
};

static const struct {
    const char *name;
    size_t offset;
    const char *wanted_by;
} wanted[] = {
    {"nullDescriptor", offsetof(struct features, robustness.nullDescriptor),
     "OpenGL on Vulkan (zink of Mesa 26), DXVK"},
    {"robustBufferAccess2", offsetof(struct features, robustness.robustBufferAccess2), "DXVK"},
    {"geometryShader", offsetof(struct features, core.features.geometryShader),
     "OpenGL 3.2 and newer on Vulkan, DXVK"},
    {"tessellationShader", offsetof(struct features, core.features.tessellationShader),
     "OpenGL 4.0 and newer on Vulkan"},
    {"shaderCullDistance", offsetof(struct features, core.features.shaderCullDistance), "DXVK"},
    {"logicOp", offsetof(struct features, core.features.logicOp), "OpenGL on Vulkan (emulated)"},
    {"pipelineStatisticsQuery", offsetof(struct features, core.features.pipelineStatisticsQuery),
     "profilers"},
    {"sparseBinding", offsetof(struct features, core.features.sparseBinding),
     "DirectX 12 (VKD3D-Proton)"},
    {"shaderFloat64", offsetof(struct features, core.features.shaderFloat64),
     "computing with doubles"},
    {"drawIndirectCount", offsetof(struct features, vulkan12.drawIndirectCount), "some games"},
};

static const struct {
    const char *name, *wanted_by;
} wanted_extensions[] = {
    {"VK_EXT_transform_feedback", "OpenGL 3.0 and newer on Vulkan, DXVK"},
    {"VK_EXT_custom_border_color", "DXVK, OpenGL on Vulkan"},
};

static void lack(struct json_writer *out, const char *feature, const char *wanted_by)
{
    json_open(out, NULL, '{');
    json_string(out, "feature", feature);
    json_string(out, "wanted_by", wanted_by);
    json_close(out, '}');
}

static void report_lacks(struct json_writer *out, const struct venus_physical_device *device)
{
    struct features has = {
        .core = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &has.robustness},
        .robustness = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
                       .pNext = &has.vulkan12},
        .vulkan12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES},
    };
    device->instance->vk.GetPhysicalDeviceFeatures2(
        (VkPhysicalDevice)(uintptr_t)device->base.handle, &has.core);
    venus_profile_filter_features(device->profile, &has.core);
    venus_null_descriptor_offer(device, &has.core);
    json_open(out, "lacks", '[');
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!*(VkBool32 *)((uint8_t *)&has + wanted[i].offset))
            lack(out, wanted[i].name, wanted[i].wanted_by);
    }
    for (size_t i = 0; i < sizeof(wanted_extensions) / sizeof(wanted_extensions[0]); i++) {
        if (venus_extension_use(device, wanted_extensions[i].name) == VENUS_EXTENSION_UNKNOWN)
            lack(out, wanted_extensions[i].name, wanted_extensions[i].wanted_by);
    }
    json_close(out, ']');
}

// ---- one device -----------------------------------------------------------

static void version_text(uint32_t version, char text[32])
{
    snprintf(text, 32, "%u.%u.%u", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
             VK_API_VERSION_PATCH(version));
}

static void report_memory(struct json_writer *out, const VkPhysicalDeviceMemoryProperties *memory)
{
    static const char *const names[] = {"DEVICE_LOCAL", "HOST_VISIBLE", "HOST_COHERENT",
                                        "HOST_CACHED", "LAZILY_ALLOCATED"};
    json_open(out, "memory", '[');
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = memory->memoryTypes[i].propertyFlags;
        char text[96] = "";
        for (unsigned bit = 0; bit < 5; bit++) {
            if (flags & (1u << bit))
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
                         text[0] ? " " : "", names[bit]);
        }
        if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            json_string(out, NULL, text);
    }
    json_close(out, ']');
}

static void report_device(struct json_writer *out, uint32_t number,
                          const struct venus_physical_device *device, const char *refused)
{
    char name[256], version[32];
    const char *lacking[VENUS_PORTABILITY_FEATURES];
    venus_host_device_name(&device->instance->vk, (VkPhysicalDevice)(uintptr_t)device->base.handle,
                           name, sizeof(name));
    json_open(out, NULL, '{');
    json_number(out, "number", number);
    json_string(out, "name", name);
    json_string(out, "refused", refused);
    version_text(device->properties.apiVersion, version);
    json_string(out, "vulkan", version);
    json_number(out, "extensions", device->extension_count);
    json_number(out, "memory_types", device->memory.memoryTypeCount);
    json_number(out, "importable_types", __builtin_popcount(device->importable_types));
    json_number(out, "import_alignment", (int64_t)device->import_alignment);
    json_bool(out, "dma_bufs",
              device->import_handle == VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
    report_memory(out, &device->memory);
    json_open(out, "portability", '[');
    if (!refused) {
        unsigned count = venus_portability_lacks(device, lacking);
        for (unsigned i = 0; i < count; i++)
            json_string(out, NULL, lacking[i]);
    }
    json_close(out, ']');
    if (!refused)
        report_lacks(out, device);
    json_close(out, '}');
}

static bool report_devices(struct json_writer *out, const struct venus_host *host,
                           const struct venus_profile *profile)
{
    struct venus_instance instance = {.host = host};
    VkPhysicalDevice handles[VENUS_MAX_HOST_DEVICES];
    uint32_t count = VENUS_MAX_HOST_DEVICES;
    bool usable = false;
    venus_instance_driver_load(&instance.vk, host->get_instance_proc_addr, host->keep);
    if (instance.vk.EnumeratePhysicalDevices(host->keep, &count, handles) < VK_SUCCESS)
        count = 0;
    json_open(out, "devices", '[');
    for (uint32_t i = 0; i < count; i++) {
        struct venus_physical_device device = {
            .base.handle = (uintptr_t)handles[i], .instance = &instance, .profile = profile};
        if (!venus_host_shows(host, i))
            continue;
        const char *refused = venus_physical_device_load(&device);
        report_device(out, i, &device, refused);
        usable |= !refused;
        venus_physical_device_forget(&device);
    }
    json_close(out, ']');
    return usable;
}

int venus_report_main(const struct venus_worker_options *options)
{
    struct json_writer out = {0};
    struct venus_host host;
    const struct os_sandbox_options confined = {.kind = options->sandbox};
    char text[1024], version[32];
    bool usable = false;
    json_open(&out, NULL, '{');
    if (!venus_host_load(&host, &options->host, text, sizeof(text))) {
        json_string(&out, "error", text);
    } else {
        version_text(host.api_version, version);
        json_string(&out, "vulkan", version);
        json_bool(&out, "portability", host.lists_portability);
        usable = report_devices(&out, &host, options->profile);
        // A worker enters it before its driver; here a driver shows what it has without.
        json_string(&out, "sandbox", os_sandbox_enter(&confined, text, sizeof(text)) ? NULL : text);
    }
    json_close(&out, '}');
    if (!out.failed)
        printf("\n" VENUS_REPORT_MARK "%s\n", out.text);
    fflush(stdout);
    json_finish(&out);
    venus_host_finish(&host);
    return usable ? 0 : VENUS_WORKER_NO_DRIVER;
}
