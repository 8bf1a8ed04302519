#include "cli/contexts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void cli_contexts_trace(struct renderers *renderers, const char *argument,
                        struct cli_control_answer *answer)
{
    char *path, text[128];
    unsigned long long which = strtoull(argument, &path, 10);
    if (path == argument || path[0] != ' ' || path[1] != '/') {
        cli_control_answer_error(answer, "say a context or the process of its worker, and where "
                                         "the tracer listens, from / on");
        return;
    }
    int error = renderers ? renderers_trace(renderers, which, path + 1) : -ESRCH;
    snprintf(text, sizeof(text), "the tracer cannot be reached: %s", strerror(-error));
    cli_control_answer_error(answer, !error            ? NULL
                                     : error == -ESRCH ? "no context or worker has this number"
                                                       : text);
}
