#include "front/machine/input_front.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/virtio/device.h"
#include "os/clock.h"
#include "os/loop.h"

enum { VIRTIO_ID_INPUT = 18 };

struct machine_input {
    struct input_device *device;
    struct virtio_transport *transport;
    struct os_source *timer;
    struct machine_input_ops ops;
    void *data;
    bool plain; // its driver
};

// ---- what the device asks of its front ------------------------------------

static void complete(void *data, void *token, uint32_t written)
{
    virtio_complete(token, written);
}

static void flush(void *data)
{
    struct machine_input *input = data;
    virtio_flush(input->transport);
}

static void leds(void *data, uint32_t leds)
{
    struct machine_input *input = data;
    if (input->ops.leds)
        input->ops.leds(input->data, leds);
}

static uint64_t now(void *data)
{
    return os_now_ns();
}

static void wake(void *data, uint64_t at_ns)
{
    struct machine_input *input = data;
    os_source_set_deadline(input->timer, at_ns);
}

static void on_timer(void *data)
{
    struct machine_input *input = data;
    input_device_wake(input->device);
}

// ---- what the front end wants of the device -------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    struct machine_input *input = data;
    input_device_read_config(input->device, offset, bytes, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    struct machine_input *input = data;
    input_device_write_config(input->device, offset, bytes, size);
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct machine_input *input = data;
    input->plain = !(features & VIRTIO_F_INDIRECT_DESC);
    input_device_start(input->device);
    return true;
}

static bool stop(void *data)
{
    struct machine_input *input = data;
    input_device_stop(input->device);
    return true;
}

static void reset(void *data)
{
    struct machine_input *input = data;
    input_device_reset(input->device);
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct machine_input *input = data;
    input_device_request(input->device, queue, readable, readable_count, response, response_size,
                         token);
}

static void closed(void *data)
{
    struct machine_input *input = data;
    input->ops.closed(input->data);
}

// ---- the whole ------------------------------------------------------------

int machine_input_create(struct os_loop *loop, int fd, virtio_transport_create transport,
                         enum input_kind kind, const struct machine_input_ops *input_ops,
                         void *data, struct machine_input **created)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    struct machine_input *input = calloc(1, sizeof(*input));
    *created = NULL;
    if (!input) {
        close(fd);
        return -ENOMEM;
    }
    input->ops = *input_ops;
    input->data = data;
    struct input_front front = {.data = input,
                                .complete = complete,
                                .flush = flush,
                                .leds = leds,
                                .now = now,
                                .wake = wake};
    input->device = input_device_create(kind, &front);
    input->timer = os_loop_add_timer(loop, 0, on_timer, input);
    if (!input->device || !input->timer) {
        close(fd);
        machine_input_destroy(input);
        return -ENOMEM;
    }
    struct virtio_device device = {
        .name = input_kind_name(kind),
        .type = VIRTIO_ID_INPUT,
        .queue_count = INPUT_QUEUE_COUNT,
        .config_size = INPUT_CONFIG_SIZE,
        .max_response = INPUT_EVENT_SIZE,
        .ops = &ops,
        .data = input,
    };
    int error = transport(loop, fd, &device, &input->transport);
    if (error)
        machine_input_destroy(input);
    else
        *created = input;
    return error;
}

void machine_input_destroy(struct machine_input *input)
{
    if (!input)
        return;
    input_device_destroy(input->device);
    virtio_transport_destroy(input->transport);
    os_source_remove(input->timer);
    free(input);
}

struct input_device *machine_input_device(const struct machine_input *input)
{
    return input->device;
}

bool machine_input_is_plain(const struct machine_input *input)
{
    return input->plain;
}
