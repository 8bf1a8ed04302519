// A Vulkan driver that shows a native program no more than a guest is shown. What a program does
// with an extension that a guest lacks is no cost of the way to the driver: llama.cpp splits its
// products by the number of processors, which it asks of VK_NV_shader_sm_builtins.
//
// SHOWN_DRIVER names the real driver's library, SHOWN_EXTENSIONS the device extensions, with commas
// before, between and after. The window of the device's memory is hidden (window.h). All else is
// passed on.
#include <stdlib.h>
#include <string.h>

#include "between.h"
#include "window.h"

static PFN_vkEnumerateDeviceExtensionProperties real_extensions;
static const char *shown;

static bool is_shown(const char *extension)
{
    const size_t length = strlen(extension);
    for (const char *at = shown; (at = strstr(at, extension)); at += length)
        if (at > shown && at[-1] == ',' && at[length] == ',')
            return true;
    return false;
}

static VKAPI_ATTR VkResult VKAPI_CALL extensions(VkPhysicalDevice gpu, const char *layer,
                                                 uint32_t *count, VkExtensionProperties *list)
{
    uint32_t all = 0, found = 0;
    VkResult result = real_extensions(gpu, layer, &all, NULL);
    VkExtensionProperties *theirs = result == VK_SUCCESS ? calloc(all + 1, sizeof(*theirs)) : NULL;
    if (!theirs)
        return result == VK_SUCCESS ? VK_ERROR_OUT_OF_HOST_MEMORY : result;
    result = real_extensions(gpu, layer, &all, theirs);
    for (uint32_t i = 0; result == VK_SUCCESS && i < all; i++) {
        if (!is_shown(theirs[i].extensionName))
            continue;
        if (list && found == *count)
            result = VK_INCOMPLETE;
        else if (list)
            list[found++] = theirs[i];
        else
            found++;
    }
    free(theirs);
    *count = found;
    return result;
}

PFN_vkVoidFunction between_wrap(const char *name, PFN_vkVoidFunction real)
{
    if (real && between_same("vkEnumerateDeviceExtensionProperties", name)) {
        real_extensions = (PFN_vkEnumerateDeviceExtensionProperties)real;
        return (PFN_vkVoidFunction)extensions;
    }
    return window_wrap(name, real);
}

__attribute__((constructor)) static void start(void)
{
    shown = getenv("SHOWN_EXTENSIONS");
    if (!shown)
        shown = "";
    between_open("shown", "SHOWN_DRIVER");
}
