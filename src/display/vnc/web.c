#include "display/vnc/web.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/socket.h"

#define NS_PER_MS 1000000ull

enum {
    MAX_HEADER = 4000, // bytes; the library's limit for a WebSocket's is 4096
    HEADER_MS = 5000,  // for a header, and between two requests
    SEND_MS = 10000,   // without a byte
};

// ---- requests -------------------------------------------------------------

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool take_path(const char *from, size_t size, char *path, size_t room)
{
    size_t length = 0;
    if (!size || *from != '/')
        return false;
    for (size_t i = 0; i < size && from[i] != '?' && from[i] != '#'; i++) {
        int character = (unsigned char)from[i];
        if (character == '%') {
            if (size - i < 3 || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
                return false;
            character = hex(from[i + 1]) << 4 | hex(from[i + 2]);
            i += 2;
        }
        // Nothing hidden, nothing above.
        if (character < 0x20 || character == 0x7f || length + 1 >= room ||
            (character == '.' && path[length - 1] == '/'))
            return false;
        path[length++] = (char)character;
    }
    path[length] = 0;
    return true;
}

// The value of a header line if it is `name`'s.
static bool is_field(const char *line, size_t size, const char *name, char *value, size_t room)
{
    size_t length = strlen(name);
    if (size <= length || strncasecmp(line, name, length) || line[length] != ':')
        return false;
    const char *from = line + length + 1, *end = line + size;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if ((size_t)(end - from) >= room)
        return false;
    memcpy(value, from, (size_t)(end - from));
    value[end - from] = 0;
    return true;
}

static bool has_word(const char *list, const char *word)
{
    for (const char *at = list; *at; at++)
        if (!strncasecmp(at, word, strlen(word)))
            return true;
    return false;
}

int vnc_request_parse(const char *text, size_t size, struct vnc_request *request)
{
    memset(request, 0, sizeof(*request));
    const char *end = memchr(text, '\r', size);
    if (!end || memchr(text, 0, size))
        return 400;
    size_t first = (size_t)(end - text), method;
    if (first > 4 && !memcmp(text, "GET ", 4)) {
        method = 4;
    } else if (first > 5 && !memcmp(text, "HEAD ", 5)) {
        method = 5;
        request->head = true;
    } else {
        return 405;
    }
    const char *path = text + method, *version = memchr(path, ' ', first - method);
    if (!version || text + first - version != 9 || memcmp(version, " HTTP/1.", 8))
        return 400;
    if (!take_path(path, (size_t)(version - path), request->path, sizeof(request->path)))
        return 404;
    request->keep = version[8] == '1';

    char value[300];
    bool upgrade = false;
    for (const char *line = end; line + 2 < text + size;) {
        line += 2;
        const char *next = memchr(line, '\r', (size_t)(text + size - line));
        if (!next)
            return 400;
        size_t length = (size_t)(next - line);
        if (is_field(line, length, "host", request->host, sizeof(request->host)) ||
            is_field(line, length, "origin", request->origin, sizeof(request->origin))) {
            // taken
        } else if (is_field(line, length, "upgrade", value, sizeof(value))) {
            request->websocket = !strcasecmp(value, "websocket");
        } else if (is_field(line, length, "connection", value, sizeof(value))) {
            upgrade = has_word(value, "upgrade");
            if (has_word(value, "close"))
                request->keep = false;
        }
        line = next;
    }
    request->websocket = request->websocket && upgrade && !request->head;
    return 0;
}

static bool is_here(const char *host)
{
    if (!strncmp(host, "[::1]", 5))
        return !host[5] || host[5] == ':';
    size_t length = strcspn(host, ":");
    if (length == 9 && !strncasecmp(host, "localhost", 9))
        return true;
    if (strncmp(host, "127.", 4))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)host[i]) && host[i] != '.')
            return false;
    return true;
}

bool vnc_request_may_join(const struct vnc_request *request, bool local)
{
    const char *origin = request->origin;
    if (!strncmp(origin, "http://", 7))
        origin += 7;
    else if (!strncmp(origin, "https://", 8))
        origin += 8;
    else
        return false;
    return *request->host && !strcasecmp(origin, request->host) &&
           (!local || is_here(request->host));
}

// ---- answers --------------------------------------------------------------

static bool send_all(int client, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = os_socket_send(client, bytes, size, NULL, 0);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            struct pollfd wait = {.fd = client, .events = POLLOUT};
            if (poll(&wait, 1, SEND_MS) == 0)
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static bool send_status(int client, int status, bool keep, const char *more)
{
    const char *reason = status == 302   ? "Found"
                         : status == 400 ? "Bad Request"
                         : status == 403 ? "Forbidden"
                         : status == 404 ? "Not Found"
                         : status == 405 ? "Method Not Allowed"
                                         : "Error";
    char text[512];
    int size = snprintf(text, sizeof(text),
                        "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: %s\r\n\r\n", status,
                        reason, more, keep ? "keep-alive" : "close");
    return send_all(client, text, (size_t)size) && keep;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".oga", "audio/ogg"},
        {".mp3", "audio/mpeg"},
        {".ttf", "font/ttf"},
        {".woff", "font/woff"},
    };
    const char *end = strrchr(path, '.');
    for (size_t i = 0; end && i < sizeof(types) / sizeof(*types); i++)
        if (!strcmp(end, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

// A file below `root`, whatever links lie on the way. -1: there is none.
static int open_below(const char *root, const char *path, struct stat *status)
{
    char wanted[PATH_MAX], real_root[PATH_MAX], real[PATH_MAX];
    if (snprintf(wanted, sizeof(wanted), "%s%s", root, path) >= (int)sizeof(wanted) ||
        !realpath(root, real_root) || !realpath(wanted, real))
        return -1;
    size_t length = strlen(real_root);
    if (strncmp(real, real_root, length) || real[length] != '/')
        return -1;
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_file(const struct vnc_options *options, int client,
                      const struct vnc_request *request)
{
    struct stat status;
    int fd = open_below(options->web_root, request->path, &status);
    if (fd < 0)
        return send_status(client, 404, request->keep, "");
    char bytes[16384];
    int size = snprintf(bytes, sizeof(bytes),
                        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
                        "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
                        "X-Frame-Options: DENY\r\nConnection: %s\r\n\r\n",
                        type_of(request->path), (long long)status.st_size,
                        request->keep ? "keep-alive" : "close");
    bool good = send_all(client, bytes, (size_t)size);
    off_t left = request->head ? 0 : status.st_size;
    while (good && left > 0) {
        ssize_t got = read(fd, bytes, left < (off_t)sizeof(bytes) ? (size_t)left : sizeof(bytes));
        good = got > 0 && send_all(client, bytes, (size_t)got);
        left -= got;
    }
    close(fd);
    return good && request->keep;
}

// ---- the connection -------------------------------------------------------

// Looks at the next header without taking it. Its size; 0: none came, or it is too long.
static size_t peek_header(int client, char text[MAX_HEADER])
{
    uint64_t deadline = os_now_ns() + HEADER_MS * NS_PER_MS;
    for (ssize_t seen = 0; os_now_ns() < deadline;) {
        struct pollfd wait = {.fd = client, .events = POLLIN};
        if (poll(&wait, 1, HEADER_MS) <= 0)
            return 0;
        ssize_t got = recv(client, text, MAX_HEADER, MSG_PEEK);
        if (got <= 0)
            return 0;
        for (ssize_t i = 3; i < got; i++)
            if (!memcmp(text + i - 3, "\r\n\r\n", 4))
                return (size_t)i + 1;
        if (got == MAX_HEADER)
            return 0;
        if (got == seen)
            os_sleep_ns(5 * NS_PER_MS); // the rest is on its way
        seen = got;
    }
    return 0;
}

bool vnc_web_serve(const struct vnc_options *options, int client)
{
    char text[MAX_HEADER];
    size_t size;
    bool keep = true;
    os_socket_set_nonblocking(client, true);
    while (keep && (size = peek_header(client, text))) {
        struct vnc_request request;
        int error = vnc_request_parse(text, size, &request);
        if (!error && request.websocket) {
            if (vnc_request_may_join(&request, options->local))
                return true;
            log_warning("refused: a page of '%s' wanted the screen of '%s'", request.origin,
                        request.host);
            send_status(client, 403, false, "");
            return false;
        }
        if (recv(client, text, size, 0) != (ssize_t)size)
            return false;
        if (error)
            keep = send_status(client, error, false, "");
        else if (!strcmp(request.path, "/"))
            keep = send_status(client, 302, request.keep,
                               "Location: /vnc.html?autoconnect=true&resize=scale&quality=9\r\n");
        else
            keep = send_file(options, client, &request);
    }
    return false;
}
