#include "cli/device/control.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/socket.h"

enum { MAX_CLIENTS = 8, MAX_REQUEST = 4096, MAX_ANSWER = 1 << 20 };
#define ASK_PATIENCE_NS 10000000000ull

struct client {
    struct cli_control *control;
    int fd; // -1: free
    struct os_source *source;
    char request[MAX_REQUEST];
    size_t used;
    int passed;   // came with the request; -1: nothing
    char *answer; // the part that the socket has not taken yet
    size_t answer_at, answer_size;
    struct cli_control_answer *owed; // until it is given, no more requests are read
    bool taking;                     // inside take_requests
};

static void take_requests(struct client *client);

struct cli_control_answer {
    struct client *client; // NULL: it has gone
};

struct cli_control {
    struct os_loop *loop;
    char *path;
    int fd;
    struct os_source *source;
    const struct cli_control_request *requests;
    void *data;
    struct client clients[MAX_CLIENTS];
};

// ---- one client -----------------------------------------------------------

static void drop(struct client *client)
{
    os_source_remove(client->source);
    if (client->fd >= 0)
        close(client->fd);
    if (client->owed)
        client->owed->client = NULL;
    if (client->passed >= 0)
        close(client->passed);
    free(client->answer);
    *client = (struct client){.control = client->control, .fd = -1, .passed = -1};
}

static void update(struct client *client)
{
    bool waiting = client->owed || client->answer;
    os_source_set_events(client->source,
                         (waiting ? 0 : OS_READABLE) | (client->answer ? OS_WRITABLE : 0));
}

// False: the client has gone.
static bool flush(struct client *client)
{
    while (client->answer) {
        ssize_t sent = os_socket_send(client->fd, client->answer + client->answer_at,
                                      client->answer_size - client->answer_at, NULL, 0);
        if (sent == -EAGAIN)
            break;
        if (sent < 0) {
            drop(client);
            return false;
        }
        client->answer_at += (size_t)sent;
        if (client->answer_at == client->answer_size) {
            free(client->answer);
            client->answer = NULL;
        }
    }
    update(client);
    return true;
}

int cli_control_take_fd(struct cli_control_answer *answer)
{
    int fd = answer->client ? answer->client->passed : -1;
    if (fd >= 0)
        answer->client->passed = -1;
    return fd;
}

void cli_control_answer(struct cli_control_answer *answer, struct json_writer *json)
{
    struct client *client = answer->client;
    free(answer);
    if (client) {
        client->owed = NULL;
        if (json->failed) {
            drop(client);
        } else {
            client->answer = json->text;
            client->answer_at = 0;
            client->answer_size = json->length;
            client->answer[client->answer_size++] = '\n'; // in place of the NUL
            *json = (struct json_writer){0};
            if (flush(client) && !client->taking)
                take_requests(client);
        }
    }
    json_finish(json);
}

void cli_control_answer_error(struct cli_control_answer *answer, const char *text)
{
    struct json_writer json = {0};
    json_open(&json, NULL, '{');
    if (text)
        json_string(&json, "error", text);
    else
        json_bool(&json, "ok", true);
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static void refuse(struct cli_control *control, struct cli_control_answer *answer, const char *name)
{
    char text[400];
    int used = snprintf(text, sizeof(text), "no request '%.40s'; there are:", name);
    for (const struct cli_control_request *known = control->requests;
         known->name && used < (int)sizeof(text); known++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, " %s%s%s", known->name,
                         known->argument ? " " : "", known->argument ? known->argument : "");
    cli_control_answer_error(answer, text);
}

static void carry_out(struct client *client, char *line)
{
    struct cli_control *control = client->control;
    struct cli_control_answer *answer = malloc(sizeof(*answer));
    if (!answer) {
        drop(client);
        return;
    }
    answer->client = client;
    client->owed = answer;
    char *argument = line + strcspn(line, " ");
    if (*argument)
        *argument++ = 0;
    for (const struct cli_control_request *known = control->requests; known->name; known++) {
        if (strcmp(known->name, line))
            continue;
        if (!known->argument == !*argument)
            known->function(control->data, argument, answer);
        else
            refuse(control, answer, line);
        return;
    }
    refuse(control, answer, line);
}

static void take_requests(struct client *client)
{
    client->taking = true;
    while (client->fd >= 0 && !client->owed && !client->answer) {
        char *end = memchr(client->request, '\n', client->used), line[MAX_REQUEST];
        if (!end) {
            if (client->used == sizeof(client->request))
                drop(client); // no request is as long as that
            break;
        }
        size_t length = (size_t)(end - client->request);
        memcpy(line, client->request, length);
        line[length] = 0;
        client->used -= length + 1;
        memmove(client->request, end + 1, client->used);
        carry_out(client, line);
    }
    client->taking = false;
    if (client->fd >= 0)
        update(client);
}

static void on_client(void *data, int fd, unsigned events)
{
    struct client *client = data;
    if (events & OS_WRITABLE) {
        if (flush(client))
            take_requests(client);
        return;
    }
    if (client->answer || client->owed) {
        if (events & OS_HANGUP)
            drop(client);
        return;
    }
    size_t room = sizeof(client->request) - client->used;
    unsigned count = client->passed >= 0;
    ssize_t got =
        os_socket_recv(fd, client->request + client->used, room, &client->passed, 1, &count);
    if (got == -EAGAIN || got == -EINTR)
        return;
    if (got <= 0) {
        drop(client);
        return;
    }
    client->used += (size_t)got;
    take_requests(client);
}

// ---- the socket -----------------------------------------------------------

static void on_connection(void *data, int listener, unsigned events)
{
    struct cli_control *control = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    for (int i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &control->clients[i];
        if (client->fd >= 0)
            continue;
        client->fd = fd;
        client->source = os_loop_add_fd(control->loop, fd, OS_READABLE, on_client, client);
        if (!client->source)
            drop(client);
        return;
    }
    close(fd);
}

struct cli_control *cli_control_create(struct os_loop *loop, const char *path,
                                       const struct cli_control_request *requests, void *data)
{
    struct cli_control *control = calloc(1, sizeof(*control));
    if (!control)
        return NULL;
    *control = (struct cli_control){.loop = loop, .requests = requests, .data = data, .fd = -1};
    for (int i = 0; i < MAX_CLIENTS; i++)
        control->clients[i] = (struct client){.control = control, .fd = -1, .passed = -1};
    control->path = strdup(path);
    control->fd = control->path ? os_socket_listen(path) : -ENOMEM;
    int error = control->fd < 0 ? -control->fd : ENOMEM;
    if (control->fd >= 0)
        control->source = os_loop_add_fd(loop, control->fd, OS_READABLE, on_connection, control);
    if (control->source)
        return control;
    log_error("cannot listen on '%s' (--control): %s", path, strerror(error));
    cli_control_destroy(control);
    return NULL;
}

void cli_control_destroy(struct cli_control *control)
{
    if (!control)
        return;
    for (int i = 0; i < MAX_CLIENTS; i++)
        drop(&control->clients[i]);
    os_source_remove(control->source);
    if (control->fd >= 0) {
        close(control->fd);
        unlink(control->path);
    }
    free(control->path);
    free(control);
}

// ---- the other side -------------------------------------------------------

static char *read_answer(int fd, char error[256])
{
    size_t size = 0, capacity = 8192;
    char *text = malloc(capacity);
    uint64_t end = os_now_ns() + ASK_PATIENCE_NS;
    while (text && size < MAX_ANSWER) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        uint64_t now = os_now_ns();
        if (now >= end || poll(&ready, 1, (int)((end - now) / 1000000) + 1) == 0) {
            strcpy(error, "it does not answer");
            free(text);
            return NULL;
        }
        if (size + 1 == capacity) {
            char *larger = realloc(text, capacity *= 2);
            if (!larger)
                break;
            text = larger;
        }
        ssize_t got = read(fd, text + size, capacity - size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size += (size_t)got;
        if (text[size - 1] == '\n') {
            text[size - 1] = 0;
            return text;
        }
    }
    strcpy(error, "it has closed the connection");
    free(text);
    return NULL;
}

bool cli_control_ask(const char *path, const char *request, int passed, struct cli_reply *reply)
{
    char line[MAX_REQUEST];
    struct json error;
    int length = snprintf(line, sizeof(line), "%s\n", request);
    int fd = os_socket_connect(path);
    *reply = (struct cli_reply){.error = "it does not take requests"};
    if (fd < 0)
        snprintf(reply->error, sizeof(reply->error), "%s", strerror(-fd));
    else if (length < (int)sizeof(line) &&
             os_socket_send(fd, line, (size_t)length, &passed, passed >= 0) == length)
        reply->text = read_answer(fd, reply->error);
    if (fd >= 0)
        close(fd);
    if (!reply->text)
        return false;
    bool understood = json_parse(reply->text, strlen(reply->text), &reply->root);
    if (understood && !json_member(reply->root, "error", &error))
        return true;
    if (!understood || !json_copy(error, reply->error, sizeof(reply->error)))
        strcpy(reply->error, "its answer is not understood");
    return false;
}

// ---- where ----------------------------------------------------------------

static const char prefix[] = "hesper-";
static const char *const suffixes[] = {".control", ".vtest"};

static const char *folder(unsigned index)
{
    const char *folders[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    return folders[index] && folders[index][0] == '/' ? folders[index] : NULL;
}

bool cli_control_default_path(enum cli_control_kind kind, long pid, char *path, size_t size)
{
    for (unsigned i = 0; i < 3; i++) {
        if (folder(i) && access(folder(i), W_OK) == 0 &&
            snprintf(path, size, "%s/%s%ld%s", folder(i), prefix, pid, suffixes[kind]) < (int)size)
            return true;
    }
    return false;
}

unsigned cli_control_list(enum cli_control_kind kind, char paths[][108], unsigned capacity)
{
    unsigned count = 0;
    const char *suffix = suffixes[kind];
    for (unsigned i = 0; i < 3; i++) {
        DIR *directory = folder(i) ? opendir(folder(i)) : NULL;
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            size_t length = strlen(entry->d_name);
            struct stat status;
            if (count == capacity || length <= strlen(suffix) ||
                strncmp(entry->d_name, prefix, strlen(prefix)) ||
                strcmp(entry->d_name + length - strlen(suffix), suffix) ||
                snprintf(paths[count], 108, "%s/%s", folder(i), entry->d_name) >= 108)
                continue;
            bool again = false;
            for (unsigned j = 0; j < count; j++)
                again |= !strcmp(paths[j], paths[count]);
            int fd = again || stat(paths[count], &status) < 0 || status.st_uid != getuid()
                         ? -1
                         : os_socket_connect(paths[count]);
            if (fd >= 0) {
                close(fd);
                count++;
            }
        }
        if (directory) {
            closedir(directory);
            if (access(folder(i), W_OK) == 0)
                break; // machines of this environment are nowhere else
        }
    }
    return count;
}

unsigned cli_control_find(const char *label, const char *control, char paths[][108],
                          unsigned capacity)
{
    if (control) {
        snprintf(paths[0], 108, "%s", control);
        return 1;
    }
    unsigned count = cli_control_list(CLI_CONTROL_MACHINE, paths, capacity / 2);
    count += cli_control_list(CLI_CONTROL_VTEST, paths + count, capacity - count);
    if (!count)
        log_error("%s: no virtual machine of 'hesper run' and no server of 'hesper vtest' was "
                  "found; --control PATH says where another is",
                  label);
    return count;
}
