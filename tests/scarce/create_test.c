// What is made while memory runs out is made as a whole, or not at all: an error says so, and
// nothing stays behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../unit/short.h"
#include "agent/agent.h"
#include "front/machine/aperture.h"
#include "front/vfio_user/vfio_user.h"
#include "front/vhost_user/vhost_user.h"
#include "front/virtio/device.h"
#include "front/vtest/server.h"
#include "gpu/gpu.h"
#include "input/input.h"
#include "link/pool.h"
#include "os/os.h"
#include "os/socket.h"
#include "scarce.h"
#include "trace/tracer.h"

// Each returns whether there is one; it has gone again. The loop is made with memory to spare.

static bool makes_loop(struct os_loop *loop)
{
    (void)loop;
    struct os_loop *made;
    if (os_loop_create(&made))
        return false;
    os_loop_destroy(made);
    return true;
}

static bool makes_timer(struct os_loop *loop)
{
    struct os_source *timer = os_loop_add_timer(loop, 0, NULL, NULL);
    os_source_remove(timer);
    return timer;
}

static bool makes_link(struct os_loop *loop)
{
    (void)loop;
    int pair[2];
    struct link *made;
    assert_int_equal(os_socket_pair(pair), 0);
    close(pair[0]);
    if (link_create(pair[1], false, &made))
        return false;
    link_destroy(made);
    return true;
}

static bool makes_pool(struct os_loop *loop)
{
    const char *const command[] = {"/bin/false", NULL};
    struct link_pool *made;
    if (link_pool_create(loop, &(struct link_pool_options){.command = command}, &made))
        return false;
    link_pool_destroy(made);
    return true;
}

static bool makes_gpu(struct os_loop *loop)
{
    struct gpu_options options = {.outputs = 2,
                                  .width = 640,
                                  .height = 480,
                                  .aperture_size = 1 << 20,
                                  .page_size = 4096,
                                  .max_contexts = 4,
                                  .max_resources = 4};
    struct gpu_device *made = gpu_device_create(loop, &options, &(struct gpu_front){0});
    if (made)
        gpu_device_destroy(made);
    return made;
}

static bool makes_vtest(struct os_loop *loop)
{
    struct vtest_server *made =
        vtest_server_create(loop, NULL, &(struct vtest_options){.max_clients = 4});
    vtest_server_destroy(made);
    return made;
}

static bool serves_vtest(struct os_loop *loop)
{
    int pair[2];
    scarce_spared++;
    struct vtest_server *server =
        vtest_server_create(loop, NULL, &(struct vtest_options){.max_clients = 4});
    scarce_spared--;
    assert_int_equal(os_socket_pair(pair), 0);
    bool made = vtest_server_adopt(server, pair[1]);
    vtest_server_destroy(server);
    close(pair[0]);
    return made;
}

static bool makes_aperture(struct os_loop *loop)
{
    static const struct machine_aperture_ops ops;
    struct machine_aperture *made = machine_aperture_create(
        loop, &(struct machine_aperture_options){.size = 1 << 20}, &ops, NULL);
    if (made)
        machine_aperture_destroy(made);
    return made;
}

static bool makes_transport(struct os_loop *loop, virtio_transport_create create)
{
    static const struct virtio_device_ops ops;
    const struct virtio_device device = {"scarce", 16, 0, 2, 20, 64, 1, 1 << 20, &ops, NULL};
    struct virtio_transport *made = NULL;
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    bool good = !create(loop, pair[1], &device, &made);
    if (good)
        virtio_transport_destroy(made);
    close(pair[0]);
    return good;
}

static bool makes_vhost_user(struct os_loop *loop)
{
    return makes_transport(loop, vhost_user_create);
}

static bool makes_vfio_user(struct os_loop *loop)
{
    return makes_transport(loop, vfio_user_create);
}

static bool makes_input(struct os_loop *loop)
{
    (void)loop;
    struct input_device *made = input_device_create(0, &(struct input_front){0});
    if (made)
        input_device_destroy(made);
    return made;
}

static void nobody_reads(void *data, const uint8_t *bytes, size_t size)
{
    (void)data, (void)bytes, (void)size;
}

static bool makes_agent(struct os_loop *loop)
{
    (void)loop;
    static const struct agent_callbacks callbacks = {.send = nobody_reads};
    struct agent *made = agent_create(&callbacks, NULL);
    if (made)
        agent_destroy(made);
    return made;
}

static bool makes_tracer(struct os_loop *loop)
{
    struct tracer *made = tracer_create(loop, &(struct tracer_options){.out = stdout});
    if (made)
        tracer_destroy(made);
    return made;
}

static const struct {
    const char *name;
    bool (*makes)(struct os_loop *loop);
} things[] = {
    {"a loop", makes_loop},
    {"a timer", makes_timer},
    {"a link", makes_link},
    {"a pool", makes_pool},
    {"a gpu", makes_gpu},
    {"a vtest server", makes_vtest},
    {"a vtest client", serves_vtest},
    {"an aperture", makes_aperture},
    {"vhost-user", makes_vhost_user},
    {"vfio-user", makes_vfio_user},
    {"an input device", makes_input},
    {"an agent", makes_agent},
    {"a tracer", makes_tracer},
};

static int first_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void what_is_made_is_whole_or_not_there(void **state)
{
    struct os_loop *loop = new_loop();
    int free_before = first_free();
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        for (uint64_t number = 1, failed = true; failed; number++) {
            scarce_begin(number, number & 1);
            bool made;
            SCARCE(made = things[i].makes(loop));
            scarce_end();
            failed = scarce_failed();
            if (made == failed)
                fail_msg("%s: allocation %u %s", things[i].name, (unsigned)number,
                         made ? "was missed by nobody" : "was there");
            if (first_free() != free_before)
                fail_msg("%s: allocation %u: a descriptor stays open", things[i].name,
                         (unsigned)number);
        }
    }
    os_loop_destroy(loop);
}

int main(void)
{
    os_init(&(struct os_options){0});
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_made_is_whole_or_not_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
