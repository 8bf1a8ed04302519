#include "display/vnc/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "os/socket.h"

struct place {
    char address[256];
    long port; // -1: none was given
};

static bool is_path(const char *text)
{
    return strchr(text, '/');
}

// False: it is no address.
static bool parse(const char *text, struct place *place)
{
    const char *end, *port = NULL;
    if (*text == '[') {
        end = strchr(++text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        port = end[1] ? end + 2 : NULL;
    } else {
        end = strchr(text, ':');
        if (end && !strchr(end + 1, ':'))
            port = end + 1;
        else
            end = text + strlen(text); // more than one colon: an IPv6 address
    }
    size_t length = (size_t)(end - text);
    if (length >= sizeof(place->address))
        return false;
    memcpy(place->address, text, length);
    place->address[length] = 0;
    if (!length)
        strcpy(place->address, "127.0.0.1");
    place->port = -1;
    if (!port)
        return true;
    char *rest;
    place->port = strtol(port, &rest, 10);
    return *port >= '0' && *port <= '9' && !*rest && place->port > 0 && place->port < 65536;
}

static struct addrinfo *look_up(const char *address)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE},
                    *found = NULL;
    const char *name = strcmp(address, "*") ? address : "0.0.0.0";
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error) {
        log_error("there is no address '%s' to listen on: %s", address, gai_strerror(error));
        return NULL;
    }
    return found;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ip = (const void *)address;
        return ntohl(ip->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ip = (const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&ip->sin6_addr);
    }
    return false;
}

bool vnc_listen_address(const char *text, char *address, size_t size)
{
    struct place place;
    if (is_path(text) || !parse(text, &place))
        return false;
    return snprintf(address, size, "%s", place.address) < (int)size;
}

bool vnc_listen_is_local(const char *text, bool *local)
{
    struct place place;
    *local = true;
    if (is_path(text))
        return true;
    if (!parse(text, &place)) {
        log_error("'%s' is no ADDRESS, ADDRESS:PORT or path of a socket", text);
        return false;
    }
    struct addrinfo *found = look_up(place.address);
    if (!found)
        return false;
    *local = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return true;
}

static bool set_port(struct sockaddr *address, long port)
{
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
    else if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
    else
        return false;
    return true;
}

// The listening socket or -errno.
static int listen_at(const struct addrinfo *info, long port)
{
    int fd = socket(info->ai_family, SOCK_STREAM, 0), one = 1;
    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (!set_port(info->ai_addr, port)) {
        close(fd);
        return -EAFNOSUPPORT;
    }
    int error = bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, 32) < 0
                    ? -errno
                    : os_socket_set_nonblocking(fd, true);
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

bool vnc_listen(const char *text, struct vnc_listener *listener)
{
    *listener = (struct vnc_listener){.fd = -1, .local = true};
    if (is_path(text)) {
        snprintf(listener->text, sizeof(listener->text), "%s", text);
        listener->fd = os_socket_listen(text);
        if (listener->fd < 0)
            log_error("cannot listen on %s: %s", text, strerror(-listener->fd));
        return listener->fd >= 0;
    }
    struct place place;
    if (!parse(text, &place)) {
        log_error("'%s' is no ADDRESS, ADDRESS:PORT or path of a socket", text);
        return false;
    }
    struct addrinfo *found = look_up(place.address);
    if (!found)
        return false;
    long port = place.port > 0 ? place.port : VNC_FIRST_PORT;
    long last = place.port > 0 ? place.port : VNC_LAST_PORT;
    do {
        listener->fd = listen_at(found, port);
    } while (listener->fd == -EADDRINUSE && ++port <= last);
    listener->local = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    if (listener->fd < 0) {
        log_error("cannot listen on %s, port %ld%s: %s", place.address,
                  place.port > 0 ? place.port : VNC_FIRST_PORT,
                  place.port > 0 ? "" : " and those after it", strerror(-listener->fd));
        return false;
    }
    snprintf(listener->text, sizeof(listener->text),
             strchr(place.address, ':') ? "[%s]:%ld" : "%s:%ld", place.address, port);
    return true;
}
