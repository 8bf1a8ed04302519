// hesper janitor: removes a server's socket when the server has ended, even by kill -9.
#include "cli/device/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/exit.h"
#include "front/vtest/server.h"
#include "os/os.h"
#include "os/process.h"
#include "os/socket.h"

enum { JANITOR_FD = 3, MAX_CONNECTIONS = 1023 };

// [0] is the server. The others are its connections, whose `events` stay 0: only their end matters.
struct watch {
    struct pollfd fds[1 + MAX_CONNECTIONS];
    unsigned count;
};

// Takes the next connection that the server tells of. False: the server has ended.
static bool hear_server(struct watch *watch)
{
    char byte;
    int fd;
    unsigned received = 0;
    ssize_t got = os_socket_recv(JANITOR_FD, &byte, 1, &fd, 1, &received);
    if (got <= 0)
        return got == -EINTR || got == -EMFILE;
    if (received && watch->count <= MAX_CONNECTIONS)
        watch->fds[watch->count++] = (struct pollfd){.fd = fd};
    else if (received)
        close(fd);
    return true;
}

static void watch_server(struct watch *watch)
{
    for (;;) {
        if (poll(watch->fds, watch->count, -1) < 0 && errno != EINTR)
            return;
        for (unsigned i = watch->count - 1; i > 0; i--) {
            if (!watch->fds[i].revents)
                continue;
            close(watch->fds[i].fd);
            watch->fds[i] = watch->fds[--watch->count];
        }
        if (watch->fds[0].revents && !hear_server(watch))
            return;
    }
}

// hesper janitor SOCKET [FOLDER], with a socket as descriptor 3 whose other end the server keeps
// open.
int cli_janitor(int argc, char **argv)
{
    struct stat before, after;
    if (argc < 2 || argc > 3 || fcntl(JANITOR_FD, F_GETFD) < 0) {
        log_error("janitor: hesper starts it itself");
        return CLI_USAGE;
    }
    if (stat(argv[1], &before) < 0)
        return CLI_OK; // the server has ended already, and cleaned up
    static const int survived[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof(survived) / sizeof(survived[0]); i++)
        signal(survived[i], SIG_IGN);
    // Others may wait for the end of these.
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);

    static struct watch watch = {.fds = {{.fd = JANITOR_FD, .events = POLLIN}}, .count = 1};
    watch_server(&watch);
    for (unsigned i = 1; i < watch.count; i++)
        vtest_last_words(watch.fds[i].fd);
    // Another server may have taken the place.
    if (stat(argv[1], &after) == 0 && after.st_dev == before.st_dev &&
        after.st_ino == before.st_ino)
        unlink(argv[1]);
    if (argc > 2)
        rmdir(argv[2]);
    return CLI_OK;
}

void cli_janitor_start(struct cli_janitor *janitor, const char *socket, const char *folder)
{
    char self[4096];
    int fds[2];
    *janitor = (struct cli_janitor){.fd = -1};
    if (os_self_path(self, sizeof(self)) || os_socket_pair(fds))
        return;
    char *argv[] = {self, "janitor", (char *)socket, (char *)folder, NULL};
    struct os_fd_pass pass = {.parent_fd = fds[1], .child_fd = JANITOR_FD};
    struct os_spawn_options options = {
        .path = self, .argv = argv, .fds = &pass, .fd_count = 1, .own_group = true};
    pid_t pid = os_spawn(&options);
    close(fds[1]);
    if (pid < 0) {
        log_debug("no janitor: %s", strerror(-pid));
        close(fds[0]);
        return;
    }
    os_socket_set_nonblocking(fds[0], true);
    *janitor = (struct cli_janitor){.fd = fds[0], .pid = pid};
}

void cli_janitor_watch(struct cli_janitor *janitor, int connection)
{
    if (janitor->fd >= 0) // it may be lost: nothing waits for a janitor
        os_socket_send(janitor->fd, "", 1, &connection, 1);
}

void cli_janitor_stop(struct cli_janitor *janitor)
{
    if (janitor->fd < 0)
        return;
    close(janitor->fd);
    janitor->fd = -1;
    while (waitpid(janitor->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
