// What the targets of vhost-user and vfio-user share: a device that reads every byte it is handed,
// and its aperture.
#ifndef FUZZ_READER_H
#define FUZZ_READER_H

#include "machine.h"

// ---- the device -----------------------------------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    if (offset + size > 20)
        abort();
    memset(bytes, 1, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    if (offset + size > 20)
        abort();
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct machine *m = data;
    if (m->always_fresh && (resumed || !(features & VIRTIO_F_VERSION_1)))
        abort();
    return machine_aperture_start(m->aperture, resumed);
}

static bool stop(void *data)
{
    return machine_aperture_stop(((struct machine *)data)->aperture);
}

static void reset(void *data)
{
    struct machine *m = data;
    m->pending_count = 0;
    machine_aperture_reset(m->aperture);
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct machine *m = data;
    unsigned sum = 0, total = 0;
    for (unsigned i = 0; i < readable_count; i++) // every byte must be there
        for (size_t b = 0; b < readable[i].iov_len && total < 4096; b++, total++)
            sum += ((const volatile uint8_t *)readable[i].iov_base)[b];
    if (response_size > 64)
        abort();
    if (response_size)
        memset(response, (int)sum, response_size);
    if (sum & 1 && m->pending_count < 256)
        m->pending[m->pending_count++] = token;
    else
        virtio_complete(token, response_size);
}

static void closed(void *data)
{
    struct machine *m = data;
    virtio_transport_destroy(m->transport);
    m->transport = NULL;
}

// ---- the aperture ---------------------------------------------------------

static void placed(void *data, uint64_t cookie, int error)
{
}

static void started(void *data)
{
    struct machine *m = data;
    if (m->transport)
        virtio_ready(m->transport);
}

static void stopped(void *data)
{
    struct machine *m = data;
    if (m->always_fresh)
        abort();
    virtio_stopped(m->transport);
}

static void gone(void *data)
{
    struct machine *m = data;
    if (m->always_fresh)
        abort();
    virtio_driver_gone(m->transport);
}

// ---- the whole ------------------------------------------------------------

static void create_machine(struct machine *m, virtio_transport_create create)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    static const struct machine_aperture_ops aperture_ops = {placed, started, stopped, gone};
    struct virtio_device device = {"fuzz", 16, 0x1f, 2, 20, 64, 1, APERTURE, &ops, m};
    struct machine_aperture_options options = {APERTURE, 4, NULL};
    int fd = open_machine(m);
    m->range_fd = os_shm_create("range", APERTURE);
    m->aperture = machine_aperture_create(m->loop, &options, &aperture_ops, m);
    if (!m->aperture || create(m->loop, fd, &device, &m->transport))
        abort();
    machine_aperture_set_transport(m->aperture, m->transport);
}

static void destroy_machine(struct machine *m)
{
    virtio_transport_destroy(m->transport);
    machine_aperture_destroy(m->aperture);
    close(m->range_fd);
    close_machine(m);
}

// ---- actions --------------------------------------------------------------

// A request in one go: descriptors from the input, offered.
static void offer_request(struct machine *m, struct input *in)
{
    for (unsigned i = 0; i < 16; i++)
        m->memory[take(in, 1)] = (uint8_t)take(in, 1);
    m->memory[0x402]++;
}

static void complete_request(struct machine *m, struct input *in)
{
    if (!m->pending_count)
        return;
    SCARCE(virtio_complete(m->pending[--m->pending_count], (uint32_t)take(in, 4)));
    virtio_flush(m->transport);
}

static void place(struct machine *m, struct input *in)
{
    SCARCE(machine_aperture_place(m->aperture, take(in, 2) << 12, m->range_fd, take(in, 1) << 12,
                                  take(in, 1) << 12, true, take(in, 1)));
}

static void unplace(struct machine *m, struct input *in)
{
    SCARCE(
        machine_aperture_unplace(m->aperture, take(in, 2) << 12, take(in, 1) << 12, take(in, 1)));
}

#endif
