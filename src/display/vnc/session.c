// The process of one viewer: LibVNCServer with one connection. It gets what is shown from the
// server (message.h), keeps a picture of its own, so that nothing changes while the library encodes
// it, and sends what its person does.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rfb/rfb.h>

#include "base/log.h"
#include "display/vnc/cursor.h"
#include "display/vnc/keyboard.h"
#include "display/vnc/message.h"
#include "display/vnc/options.h"
#include "display/vnc/secure.h"
#include "display/vnc/web.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "os/shm.h"
#include "os/socket.h"
#include "picture/picture.h"

enum {
    CLIENT_WAIT_MS = 10000, // without a byte, in the middle of a message either way
    EVENTS = 64,            // messages of the viewer before it is shown something again
    HELD_MESSAGES = 64,
    QEMU_KEYS = -258, // pseudo-encoding: key events that name the key
    QEMU_MESSAGE = 255,
};

struct picture { // the server's
    uint8_t *pixels;
    uint32_t width, height;
};

struct viewer {
    const struct vnc_options *options;
    int fd;                                 // to the server
    int failed;                             // it is gone
    bool joined;                            // VNC_JOINED was sent
    bool end;                               // VNC_END was received, and not answered
    struct vnc_message held[HELD_MESSAGES]; // to be sent
    unsigned held_count;

    rfbScreenInfoPtr screen;
    rfbClientPtr client;
    char *passwords[2];
    struct vnc_keyboard keyboard;

    struct picture picture;
    uint8_t *frame; // the library's, screen->width × screen->height
    struct vnc_cursor cursor;
    struct picture_rect drawn; // where the cursor is in the frame; width 0: it is not
};

static struct viewer *viewer_of(rfbClientPtr client)
{
    return client->screen->screenData;
}

// ---- to the server --------------------------------------------------------

// Waits while the server takes nothing: then the guest doesn't either, and the viewer shall wait.
static void flush_messages(struct viewer *viewer)
{
    const uint8_t *bytes = (const uint8_t *)viewer->held;
    size_t size = viewer->held_count * sizeof(viewer->held[0]);
    viewer->held_count = 0;
    while (size && !viewer->failed) {
        ssize_t sent = os_socket_send(viewer->fd, bytes, size, NULL, 0);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            struct pollfd wait = {.fd = viewer->fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else {
            viewer->failed = 1;
        }
    }
}

static void tell(struct viewer *viewer, struct vnc_message message)
{
    if (viewer->held_count == HELD_MESSAGES)
        flush_messages(viewer);
    viewer->held[viewer->held_count++] = message;
}

// ---- the frame ------------------------------------------------------------

// Clips to width × height. False: nothing is left.
static bool clip(int64_t x, int64_t y, int64_t width, int64_t height, uint32_t limit_width,
                 uint32_t limit_height, struct picture_rect *rect)
{
    int64_t right = x + width, bottom = y + height;
    x = x < 0 ? 0 : x;
    y = y < 0 ? 0 : y;
    right = right > limit_width ? limit_width : right;
    bottom = bottom > limit_height ? limit_height : bottom;
    *rect = (struct picture_rect){0};
    if (x >= right || y >= bottom)
        return false;
    *rect = (struct picture_rect){(uint32_t)x, (uint32_t)y, (uint32_t)(right - x),
                                  (uint32_t)(bottom - y)};
    return true;
}

static void blend_cursor(struct viewer *viewer, const struct picture_rect *rect)
{
    size_t stride = (size_t)viewer->screen->width * 4;
    picture_blend(viewer->cursor.rgba, viewer->cursor.width, viewer->cursor.height,
                  (int64_t)viewer->cursor.x - rect->x, (int64_t)viewer->cursor.y - rect->y,
                  PICTURE_ORDER_BGRA, viewer->frame + rect->y * stride + (size_t)rect->x * 4,
                  stride, rect->width, rect->height);
}

// A part of the picture into the frame, which is smaller or larger when the viewer can't follow the
// guest's size.
static void paint(struct viewer *viewer, const struct picture_rect *wanted)
{
    const struct picture *picture = &viewer->picture;
    uint32_t width = (uint32_t)viewer->screen->width, height = (uint32_t)viewer->screen->height;
    struct picture_rect rect;
    if (!clip(wanted->x, wanted->y, wanted->width, wanted->height,
              picture->width < width ? picture->width : width,
              picture->height < height ? picture->height : height, &rect))
        return;
    for (uint32_t y = rect.y; y < rect.y + rect.height; y++)
        memcpy(viewer->frame + ((size_t)y * width + rect.x) * 4,
               picture->pixels + ((size_t)y * picture->width + rect.x) * 4, (size_t)rect.width * 4);
    if (viewer->drawn.width)
        blend_cursor(viewer, &rect);
    rfbMarkRectAsModified(viewer->screen, (int)rect.x, (int)rect.y, (int)(rect.x + rect.width),
                          (int)(rect.y + rect.height));
}

// The library begins with R G B X, and goes back to it with every new frame.
static void set_format(struct viewer *viewer)
{
    viewer->screen->serverFormat.redShift = 16;
    viewer->screen->serverFormat.greenShift = 8;
    viewer->screen->serverFormat.blueShift = 0;
    if (viewer->client)
        viewer->screen->setTranslateFunction(viewer->client);
}

static bool new_frame(struct viewer *viewer, uint32_t width, uint32_t height)
{
    uint8_t *frame = calloc((size_t)width * height, 4), *old = viewer->frame;
    if (!frame) {
        log_error("no memory for a picture of %ux%u", width, height);
        return false;
    }
    rfbNewFramebuffer(viewer->screen, (char *)frame, (int)width, (int)height, 8, 3, 4);
    viewer->frame = frame;
    free(old);
    set_format(viewer);
    return true;
}

static bool take_screen(struct viewer *viewer, const struct vnc_message *message, int fd)
{
    struct picture *picture = &viewer->picture;
    uint64_t size = (uint64_t)message->width * message->height * 4;
    if (picture->pixels)
        os_shm_unmap(picture->pixels, (uint64_t)picture->width * picture->height * 4);
    void *pixels = NULL;
    if (fd >= 0)
        os_shm_map(fd, 0, size, &pixels);
    picture->pixels = pixels;
    picture->width = message->width;
    picture->height = message->height;
    if (!picture->pixels)
        return false;
    rfbClientPtr client = viewer->client;
    bool follows = client->state != RFB_NORMAL || client->useNewFBSize;
    if (follows && (viewer->screen->width != (int)message->width ||
                    viewer->screen->height != (int)message->height || !viewer->frame))
        return new_frame(viewer, message->width, message->height);
    if (!follows) { // what the new picture does not cover
        memset(viewer->frame, 0, (size_t)viewer->screen->width * viewer->screen->height * 4);
        rfbMarkRectAsModified(viewer->screen, 0, 0, viewer->screen->width, viewer->screen->height);
    }
    return true;
}

// ---- the cursor -----------------------------------------------------------

// The library gives a viewer that draws cursors itself this one.
static rfbCursorPtr get_cursor(rfbClientPtr client)
{
    struct viewer *viewer = viewer_of(client);
    bool fits = viewer->cursor.rich.richSource;
    return client->enableCursorShapeUpdates && viewer->cursor.visible && fits ? &viewer->cursor.rich
                                                                              : NULL;
}

// Draws it into the frame, or takes it away, where the viewer does not.
static void update_cursor(struct viewer *viewer)
{
    struct picture_rect old = viewer->drawn;
    bool drawn = viewer->cursor.visible && viewer->cursor.rgba && viewer->frame &&
                 !(viewer->client->enableCursorShapeUpdates && viewer->cursor.rich.richSource);
    viewer->drawn = (struct picture_rect){0};
    if (drawn)
        clip(viewer->cursor.x, viewer->cursor.y, viewer->cursor.width, viewer->cursor.height,
             (uint32_t)viewer->screen->width, (uint32_t)viewer->screen->height, &viewer->drawn);
    if (!memcmp(&old, &viewer->drawn, sizeof(old)))
        return;
    if (old.width)
        paint(viewer, &old);
    if (viewer->drawn.width)
        paint(viewer, &viewer->drawn);
}

static void take_shape(struct viewer *viewer, const struct vnc_message *message, int fd)
{
    vnc_cursor_take(&viewer->cursor, message, fd);
    // A shape of the same size at the same place would look like no change.
    struct picture_rect old = viewer->drawn;
    viewer->drawn = (struct picture_rect){0};
    if (old.width)
        paint(viewer, &old);
    viewer->client->cursorWasChanged = TRUE;
}

static void take_place(struct viewer *viewer, const struct vnc_message *message)
{
    if (viewer->cursor.visible != (bool)message->on)
        viewer->client->cursorWasChanged = TRUE;
    viewer->cursor.visible = message->on;
    viewer->cursor.x = message->x;
    viewer->cursor.y = message->y;
}

// ---- from the server ------------------------------------------------------

static bool apply(struct viewer *viewer, const struct vnc_message *message, int fd)
{
    switch (message->type) {
    case VNC_SCREEN:
        return take_screen(viewer, message, fd);
    case VNC_DAMAGE:
        if (viewer->frame)
            paint(viewer, &(struct picture_rect){(uint32_t)message->x, (uint32_t)message->y,
                                                 message->width, message->height});
        return true;
    case VNC_CURSOR:
        take_shape(viewer, message, fd);
        return true;
    case VNC_CURSOR_AT:
        take_place(viewer, message);
        return true;
    case VNC_LEDS:
        vnc_keyboard_leds(&viewer->keyboard, message->on);
        return true;
    case VNC_END:
        update_cursor(viewer);
        viewer->end = true;
        return true;
    }
    return false;
}

// What is there. False: the server is gone.
static bool receive(struct viewer *viewer)
{
    for (;;) {
        struct vnc_message message;
        size_t held = 0;
        int fd = -1;
        unsigned fd_count = 0;
        while (held < sizeof(message)) {
            ssize_t got = os_socket_recv(viewer->fd, (uint8_t *)&message + held,
                                         sizeof(message) - held, &fd, 1, &fd_count);
            if (got > 0) {
                held += (size_t)got;
            } else if ((got == -EAGAIN || got == -EWOULDBLOCK) && !held) {
                return true;
            } else if (got == -EAGAIN || got == -EWOULDBLOCK) {
                struct pollfd wait = {.fd = viewer->fd, .events = POLLIN};
                poll(&wait, 1, -1);
            } else {
                return false;
            }
        }
        bool good = apply(viewer, &message, fd);
        if (fd_count)
            close(fd);
        if (!good)
            return false;
    }
}

// The viewer is no stranger any more, and is about to be told how large the screen is.
static bool join(struct viewer *viewer)
{
    viewer->joined = true;
    tell(viewer, (struct vnc_message){.type = VNC_JOINED});
    flush_messages(viewer);
    while (!viewer->end) {
        struct pollfd wait = {.fd = viewer->fd, .events = POLLIN};
        if (viewer->failed || (poll(&wait, 1, -1) < 0 && errno != EINTR) || !receive(viewer))
            return false;
    }
    return true;
}

// ---- from the viewer ------------------------------------------------------

static void on_key(void *data, uint16_t code, bool down)
{
    tell(data, (struct vnc_message){.type = VNC_KEY, .code = code, .on = down});
}

static void on_symbol(rfbBool down, rfbKeySym symbol, rfbClientPtr client)
{
    vnc_keyboard_symbol(&viewer_of(client)->keyboard, (uint32_t)symbol, down);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
    tell(viewer_of(client),
         (struct vnc_message){.type = VNC_POINTER, .code = (uint32_t)buttons, .x = x, .y = y});
}

static int on_size(int width, int height, int screens, struct rfbExtDesktopScreen *all,
                   rfbClientPtr client)
{
    if (width <= 0 || height <= 0)
        return rfbExtDesktopSize_InvalidScreenLayout;
    if (width == client->screen->width && height == client->screen->height)
        client->newFBSizePending = TRUE; // nothing will change, so the answer is now
    else
        tell(viewer_of(client), (struct vnc_message){.type = VNC_MODE,
                                                     .width = (uint32_t)width,
                                                     .height = (uint32_t)height});
    return rfbExtDesktopSize_Success;
}

// A wrong one costs its sender a second, and nobody else.
static rfbBool check_password(rfbClientPtr client, const char *response, int length)
{
    if (rfbCheckPasswordByList(client, response, length))
        return TRUE;
    log_warning("wrong password%s%s", client->host && *client->host ? " from " : "",
                client->host ? client->host : "");
    os_sleep_ns(1000000000);
    return FALSE;
}

// QEMU's extension is confirmed by an empty rectangle with its number.
static rfbBool enable_keys(rfbClientPtr client, void **data, int encoding)
{
    static const uint8_t answer[16] = {
        rfbFramebufferUpdate, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe}; // −258
    return encoding == QEMU_KEYS && rfbWriteExact(client, (const char *)answer, sizeof(answer)) > 0;
}

static rfbBool take_key(rfbClientPtr client, void *data, const rfbClientToServerMsg *message)
{
    // Kind (0: a key), down, symbol, code.
    uint8_t rest[11];
    if (message->type != QEMU_MESSAGE || rfbReadExact(client, (char *)rest, sizeof(rest)) <= 0 ||
        rest[0] != 0)
        return FALSE;
    uint32_t code = (uint32_t)rest[7] << 24 | rest[8] << 16 | rest[9] << 8 | rest[10];
    uint32_t symbol = (uint32_t)rest[3] << 24 | rest[4] << 16 | rest[5] << 8 | rest[6];
    bool down = rest[1] || rest[2];
    if (code)
        vnc_keyboard_scancode(&viewer_of(client)->keyboard, code, down);
    else
        vnc_keyboard_symbol(&viewer_of(client)->keyboard, symbol, down);
    return TRUE;
}

static void library_log(const char *format, ...)
{
    if (log_get_level() < LOG_DEBUG)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = 0;
    log_debug("library: %s", text);
}

static bool readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) > 0;
}

static bool has_more(rfbClientPtr client)
{
    return client->sock != RFB_INVALID_SOCKET &&
           ((client->wsctx && webSocketsHasDataInBuffer(client)) || readable(client->sock));
}

// ---- life -----------------------------------------------------------------

// The library makes a password's challenge of the time and the process's number, unless it has made
// one before: then what we have sown counts.
static void sow_challenges(void)
{
    unsigned char none[CHALLENGESIZE];
    unsigned seed = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    rfbRandomBytes(none);
    if (fd >= 0 && read(fd, &seed, sizeof(seed)) == sizeof(seed))
        srandom(seed);
    if (fd >= 0)
        close(fd);
}

static bool open_screen(struct viewer *viewer)
{
    static int encodings[] = {QEMU_KEYS, 0};
    static rfbProtocolExtension keys = {.pseudoEncodings = encodings,
                                        .enablePseudoEncoding = enable_keys,
                                        .handleMessage = take_key};
    rfbLog = rfbErr = library_log;
    rfbRegisterProtocolExtension(&keys);
    rfbScreenInfoPtr screen = rfbGetScreen(NULL, NULL, 640, 480, 8, 3, 4);
    if (!screen)
        return false;
    viewer->screen = screen;
    screen->screenData = viewer;
    screen->desktopName = viewer->options->name;
    screen->alwaysShared = TRUE;
    screen->maxClientWait = CLIENT_WAIT_MS;
    screen->deferUpdateTime = 0; // frames come paced
    screen->dontConvertRichCursorToXCursor = TRUE;
    screen->kbdAddEvent = on_symbol;
    screen->ptrAddEvent = on_pointer;
    screen->setDesktopSizeHook = on_size;
    screen->getCursorPtr = get_cursor;
    screen->cursor = NULL;
    if (viewer->passwords[0]) {
        sow_challenges();
        screen->authPasswdData = viewer->passwords;
        screen->passwordCheck = check_password;
    }
    set_format(viewer);
    return new_frame(viewer, 640, 480);
}

static void take_client(struct viewer *viewer)
{
    rfbClientPtr client = viewer->client;
    for (int i = 0; i < EVENTS && has_more(client); i++) {
        rfbProcessClientMessage(client);
        // Its next message is answered by the size of the screen.
        if (!viewer->joined && client->sock != RFB_INVALID_SOCKET &&
            (client->state == RFB_INITIALISATION || client->state == RFB_NORMAL) && !join(viewer))
            viewer->failed = 1;
        if (viewer->failed)
            return;
    }
}

static void serve(struct viewer *viewer)
{
    rfbClientPtr client = viewer->client;
    while (!viewer->failed && client->sock != RFB_INVALID_SOCKET) {
        if (viewer->end) {
            viewer->end = false;
            tell(viewer, (struct vnc_message){.type = VNC_TAKEN});
        }
        flush_messages(viewer);
        struct pollfd waits[2] = {{.fd = viewer->fd, .events = POLLIN},
                                  {.fd = client->sock, .events = POLLIN}};
        bool more = client->wsctx && webSocketsHasDataInBuffer(client);
        if (poll(waits, 2, more ? 0 : -1) < 0 && errno != EINTR)
            return;
        if (waits[0].revents && !receive(viewer))
            return;
        if (waits[1].revents || more)
            take_client(viewer);
        if (client->sock != RFB_INVALID_SOCKET && !viewer->failed) {
            update_cursor(viewer);
            rfbUpdateClient(client);
        }
    }
}

static void finish(struct viewer *viewer)
{
    rfbClientPtr client = viewer->client;
    if (client) {
        if (client->sock != RFB_INVALID_SOCKET)
            rfbCloseClient(client);
        rfbClientConnectionGone(client);
    }
    if (viewer->screen)
        rfbScreenCleanup(viewer->screen);
    free(viewer->frame);
    vnc_cursor_finish(&viewer->cursor);
    if (viewer->picture.pixels)
        os_shm_unmap(viewer->picture.pixels,
                     (uint64_t)viewer->picture.width * viewer->picture.height * 4);
    free(viewer->passwords[0]);
}

// From the first byte that the library sees to the last.
static void show(struct viewer *viewer, int client)
{
    const struct vnc_options *options = viewer->options;
    if (options->web_client && !vnc_web_serve(options, client)) {
        close(client);
        return;
    }
    if (!open_screen(viewer)) {
        log_error("out of memory");
        return;
    }
    viewer->client = rfbNewClient(viewer->screen, client);
    if (!viewer->client)
        return;
    set_format(viewer);
    // The library speaks WebSocket to whoever begins with it; a page of any site could, if the port
    // were not one whose callers vnc_web_serve has looked at.
    if (!viewer->client->wsctx || options->web_client)
        serve(viewer);
}

int vnc_viewer_main(const struct vnc_options *options)
{
    struct viewer viewer = {.options = options, .fd = options->fd};
    struct vnc_secure *secure = NULL;
    char summary[128];
    viewer.keyboard.send = on_key;
    viewer.keyboard.data = &viewer;
    if (options->password_file &&
        !(viewer.passwords[0] = vnc_read_password(options->password_file)))
        return 1;
    if (options->tls_certificate && !(secure = vnc_secure_create(options)))
        return 1;
    if (!os_sandbox_enter(summary, sizeof(summary)))
        log_debug("sandbox: %s", summary);
    os_socket_set_nonblocking(viewer.fd, true);
    int client = secure ? vnc_secure_begin(secure, options, options->client) : options->client;
    if (client >= 0)
        show(&viewer, client);
    finish(&viewer);
    vnc_secure_destroy(secure);
    return 0;
}
