#include "front/machine/placer_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "front/virtio/channel.h"

struct machine_placer {
    struct virtio_channel *channel;
    const struct machine_placer_ops *ops;
    void *data;
    struct placer_hello hello;
    bool greeted;
    bool failed; // said something impossible; ignored from then on
};

static void fail(struct machine_placer *placer, const char *what)
{
    log_error("placer: %s; it is not used any more", what);
    placer->failed = true;
    placer->greeted = false;
    placer->ops->closed(placer->data);
}

static void on_message(void *data, struct virtio_message *message)
{
    struct machine_placer *placer = data;
    const struct virtio_header *header = &message->header;
    if (placer->failed)
        return;
    if ((header->flags & VIRTIO_CHANNEL_VERSION_MASK) != PLACER_VERSION) {
        fail(placer, "the plugin in QEMU is of another version than this program");
        return;
    }
    if (header->type == PLACER_HELLO && header->size == sizeof(placer->hello) && !placer->greeted) {
        memcpy(&placer->hello, message->payload, sizeof(placer->hello));
        placer->greeted =
            placer->hello.magic == PLACER_MAGIC && is_power_of_two_u64(placer->hello.page_size);
        if (!placer->greeted)
            fail(placer, "what connected is not the plugin");
        return;
    }
    struct placer_reply reply;
    if (!placer->greeted || !(header->flags & PLACER_REPLY) || header->size != sizeof(reply)) {
        fail(placer, "an answer that makes no sense");
        return;
    }
    memcpy(&reply, message->payload, sizeof(reply));
    placer->ops->answered(placer->data, (enum placer_type)header->type, &reply);
}

static void on_closed(void *data, int error)
{
    struct machine_placer *placer = data;
    placer->greeted = false;
    if (!placer->failed)
        placer->ops->closed(placer->data);
}

int machine_placer_create(struct os_loop *loop, int fd, const struct machine_placer_ops *ops,
                          void *data, struct machine_placer **created)
{
    static const struct virtio_channel_ops channel_ops = {.message = on_message,
                                                          .closed = on_closed};
    struct machine_placer *placer = calloc(1, sizeof(*placer));
    *created = NULL;
    if (!placer) {
        close(fd);
        return -ENOMEM;
    }
    placer->ops = ops;
    placer->data = data;
    int error = virtio_channel_create(loop, fd, &virtio_channel_form, &channel_ops, placer,
                                      &placer->channel);
    if (error)
        free(placer);
    else
        *created = placer;
    return error;
}

void machine_placer_destroy(struct machine_placer *placer)
{
    if (!placer)
        return;
    virtio_channel_destroy(placer->channel);
    free(placer);
}

const struct placer_hello *machine_placer_hello(const struct machine_placer *placer)
{
    return placer && placer->greeted ? &placer->hello : NULL;
}

int machine_placer_send(struct machine_placer *placer, enum placer_type type,
                        const struct placer_request *request, int fd)
{
    if (!placer->greeted)
        return -ENOTCONN;
    return virtio_channel_send(placer->channel, type, 0, request, sizeof(*request), fd) ? 0 : -EIO;
}
