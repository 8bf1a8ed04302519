// VK_KHR_display and VK_KHR_surface: each output of the device is a display with one plane and one
// mode. A transport without screens has one display that nobody sees, so that programs which want a
// surface run on it.
#include "guest/vulkan/swapchain.h"

enum { UNSEEN_WIDTH = 640, UNSEEN_HEIGHT = 480 };

// ---- outputs --------------------------------------------------------------

// A display, its mode and its plane are the output's number; handles are one more, since 0 is none.
static uint32_t output_of(const void *handle)
{
    return (uint32_t)(uintptr_t)handle - 1;
}

static void screens(const void *dispatchable, struct guest_info *info)
{
    struct guest_context *context = guest_handle_of(dispatchable)->context;
    memset(info, 0, sizeof(*info));
    guest_lock(context);
    int error = context->transport->calls->info(context->transport, info);
    guest_unlock(context);
    if (!error && info->output_count)
        return;
    info->output_count = 1;
    info->outputs[0] = (struct guest_output){UNSEEN_WIDTH, UNSEEN_HEIGHT};
}

static VkExtent2D extent_of(const void *dispatchable, uint32_t output)
{
    struct guest_info info;
    screens(dispatchable, &info);
    if (output >= info.output_count)
        return (VkExtent2D){0, 0};
    return (VkExtent2D){info.outputs[output].width, info.outputs[output].height};
}

// Vulkan's way to hand out a list: the number of what there is, or as much as there is room for.
static VkResult hand_out(const void *list, size_t each, uint32_t have, uint32_t *count, void *to)
{
    const uint32_t room = to ? *count : have;
    *count = room < have ? room : have;
    if (to)
        memcpy(to, list, *count * each);
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetPhysicalDeviceDisplayPropertiesKHR(
    VkPhysicalDevice physicalDevice, uint32_t *pPropertyCount, VkDisplayPropertiesKHR *pProperties)
{
    VkDisplayPropertiesKHR list[GUEST_OUTPUTS];
    struct guest_info info;
    uint32_t have = 0;
    screens(physicalDevice, &info);
    for (uint32_t i = 0; i < info.output_count; i++) {
        const struct guest_output *o = &info.outputs[i];
        if (!o->width)
            continue;
        // A pixel of a quarter of a millimetre, for lack of something better.
        list[have++] =
            (VkDisplayPropertiesKHR){.display = (VkDisplayKHR)(uintptr_t)(i + 1),
                                     .displayName = "Hesper",
                                     .physicalDimensions = {o->width / 4, o->height / 4},
                                     .physicalResolution = {o->width, o->height},
                                     .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
                                     .persistentContent = VK_TRUE};
    }
    return hand_out(list, sizeof(list[0]), have, pPropertyCount, pProperties);
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetPhysicalDeviceDisplayPlanePropertiesKHR(
    VkPhysicalDevice physicalDevice, uint32_t *pPropertyCount,
    VkDisplayPlanePropertiesKHR *pProperties)
{
    VkDisplayPlanePropertiesKHR list[GUEST_OUTPUTS];
    struct guest_info info;
    screens(physicalDevice, &info);
    for (uint32_t i = 0; i < info.output_count; i++)
        list[i] = (VkDisplayPlanePropertiesKHR){.currentDisplay = (VkDisplayKHR)(uintptr_t)(i + 1)};
    return hand_out(list, sizeof(list[0]), info.output_count, pPropertyCount, pProperties);
}

VKAPI_ATTR VkResult VKAPI_CALL
vkGetDisplayPlaneSupportedDisplaysKHR(VkPhysicalDevice physicalDevice, uint32_t planeIndex,
                                      uint32_t *pDisplayCount, VkDisplayKHR *pDisplays)
{
    const VkDisplayKHR display = (VkDisplayKHR)(uintptr_t)(planeIndex + 1);
    return hand_out(&display, sizeof(display), 1, pDisplayCount, pDisplays);
}

VKAPI_ATTR VkResult VKAPI_CALL
vkGetDisplayModePropertiesKHR(VkPhysicalDevice physicalDevice, VkDisplayKHR display,
                              uint32_t *pPropertyCount, VkDisplayModePropertiesKHR *pProperties)
{
    const VkDisplayModePropertiesKHR mode = {
        .displayMode = (VkDisplayModeKHR)(uintptr_t)(output_of(display) + 1),
        .parameters = {extent_of(physicalDevice, output_of(display)), 60000}};
    return hand_out(&mode, sizeof(mode), 1, pPropertyCount, pProperties);
}

// There is no other mode than the one that there is.
VKAPI_ATTR VkResult VKAPI_CALL vkCreateDisplayModeKHR(VkPhysicalDevice physicalDevice,
                                                      VkDisplayKHR display,
                                                      const VkDisplayModeCreateInfoKHR *pCreateInfo,
                                                      const VkAllocationCallbacks *pAllocator,
                                                      VkDisplayModeKHR *pMode)
{
    const VkExtent2D wish = pCreateInfo->parameters.visibleRegion;
    const VkExtent2D have = extent_of(physicalDevice, output_of(display));
    if (wish.width != have.width || wish.height != have.height)
        return VK_ERROR_INITIALIZATION_FAILED;
    *pMode = (VkDisplayModeKHR)(uintptr_t)(output_of(display) + 1);
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vkGetDisplayPlaneCapabilitiesKHR(VkPhysicalDevice physicalDevice, VkDisplayModeKHR mode,
                                 uint32_t planeIndex, VkDisplayPlaneCapabilitiesKHR *pCapabilities)
{
    const VkExtent2D extent = extent_of(physicalDevice, output_of(mode));
    *pCapabilities =
        (VkDisplayPlaneCapabilitiesKHR){.supportedAlpha = VK_DISPLAY_PLANE_ALPHA_OPAQUE_BIT_KHR,
                                        .minSrcExtent = extent,
                                        .maxSrcExtent = extent,
                                        .minDstExtent = extent,
                                        .maxDstExtent = extent};
    return VK_SUCCESS;
}

// ---- surfaces -------------------------------------------------------------

VKAPI_ATTR VkResult VKAPI_CALL vkCreateDisplayPlaneSurfaceKHR(
    VkInstance instance, const VkDisplaySurfaceCreateInfoKHR *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    *pSurface = (VkSurfaceKHR)(uintptr_t)(output_of(pCreateInfo->displayMode) + 1);
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkDestroySurfaceKHR(VkInstance instance, VkSurfaceKHR surface,
                                               const VkAllocationCallbacks *pAllocator)
{
}

// Screens take pictures that lie in rows. A GPU that cannot draw into those has no surfaces.
VKAPI_ATTR VkResult VKAPI_CALL vkGetPhysicalDeviceSurfaceSupportKHR(VkPhysicalDevice physicalDevice,
                                                                    uint32_t queueFamilyIndex,
                                                                    VkSurfaceKHR surface,
                                                                    VkBool32 *pSupported)
{
    VkFormatProperties properties = {0};
    vkGetPhysicalDeviceFormatProperties(physicalDevice, SWAPCHAIN_FORMAT, &properties);
    *pSupported = (properties.linearTilingFeatures & VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT) != 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vkGetPhysicalDeviceSurfaceCapabilitiesKHR(VkPhysicalDevice physicalDevice, VkSurfaceKHR surface,
                                          VkSurfaceCapabilitiesKHR *pSurfaceCapabilities)
{
    const VkExtent2D extent = extent_of(physicalDevice, output_of(surface));
    *pSurfaceCapabilities = (VkSurfaceCapabilitiesKHR){
        .minImageCount = 2,
        .maxImageCount = SWAPCHAIN_IMAGES,
        .currentExtent = extent,
        .minImageExtent = extent,
        .maxImageExtent = extent,
        .maxImageArrayLayers = 1,
        .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .currentTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .supportedCompositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
        .supportedUsageFlags = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                               VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT};
    return extent.width ? VK_SUCCESS : VK_ERROR_SURFACE_LOST_KHR;
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetPhysicalDeviceSurfaceFormatsKHR(
    VkPhysicalDevice physicalDevice, VkSurfaceKHR surface, uint32_t *pSurfaceFormatCount,
    VkSurfaceFormatKHR *pSurfaceFormats)
{
    const VkSurfaceFormatKHR format = {SWAPCHAIN_FORMAT, VK_COLOR_SPACE_SRGB_NONLINEAR_KHR};
    return hand_out(&format, sizeof(format), 1, pSurfaceFormatCount, pSurfaceFormats);
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetPhysicalDeviceSurfacePresentModesKHR(
    VkPhysicalDevice physicalDevice, VkSurfaceKHR surface, uint32_t *pPresentModeCount,
    VkPresentModeKHR *pPresentModes)
{
    const VkPresentModeKHR mode = VK_PRESENT_MODE_FIFO_KHR;
    return hand_out(&mode, sizeof(mode), 1, pPresentModeCount, pPresentModes);
}
