#include "cli/device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/device/status.h"
#include "cli/option/exit.h"
#include "cli/option/values.h"
#include "link/pool.h"
#include "os/os.h"
#include "os/starter.h"

#define NS_PER_S 1000000000ull

void cli_device_init(struct cli_device *device)
{
    *device = (struct cli_device){.control_janitor.fd = -1,
                                  .options.device = {
                                      .outputs = 1,
                                      .width = 1280,
                                      .height = 800,
                                      .paced = true,
                                      .aperture_size = 8ull << 30,
                                      .max_contexts = 256,
                                      .max_resources = 65536,
                                      .max_2d_bytes = 1ull << 30,
                                      .max_memory = cli_machine_memory() / 2,
                                      .max_wait_ns = 60 * NS_PER_S,
                                      .venus = true,
                                  }};
    cli_seat_init(&device->seat);
    device->options.transport = cli_front_transport(device->seat.front);
}

void cli_device_set_name(struct cli_device *device, const char *name, size_t length)
{
    char *to = device->displays.setup.name;
    size_t room = sizeof(device->displays.setup.name) - 1;
    if (length > room) // do not cut a character of UTF-8 in its middle
        for (length = room; length && ((unsigned char)name[length] & 0xc0) == 0x80;)
            length--;
    memset(to, 0, room + 1);
    memcpy(to, name, length);
}

static bool take_aperture(const char *label, const char *text, void *to)
{
    uint64_t size;
    // Firmware finds no place for larger ones, and smaller ones are of no use.
    if (option_size(text, 256ull << 30, &size) && size >= 64 << 20 && !(size & (size - 1))) {
        *(uint64_t *)to = size;
        return true;
    }
    log_error("%s: --aperture-size is a power of two from 64M to 256G, not '%s'", label, text);
    return false;
}

static bool take_resolution(const char *label, const char *text, void *to)
{
    struct gpu_options *device = to;
    unsigned width, height;
    char rest;
    if (sscanf(text, "%5ux%5u%c", &width, &height, &rest) == 2 && width >= 16 && height >= 16 &&
        width <= 16384 && height <= 16384) {
        device->width = width;
        device->height = height;
        return true;
    }
    log_error("%s: --resolution is like 1280x800, from 16x16 to 16384x16384, not '%s'", label,
              text);
    return false;
}

static bool take_gpu_memory(const char *label, const char *text, void *to)
{
    struct gpu_options *device = to;
    return cli_parse_gpu_memory(label, text, &device->max_memory, &device->max_card_memory);
}

static bool take_name(const char *label, const char *text, void *to)
{
    cli_device_set_name(to, text, strlen(text));
    return true;
}

const struct option_row cli_device_rows[] = {
    {"aperture-size", "SIZE", "size of the guest's view of host memory, a power of two [8G]",
     OPTION_TAKE(struct cli_device, options.device.aperture_size, take_aperture)},
    {"display", "KIND",
     "where the guest's screen is shown; may be repeated: window; vnc[=ADDRESS[:PORT]]; web=PORT "
     "(in a browser); image=FOLDER (PNG files); none",
     OPTION_TAKE(struct cli_device, displays, cli_displays_add)},
    {"resolution", "WxH", "size of the guest's screen [1280x800]",
     OPTION_TAKE(struct cli_device, options.device, take_resolution)},
    {"refresh", "HZ",
     "frames in a second that the guest's screens are said to have [those of the screen that its "
     "window is on, or 60]",
     OPTION_NUMBER(struct cli_device, options.device.edid_refresh, GPU_MIN_REFRESH,
                   GPU_MAX_REFRESH)},
    {"dpi", "N", "their pixels to an inch [of that screen, or 96]",
     OPTION_NUMBER(struct cli_device, options.device.edid_dpi, GPU_MIN_DPI, GPU_MAX_DPI)},
    {"outputs", "N", "number of the guest's screens, 1 to 16 [1]",
     OPTION_NUMBER(struct cli_device, options.device.outputs, 1, GPU_MAX_OUTPUTS)},
    {"input", "LIST",
     "any of keyboard, pointer, touch, mouse, pad (a game pad), pad2, pad3, pad4; or none "
     "[keyboard,pointer,mouse]",
     OPTION_TAKE(struct cli_device, seat, cli_seat_parse)},
    {"stats", NULL, "say every second what was shown, and what a CPU had to copy",
     OPTION_FLAG(struct cli_device, displays.stats)},
    {"max-contexts", "N", "Vulkan instances in the guest at a time [256]",
     OPTION_POSITIVE(struct cli_device, options.device.max_contexts)},
    {"max-resources", "N", "resources of the guest [65536]",
     OPTION_POSITIVE(struct cli_device, options.device.max_resources)},
    {"gpu-memory", "SIZE",
     "memory that all programs of the guest may have of the host, and as much of a graphics "
     "card's; 0: no limit [half of the host's]",
     OPTION_TAKE(struct cli_device, options.device, take_gpu_memory)},
    {"max-memory", "SIZE", NULL, OPTION_TAKE(struct cli_device, options.device, take_gpu_memory)},
    {"max-wait", "SECONDS",
     "after which a GPU that does not answer is lost to its context; 0: never [60]",
     OPTION_TAKE(struct cli_device, options.device.max_wait_ns, cli_take_wait)},
    {"no-venus", NULL, "no Vulkan in the guest, only its screen: needs no driver",
     OPTION_NO_FLAG(struct cli_device, options.device.venus)},
    {"control", "PATH",
     "a socket for 'hesper doctor --guest'; none: without [run: made in XDG_RUNTIME_DIR or "
     "TMPDIR; serve: none]",
     OPTION_TEXT(struct cli_device, control_path)},
    {"name", "NAME", "the machine's name: in titles, for VNC viewers, in 'hesper doctor'",
     OPTION_TAKE_WHOLE(take_name)},
    {0},
};

// ---- start ----------------------------------------------------------------

static void on_displays_ready(void *data)
{
    struct cli_device *device = data;
    device->ready(device->data);
}

static void on_displays_failed(void *data)
{
    struct cli_device *device = data;
    os_loop_stop(device->loop, CLI_FAILED);
}

static void on_input(void *data, const struct link_input *events, size_t count)
{
    struct cli_device *device = data;
    cli_seat_input(&device->seat, events, count);
}

static void on_input_lost(void *data)
{
    struct cli_device *device = data;
    cli_seat_release_all(&device->seat);
}

static void on_leds(void *data, uint32_t leds)
{
    struct cli_device *device = data;
    cli_displays_set_leds(&device->displays, leds);
}

static void start_displays(struct cli_device *device)
{
    struct cli_displays *displays = &device->displays;
    device->seat.data = device;
    device->seat.leds = on_leds;
    displays->input = on_input;
    displays->input_lost = on_input_lost;
    displays->data = device;
    displays->ready = on_displays_ready;
    displays->failed = on_displays_failed;
    displays->setup.outputs = device->options.device.outputs;
    displays->setup.inputs = device->seat.wanted;
    displays->setup.width = device->options.device.width;
    displays->setup.height = device->options.device.height;
    if (!cli_displays_start(displays, device->loop, &device->host))
        os_loop_stop(device->loop, CLI_FAILED);
}

void cli_device_attach(struct cli_device *device, struct machine_gpu *gpu)
{
    device->gpu = gpu;
    cli_displays_attach(&device->displays, gpu ? machine_gpu_device(gpu) : NULL);
}

static void on_workers(void *data, bool there)
{
    struct cli_device *device = data;
    if (there) {
        start_displays(device);
        return;
    }
    log_info("without a Vulkan driver the guest can have a screen only: --no-venus");
    os_loop_stop(device->loop, CLI_FAILED);
}

int cli_device_start(struct cli_device *device)
{
    // A machine's processors compute all the time where they are emulated. A program over vtest
    // waits for us instead, and a yield of workers would not be for it any more.
    device->host.short_turns = true;
    cli_host_begin_starter(&device->host);
    os_raise_file_limit();
    device->options.device.page_size = (uint32_t)os_page_size();
    int error = os_loop_create(&device->loop);
    if (error) {
        log_error("no poll loop: %s", strerror(-error));
        return CLI_FAILED;
    }
    device->workers =
        (struct cli_workers){.host = &device->host, .ready = on_workers, .data = device};
    error = cli_workers_start(&device->workers, device->loop, device->options.device.venus);
    device->options.device.pool = device->workers.pool;
    if (error) {
        log_error("cannot start: %s", strerror(-error));
        return CLI_FAILED;
    }
    return cli_status_open(device) ? CLI_OK : CLI_FAILED;
}

void cli_device_finish(struct cli_device *device)
{
    cli_displays_finish(&device->displays);
    cli_seat_finish(&device->seat);
    cli_status_close(device);
    link_pool_destroy(device->workers.pool);
    if (device->loop)
        os_loop_destroy(device->loop);
    os_starter_end();
}
