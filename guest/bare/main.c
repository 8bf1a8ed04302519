// Vulkan with no operating system: finds the machine's GPU, draws straight into what its screen
// shows, and says on the serial line what a shader computed.
//
// Words of the command line (hesper run --append): frames=N: that many, the same ones every time,
// and then the picture stays; quit: the power goes off then; copy: as on devices that draw to no
// linear image; swapchain: pictures are shown by Vulkan's displays and a swapchain; lose: it turns
// until the device is lost, and only then counts pictures.
#include <string.h>

#include "guest/bare/machine.h"
#include "guest/bare/present.h"
#include "guest/bare/print.h"
#include "guest/bare/scene.h"
#include "guest/bare/wrong.h"
#include "guest/pci/gpu.h"
#include "guest/vulkan/guest.h"

#define SECOND_NS 1000000000ull
#define TURN_NS (8 * SECOND_NS)

enum { MAX_LOSSES = 3 };

static struct pci_gpu gpu;
static struct scene scene;
static struct present present; // with the word swapchain

static int connect(void *context, struct guest_transport **transport)
{
    *transport = pci_transport_create(&gpu);
    return *transport ? 0 : GUEST_ERROR_MEMORY;
}

// ---- the command line -----------------------------------------------------

// What follows the word in the command line, or NULL.
static const char *find_word(const char *word)
{
    size_t length = strlen(word);
    for (const char *at = machine_command_line(); *at; at++) {
        if ((at == machine_command_line() || at[-1] == ' ') && !strncmp(at, word, length))
            return at + length;
    }
    return NULL;
}

static uint64_t number_of(const char *word)
{
    uint64_t number = 0;
    for (const char *at = find_word(word); at && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

// ---- what it does ---------------------------------------------------------

static void say_milliseconds(const char *what)
{
    uint64_t ms = machine_now_ns() / 1000000;
    print("%s after %u.%u%u%u s\n", what, ms / 1000, ms / 100 % 10, ms / 10 % 10, ms % 10);
}

// What the EDID says of the display's name, in brackets; nothing if it says nothing.
static const char *display_name(void)
{
    enum { NAMES = 54, NAME = 0xfc, BYTES = 13 };
    static uint8_t edid[1024];
    static char text[BYTES + 4];
    if (pci_gpu_edid(&gpu, 0, edid) < 128)
        return "";
    for (const uint8_t *d = edid + NAMES; d < edid + 126; d += 18) {
        uint32_t i = 0;
        if (d[0] || d[1] || d[3] != NAME)
            continue;
        memcpy(text, " (", 2);
        while (i < BYTES && d[5 + i] >= ' ' && d[5 + i] < 127) {
            text[2 + i] = (char)d[5 + i];
            i++;
        }
        memcpy(text + 2 + i, ")", 2);
        return text;
    }
    return "";
}

static bool find_gpu(uint32_t *width, uint32_t *height)
{
    struct guest_info info;
    int error = pci_gpu_open(&gpu, machine_pci());
    if (!error)
        error = pci_gpu_outputs(&gpu, &info);
    if (error) {
        print("no virtio-gpu: error %d\n", (int64_t)error);
        return false;
    }
    print("virtio-gpu: PCI place 0x%p, aperture of %u MiB at 0x%p\n", (uint64_t)gpu.virtio.place,
          gpu.virtio.shared.size >> 20, gpu.virtio.shared.address);
    *width = info.outputs[0].width;
    *height = info.outputs[0].height;
    print("output 0: %u x %u%s\n", (uint64_t)*width, (uint64_t)*height, display_name());
    return *width && *height;
}

static VkResult show(uint32_t index)
{
    const struct guest_picture picture = {.width = scene.width,
                                          .height = scene.height,
                                          .stride = scene.stride,
                                          .offset = scene.offset,
                                          .format = PICTURE_FORMAT_B8G8R8X8};
    if (present.swapchain)
        return present_show(&present, &scene, index);
    VkDeviceMemory memory = scene.pictures[index].memory.memory;
    VkResult result = guest_present(scene.device, memory, 0, &picture);
    return result < 0 ? result : guest_present_flush(scene.device, memory, &picture);
}

// While one picture is on the screen the next is drawn; a flush returns when it is shown. So this
// goes at the screen's pace.
static VkResult draw_frames(uint64_t frames)
{
    uint64_t began = machine_now_ns(), second = began, since = 0;
    for (uint64_t i = 0; (!frames || i < frames) && !machine_power_button(); i++) {
        uint64_t now = machine_now_ns();
        double turn = frames ? (double)i / SCENE_TURN : (double)(now - began) / TURN_NS;
        uint32_t index = i % SCENE_PICTURES;
        VkResult result = scene_draw(&scene, index, turn);
        if (result >= 0)
            result = show(index);
        if (result < 0)
            return result;
        if (!i)
            say_milliseconds("first picture");
        since++;
        if (now - second >= 5 * SECOND_NS) {
            print("%u pictures in %u ms\n", since, (now - second) / 1000000);
            second = now;
            since = 0;
        }
    }
    return VK_SUCCESS;
}

// A device may be lost: then there is another one, and all is drawn again.
static VkResult draw_all(uint64_t frames)
{
    VkResult result = find_word("swapchain") ? present_create(&present, &scene) : VK_SUCCESS;
    if (result >= 0)
        result = draw_frames(find_word("lose") ? 0 : frames);
    for (int i = 0; i < MAX_LOSSES && result == VK_ERROR_DEVICE_LOST; i++) {
        print("the device is lost\n");
        present_destroy(&present, &scene);
        result = scene_renew(&scene);
        if (result >= 0 && find_word("swapchain"))
            result = present_create(&present, &scene);
        if (result >= 0)
            result = draw_frames(frames);
    }
    return result;
}

// The picture goes with its memory, so it stays until the power does.
static void wait_for_the_end(void)
{
    if (find_word("quit"))
        machine_power_off();
    while (!machine_power_button())
        machine_relax();
}

static VkResult run(uint32_t width, uint32_t height)
{
    uint64_t sum, frames = number_of("frames=");
    bool right;
    VkResult result = scene_create(&scene, width, height, find_word("copy"));
    if (result < 0)
        return result;
    print("%s, drawn %s\n", scene.name, scene.copied ? "and copied" : "in place");
    result = scene_compute(&scene, &sum, &right);
    if (result < 0)
        return result;
    print("computed: the sum is %u, which is %s\n", sum, right ? "right" : "wrong");
    result = draw_all(frames);
    if (result < 0)
        return result;
    if (frames)
        print("%u pictures drawn\n", frames);
    wait_for_the_end();
    present_destroy(&present, &scene);
    scene_destroy(&scene);
    return VK_SUCCESS;
}

// Without Vulkan there are still pixels: a colour for each place, by the processor.
static int show_pattern(uint32_t width, uint32_t height)
{
    struct pci_picture picture;
    int error = pci_picture_create(&gpu, width, height, &picture);
    if (error)
        return error;
    uint32_t *pixel = picture.pixels;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            *pixel++ = (x & 255) << 16 | (y & 255) << 8 | (x + y) >> 4;
    }
    error = pci_picture_show(&gpu, &picture, 0);
    if (!error) {
        print("a picture without Vulkan\n");
        wait_for_the_end();
    }
    pci_picture_destroy(&gpu, &picture);
    return error;
}

void bare_main(void)
{
    uint32_t width, height;
    print("hesper bare: %s\n", machine_command_line());
    if (find_word("hooks")) {
        wrong_hooks();
        print("hooks: %s\n", pci_selftest(machine_pci()) ? "not all work" : "all work");
    }
    if (find_gpu(&width, &height)) {
        guest_use(machine_system(), connect, NULL);
        VkResult result = run(width, height);
        if (result < 0) {
            print("Vulkan: error %d\n", (int64_t)result);
            if (show_pattern(width, height))
                print("and no picture without it either\n");
        }
        pci_gpu_close(&gpu);
        print("everything is given back\n");
    }
    machine_power_off();
}
