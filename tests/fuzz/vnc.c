// A viewer, or a browser, that sends anything to its process. The server says what a server says.
//
// Input: what the connection is, then what the server shows, then the viewer's bytes.
#include <sys/socket.h>

#include "played.h"

// Compiled here: what stands behind a sandbox and a command line.
#include "display/vnc/session.c"

enum { MESSAGES = 24, SIDE = 32 };

static int server_end, viewer_end; // -1: closed

static void drain(int fd)
{
    static uint8_t bytes[1 << 16];
    while (fd >= 0 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

// Whoever would wait for the server for ever hears of its end.
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    drain(viewer_end);
    drain(server_end);
    int ready = poll(fds, count, 0);
    if (ready || !timeout)
        return ready;
    if (timeout > 0) {
        played_now += (uint64_t)timeout * 1000000u;
        return 0;
    }
    expect(server_end >= 0);
    close(server_end);
    server_end = -1;
    return poll(fds, count, 0);
}

// As the server's process does: sizes are true, places need not lie in the picture.
static void show_something(void)
{
    struct vnc_message message = {.type = VNC_PICTURE + (uint32_t)take(1) % 6};
    int fd = -1;
    message.on = (uint32_t)take(1);
    message.x = (int32_t)number();
    message.y = (int32_t)number();
    message.width = 1 + (uint32_t)take(1) % SIDE;
    message.height = 1 + (uint32_t)take(1) % SIDE;
    if (message.type == VNC_PICTURE || (message.type == VNC_CURSOR && !(message.on & 7)))
        fd = os_shm_create("fuzz", (uint64_t)message.width * message.height * 4);
    os_socket_send(server_end, &message, sizeof(message), &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
}

static void show_first(void)
{
    struct vnc_message picture = {.type = VNC_PICTURE, .width = SIDE, .height = SIDE};
    struct vnc_message end = {.type = VNC_END};
    int fd = os_shm_create("fuzz", SIDE * SIDE * 4);
    os_socket_send(server_end, &picture, sizeof(picture), &fd, 1);
    close(fd);
    os_socket_send(server_end, &end, sizeof(end), NULL, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

// The library is not ours to mend, and its process ends with the viewer.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libvncserver\nleak:libgnutls\nleak:libgcrypt";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int server[2], viewer[2];
    script.at = data;
    script.end = data + size;
    played_now = 1000000000;
    uint8_t kind = (uint8_t)take(1);
    struct vnc_options options = {.web_client = kind & 1,
                                  .web_root = "/usr/include/asm-generic",
                                  .local = kind & 2,
                                  .name = "fuzz"};
    struct session session = {.options = &options};
    session.keyboard.send = on_key;
    session.keyboard.data = &session;
    if (kind & 4)
        session.passwords[0] = strdup("password");
    expect(!os_socket_pair(server) && !os_socket_pair(viewer));
    server_end = server[0];
    viewer_end = viewer[0];
    session.fd = server[1];
    os_socket_set_nonblocking(session.fd, true);
    show_first();
    for (unsigned i = take(1) % MESSAGES; i > 0; i--)
        show_something();
    size_t left = (size_t)(script.end - script.at);
    if (left)
        os_socket_send(viewer_end, script.at, left < 65536 ? left : 65536, NULL, 0);
    shutdown(viewer_end, SHUT_WR);
    show(&session, viewer[1]);
    finish(&session);
    if (!session.client && session.screen)
        close(viewer[1]);
    if (server_end >= 0)
        close(server_end);
    close(viewer_end);
    close(session.fd);
    return 0;
}
