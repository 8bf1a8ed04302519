#include "guest/vtest/vtest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/vtest/screen.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum {
    UNREF = 3,
    CREATE_RENDERER = 8,
    PROTOCOL_VERSION = 11,
    GET_CAPSET = 16,
    CONTEXT_INIT = 17,
    CREATE_BLOB = 18,
    SYNC_CREATE = 19,
    SYNC_READ = 21,
    SYNC_WAIT = 23,
    SUBMIT_CMD2 = 24,

    VERSION = 3,
    BLOB_HOST3D = 2,
    BATCH_RING_IDX = 1,
};

struct vtest {
    struct guest_transport base;
    const struct guest_system *system;
    int fd; // -1: the server has gone
    // A sync object for each timeline that had a fence; its value counts them. A fence is the value
    // and, in its low bits, the timeline.
    uint32_t syncs[GUEST_TIMELINES];
    uint64_t values[GUEST_TIMELINES];
};

static struct vtest *vtest_of(struct guest_transport *transport)
{
    return (struct vtest *)transport;
}

static int lose(struct vtest *vtest)
{
    if (vtest->fd >= 0)
        close(vtest->fd);
    vtest->fd = -1;
    return GUEST_ERROR_LOST;
}

static int send_all(struct vtest *vtest, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    while (message.msg_iovlen) {
        ssize_t sent = vtest->fd < 0 ? -1 : sendmsg(vtest->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && vtest->fd >= 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return lose(vtest);
        while (message.msg_iovlen && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen) {
            message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return 0;
}

static int request(struct vtest *vtest, uint32_t command, const void *payload, uint32_t words)
{
    uint32_t header[2] = {words, command};
    struct iovec parts[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)payload, words * 4u}};
    return send_all(vtest, parts, words ? 2 : 1);
}

static int receive(struct vtest *vtest, void *to, size_t size)
{
    uint8_t *at = to;
    while (size) {
        ssize_t got = vtest->fd < 0 ? 0 : recv(vtest->fd, at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return lose(vtest);
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

// The reply of a command: at most `words` words; more than those end the connection.
static int reply(struct vtest *vtest, uint32_t command, void *payload, uint32_t words,
                 uint32_t *received)
{
    uint32_t header[2];
    int error = receive(vtest, header, sizeof(header));
    if (error)
        return error;
    if (header[1] != command || header[0] > words || (!received && header[0] != words))
        return lose(vtest);
    if (received)
        *received = header[0];
    return receive(vtest, payload, header[0] * 4u);
}

// A descriptor comes with a byte of its own.
static int receive_fd(struct vtest *vtest, int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do {
        got = vtest->fd < 0 ? 0 : recvmsg(vtest->fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    struct cmsghdr *header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return lose(vtest);
    memcpy(fd, CMSG_DATA(header), sizeof(int));
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

// ---- the calls ------------------------------------------------------------

static int info(struct guest_transport *transport, struct guest_info *info)
{
    memset(info, 0, sizeof(*info));
    vtest_screen_info(info);
    return 0;
}

static int capset(struct guest_transport *transport, uint32_t id, uint32_t version, void *data,
                  size_t size)
{
    struct vtest *vtest = vtest_of(transport);
    uint32_t answer[1 + 256] = {0}, words = 0;
    int error = request(vtest, GET_CAPSET, (uint32_t[]){id, version}, 2);
    if (!error)
        error = reply(vtest, GET_CAPSET, answer, 1 + 256, &words);
    if (error)
        return error;
    if (!words || !answer[0])
        return GUEST_ERROR_UNSUPPORTED;
    size_t have = (words - 1) * 4u;
    memset(data, 0, size);
    memcpy(data, answer + 1, have < size ? have : size);
    return 0;
}

// The server hears the name when it is connected to; a context has the capset.
static int open_context(struct guest_transport *transport, uint32_t capset_id, const char *name)
{
    return request(vtest_of(transport), CONTEXT_INIT, &capset_id, 1);
}

static int make_sync(struct vtest *vtest, uint32_t timeline)
{
    if (vtest->syncs[timeline])
        return 0;
    int error = request(vtest, SYNC_CREATE, (uint32_t[]){0, 0}, 2);
    return error ? error : reply(vtest, SYNC_CREATE, &vtest->syncs[timeline], 1, NULL);
}

static int submit(struct guest_transport *transport, const void *commands, size_t size,
                  uint32_t timeline, uint64_t *fence)
{
    struct vtest *vtest = vtest_of(transport);
    if (timeline >= GUEST_TIMELINES || size % 4 || size > UINT32_MAX / 2)
        return GUEST_ERROR_UNSUPPORTED;
    int error = fence ? make_sync(vtest, timeline) : 0;
    if (error)
        return error;
    uint32_t words = (uint32_t)(size / 4), sync[3] = {0};
    // One batch: a header of seven words, the commands, the sync and its value.
    enum { HEADER = 7 };
    uint32_t head[2 + HEADER] = {
        HEADER + words + (fence ? 3 : 0),
        SUBMIT_CMD2,
        1,
        BATCH_RING_IDX,
        HEADER,
        words,
        HEADER + words,
        fence ? 1 : 0,
        timeline,
    };
    if (fence) {
        uint64_t value = ++vtest->values[timeline];
        sync[0] = vtest->syncs[timeline];
        sync[1] = (uint32_t)value;
        sync[2] = (uint32_t)(value >> 32);
        *fence = value * GUEST_TIMELINES + timeline;
    }
    struct iovec parts[3] = {
        {head, sizeof(head)}, {(void *)(uintptr_t)commands, size}, {sync, sizeof(sync)}};
    // A part of no bytes is left out at the end, and passed over in the middle.
    return send_all(vtest, parts, fence ? 3 : 2);
}

static int blob_create(struct guest_transport *transport, uint64_t id, uint64_t size,
                       uint32_t flags, struct guest_blob *blob)
{
    struct vtest *vtest = vtest_of(transport);
    uint32_t payload[6] = {BLOB_HOST3D,    flags,
                           (uint32_t)size, (uint32_t)(size >> 32),
                           (uint32_t)id,   (uint32_t)(id >> 32)};
    uint32_t resource = 0;
    int fd = -1, error = request(vtest, CREATE_BLOB, payload, 6);
    if (!error)
        error = reply(vtest, CREATE_BLOB, &resource, 1, NULL);
    if (!error)
        error = receive_fd(vtest, &fd);
    if (error)
        return error;
    *blob = (struct guest_blob){.resource = resource, .size = size, .own = (uint64_t)fd + 1};
    return 0;
}

static void drop_file(struct guest_blob *blob)
{
    if (blob->own)
        close((int)(blob->own - 1));
    blob->own = 0;
}

static int blob_map(struct guest_transport *transport, struct guest_blob *blob)
{
    void *address =
        mmap(NULL, blob->size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)(blob->own - 1), 0);
    if (address == MAP_FAILED)
        return GUEST_ERROR_MEMORY;
    blob->address = address;
    return 0;
}

static void blob_unmap(struct guest_transport *transport, struct guest_blob *blob)
{
    if (blob->address)
        munmap(blob->address, blob->size);
    blob->address = NULL;
}

static void blob_free(struct guest_transport *transport, struct guest_blob *blob)
{
    blob_unmap(transport, blob);
    drop_file(blob);
    if (blob->resource)
        request(vtest_of(transport), UNREF, &blob->resource, 1);
    blob->resource = 0;
}

static int milliseconds(uint64_t nanoseconds)
{
    uint64_t rounded = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
    return nanoseconds == UINT64_MAX || rounded > INT32_MAX ? -1 : (int)rounded;
}

static int fence_wait(struct guest_transport *transport, uint64_t fence, uint64_t nanoseconds)
{
    struct vtest *vtest = vtest_of(transport);
    uint64_t value = fence / GUEST_TIMELINES;
    int patience = milliseconds(nanoseconds);
    uint32_t payload[5] = {0, (uint32_t)patience, vtest->syncs[fence % GUEST_TIMELINES],
                           (uint32_t)value, (uint32_t)(value >> 32)};
    int fd = -1, error = request(vtest, SYNC_WAIT, payload, 5);
    if (!error)
        error = reply(vtest, SYNC_WAIT, NULL, 0, NULL);
    if (!error)
        error = receive_fd(vtest, &fd);
    if (error)
        return error;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int found;
    do {
        found = poll(&wait, 1, patience);
    } while (found < 0 && errno == EINTR);
    close(fd);
    if (found <= 0)
        return GUEST_ERROR_TIMEOUT;
    // A descriptor that ends without a byte: the device or the server is lost.
    return wait.revents & POLLIN ? 0 : GUEST_ERROR_LOST;
}

static int scanout(struct guest_transport *transport, uint32_t output,
                   const struct guest_blob *blob, const struct guest_picture *picture)
{
    struct guest_info screen = {0};
    vtest_screen_info(&screen);
    return output < screen.output_count ? 0 : GUEST_ERROR_UNSUPPORTED;
}

static int flush(struct guest_transport *transport, const struct guest_blob *blob,
                 const struct guest_picture *picture)
{
    return vtest_screen_show(blob, picture);
}

static void close_all(struct guest_transport *transport)
{
    struct vtest *vtest = vtest_of(transport);
    lose(vtest);
    vtest->system->release(vtest->system->context, vtest);
}

static const struct guest_transport_calls calls = {
    .info = info,
    .capset = capset,
    .open = open_context,
    .submit = submit,
    .blob_create = blob_create,
    .blob_map = blob_map,
    .blob_unmap = blob_unmap,
    .blob_free = blob_free,
    .fence_wait = fence_wait,
    .scanout = scanout,
    .flush = flush,
    .close = close_all,
};

// ---- connecting -----------------------------------------------------------

static int greet(struct vtest *vtest)
{
    static const char name[] = "hesper guest kit";
    uint32_t header[2] = {sizeof(name), CREATE_RENDERER}; // bytes here, words everywhere else
    struct iovec parts[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)name, sizeof(name)}};
    uint32_t version = VERSION;
    int error = send_all(vtest, parts, 2);
    if (!error)
        error = request(vtest, PROTOCOL_VERSION, &version, 1);
    if (!error)
        error = reply(vtest, PROTOCOL_VERSION, &version, 1, NULL);
    return !error && version < VERSION ? GUEST_ERROR_UNSUPPORTED : error;
}

int guest_vtest_connect(const struct guest_system *system, const char *path,
                        struct guest_transport **transport)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path)
        path = getenv("VTEST_SOCKET_NAME");
    if (!path)
        path = "/tmp/.virgl_test";
    if (strlen(path) >= sizeof(address.sun_path))
        return GUEST_ERROR_UNSUPPORTED;
    strcpy(address.sun_path, path);
    struct vtest *vtest = system->allocate(system->context, sizeof(*vtest));
    if (!vtest)
        return GUEST_ERROR_MEMORY;
    vtest->base.calls = &calls;
    vtest->system = system;
    vtest->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int error = 0;
    if (vtest->fd < 0 || connect(vtest->fd, (struct sockaddr *)&address, sizeof(address)))
        error = GUEST_ERROR_LOST;
    if (!error)
        fcntl(vtest->fd, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    if (!error)
        setsockopt(vtest->fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    if (!error)
        error = greet(vtest);
    if (error) {
        if (system->log)
            system->log(system->context, "no vtest server answers: is `hesper vtest` running?");
        close_all(&vtest->base);
        return error;
    }
    *transport = &vtest->base;
    return 0;
}
