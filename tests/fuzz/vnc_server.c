// The processes of viewers, each of which a stranger may have taken over, against hesper-vnc, and a
// guest whose pictures come and go meanwhile.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "played.h"

// Compiled here: its parts are steps of the script.
#include "display/vnc/server.c"

#include "link/link.h"
#include "os/os.h"
#include "os/process.h"

enum { PROCESSES = 48, STEPS = 200, ROUNDS = 2000, FIRST_PID = 1 << 24 };

static struct {
    struct server server;
    struct link *device;
    struct process {
        int fd; // -1: closed
        bool ended, reaped;
    } processes[PROCESSES];
    unsigned count, steps, rounds;
} stage;

// ---- processes, played ----------------------------------------------------

pid_t os_spawn(const struct os_spawn_options *options)
{
    (void)options;
    abort(); // viewers are started by a starter, or as it would
}

pid_t os_spawn_child(const char *const *command, const int *fds, unsigned fd_count)
{
    (void)command, (void)fd_count;
    if (stage.count == PROCESSES)
        return -EAGAIN;
    struct process *process = &stage.processes[stage.count];
    process->fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
    os_socket_set_nonblocking(process->fd, true);
    return FIRST_PID + (pid_t)stage.count++;
}

static void end_process(struct process *process)
{
    if (process->ended)
        return;
    if (process->fd >= 0)
        close(process->fd);
    process->fd = -1;
    process->ended = true;
    raise(SIGCHLD);
}

int fuzz_kill(pid_t pid, int signal_number)
{
    (void)signal_number;
    expect(pid >= FIRST_PID && (unsigned)(pid - FIRST_PID) < stage.count);
    struct process *process = &stage.processes[pid - FIRST_PID];
    expect(!process->reaped);
    end_process(process);
    return 0;
}

pid_t fuzz_waitpid(pid_t pid, int *status, int flags)
{
    struct process *process = &stage.processes[pid - FIRST_PID];
    expect(flags & WNOHANG && pid >= FIRST_PID && !process->reaped);
    if (!process->ended)
        return 0;
    process->reaped = true;
    *status = 0;
    return pid;
}

// ---- the script -----------------------------------------------------------

static void say(struct process *process)
{
    uint8_t what = (uint8_t)take(1);
    struct vnc_message message = {.type = VNC_TAKEN + (what >> 3 & 7),
                                  .on = what >> 7,
                                  .code = (uint32_t)number(),
                                  .x = (int32_t)number(),
                                  .y = (int32_t)number()};
    uint8_t bytes[4096];
    switch (what & 7) {
    default:
        os_socket_send(process->fd, &message, sizeof(message), NULL, 0);
        break;
    case 4: // the size of a window
        message.type = VNC_MODE;
        message.width = (uint32_t)number();
        message.height = (uint32_t)number();
        os_socket_send(process->fd, &message, sizeof(message), NULL, 0);
        break;
    case 5: // out of step, and with a descriptor
        os_socket_send(process->fd, &message, 1 + what / 8, &process->fd, what >> 7);
        break;
    case 6:
        while (recv(process->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        break;
    case 7:
        end_process(process);
        break;
    }
}

static void draw(void)
{
    uint8_t what = (uint8_t)take(1);
    uint32_t output = what >> 3 & 1;
    switch (what & 7) {
    case 0: {
        struct link_file_open file = {.file_id = 1 + (what >> 4 & 3), .size = 65536};
        int fd = os_shm_create("fuzz", 65536);
        link_send(stage.device, LINK_FILE_OPEN, &file, sizeof(file), NULL, 0, &fd, 1);
        close(fd);
        break;
    }
    case 1: {
        struct link_file_close gone = {.file_id = 1 + (what >> 4 & 3)};
        link_send(stage.device, LINK_FILE_CLOSE, &gone, sizeof(gone), NULL, 0, NULL, 0);
        break;
    }
    case 2:
    case 3: {
        struct link_picture picture = {.output = output,
                                       .format = 1,
                                       .file_id = what >> 4 & 3,
                                       .stride = 256,
                                       .width = 1 + (uint32_t)take(1) % 64,
                                       .height = 1 + (uint32_t)take(1) % 64,
                                       .enabled = what >> 7};
        link_send(stage.device, LINK_PICTURE, &picture, sizeof(picture), NULL, 0, NULL, 0);
        break;
    }
    case 4:
    case 5: {
        struct link_frame frame = {.output = output,
                                   .x = (uint32_t)number(),
                                   .y = (uint32_t)number(),
                                   .width = (uint32_t)number(),
                                   .height = (uint32_t)number(),
                                   .serial = 1};
        link_send(stage.device, LINK_FRAME, &frame, sizeof(frame), NULL, 0, NULL, 0);
        break;
    }
    case 6: {
        uint32_t pixels[64] = {0};
        struct link_cursor_shape shape = {
            .output = output, .width = 1 + (what >> 5), .height = 8, .hot_x = (uint32_t)number()};
        link_send(stage.device, LINK_CURSOR_SHAPE, &shape, sizeof(shape), pixels,
                  (size_t)shape.width * shape.height * 4, NULL, 0);
        break;
    }
    case 7: {
        struct link_cursor_move move = {
            .output = output, .visible = what >> 7, .x = (int32_t)number(), .y = (int32_t)number()};
        link_send(stage.device, LINK_CURSOR_MOVE, &move, sizeof(move), NULL, 0, NULL, 0);
        break;
    }
    }
}

static void hear(void)
{
    struct link_message message;
    while (!link_receive(stage.device, &message)) {
        const struct link_input *events = (const void *)message.payload;
        for (size_t i = 0; message.type == LINK_INPUT && i < message.size / sizeof(events[0]); i++)
            expect(events[i].device <= LINK_INPUT_POINTER || events[i].device == LINK_INPUT_MOUSE);
    }
}

static void step(void)
{
    uint8_t what = (uint8_t)take(1);
    struct process *process =
        stage.count ? &stage.processes[stage.count - 1 - (what >> 3) % stage.count] : NULL;
    int fds[2];
    switch (what & 7) {
    case 0:
        if (stage.server.ready && !os_socket_pair(fds)) {
            close(fds[0]);
            admit(&stage.server, fds[1], what >> 3 & 1);
        }
        break;
    case 1:
    case 2:
        draw();
        break;
    case 3:
        if (!(what & 64))
            hear();
        played_now += (uint64_t)(what >> 3) * 1000000000u;
        break;
    default:
        if (process && process->fd >= 0)
            say(process);
        break;
    }
}

int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = poll(fds, count, 0);
    if (++stage.rounds > ROUNDS) {
        os_loop_stop(stage.server.loop, 0);
    } else if (!ready && timeout) {
        if (script.at == script.end || ++stage.steps > STEPS)
            os_loop_stop(stage.server.loop, 0);
        else
            step();
    }
    return ready;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vnc_options options = {.fps = 30};
    struct link_display_setup setup = {.outputs = 2, .width = 64, .height = 64, .name = "fuzz"};
    int pair[2];
    memset(&stage, 0, sizeof(stage));
    script.at = data;
    script.end = data + size;
    played_now = 1000000000;
    expect(!os_socket_pair(pair) && !link_create(pair[0], false, &stage.device));
    options.fd = pair[1];
    options.output = (uint32_t)take(1) & 1;
    stage.server = (struct server){.options = &options,
                                   .listeners = {{.fd = -1}, {.fd = -1}},
                                   .output = options.output,
                                   .picture = {.fd = -1},
                                   .cursor_fd = -1};
    link_send(stage.device, LINK_DISPLAY_SETUP, &setup, sizeof(setup), NULL, 0, NULL, 0);
    expect(!begin(&stage.server));
    os_loop_run(stage.server.loop);
    unsigned joined = 0;
    for (unsigned i = 0; i < stage.server.viewer_count; i++)
        joined += vnc_viewer_joined(stage.server.viewers[i]);
    expect(joined == stage.server.joined && joined <= MAX_JOINED);
    finish(&stage.server);
    for (unsigned i = 0; i < stage.count; i++)
        end_process(&stage.processes[i]);
    link_destroy(stage.device);
    return 0;
}
