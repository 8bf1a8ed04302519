#include "cli/device/contexts.h"

#include <stdlib.h>
#include <unistd.h>

#include "renderer/renderer.h"

static void describe(void *data, const struct renderer_description *described)
{
    struct json_writer *json = data;
    json_open(json, NULL, '{');
    json_number(json, "context", described->context_id);
    json_number(json, "pid", described->pid);
    json_string(json, "name", described->name);
    json_close(json, '}');
}

void cli_contexts_list(const struct renderers *renderers, struct cli_control_answer *answer)
{
    struct json_writer json = {0};
    json_open(&json, NULL, '{');
    json_open(&json, "contexts", '[');
    if (renderers)
        renderers_describe(renderers, describe, &json);
    json_close(&json, ']');
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static void describe_usage(void *data, const struct renderer_description *described)
{
    static const char *const holdings[LINK_HOLDINGS] = {
        [LINK_HOLDS_PAGES] = "mappable_bytes",       [LINK_HOLDS_PLAIN] = "plain_bytes",
        [LINK_HOLDS_COMMANDS] = "command_bytes",     [LINK_HOLDS_OBJECTS] = "object_bytes",
        [LINK_HOLDS_PRIVATE] = "driver_bytes",       [LINK_HOLDS_CARD] = "card_bytes",
        [LINK_HOLDS_DRIVER] = "card_bytes_of_driver"};
    static const char *const counts[LINK_COUNTS] = {[LINK_COUNT_OBJECTS] = "objects",
                                                    [LINK_COUNT_RINGS] = "rings",
                                                    [LINK_COUNT_RESOURCES] = "resources",
                                                    [LINK_COUNT_DESCRIPTORS] = "worker_descriptors",
                                                    [LINK_COUNT_SUBMISSIONS] = "submissions",
                                                    [LINK_COUNT_FENCES] = "fences",
                                                    [LINK_COUNT_WAKES] = "wakes",
                                                    [LINK_COUNT_BUSY_NS] = "queue_busy_ns"};
    struct json_writer *json = data;
    const struct renderer_usage *usage = &described->usage;
    json_open(json, NULL, '{');
    json_number(json, "context", described->context_id);
    json_number(json, "pid", described->pid);
    json_string(json, "name", described->name);
    json_string(json, "engine", usage->engine);
    for (unsigned i = 0; i < LINK_HOLDINGS; i++)
        json_number(json, holdings[i], (int64_t)usage->holds[i]);
    for (unsigned i = 0; i < LINK_COUNTS; i++)
        json_number(json, counts[i], (int64_t)usage->counts[i]);
    json_number(json, "shared_bytes", (int64_t)usage->charged);
    json_number(json, "descriptors", (int64_t)usage->descriptors);
    json_number(json, "refusals", (int64_t)usage->refusals);
    json_close(json, '}');
}

void cli_contexts_usage(struct renderers *renderers, const char *name, uint64_t frames,
                        struct cli_control_answer *answer)
{
    struct renderers_totals totals = {0};
    struct json_writer json = {0};
    if (renderers)
        renderers_sum(renderers, &totals);
    json_open(&json, NULL, '{');
    json_string(&json, "name", name);
    json_number(&json, "pid", getpid());
    json_number(&json, "frames", (int64_t)frames);
    json_number(&json, "memory_bytes", (int64_t)totals.used[LINK_MEMORY_HOST]);
    json_number(&json, "memory_limit", (int64_t)totals.limits[LINK_MEMORY_HOST]);
    json_number(&json, "card_bytes", (int64_t)totals.used[LINK_MEMORY_CARD]);
    json_number(&json, "card_limit", (int64_t)totals.limits[LINK_MEMORY_CARD]);
    json_number(&json, "descriptors", (int64_t)totals.used[RENDERER_DESCRIPTORS]);
    json_number(&json, "descriptor_limit", (int64_t)totals.limits[RENDERER_DESCRIPTORS]);
    json_number(&json, "contexts_created", (int64_t)totals.created);
    json_number(&json, "contexts_lost", (int64_t)totals.lost);
    json_open(&json, "contexts", '[');
    if (renderers) {
        renderers_describe(renderers, describe_usage, &json);
        renderers_refresh(renderers); // for the next time
    }
    json_close(&json, ']');
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

void cli_contexts_trace(struct renderers *renderers, const char *argument,
                        struct cli_control_answer *answer)
{
    char *end;
    unsigned long long which = strtoull(argument, &end, 10);
    int tracer = cli_control_take_fd(answer);
    const char *error = NULL;
    if (end == argument || *end || tracer < 0)
        error = "say a context or the process of its worker, and pass a connection to the tracer";
    else if (!renderers || !renderers_trace(renderers, which, tracer))
        error = "no context or worker has this number";
    if (tracer >= 0)
        close(tracer);
    cli_control_answer_error(answer, error);
}
