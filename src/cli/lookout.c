#include "cli/lookout.h"

#include "cli/device/device.h"
#include "cli/machine/greeting.h"
#include "gpu/status.h"
#include "link/pool.h"
#include "os/clock.h"
#include "renderer/renderer.h"

#define NS_PER_S 1000000000ull
#define LOOK_NS (NS_PER_S / 2)
#define LOOK_FOR_NS (1800 * NS_PER_S)
// So long a desktop has, from its first work for the GPU, to show something by it.
#define SCREEN_NS (30 * NS_PER_S)

static void add(void *data, const struct renderer_description *described)
{
    if (described->usage.counts[LINK_COUNT_SUBMISSIONS])
        cli_greeting_add(data, described->name, described->usage.engine);
}

static void tell_of_drawing(struct cli_lookout *lookout, const struct gpu_status *status,
                            const struct renderers *renderers)
{
    struct cli_greeting_programs programs = {.text = ""};
    bool screen = status->outputs_enabled & ~status->outputs_by_cpu;
    renderers_describe(renderers, add, &programs);
    if (!programs.text[0])
        return;
    if (!lookout->drawn_ns)
        lookout->drawn_ns = os_now_ns();
    if (!screen && (lookout->told || os_now_ns() - lookout->drawn_ns < SCREEN_NS))
        return;
    cli_greeting_drawing(stderr, screen, &programs);
    lookout->told = true;
    lookout->ended = screen;
}

static void look(struct cli_lookout *lookout, const struct gpu_device *gpu)
{
    struct gpu_status status;
    const struct renderers *renderers = gpu_device_renderers(gpu);
    const struct link_pool *pool = lookout->device->workers.pool;
    gpu_device_status(gpu, &status);
    // Firmware has a screen, too, but takes no features.
    if (!lookout->up && status.taken && status.outputs_enabled) {
        lookout->up = true;
        cli_greeting(stderr, lookout->machine, pool ? link_pool_devices(pool) : NULL,
                     lookout->front);
    }
    if (lookout->up && renderers)
        tell_of_drawing(lookout, &status, renderers);
    lookout->ended |= lookout->up && !renderers;
}

static void on_look(void *data)
{
    struct cli_lookout *lookout = data;
    if (lookout->device->gpu)
        look(lookout, machine_gpu_device(lookout->device->gpu));
    uint64_t now = os_now_ns();
    if (!lookout->ended && now < lookout->until_ns)
        os_source_set_deadline(lookout->timer, now + LOOK_NS);
}

bool cli_lookout_start(struct cli_lookout *lookout, const struct cli_device *device,
                       const struct cli_machine *machine, const char *front)
{
    uint64_t now = os_now_ns();
    *lookout = (struct cli_lookout){
        .device = device, .machine = machine, .front = front, .until_ns = now + LOOK_FOR_NS};
    lookout->timer = os_loop_add_timer(device->loop, now + LOOK_NS, on_look, lookout);
    return lookout->timer;
}
