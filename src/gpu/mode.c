// What the guest is told about its outputs.
#include "gpu/device.h"
#include "gpu/edid.h"

struct gpu_outcome gpu_get_display_info(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_display_info info = {0};
    struct picture_rect places[GPU_MAX_OUTPUTS] = {0};
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        places[i].width = device->outputs[i].width;
        places[i].height = device->outputs[i].height;
    }
    // A suggestion, by modes. Displays place what the guest shows by the same rule.
    picture_side_by_side(places, device->options.outputs);
    for (uint32_t i = 0; i < device->options.outputs; i++) {
        if (places[i].width) {
            info.modes[i].rect = places[i];
            info.modes[i].enabled = 1;
        }
    }
    return gpu_respond(device, request, GPU_RESP_OK_DISPLAY_INFO, &info, sizeof(info));
}

struct gpu_outcome gpu_get_edid(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t id = request->body.get_edid.scanout_id;
    if (id >= device->options.outputs)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_SCANOUT_ID, "no scanout %u", id);
    const struct gpu_output *output = &device->outputs[id];
    struct gpu_edid answer = {0};
    // An unplugged output has the EDID of the mode that it would have.
    const struct gpu_screen screen = {
        .width = output->width ? output->width : device->options.width,
        .height = output->width ? output->height : device->options.height,
        .refresh = output->refresh,
        .dpi = output->dpi,
    };
    answer.size = (uint32_t)gpu_edid_make(answer.edid, &screen, id);
    return gpu_respond(device, request, GPU_RESP_OK_EDID, &answer, sizeof(answer));
}

void gpu_device_set_screen(struct gpu_device *device, uint32_t id, uint32_t refresh, uint32_t dpi)
{
    const struct gpu_options *options = &device->options;
    if (id >= options->outputs)
        return;
    struct gpu_output *output = &device->outputs[id];
    if (options->edid_refresh || refresh < GPU_MIN_REFRESH || refresh > GPU_MAX_REFRESH)
        refresh = output->refresh;
    if (options->edid_dpi || dpi < GPU_MIN_DPI || dpi > GPU_MAX_DPI)
        dpi = output->dpi;
    if (refresh == output->refresh && dpi == output->dpi)
        return;
    output->refresh = refresh;
    output->dpi = dpi;
    device->events |= GPU_EVENT_DISPLAY;
    device->front.config_changed(device->front.data);
}

bool gpu_device_set_mode(struct gpu_device *device, uint32_t id, uint32_t width, uint32_t height)
{
    if (id >= device->options.outputs || (width && (width < GPU_MIN_SIZE || height < GPU_MIN_SIZE ||
                                                    width > GPU_MAX_SIZE || height > GPU_MAX_SIZE)))
        return false;
    struct gpu_output *output = &device->outputs[id];
    if (output->width == width && (!width || output->height == height))
        return true;
    output->width = width;
    output->height = width ? height : 0;
    device->events |= GPU_EVENT_DISPLAY;
    device->front.config_changed(device->front.data);
    return true;
}
