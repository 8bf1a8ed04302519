// checks [PART]: some hundred small checks of what Vulkan promises, a line each: passed, failed, or
// not supported. With PART, only those whose name contains it. The exit status is 0 if none failed.
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct app gpu;
struct offers offers;

static jmp_buf leave;
static char reason[256];
static const char *part = "";
static uint32_t passed, failed, lacking;

enum { PASSED, FAILED, LACKING };

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    longjmp(leave, FAILED);
}

void lack(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    longjmp(leave, LACKING);
}

void expect(bool ok, const char *what)
{
    if (!ok)
        fail("expected: %s", what);
}

void expect_words(const void *got, const uint32_t *want, uint32_t count, const char *what)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)got + 4 * i, 4);
        if (word != want[i])
            fail("%s: word %u is %08x, expected %08x", what, i, word, want[i]);
    }
}

void need(bool offered, const char *what)
{
    if (!offered)
        lack("%s", what);
}

void try_(VkResult result, const char *call)
{
    if (result < 0)
        fail("%.60s: VkResult %d", call, (int)result);
}

// ---- what goes at the end of a check --------------------------------------

enum kind {
    KIND_MEMORY,
#define KIND(name) KIND_##name,
    KINDS
#undef KIND
};

static struct kept {
    enum kind kind;
    uint64_t handle;
} kept[512];
static uint32_t kept_count;

static void keep(enum kind kind, uint64_t handle)
{
    app_expect(kept_count < sizeof(kept) / sizeof(kept[0]), "room for the objects of a check");
    kept[kept_count++] = (struct kept){kind, handle};
}

#define KIND(name)                                                                                 \
    Vk##name keep_##name(Vk##name handle)                                                          \
    {                                                                                              \
        keep(KIND_##name, (uint64_t)handle);                                                       \
        return handle;                                                                             \
    }
KINDS
#undef KIND

VkDeviceMemory keep_memory(VkDeviceMemory memory)
{
    keep(KIND_MEMORY, (uint64_t)memory);
    return memory;
}

static void release(void)
{
    VK_CHECK(vk.DeviceWaitIdle(gpu.device));
    while (kept_count) {
        const struct kept k = kept[--kept_count];
        switch (k.kind) {
        case KIND_MEMORY:
            vk.FreeMemory(gpu.device, (VkDeviceMemory)k.handle, NULL);
            break;
#define KIND(name)                                                                                 \
    case KIND_##name:                                                                              \
        vk.Destroy##name(gpu.device, (Vk##name)k.handle, NULL);                                    \
        break;
            KINDS
#undef KIND
        }
    }
}

void check(const char *name, void (*run_check)(const void *argument), const void *argument)
{
    static const char *const words[] = {"passed", "failed", "not supported"};
    static uint32_t *const sums[] = {&passed, &failed, &lacking};
    if (!strstr(name, part))
        return;
    int how = setjmp(leave);
    if (how == PASSED) {
        reason[0] = 0;
        run_check(argument);
    }
    release();
    ++*sums[how];
    printf("%s: %s%s%s\n", name, words[how], reason[0] ? ": " : "", reason);
}

// ---- the device -----------------------------------------------------------

static void open_device(void)
{
    static const char *extensions[8];
    struct app_wants wants = {
        .api_version = VK_API_VERSION_1_3, .extensions = extensions, .offered = &offers.features};
    app_init(&gpu, NULL);
    offers = (struct offers){
        .features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &offers.v11},
        .v11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &offers.v12},
        .v12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, &offers.v13},
        .v13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES},
        .robustness2 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT},
        .border = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_CUSTOM_BORDER_COLOR_FEATURES_EXT},
        .index8 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_INDEX_TYPE_UINT8_FEATURES_EXT},
    };
    const struct {
        const char *name;
        void *features;
        void **next;
    } optional[] = {
        {"VK_EXT_robustness2", &offers.robustness2, &offers.robustness2.pNext},
        {"VK_EXT_custom_border_color", &offers.border, &offers.border.pNext},
        {"VK_EXT_index_type_uint8", &offers.index8, &offers.index8.pNext},
    };
    void **end = &offers.v13.pNext;
    for (uint32_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (!app_has_extension(gpu.gpu, optional[i].name))
            continue;
        *end = optional[i].features;
        end = optional[i].next;
        extensions[wants.extension_count++] = optional[i].name;
    }
    offers.push_descriptor = app_has_extension(gpu.gpu, "VK_KHR_push_descriptor");
    if (offers.push_descriptor)
        extensions[wants.extension_count++] = "VK_KHR_push_descriptor";
    app_finish(&gpu);
    app_init(&gpu, &wants);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        part = argv[1];
    open_device();
    format_checks();
    copy_checks();
    shader_checks();
    sampler_checks();
    draw_checks();
    state_checks();
    sync_checks();
    answer_checks();
    app_finish(&gpu);
    printf("%u passed, %u failed, %u not supported\n", passed, failed, lacking);
    return failed || !passed;
}
