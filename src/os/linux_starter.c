#include "os/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/process.h"
#include "os/socket.h"

enum {
    FIRST_FD = OS_CHILD_FD, // the starter's own connection too
    MAX_FDS = 4,
    MAX_TEXT = 1 << 16,
    MAX_WORDS = 64,
    MAX_TAUGHT = 64,
};

enum order { TEACH, CLOSE, SPAWN, CONNECT };
struct request {
    uint32_t order;
    uint32_t size; // of the text that follows: words, each with its NUL
};
struct answer {
    int32_t result;
    int32_t failed; // a child that could not become the program, to be waited for; 0: none
};

// ---- both sides -----------------------------------------------------------

static bool receive_all(int fd, void *data, size_t size, int *fds, unsigned *fd_count)
{
    for (size_t at = 0; at < size;) {
        ssize_t got =
            os_socket_recv(fd, (char *)data + at, size - at, fds, fds ? MAX_FDS : 0, fd_count);
        if (got <= 0 && got != -EINTR)
            return false;
        at += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool send_all(int fd, const void *data, size_t size, const int *fds, unsigned fd_count)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = os_socket_send(fd, (const char *)data + at, size - at, fds, fd_count);
        if (sent < 0 && sent != -EINTR)
            return false;
        if (sent > 0)
            fd_count = 0;
        at += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

// ---- the starter ----------------------------------------------------------

static struct {
    struct {
        char *text;
        size_t size;
    } taught[MAX_TAUGHT];
    unsigned count;
    bool closed;
} starter;

static bool knows(const char *text, size_t size)
{
    for (unsigned i = 0; i < starter.count; i++)
        if (starter.taught[i].size == size && !memcmp(starter.taught[i].text, text, size))
            return true;
    return false;
}

static int teach(const char *text, size_t size)
{
    if (knows(text, size))
        return 0;
    if (starter.closed)
        return -EPERM;
    if (starter.count == MAX_TAUGHT)
        return -E2BIG;
    char *copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, size);
    starter.taught[starter.count].text = copy;
    starter.taught[starter.count++].size = size;
    return 0;
}

struct child {
    char *words[MAX_WORDS + 1];
    int fds[MAX_FDS];
    unsigned fd_count;
    int error;
};

// The C library's clone by its other name: the thread sanitizer has one of its own, which cannot
// share memory.
int __clone(int (*function)(void *), void *stack, int flags, void *data, ...);

// In the memory of the starter, which stands still meanwhile.
static int become(void *data)
{
    struct child *child = data;
    setpgid(0, 0);
    for (unsigned i = 0; i < child->fd_count; i++)
        dup2(child->fds[i], FIRST_FD + (int)i);
    execv(child->words[0], child->words);
    child->error = errno;
    _exit(127);
}

static struct answer spawn(char *text, size_t size, const int *fds, unsigned fd_count)
{
    static _Alignas(16) char stack[1 << 16];
    struct child child = {.fd_count = fd_count};
    unsigned count = 0;
    if (!knows(text, size))
        return (struct answer){.result = -EPERM};
    for (char *at = text; at < text + size && count < MAX_WORDS; at += strlen(at) + 1)
        child.words[count++] = at;
    // Above all numbers that they will have.
    for (unsigned i = 0; i < fd_count; i++)
        child.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + MAX_FDS);
    // A child of our parent, which waits for it.
    int pid = __clone(become, stack + sizeof(stack),
                      CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, &child);
    int error = pid < 0 ? errno : child.error;
    for (unsigned i = 0; i < fd_count; i++)
        close(child.fds[i]);
    return error ? (struct answer){.result = -error, .failed = pid > 0 ? pid : 0}
                 : (struct answer){.result = pid};
}

// False: the other side has gone.
static bool answer(const struct request *request, char *text, const int *fds, unsigned fd_count)
{
    struct answer answer = {.result = -EINVAL};
    int connection = -1;
    switch (request->order) {
    case TEACH:
        answer.result = teach(text, request->size);
        break;
    case CLOSE:
        starter.closed = true;
        answer.result = 0;
        break;
    case SPAWN:
        answer = spawn(text, request->size, fds, fd_count);
        break;
    case CONNECT:
        connection = knows(text, request->size) ? os_socket_connect(text) : -EPERM;
        answer.result = connection < 0 ? connection : 0;
        break;
    }
    bool sent = send_all(FIRST_FD, &answer, sizeof(answer), &connection, connection >= 0);
    if (connection >= 0)
        close(connection);
    return sent;
}

int os_starter_main(void)
{
    static char text[MAX_TEXT];
    struct request request;
    bool going = true;
    os_die_with_parent();
    fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC);
    while (going) {
        int fds[MAX_FDS];
        unsigned fd_count = 0, none = 0;
        going = receive_all(FIRST_FD, &request, sizeof(request), fds, &fd_count) &&
                request.size < sizeof(text) &&
                receive_all(FIRST_FD, text, request.size, NULL, &none);
        text[going ? request.size : 0] = 0;
        going = going && answer(&request, text, fds, fd_count);
        while (fd_count)
            close(fds[--fd_count]);
    }
    return 0;
}

// ---- who has one ----------------------------------------------------------

static int connection = -1;
static pid_t process;

// `fds`: sent; `received`: a descriptor that comes with the answer.
static int ask(enum order order, const char *const *words, const int *fds, unsigned fd_count,
               int *received)
{
    char text[MAX_TEXT];
    struct request request = {.order = order};
    struct answer answer;
    int got[MAX_FDS];
    unsigned count = 0, got_count = 0;
    for (; words && words[count]; count++) {
        size_t length = strlen(words[count]) + 1;
        if (count == MAX_WORDS || length >= sizeof(text) - request.size)
            return -E2BIG;
        memcpy(text + request.size, words[count], length);
        request.size += (uint32_t)length;
    }
    if (!send_all(connection, &request, sizeof(request), fds, fd_count) ||
        !send_all(connection, text, request.size, NULL, 0) ||
        !receive_all(connection, &answer, sizeof(answer), got, &got_count))
        return -EPIPE;
    while (answer.failed > 0 && waitpid(answer.failed, NULL, 0) < 0 && errno == EINTR)
        ;
    if (received && got_count)
        *received = got[--got_count];
    while (got_count)
        close(got[--got_count]);
    return answer.result;
}

int os_starter_begin(void)
{
    char self[4096];
    int fds[2], error = os_self_path(self, sizeof(self));
    if (error || (error = os_socket_pair(fds)))
        return error;
    char *argv[] = {self, "starter", NULL};
    struct os_fd_pass pass = {.parent_fd = fds[1], .child_fd = FIRST_FD};
    process = os_spawn(&(struct os_spawn_options){
        .path = self, .argv = argv, .fds = &pass, .fd_count = 1, .own_group = true});
    close(fds[1]);
    if (process < 0) {
        close(fds[0]);
        return process;
    }
    connection = fds[0];
    return 0;
}

int os_starter_teach(const char *const *command)
{
    return connection < 0 ? 0 : ask(TEACH, command, NULL, 0, NULL);
}

int os_starter_close(void)
{
    return connection < 0 ? -ENOSYS : ask(CLOSE, NULL, NULL, 0, NULL);
}

pid_t os_starter_spawn(const char *const *command, const int *fds, unsigned fd_count)
{
    if (connection >= 0)
        return ask(SPAWN, command, fds, fd_count, NULL);
    return os_spawn_child(command, fds, fd_count);
}

int os_starter_connect(const char *path)
{
    const char *const words[] = {path, NULL};
    int received = -1;
    if (connection < 0)
        return os_socket_connect(path);
    int error = ask(CONNECT, words, NULL, 0, &received);
    return error ? error : received < 0 ? -EPROTO : received;
}

void os_starter_end(void)
{
    if (connection < 0)
        return;
    close(connection);
    connection = -1;
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
        ;
}
