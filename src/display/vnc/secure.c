#include "display/vnc/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/socket.h"

enum {
    HANDSHAKE_MS = 20000, // all of it
    STALL_MS = 10000,     // with bytes to send and none taken
    BUFFER = 16384,

    SECURITY_NONE = 1,
    SECURITY_PASSWORD = 2,
    SECURITY_VENCRYPT = 19,
    VENCRYPT_X509_NONE = 260,
    VENCRYPT_X509_PASSWORD = 261,
};

struct vnc_secure {
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t session;
    int network; // -1: not begun
    int plain;   // our end
    int library; // a copy of the library's end, to end it by
    pthread_t thread;
    bool running;
    uint64_t deadline_ns;
    char version[13]; // of RFB, as the viewer has said
    bool viewer;      // not a browser: the library's greeting is answered here
};

struct vnc_secure *vnc_secure_create(const struct vnc_options *options)
{
    struct vnc_secure *secure = calloc(1, sizeof(*secure));
    int error = GNUTLS_E_MEMORY_ERROR;
    if (!secure)
        goto fail;
    secure->network = secure->plain = secure->library = -1;
    error = gnutls_certificate_allocate_credentials(&secure->credentials);
    if (!error)
        error = gnutls_certificate_set_x509_key_file(secure->credentials, options->tls_certificate,
                                                     options->tls_key, GNUTLS_X509_FMT_PEM);
    if (!error)
        error = gnutls_init(&secure->session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
    if (!error)
        error = gnutls_set_default_priority(secure->session);
    if (!error)
        error =
            gnutls_credentials_set(secure->session, GNUTLS_CRD_CERTIFICATE, secure->credentials);
    if (!error)
        return secure;
fail:
    log_error("no TLS with the certificate %s and the key %s: %s", options->tls_certificate,
              options->tls_key, gnutls_strerror(error));
    vnc_secure_destroy(secure);
    return NULL;
}

void vnc_secure_destroy(struct vnc_secure *secure)
{
    if (!secure)
        return;
    if (secure->running) {
        shutdown(secure->library, SHUT_RDWR);
        pthread_join(secure->thread, NULL);
    }
    const int fds[] = {secure->network, secure->plain, secure->library};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (secure->session)
        gnutls_deinit(secure->session);
    if (secure->credentials)
        gnutls_certificate_free_credentials(secure->credentials);
    free(secure);
}

// ---- agreeing, in plain bytes ---------------------------------------------

static bool wait_for(struct vnc_secure *secure, int fd, short events)
{
    uint64_t now = os_now_ns();
    if (now >= secure->deadline_ns)
        return false;
    struct pollfd wait = {.fd = fd, .events = events};
    return poll(&wait, 1, (int)((secure->deadline_ns - now) / 1000000) + 1) > 0;
}

static bool get(struct vnc_secure *secure, int fd, void *to, size_t size)
{
    uint8_t *at = to;
    while (size) {
        ssize_t got = recv(fd, at, size, 0);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) ||
                   !wait_for(secure, fd, POLLIN)) {
            return false;
        }
    }
    return true;
}

static bool put(struct vnc_secure *secure, int fd, const void *from, size_t size)
{
    const uint8_t *at = from;
    while (size) {
        ssize_t sent = os_socket_send(fd, at, size, NULL, 0);
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        } else if ((sent != -EAGAIN && sent != -EWOULDBLOCK) || !wait_for(secure, fd, POLLOUT)) {
            return false;
        }
    }
    return true;
}

// RFB up to VeNCrypt's choice: nothing but X.509 is offered, so that no viewer gets on without.
static bool agree(struct vnc_secure *secure, bool password)
{
    static const char oldest[] = "\0\0\0\0\0\0\0\x10TLS is demanded";
    const uint8_t kinds[2] = {1, SECURITY_VENCRYPT};
    const uint32_t wanted = password ? VENCRYPT_X509_PASSWORD : VENCRYPT_X509_NONE;
    const uint8_t offer[6] = {0, 1, 0, 0, (uint8_t)(wanted >> 8), (uint8_t)wanted};
    uint8_t answer[4];
    int fd = secure->network;
    if (!put(secure, fd, "RFB 003.008\n", 12) || !get(secure, fd, secure->version, 12))
        return false;
    if (strcmp(secure->version, "RFB 003.007\n") && strcmp(secure->version, "RFB 003.008\n")) {
        put(secure, fd, oldest, sizeof(oldest));
        return false;
    }
    if (!put(secure, fd, kinds, 2) || !get(secure, fd, answer, 1) || answer[0] != SECURITY_VENCRYPT)
        return false;
    if (!put(secure, fd, "\0\2", 2) || !get(secure, fd, answer, 2) || answer[0] != 0 ||
        answer[1] != 2) {
        put(secure, fd, "\xff", 1);
        return false;
    }
    if (!put(secure, fd, offer, 6) || !get(secure, fd, answer, 4))
        return false;
    bool good = !memcmp(answer, offer + 2, 4);
    return put(secure, fd, good ? "\1" : "\0", 1) && good;
}

static bool shake_hands(struct vnc_secure *secure)
{
    int error;
    while ((error = gnutls_handshake(secure->session)) != GNUTLS_E_SUCCESS) {
        short events = gnutls_record_get_direction(secure->session) ? POLLOUT : POLLIN;
        if (gnutls_error_is_fatal(error)) {
            log_info("no TLS with a viewer: %s", gnutls_strerror(error));
            gnutls_alert_send_appropriate(secure->session, error);
            return false;
        }
        if (!wait_for(secure, secure->network, events))
            return false;
    }
    return true;
}

// The library offers one kind of security, the one that VeNCrypt's choice goes on with.
static bool greet_library(struct vnc_secure *secure)
{
    uint8_t text[12], kinds[2];
    return get(secure, secure->plain, text, 12) &&
           put(secure, secure->plain, secure->version, 12) &&
           get(secure, secure->plain, kinds, 2) && kinds[0] == 1 &&
           put(secure, secure->plain, &kinds[1], 1);
}

// ---- the thread -----------------------------------------------------------

struct way {
    uint8_t bytes[BUFFER];
    size_t size, done;
    bool ended; // nothing will come
};

// Each step: true if it got on.
static bool from_network(struct vnc_secure *secure, struct way *way)
{
    if (way->ended || way->size)
        return false;
    ssize_t got = gnutls_record_recv(secure->session, way->bytes, sizeof(way->bytes));
    if (got > 0)
        way->size = (size_t)got;
    else if (got == 0 || gnutls_error_is_fatal((int)got) || got == GNUTLS_E_REHANDSHAKE)
        way->ended = true;
    return got > 0 || way->ended;
}

// So many bytes went out; negative: none will any more.
static void forward(struct way *way, ssize_t sent)
{
    if (sent < 0)
        way->ended = true;
    way->done = sent < 0 ? way->size : way->done + (size_t)sent;
    if (way->done == way->size)
        way->done = way->size = 0;
}

static bool to_library(struct vnc_secure *secure, struct way *way)
{
    if (way->done == way->size)
        return false;
    ssize_t sent =
        os_socket_send(secure->plain, way->bytes + way->done, way->size - way->done, NULL, 0);
    if (sent == -EAGAIN || sent == -EWOULDBLOCK)
        return false;
    forward(way, sent);
    return true;
}

static bool from_library(struct vnc_secure *secure, struct way *way)
{
    if (way->ended || way->size)
        return false;
    ssize_t got = recv(secure->plain, way->bytes, sizeof(way->bytes), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (got > 0)
        way->size = (size_t)got;
    else
        way->ended = true;
    return true;
}

static bool to_network(struct vnc_secure *secure, struct way *way)
{
    if (!way->size)
        return false;
    ssize_t sent =
        gnutls_record_send(secure->session, way->bytes + way->done, way->size - way->done);
    if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED)
        return false;
    forward(way, sent);
    return true;
}

static void carry(struct vnc_secure *secure)
{
    static const short none = 0;
    struct way *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
    while (in && out) {
        bool moved = from_network(secure, in);
        moved = to_library(secure, in) || moved;
        moved = from_library(secure, out) || moved;
        moved = to_network(secure, out) || moved;
        if ((in->ended && !in->size) || (out->ended && !out->size))
            break;
        if (moved)
            continue;
        struct pollfd waits[2] = {
            {.fd = secure->network,
             .events = (short)((in->size ? none : POLLIN) | (out->size ? POLLOUT : none))},
            {.fd = secure->plain,
             .events = (short)((out->size ? none : POLLIN) | (in->size ? POLLOUT : none))}};
        if (poll(waits, 2, out->size ? STALL_MS : -1) == 0)
            break;
    }
    free(in);
    free(out);
}

static void *run(void *data)
{
    struct vnc_secure *secure = data;
    if (!secure->viewer || greet_library(secure))
        carry(secure);
    gnutls_bye(secure->session, GNUTLS_SHUT_WR);
    shutdown(secure->network, SHUT_RDWR);
    shutdown(secure->plain, SHUT_RDWR);
    return NULL;
}

int vnc_secure_begin(struct vnc_secure *secure, const struct vnc_options *options, int client)
{
    int pair[2];
    secure->network = client;
    secure->viewer = !options->web_client;
    secure->deadline_ns = os_now_ns() + HANDSHAKE_MS * 1000000ull;
    os_socket_set_nonblocking(client, true);
    if (secure->viewer && !agree(secure, options->password_file))
        return -1;
    gnutls_transport_set_int(secure->session, client);
    if (!shake_hands(secure))
        return -1;
    if (os_socket_pair(pair))
        return -1;
    secure->plain = pair[0];
    secure->library = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
    os_socket_set_nonblocking(secure->plain, true);
    secure->running = secure->library >= 0 && !pthread_create(&secure->thread, NULL, run, secure);
    if (secure->running)
        return pair[1];
    close(pair[1]);
    return -1;
}
