// libFuzzer target: a front end over vfio-user, a driver and a placer that say anything in any
// order. The input is a list of actions.
#include "reader.h"

#include "front/vfio_user/private.h"

enum { PAYLOAD = 512 };

static void say(struct machine *m, uint16_t command, uint32_t flags, const void *payload,
                uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[sizeof(struct vfio_header) + PAYLOAD];
    struct vfio_header header = {1, command, (uint32_t)sizeof(header) + size, flags, 0};
    if (flags == VFIO_USER_REPLY)
        header.id = 0x6870;
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + sizeof(header), payload, size);
    os_socket_send(m->front, message, sizeof(header) + size, fds, fd_count);
    turn(m);
}

static void fuzz_message(struct machine *m, struct input *in)
{
    uint8_t payload[PAYLOAD];
    uint16_t command = (uint16_t)take(in, 1) % 16;
    uint32_t flags = (uint32_t)take(in, 1), kinds = (uint32_t)take(in, 1);
    uint32_t size = (uint32_t)take(in, 1);
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)take(in, 1);
    struct some_fds some;
    make_fds(m, kinds, &some);
    say(m, command, flags, payload, size, some.fds, some.count);
    close_fds(&some);
}

static void access_region(struct machine *m, uint32_t region, uint64_t offset, uint64_t value,
                          uint32_t size, bool write)
{
    uint8_t payload[sizeof(struct vfio_region_access) + 8];
    struct vfio_region_access access = {offset, region, size};
    memcpy(payload, &access, sizeof(access));
    memcpy(payload + sizeof(access), &value, sizeof(value));
    say(m, write ? VFIO_USER_REGION_WRITE : VFIO_USER_REGION_READ, 0, payload,
        (uint32_t)sizeof(access) + (write ? size : 0), NULL, 0);
}

static void set(struct machine *m, uint64_t offset, uint64_t value, uint32_t size)
{
    access_region(m, VFIO_BAR_VIRTIO, offset, value, size, true);
}

static void map(struct machine *m, uint64_t address, uint64_t size, uint64_t offset, bool file)
{
    struct vfio_dma_map request = {sizeof(request), 3, offset, address, size};
    say(m, VFIO_USER_DMA_MAP, 0, &request, sizeof(request), &m->memory_fd, file);
}

static void start_driver(struct machine *m)
{
    map(m, GUEST_ADDRESS, GUEST, 0, true);
    access_region(m, VFIO_REGION_CONFIG, 4, 6, 2, true);
    set(m, 20, 3, 1);
    set(m, 8, 0, 4);
    set(m, 12, 0x1f | VIRTIO_F_INDIRECT_DESC, 4);
    set(m, 8, 1, 4);
    set(m, 12, 1, 4);
    set(m, 20, 11, 1);
    for (uint64_t q = 0; q < 2; q++) {
        uint64_t at = GUEST_ADDRESS + q * RINGS;
        set(m, 22, q, 2);
        set(m, 24, 16, 2);
        set(m, 26, q, 2);
        set(m, 32, at, 8);
        set(m, 40, at + 0x400, 8);
        set(m, 48, at + 0x800, 8);
        set(m, 28, 1, 2);
    }
    set(m, 20, 15, 1);
}

static void act(struct machine *m, struct input *in)
{
    switch (take(in, 1) % 12) {
    case 0:
        fuzz_message(m, in);
        break;
    case 1:
        write_memory(m, in);
        break;
    case 2:
        set(m, VFIO_AT_NOTIFY + 4 * (take(in, 1) & 3), 0, 2);
        break;
    case 3:
        complete_request(m, in);
        break;
    case 4: {
        static const uint8_t regions[] = {VFIO_BAR_VIRTIO, VFIO_REGION_CONFIG};
        uint32_t region = regions[take(in, 1) & 1];
        uint64_t offset = take(in, region ? 1 : 2) % (region ? 256 : VFIO_VIRTIO_SIZE);
        uint32_t size = 1u << (take(in, 1) & 3);
        access_region(m, region, offset, take(in, size), size, take(in, 1) & 1);
        break;
    }
    case 5:
        start_driver(m);
        break;
    case 6:
        if (take(in, 1) & 1)
            say(m, VFIO_USER_RESET, 0, NULL, 0, NULL, 0);
        else
            set(m, 20, 0, 1);
        break;
    case 7:
        placer_answers(m, in, false);
        turn(m);
        break;
    case 8:
        place(m, in);
        break;
    case 9:
        unplace(m, in);
        break;
    case 10: {
        struct vfio_dma_unmap request = {sizeof(request), (uint32_t)take(in, 1) & 3,
                                         take(in, 1) << 12, take(in, 1) << 12};
        say(m, VFIO_USER_DMA_UNMAP, 0, &request, sizeof(request), NULL, 0);
        map(m, take(in, 1) << 12, take(in, 1) << 12, take(in, 1) << 12, take(in, 1) & 1);
        break;
    }
    default:
        offer_request(m, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t version[128] = {0};
    struct input in = {data, data + size};
    struct machine m = {.always_fresh = true};
    create_machine(&m, vfio_user_create);
    machine_aperture_set_placer(m.aperture, m.for_placer);
    placer_says_hello(&m, 8);
    turn(&m);
    say(&m, VFIO_USER_VERSION, 0, version, sizeof(version), NULL, 0);
    scarce_begin_for(data, size);
    for (unsigned i = 0; i < 64 && in.at < in.end && m.transport; i++)
        act(&m, &in);
    scarce_end();
    destroy_machine(&m);
    return 0;
}
