#include "front/vhost_user/placer_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "front/vhost_user/channel.h"

struct vhost_placer {
    struct vhost_channel *channel;
    const struct vhost_placer_ops *ops;
    void *data;
    struct placer_hello hello;
    bool greeted;
    bool failed; // said something impossible; ignored from then on
};

static void fail(struct vhost_placer *placer, const char *what)
{
    log_error("placer: %s; it is not used any more", what);
    placer->failed = true;
    placer->greeted = false;
    placer->ops->closed(placer->data);
}

static void on_message(void *data, struct vhost_message *message)
{
    struct vhost_placer *placer = data;
    const struct vhost_header *header = &message->header;
    if (placer->failed)
        return;
    if ((header->flags & VHOST_VERSION_MASK) != PLACER_VERSION) {
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
    struct vhost_placer *placer = data;
    placer->greeted = false;
    if (!placer->failed)
        placer->ops->closed(placer->data);
}

int vhost_placer_create(struct os_loop *loop, int fd, const struct vhost_placer_ops *ops,
                        void *data, struct vhost_placer **created)
{
    static const struct vhost_channel_ops channel_ops = {.message = on_message,
                                                         .closed = on_closed};
    struct vhost_placer *placer = calloc(1, sizeof(*placer));
    *created = NULL;
    if (!placer) {
        close(fd);
        return -ENOMEM;
    }
    placer->ops = ops;
    placer->data = data;
    int error = vhost_channel_create(loop, fd, &channel_ops, placer, &placer->channel);
    if (error)
        free(placer);
    else
        *created = placer;
    return error;
}

void vhost_placer_destroy(struct vhost_placer *placer)
{
    if (!placer)
        return;
    vhost_channel_destroy(placer->channel);
    free(placer);
}

const struct placer_hello *vhost_placer_hello(const struct vhost_placer *placer)
{
    return placer && placer->greeted ? &placer->hello : NULL;
}

int vhost_placer_send(struct vhost_placer *placer, enum placer_type type,
                      const struct placer_request *request, int fd)
{
    if (!placer->greeted)
        return -ENOTCONN;
    return vhost_channel_send(placer->channel, type, 0, request, sizeof(*request), fd) ? 0 : -EIO;
}
