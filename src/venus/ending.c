#include "venus/ending.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void venus_context_stop(struct venus_context *context)
{
    atomic_store(&context->stopping, true);
    context->wake(context, NULL);
}

static void lose(struct venus_context *context, const char *text)
{
    if (atomic_flag_test_and_set(&context->lost))
        return;
    context->wake(context, text);
    // The device process writes the log line, with the name of the context.
    link_send(context->link, LINK_CONTEXT_LOST, text, strlen(text), NULL, 0, NULL, 0);
    venus_context_stop(context);
}

void venus_context_lose(struct venus_context *context, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    lose(context, text);
}

void venus_context_end(struct venus_context *context)
{
    lose(context, "");
}

void venus_context_retire(struct venus_context *context, const struct link_fence_retired *fences,
                          uint32_t count)
{
    venus_ledger_count(&context->ledger, LINK_COUNT_FENCES, count);
    link_send(context->link, LINK_FENCE_RETIRED, fences, count * sizeof(*fences), NULL, 0, NULL, 0);
}
