// hesper serve: the device process for those who start QEMU themselves.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/device.h"
#include "cli/device/janitor.h"
#include "cli/machine/clipboard.h"
#include "cli/option/host.h"
#include "cli/qemu/qemu.h"
#include "front/machine/gpu_server.h"

static const char usage[] =
    "usage: hesper serve --socket PATH [OPTIONS]\n"
    "\n"
    "Is the GPU of one virtual machine at a time. Start QEMU with the arguments that\n"
    "'hesper qemu-args --socket PATH' prints. When QEMU ends, the next may connect.\n"
    "\n";

struct serve {
    struct cli_device device;
    const char *path;
    enum cli_front front;
    char placer_path[CLI_SOCKET_PATH];
    struct machine_gpu_server *server;
    struct cli_janitor janitor, placer_janitor, clipboard_janitor;
    struct cli_clipboard *clipboard; // NULL: not shared
};

static const struct option_row rows[] = {
    {"socket", "PATH",
     "where to listen; the placer's socket is PATH.placer, and those of input devices are "
     "PATH.keyboard and so on",
     OPTION_TEXT(struct serve, path)},
    {"front", "FRONT", "by which QEMU may connect: vhost-user, vfio-user, or auto: either [auto]",
     OPTION_CHOICE(struct serve, front, cli_front_names)},
    {"clipboard", NULL,
     "text that is copied in the guest can be pasted here, and the other way; the guest's desktop "
     "has spice-vdagent",
     OPTION_FLAG(struct serve, device.displays.clipboard)},
    {0},
};

static void on_signal(void *data, int number, bool from_process)
{
    struct serve *serve = data;
    os_loop_stop(serve->device.loop, CLI_OK);
}

static void on_connected(void *data, struct machine_gpu *gpu)
{
    struct serve *serve = data;
    cli_device_attach(&serve->device, gpu);
}

static void on_end(void *data)
{
    struct serve *serve = data;
    cli_device_attach(&serve->device, NULL);
}

static void on_copied(void *data, const char *text, size_t size)
{
    struct serve *serve = data;
    cli_clipboard_offer(serve->clipboard, text, size);
}

static void on_resized(void *data, uint32_t width, uint32_t height)
{
    struct serve *serve = data;
    cli_clipboard_resize(serve->clipboard, width, height);
}

static bool listen_beside(struct serve *serve)
{
    if (!cli_seat_listen(&serve->device.seat, serve->device.loop, serve->path))
        return false;
    if (!serve->device.displays.clipboard)
        return true;
    serve->clipboard = cli_clipboard_listen(serve->device.loop, serve->path,
                                            cli_displays_set_clipboard, &serve->device.displays);
    if (!serve->clipboard)
        return false;
    cli_janitor_start(&serve->clipboard_janitor, cli_clipboard_socket(serve->clipboard), NULL);
    return true;
}

static void on_ready(void *data)
{
    struct serve *serve = data;
    static const struct machine_gpu_server_ops ops = {
        .connected = on_connected, .ended = on_end, .choose = cli_front_spoken};
    const char *refused;
    int error =
        machine_gpu_server_create(serve->device.loop, serve->path, serve->placer_path,
                                  &serve->device.options, &ops, serve, &refused, &serve->server);
    if (error) {
        if (refused)
            cli_say_unheard(refused, error);
        else
            log_error("cannot start: %s", strerror(-error));
        os_loop_stop(serve->device.loop, CLI_FAILED);
        return;
    }
    cli_janitor_start(&serve->janitor, serve->path, NULL);
    cli_janitor_start(&serve->placer_janitor, serve->placer_path, NULL);
    if (!listen_beside(serve)) {
        os_loop_stop(serve->device.loop, CLI_FAILED);
        return;
    }
    cli_host_confine();
    printf("hesper: listening on %s\n", serve->path);
    fflush(stdout);
}

int cli_serve(int argc, char **argv)
{
    struct serve serve = {.front = CLI_FRONT_AUTO,
                          .janitor.fd = -1,
                          .placer_janitor.fd = -1,
                          .clipboard_janitor.fd = -1};
    const struct options options = {
        .program = "hesper serve",
        .usage = usage,
        .tables = {{rows, &serve},
                   {cli_device_rows, &serve.device},
                   {cli_host_rows, &serve.device.host}},
    };
    cli_device_init(&serve.device);
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (!serve.path || first < argc) {
        log_error("serve: say where to listen with --socket PATH, and nothing else; see 'hesper "
                  "serve --help'");
        return CLI_USAGE;
    }
    if (!cli_placer_socket(serve.path, serve.placer_path))
        return CLI_USAGE;
    cli_host_apply(&serve.device.host);
    serve.device.options.placer_hint = "'hesper qemu-args' prints what to add to QEMU's arguments";
    serve.device.options.transport = cli_front_transport(serve.front);
    serve.device.seat.front = serve.front;
    serve.device.ready = on_ready;
    serve.device.displays.owner = &serve;
    serve.device.displays.copied = on_copied;
    serve.device.displays.resized = on_resized;
    serve.device.data = &serve;

    int status = cli_device_start(&serve.device);
    if (status == CLI_OK && !cli_on_signals(serve.device.loop, on_signal, &serve))
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = os_loop_run(serve.device.loop);
    cli_device_attach(&serve.device, NULL);
    if (serve.server)
        machine_gpu_server_destroy(serve.server);
    cli_clipboard_destroy(serve.clipboard);
    cli_device_finish(&serve.device);
    cli_janitor_stop(&serve.janitor);
    cli_janitor_stop(&serve.placer_janitor);
    cli_janitor_stop(&serve.clipboard_janitor);
    return status;
}
