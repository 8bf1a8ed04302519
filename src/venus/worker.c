#include "venus/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "os/os.h"
#include "os/sandbox.h"
#include "venus/context.h"
#include "venus/memory.h"
#include "venus/ring.h"

// Carries out one message; false with *reason: the device process sent something that can't be.
static bool submit(struct venus_context *context, const struct link_message *message, const char **reason)
{
    const struct link_submit *submit = link_payload(message, sizeof(*submit));
    if (!submit || submit->byte_count != message->size - sizeof(*submit)) {
        *reason = "a submission of wrong length";
        return false;
    }
    // The message lies in memory of this process: nobody changes it while it is decoded.
    if (!venus_context_stopping(context))
        venus_stream_run(&context->stream, (const uint8_t *)(submit + 1), submit->byte_count);
    if (submit->fence_id)
        venus_context_fence(context, submit->ring_idx, submit->fence_id);
    return true;
}

static bool attach(struct venus_context *context, struct link_message *message, const char **reason)
{
    const struct link_resource_attach *attach = link_payload(message, sizeof(*attach));
    if (!attach || message->fd_count != 1) {
        *reason = "an attachment of wrong length or without a file";
        return false;
    }
    int fd = message->fds[0];
    message->fds[0] = -1;
    struct venus_pages *pages = venus_pages_adopt(fd, attach->offset, attach->size);
    if (!pages || !venus_resource_attach(&context->resources, attach->resource_id, attach->kind, pages)) {
        *reason = "a resource that can't be mapped, or is there already";
        return false;
    }
    return true;
}

static bool detach(struct venus_context *context, const struct link_message *message, const char **reason)
{
    const struct link_resource_detach *detach = link_payload(message, sizeof(*detach));
    if (!detach || !venus_resource_detach(&context->resources, detach->resource_id)) {
        *reason = "detaching a resource that is not there";
        return false;
    }
    if (venus_ring_uses_resource(context, detach->resource_id))
        venus_context_lose(context, "context stream", "resource", detach->resource_id, "it was taken away from a live ring");
    return true;
}

static bool export_blob(struct venus_context *context, const struct link_message *message, const char **reason)
{
    const struct link_blob_export *request = link_payload(message, sizeof(*request));
    if (!request) {
        *reason = "an export of wrong length";
        return false;
    }
    struct link_blob_exported answer = {.resource_id = request->resource_id};
    int fd = -1;
    answer.result = venus_memory_export(context, request, &answer, &fd);
    link_send(context->link, LINK_BLOB_EXPORTED, &answer, sizeof(answer), NULL, 0, &fd, answer.result == 0);
    return true;
}

static bool dispatch(struct venus_context *context, struct link_message *message, const char **reason)
{
    switch (message->type) {
    case LINK_SUBMIT:
        return submit(context, message, reason);
    case LINK_RESOURCE_ATTACH:
        return attach(context, message, reason);
    case LINK_RESOURCE_DETACH:
        return detach(context, message, reason);
    case LINK_BLOB_EXPORT:
        return export_blob(context, message, reason);
    default:
        *reason = "a message of unknown type";
        return false;
    }
}

static int serve(struct link *link, struct venus_host *host, bool portable)
{
    struct link_message message;
    enum link_status status = link_receive(link, &message);
    if (status == LINK_CLOSED)
        return 0; // a spare worker that was never needed
    const struct link_context_create *info = link_payload(&message, sizeof(*info));
    if (status != LINK_OK || message.type != LINK_CONTEXT_CREATE || !info) {
        log_error("worker: the first message does not create a context");
        return 1;
    }
    char tag[32];
    snprintf(tag, sizeof(tag), "context %u", info->context_id);
    log_set_tag(tag);
    struct venus_context *context = venus_context_create(info, link, host, portable);
    if (!context) {
        log_error("out of memory");
        return 1;
    }
    int result = 0;
    const char *reason = NULL;
    while ((status = link_receive(link, &message)) == LINK_OK) {
        if (!dispatch(context, &message, &reason)) {
            venus_context_lose(context, "link", "message", message.type, reason);
            result = 1;
            break;
        }
    }
    venus_context_destroy(context);
    return status == LINK_BROKEN ? 1 : result;
}

int venus_worker_main(int fd, const struct venus_worker_options *options)
{
    struct venus_host host;
    char text[512];
    struct link *link = link_create(fd, true);
    if (!link) {
        close(fd);
        return 1;
    }
    os_raise_file_limit();
    int result = 1;
    if (!venus_host_load(&host, options->portable, text, sizeof(text))) {
        link_send(link, LINK_CONTEXT_LOST, text, strlen(text), NULL, 0, NULL, 0);
    } else {
        if (os_sandbox_enter(text, sizeof(text)))
            log_debug("sandbox: %s", text);
        link_send(link, LINK_WORKER_READY, NULL, 0, NULL, 0, NULL, 0);
        result = serve(link, &host, options->portable);
    }
    link_destroy(link);
    return result;
}
