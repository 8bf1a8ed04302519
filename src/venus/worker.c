#include "venus/worker.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/process.h"
#include "venus/context.h"
#include "venus/discovery.h"
#include "venus/ending.h"
#include "venus/memory.h"
#include "venus/ring.h"
#include "venus/tap.h"

enum { LARGE_SUBMISSION = 4096 }; // bytes, that may be worth a look at what they cost

// link_receive has checked lengths and descriptors.
// Errors: false: *reason says what the device process asks for that cannot be.

static void submit(struct venus_context *context, const struct link_submit *submit)
{
    // The message lies in memory of this process: nobody changes it while it is decoded.
    if (!venus_context_stopping(context))
        venus_stream_run(&context->stream, (const uint8_t *)(submit + 1), submit->byte_count);
    if (submit->byte_count > LARGE_SUBMISSION)
        venus_holdings_look(context, os_now_ns());
    if (submit->fence_id)
        venus_context_fence(context, submit->ring_idx, submit->fence_id);
}

static bool attach(struct venus_context *context, const struct link_resource_attach *attach, int fd,
                   const char **reason)
{
    struct venus_pages *pages;
    if (venus_pages_adopt(fd, attach->offset, attach->size, &pages) ||
        !venus_resource_attach(&context->resources, attach->resource_id, attach->kind, pages)) {
        *reason = "a resource that cannot be mapped, or is there already";
        return false;
    }
    if (attach->flags & LINK_ATTACH_ANSWER) {
        struct link_resource_attached answer = {.resource_id = attach->resource_id};
        link_send(context->link, LINK_RESOURCE_ATTACHED, &answer, sizeof(answer), NULL, 0, NULL, 0);
    }
    return true;
}

// Pages of another context that are imported here, and that everybody else has given up: from now
// on they are counted here.
static void keep_count(struct venus_context *context, struct venus_pages *pages)
{
    if (pages && !pages->ledger && atomic_load(&pages->references) > 1) {
        pages->ledger = &context->ledger;
        venus_ledger_owe(&context->ledger, LINK_HOLDS_PAGES, pages->size);
    }
    venus_pages_unref(context->pages, pages);
}

static bool detach(struct venus_context *context, const struct link_resource_detach *detach,
                   const char **reason)
{
    struct venus_pages *pages = venus_resource_pages(&context->resources, detach->resource_id);
    if (!venus_resource_detach(&context->resources, detach->resource_id)) {
        *reason = "detaching a resource that is not there";
        return false;
    }
    keep_count(context, pages);
    // A program that is killed says no good-bye: its kernel takes the memory of its rings away
    // first, then the context.
    if (venus_ring_uses_resource(context, detach->resource_id))
        venus_context_end(context);
    return true;
}

static void export_blob(struct venus_context *context, const struct link_blob_export *request)
{
    struct link_blob_exported answer = {.resource_id = request->resource_id};
    int fd = -1;
    answer.result = venus_memory_export(context, request, &answer, &fd);
    link_send(context->link, LINK_BLOB_EXPORTED, &answer, sizeof(answer), NULL, 0, &fd,
              answer.result == 0);
}

static void refresh(struct venus_context *context, const struct link_ledger_refresh *refresh)
{
    struct link_ledger *page = context->ledger.page;
    if (!page)
        return;
    pthread_mutex_lock(&context->objects.lock);
    atomic_store(&page->counts[LINK_COUNT_OBJECTS], context->objects.count);
    pthread_mutex_unlock(&context->objects.lock);
    pthread_mutex_lock(&context->resources.lock);
    atomic_store(&page->counts[LINK_COUNT_RESOURCES], context->resources.resources.count);
    pthread_mutex_unlock(&context->resources.lock);
    atomic_store(&page->counts[LINK_COUNT_DESCRIPTORS], os_count_descriptors());
    venus_holdings_count(context);
    atomic_store(&page->refreshed, refresh->serial);
}

static bool dispatch(struct venus_context *context, const struct link_message *message,
                     const char **reason)
{
    const void *payload = message->payload;
    switch (message->type) {
    case LINK_SUBMIT:
        submit(context, payload);
        return true;
    case LINK_RESOURCE_ATTACH:
        return attach(context, payload, link_take_fd(context->link, 0), reason);
    case LINK_RESOURCE_DETACH:
        return detach(context, payload, reason);
    case LINK_BLOB_EXPORT:
        export_blob(context, payload);
        return true;
    case LINK_LEDGER_REFRESH:
        refresh(context, payload);
        return true;
    case LINK_TRACE:
        venus_tap_open(context, link_take_fd(context->link, 0));
        return true;
    default:
        *reason = "a message of unknown type";
        return false;
    }
}

static int serve(struct link *link, struct venus_host *host, const struct venus_profile *profile)
{
    struct link_message message;
    int error = link_receive(link, &message);
    if (error == -EPIPE)
        return 0; // a spare worker that was never needed
    if (error || message.type != LINK_CONTEXT_CREATE) {
        log_error("worker: the first message does not create a context");
        return 1;
    }
    const struct link_context_create *info = (const void *)message.payload;
    char tag[32];
    snprintf(tag, sizeof(tag), "context %u", info->context_id);
    log_set_tag(tag);
    struct venus_context *context =
        venus_context_create(info, link_take_fd(link, 0), link, host, profile);
    if (!context) {
        log_error("out of memory");
        return 1;
    }
    int result = 0;
    const char *reason = NULL;
    while (!(error = link_receive(link, &message))) {
        if (!dispatch(context, &message, &reason)) {
            venus_context_lose(context, "link: a message of type %u: %s", message.type, reason);
            result = 1;
            break;
        }
    }
    venus_context_destroy(context);
    return link_is_broken(error) ? 1 : result;
}

// The driver may read its own files, wherever they lie. The device process is told what is refused.
static void enter_sandbox(struct link *link, const struct venus_worker_options *options)
{
    char summary[128];
    int refusals;
    struct venus_driver_files files;
    venus_driver_files_find(options->host.driver ? options->host.driver : "loader", &files);
    const struct os_sandbox_options confined = {.kind = options->sandbox,
                                                .readable = (const char *const *)files.items,
                                                .refusals = &refusals};
    if (!os_sandbox_enter(&confined, summary, sizeof(summary)))
        log_debug("sandbox: %s", summary);
    if (refusals >= 0) {
        link_send(link, LINK_WORKER_REFUSALS, NULL, 0, NULL, 0, &refusals, 1);
        close(refusals);
    }
    venus_driver_files_forget(&files);
}

int venus_worker_main(int fd, const struct venus_worker_options *options)
{
    struct venus_host host;
    char text[512];
    struct link *link;
    if (link_create(fd, true, &link))
        return 1;
    os_raise_file_limit();
    os_offer_to_end();      // a guest's program rather than the machine, or the desktop
    os_keep_freed_memory(); // drivers take and free memory with each command buffer
    if (options->short_turns)
        os_take_short_turns();
    int result = 1;
    enter_sandbox(link, options);
    if (!venus_host_load(&host, &options->host, text, sizeof(text))) {
        if (options->tentative)
            result = VENUS_WORKER_NO_DRIVER;
        else
            link_send(link, LINK_CONTEXT_LOST, text, strlen(text), NULL, 0, NULL, 0);
    } else {
        os_sandbox_close(options->sandbox);
        const struct link_worker_card card = {.bytes = host.card_memory};
        if (card.bytes)
            link_send(link, LINK_WORKER_CARD, &card, sizeof(card), NULL, 0, NULL, 0);
        link_send(link, LINK_WORKER_READY, host.devices, strlen(host.devices), NULL, 0, NULL, 0);
        result = serve(link, &host, options->profile);
    }
    venus_host_finish(&host);
    link_destroy(link);
    return result;
}
