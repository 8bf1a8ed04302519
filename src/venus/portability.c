#define VK_ENABLE_BETA_EXTENSIONS // VK_KHR_portability_subset
#include "venus/portability.h"

#include <stddef.h>

#include <vulkan/vulkan_beta.h>

#include "venus/extensions.h"
#include "venus/profile.h"

#define FEATURE(name)                                                                              \
    {                                                                                              \
        offsetof(VkPhysicalDevicePortabilitySubsetFeaturesKHR, name), #name                        \
    }

static const struct {
    size_t offset;
    const char *name;
} features[VENUS_PORTABILITY_FEATURES] = {
    FEATURE(constantAlphaColorBlendFactors),
    FEATURE(events),
    FEATURE(imageViewFormatReinterpretation),
    FEATURE(imageViewFormatSwizzle),
    FEATURE(imageView2DOn3DImage),
    FEATURE(multisampleArrayImage),
    FEATURE(mutableComparisonSamplers),
    FEATURE(pointPolygons),
    FEATURE(samplerMipLodBias),
    FEATURE(separateStencilMaskRef),
    FEATURE(shaderSampleRateInterpolationFunctions),
    FEATURE(tessellationIsolines),
    FEATURE(tessellationPointMode),
    FEATURE(triangleFans),
    FEATURE(vertexAttributeAccessBeyondStride),
};

unsigned venus_portability_lacks(const struct venus_physical_device *physical_device,
                                 const char *names[VENUS_PORTABILITY_FEATURES])
{
    VkPhysicalDevicePortabilitySubsetFeaturesKHR subset = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PORTABILITY_SUBSET_FEATURES_KHR};
    bool full = !venus_extension_portability(physical_device);
    if (!full) {
        VkPhysicalDeviceFeatures2 query = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = &subset};
        physical_device->instance->vk.GetPhysicalDeviceFeatures2(
            (VkPhysicalDevice)(uintptr_t)physical_device->base.handle, &query);
    }
    unsigned count = 0;
    for (unsigned i = 0; i < VENUS_PORTABILITY_FEATURES; i++) {
        VkBool32 has = full || *(VkBool32 *)((uint8_t *)&subset + features[i].offset);
        for (const char *const *name = physical_device->profile->lacking; name && *name; name++)
            has = has && strcmp(*name, features[i].name) != 0;
        if (!has)
            names[count++] = features[i].name;
    }
    return count;
}

void venus_portability_limit(const struct venus_physical_device *physical_device,
                             VkPhysicalDeviceLimits *limits)
{
    if (physical_device->no_lod_bias)
        limits->maxSamplerLodBias = 0;
}
