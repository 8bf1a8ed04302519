#include "cli/device/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/device/contexts.h"
#include "cli/device/control.h"
#include "gpu/status.h"
#include "link/pool.h"

static void put_features(struct json_writer *json, const char *key, uint64_t features)
{
    json_open(json, key, '[');
    for (unsigned bit = 0; bit < 24; bit++) {
        if (features & 1ull << bit && gpu_feature_name(bit))
            json_string(json, NULL, gpu_feature_name(bit));
    }
    json_close(json, ']');
}

static void put_gpu(struct json_writer *json, const struct gpu_status *status)
{
    json_open(json, "gpu", '{');
    put_features(json, "features_offered", status->offered);
    put_features(json, "features_taken", status->taken);
    json_number(json, "capset_reads", status->capset_reads);
    json_bool(json, "capset_withheld", status->capset_withheld);
    json_number(json, "contexts", status->contexts);
    json_number(json, "max_contexts", status->max_contexts);
    json_number(json, "contexts_created", (int64_t)status->contexts_created);
    json_number(json, "contexts_lost", (int64_t)status->contexts_lost);
    json_number(json, "creations_failed", (int64_t)status->creations_failed);
    json_number(json, "resources", status->resources);
    json_number(json, "max_resources", status->max_resources);
    json_number(json, "shared_bytes", (int64_t)status->shared_bytes);
    json_number(json, "aperture_size", (int64_t)status->aperture_size);
    json_number(json, "outputs_enabled", __builtin_popcount(status->outputs_enabled));
    json_number(json, "outputs_by_cpu", __builtin_popcount(status->outputs_by_cpu));
    json_number(json, "complaints", (int64_t)status->complaints);
    json_open(json, "errors", '[');
    for (uint32_t i = 0; i < status->error_count; i++) {
        json_open(json, NULL, '{');
        json_number(json, "seconds_ago", (int64_t)(status->errors[i].age_ns / 1000000000u));
        json_string(json, "text", status->errors[i].text);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void answer_status(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct cli_device *device = data;
    struct json_writer json = {0};
    json_open(&json, NULL, '{');
    json_string(&json, "hesper", HESPER_VERSION);
    json_number(&json, "pid", getpid());
    json_string(&json, "name", device->displays.setup.name);
    json_string(&json, "host_profile", device->host.profile ? device->host.profile : "native");
    json_bool(&json, "venus", device->options.device.venus);
    json_string(&json, "host_gpu",
                device->workers.pool ? link_pool_devices(device->workers.pool) : NULL);
    json_string(&json, "state",
                device->state ? device->state(device->data)
                : device->gpu ? "running"
                              : "waiting");
    json_bool(&json, "connected", device->gpu);
    if (device->gpu) {
        struct gpu_status status;
        gpu_device_status(machine_gpu_device(device->gpu), &status);
        json_bool(&json, "placer", machine_gpu_has_placer(device->gpu));
        put_gpu(&json, &status);
    }
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static void answer_join(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct cli_device *device = data;
    struct json_writer json = {0};
    struct gpu_status status = {.outputs_enabled = 0};
    int fd = cli_control_take_fd(answer);
    const char *error = fd < 0 ? "pass the other end of the display's link"
                               : cli_displays_join(&device->displays, fd);
    if (error) {
        cli_control_answer_error(answer, error);
        return;
    }
    if (device->gpu)
        gpu_device_status(machine_gpu_device(device->gpu), &status);
    json_open(&json, NULL, '{');
    json_bool(&json, "ok", true);
    json_bool(&json, "connected", device->gpu);
    json_number(&json, "outputs_on", status.outputs_enabled);
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static struct renderers *renderers_of(const struct cli_device *device)
{
    return device->gpu ? gpu_device_renderers(machine_gpu_device(device->gpu)) : NULL;
}

static void answer_contexts(void *data, const char *argument, struct cli_control_answer *answer)
{
    cli_contexts_list(renderers_of(data), answer);
}

static void answer_usage(void *data, const char *argument, struct cli_control_answer *answer)
{
    const struct cli_device *device = data;
    const struct gpu_device *gpu = device->gpu ? machine_gpu_device(device->gpu) : NULL;
    cli_contexts_usage(renderers_of(device), device->displays.setup.name,
                       gpu ? gpu_device_counters(gpu).flushes : 0, answer);
}

static void answer_trace(void *data, const char *argument, struct cli_control_answer *answer)
{
    cli_contexts_trace(renderers_of(data), argument, answer);
}

static void give_order(struct cli_device *device, enum cli_order order,
                       struct cli_control_answer *answer)
{
    cli_control_answer_error(answer, device->order ? device->order(device->data, order)
                                                   : "its QEMU was not started by 'hesper run'");
}

static void answer_stop(void *data, const char *argument, struct cli_control_answer *answer)
{
    give_order(data, CLI_ORDER_STOP, answer);
}

static void answer_cut(void *data, const char *argument, struct cli_control_answer *answer)
{
    give_order(data, CLI_ORDER_CUT, answer);
}

static void answer_pause(void *data, const char *argument, struct cli_control_answer *answer)
{
    give_order(data, CLI_ORDER_PAUSE, answer);
}

static void answer_resume(void *data, const char *argument, struct cli_control_answer *answer)
{
    give_order(data, CLI_ORDER_RESUME, answer);
}

static const struct cli_control_request requests[] = {
    {"status", NULL, answer_status},     {"join", NULL, answer_join},
    {"stop", NULL, answer_stop},         {"cut", NULL, answer_cut},
    {"pause", NULL, answer_pause},       {"resume", NULL, answer_resume},
    {"contexts", NULL, answer_contexts}, {"usage", NULL, answer_usage},
    {"trace", "CONTEXT", answer_trace},  {0},
};

bool cli_status_open(struct cli_device *device)
{
    if (!device->control_path || !strcmp(device->control_path, "none"))
        return true;
    device->control = cli_control_create(device->loop, device->control_path, requests, device);
    if (!device->control)
        return false;
    cli_janitor_start(&device->control_janitor, device->control_path, NULL);
    log_info("control socket: %s", device->control_path);
    return true;
}

void cli_status_close(struct cli_device *device)
{
    cli_control_destroy(device->control);
    device->control = NULL;
    cli_janitor_stop(&device->control_janitor);
}
