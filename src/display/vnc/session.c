// The process of one viewer: LibVNCServer with one connection. The server (message.h) tells it what
// is shown. It keeps a picture of its own, so that nothing changes while the library encodes it,
// and sends to the server what the viewer's person does.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rfb/rfb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "display/vnc/clipboard.h"
#include "display/vnc/cursor.h"
#include "display/vnc/extension.h"
#include "display/vnc/keyboard.h"
#include "display/vnc/message.h"
#include "display/vnc/mouse.h"
#include "display/vnc/options.h"
#include "display/vnc/scale.h"
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
    QEMU_MESSAGE = 255,
};

// The server's, mapped.
struct picture {
    uint8_t *pixels;
    uint32_t width, height;
};

struct session {
    const struct vnc_options *options;
    int fd;      // to the server
    bool failed; // the server is gone
    bool joined; // VNC_JOINED was sent
    bool end;    // VNC_END was received, and not answered
    // Messages to be sent.
    struct vnc_message held[HELD_MESSAGES];
    unsigned held_count;

    rfbScreenInfoPtr screen;
    rfbClientPtr client;
    char *passwords[2];
    struct vnc_keyboard keyboard;
    struct vnc_mouse mouse;

    uint8_t *texts; // for the server; NULL: none
    struct picture picture;
    uint8_t *frame; // the library's, screen->width × screen->height
    struct vnc_cursor cursor;
    struct picture_rect drawn; // where the cursor is in the frame; width 0: it is not
};

static struct session *session_of(rfbClientPtr client)
{
    return client->screen->screenData;
}

// ---- to the server --------------------------------------------------------

// Waits while the server takes nothing: the guest takes nothing then, and the viewer shall wait
// too.
static void flush_messages(struct session *session)
{
    const uint8_t *bytes = (const uint8_t *)session->held;
    size_t size = session->held_count * sizeof(session->held[0]);
    session->held_count = 0;
    while (size && !session->failed) {
        ssize_t sent = os_socket_send(session->fd, bytes, size, NULL, 0);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            struct pollfd wait = {.fd = session->fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else {
            session->failed = true;
        }
    }
}

static void tell(struct session *session, struct vnc_message message)
{
    if (session->held_count == HELD_MESSAGES)
        flush_messages(session);
    session->held[session->held_count++] = message;
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

static void blend_cursor(struct session *session, const struct picture_rect *rect)
{
    size_t stride = (size_t)session->screen->width * 4;
    picture_blend(session->cursor.rgba, session->cursor.width, session->cursor.height,
                  (int64_t)session->cursor.x - rect->x, (int64_t)session->cursor.y - rect->y,
                  PICTURE_ORDER_BGRA, session->frame + rect->y * stride + (size_t)rect->x * 4,
                  stride, rect->width, rect->height);
}

// Copies a part of the picture into the frame, which is smaller or larger than the picture when the
// viewer cannot follow the guest's size.
static void paint(struct session *session, const struct picture_rect *wanted)
{
    const struct picture *picture = &session->picture;
    uint32_t width = (uint32_t)session->screen->width, height = (uint32_t)session->screen->height;
    struct picture_rect rect;
    if (!clip(wanted->x, wanted->y, wanted->width, wanted->height,
              picture->width < width ? picture->width : width,
              picture->height < height ? picture->height : height, &rect))
        return;
    for (uint32_t y = rect.y; y < rect.y + rect.height; y++)
        memcpy(session->frame + ((size_t)y * width + rect.x) * 4,
               picture->pixels + ((size_t)y * picture->width + rect.x) * 4, (size_t)rect.width * 4);
    if (session->drawn.width)
        blend_cursor(session, &rect);
    rfbMarkRectAsModified(session->screen, (int)rect.x, (int)rect.y, (int)(rect.x + rect.width),
                          (int)(rect.y + rect.height));
}

// The library begins with R G B X, and goes back to it with every new frame.
static void set_format(struct session *session)
{
    session->screen->serverFormat.redShift = 16;
    session->screen->serverFormat.greenShift = 8;
    session->screen->serverFormat.blueShift = 0;
    if (session->client)
        session->screen->setTranslateFunction(session->client);
}

static bool new_frame(struct session *session, uint32_t width, uint32_t height)
{
    uint8_t *frame = calloc((size_t)width * height, 4), *old = session->frame;
    if (!frame) {
        log_error("no memory for a picture of %ux%u", width, height);
        return false;
    }
    rfbNewFramebuffer(session->screen, (char *)frame, (int)width, (int)height, 8, 3, 4);
    session->frame = frame;
    free(old);
    set_format(session);
    return true;
}

static bool take_picture(struct session *session, const struct vnc_message *message, int fd)
{
    struct picture *picture = &session->picture;
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
    rfbClientPtr client = session->client;
    bool follows = client->state != RFB_NORMAL || client->useNewFBSize;
    if (follows && (session->screen->width != (int)message->width ||
                    session->screen->height != (int)message->height || !session->frame))
        return new_frame(session, message->width, message->height);
    if (!follows) { // what the new picture does not cover
        memset(session->frame, 0, (size_t)session->screen->width * session->screen->height * 4);
        rfbMarkRectAsModified(session->screen, 0, 0, session->screen->width,
                              session->screen->height);
    }
    return true;
}

// ---- the cursor -----------------------------------------------------------

// The library gives this cursor to a viewer that draws cursors itself.
static rfbCursorPtr get_cursor(rfbClientPtr client)
{
    struct session *session = session_of(client);
    bool fits = session->cursor.rich.richSource;
    return client->enableCursorShapeUpdates && session->cursor.visible && fits
               ? &session->cursor.rich
               : NULL;
}

// Draws the cursor into the frame, or takes it away, for a viewer that does not draw it itself.
static void update_cursor(struct session *session)
{
    struct picture_rect old = session->drawn;
    bool drawn = session->cursor.visible && session->cursor.rgba && session->frame &&
                 !(session->client->enableCursorShapeUpdates && session->cursor.rich.richSource);
    session->drawn = (struct picture_rect){0};
    if (drawn)
        clip(session->cursor.x, session->cursor.y, session->cursor.width, session->cursor.height,
             (uint32_t)session->screen->width, (uint32_t)session->screen->height, &session->drawn);
    if (!memcmp(&old, &session->drawn, sizeof(old)))
        return;
    if (old.width)
        paint(session, &old);
    if (session->drawn.width)
        paint(session, &session->drawn);
}

static void take_shape(struct session *session, const struct vnc_message *message, int fd)
{
    vnc_cursor_take(&session->cursor, message, fd);
    // A shape of the same size at the same place would look like no change.
    struct picture_rect old = session->drawn;
    session->drawn = (struct picture_rect){0};
    if (old.width)
        paint(session, &old);
    session->client->cursorWasChanged = TRUE;
}

static void take_place(struct session *session, const struct vnc_message *message)
{
    if (session->cursor.visible != (bool)message->on)
        session->client->cursorWasChanged = TRUE;
    session->cursor.visible = message->on;
    session->cursor.x = message->x;
    session->cursor.y = message->y;
}

// ---- from the server ------------------------------------------------------

static bool apply(struct session *session, const struct vnc_message *message, int fd)
{
    switch (message->type) {
    case VNC_PICTURE:
        return take_picture(session, message, fd);
    case VNC_DAMAGE:
        if (session->frame)
            paint(session, &(struct picture_rect){(uint32_t)message->x, (uint32_t)message->y,
                                                  message->width, message->height});
        return true;
    case VNC_CURSOR:
        take_shape(session, message, fd);
        return true;
    case VNC_CURSOR_AT:
        take_place(session, message);
        return true;
    case VNC_TEXT:
        vnc_clipboard_show(session->client, message, fd);
        return true;
    case VNC_INPUTS:
        vnc_keyboard_leds(&session->keyboard, message->on);
        vnc_mouse_devices(&session->mouse, session->client, message->code);
        return true;
    case VNC_END:
        update_cursor(session);
        session->end = true;
        return true;
    }
    return false;
}

// Takes the messages that have come. False: the server is gone.
static bool receive(struct session *session)
{
    for (;;) {
        struct vnc_message message;
        size_t held = 0;
        int fd = -1;
        unsigned fd_count = 0;
        while (held < sizeof(message)) {
            ssize_t got = os_socket_recv(session->fd, (uint8_t *)&message + held,
                                         sizeof(message) - held, &fd, 1, &fd_count);
            if (got > 0) {
                held += (size_t)got;
            } else if ((got == -EAGAIN || got == -EWOULDBLOCK) && !held) {
                return true;
            } else if (got == -EAGAIN || got == -EWOULDBLOCK) {
                struct pollfd wait = {.fd = session->fd, .events = POLLIN};
                poll(&wait, 1, -1);
            } else {
                return false;
            }
        }
        bool good = apply(session, &message, fd);
        if (fd_count)
            close(fd);
        if (!good)
            return false;
    }
}

// The viewer is no stranger any more. Gets the picture from the server, for the library is about to
// tell the viewer its size.
static bool join(struct session *session)
{
    session->joined = true;
    tell(session, (struct vnc_message){.type = VNC_JOINED});
    flush_messages(session);
    while (!session->end) {
        struct pollfd wait = {.fd = session->fd, .events = POLLIN};
        if (session->failed || (poll(&wait, 1, -1) < 0 && errno != EINTR) || !receive(session))
            return false;
    }
    return true;
}

// ---- from the viewer ------------------------------------------------------

static void on_key(void *data, uint16_t code, bool down)
{
    struct session *session = data;
    if (!vnc_mouse_key(&session->mouse, session->client, code, down))
        tell(session, (struct vnc_message){.type = VNC_KEY, .code = code, .on = down});
}

static void on_symbol(rfbBool down, rfbKeySym symbol, rfbClientPtr client)
{
    vnc_keyboard_symbol(&session_of(client)->keyboard, (uint32_t)symbol, down);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
    struct session *session = session_of(client);
    struct vnc_message message;
    if (vnc_mouse_point(&session->mouse, buttons, x, y, &message))
        tell(session, message);
}

static void tell_text(struct session *session, const char *text, int length, bool latin1)
{
    uint32_t size = session->texts ? vnc_clipboard_put(session->texts, text, length, latin1) : 0;
    if (size)
        tell(session, (struct vnc_message){.type = VNC_COPIED, .width = size});
}

static void on_latin1(char *text, int length, rfbClientPtr client)
{
    tell_text(session_of(client), text, length, true);
}

static void on_utf8(char *text, int length, rfbClientPtr client)
{
    tell_text(session_of(client), text, length, false);
}

static int on_size(int width, int height, int screens, struct rfbExtDesktopScreen *all,
                   rfbClientPtr client)
{
    if (width <= 0 || height <= 0)
        return rfbExtDesktopSize_InvalidScreenLayout;
    if (width == client->screen->width && height == client->screen->height)
        client->newFBSizePending = TRUE; // nothing will change, so the answer is now
    else
        tell(session_of(client), (struct vnc_message){.type = VNC_MODE,
                                                      .width = (uint32_t)width,
                                                      .height = (uint32_t)height});
    return rfbExtDesktopSize_Success;
}

// A wrong password costs its sender a second, and no other viewer.
static rfbBool check_password(rfbClientPtr client, const char *response, int length)
{
    if (rfbCheckPasswordByList(client, response, length))
        return TRUE;
    log_warning("wrong password%s%s", client->host && *client->host ? " from " : "",
                client->host ? client->host : "");
    os_sleep_ns(1000000000);
    return FALSE;
}

static rfbBool enable(rfbClientPtr client, void **data, int encoding)
{
    if (encoding == VNC_QEMU_MOUSE)
        return vnc_mouse_enable(&session_of(client)->mouse, client);
    return encoding == VNC_QEMU_KEYS && vnc_extension_confirm(client, encoding, 0);
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
        vnc_keyboard_scancode(&session_of(client)->keyboard, code, down);
    else
        vnc_keyboard_symbol(&session_of(client)->keyboard, symbol, down);
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

static bool open_screen(struct session *session)
{
    static int encodings[] = {VNC_QEMU_KEYS, VNC_QEMU_MOUSE, 0};
    static rfbProtocolExtension qemu = {
        .pseudoEncodings = encodings, .enablePseudoEncoding = enable, .handleMessage = take_key};
    rfbLog = rfbErr = library_log;
    rfbRegisterProtocolExtension(&qemu);
    rfbScreenInfoPtr screen = rfbGetScreen(NULL, NULL, 640, 480, 8, 3, 4);
    if (!screen)
        return false;
    session->screen = screen;
    screen->screenData = session;
    screen->desktopName = session->options->name;
    screen->alwaysShared = TRUE;
    screen->maxClientWait = CLIENT_WAIT_MS;
    screen->deferUpdateTime = 0; // frames come paced
    screen->dontConvertRichCursorToXCursor = TRUE;
    screen->kbdAddEvent = on_symbol;
    screen->ptrAddEvent = on_pointer;
    screen->setDesktopSizeHook = on_size;
    screen->setXCutText = on_latin1;
#ifdef LIBVNCSERVER_HAVE_LIBZ
    screen->setXCutTextUTF8 = on_utf8;
#endif
    screen->getCursorPtr = get_cursor;
    screen->cursor = NULL;
    if (session->passwords[0]) {
        vnc_password_sow();
        screen->authPasswdData = session->passwords;
        screen->passwordCheck = check_password;
    }
    set_format(session);
    return new_frame(session, 640, 480);
}

static void take_client(struct session *session)
{
    rfbClientPtr client = session->client;
    for (int i = 0; i < EVENTS && has_more(client); i++) {
        rfbProcessClientMessage(client);
        if (client->sock != RFB_INVALID_SOCKET)
            vnc_scale_undo(client);
        // The library answers its next message with the size of the picture.
        if (!session->joined && client->sock != RFB_INVALID_SOCKET &&
            (client->state == RFB_INITIALISATION || client->state == RFB_NORMAL) && !join(session))
            session->failed = true;
        if (session->failed)
            return;
    }
}

static void serve(struct session *session)
{
    rfbClientPtr client = session->client;
    while (!session->failed && client->sock != RFB_INVALID_SOCKET) {
        if (session->end) {
            session->end = false;
            tell(session, (struct vnc_message){.type = VNC_TAKEN});
        }
        flush_messages(session);
        struct pollfd waits[2] = {{.fd = session->fd, .events = POLLIN},
                                  {.fd = client->sock, .events = POLLIN}};
        bool more = client->wsctx && webSocketsHasDataInBuffer(client);
        if (poll(waits, 2, more ? 0 : -1) < 0 && errno != EINTR)
            return;
        if (waits[0].revents && !receive(session))
            return;
        if (waits[1].revents || more)
            take_client(session);
        if (client->sock != RFB_INVALID_SOCKET && !session->failed) {
            update_cursor(session);
            rfbUpdateClient(client);
        }
    }
}

static void finish(struct session *session)
{
    rfbClientPtr client = session->client;
    if (client) {
        if (client->sock != RFB_INVALID_SOCKET)
            rfbCloseClient(client);
        rfbClientConnectionGone(client);
    }
    if (session->screen)
        rfbScreenCleanup(session->screen);
    free(session->frame);
    vnc_cursor_finish(&session->cursor);
    if (session->picture.pixels)
        os_shm_unmap(session->picture.pixels,
                     (uint64_t)session->picture.width * session->picture.height * 4);
    free(session->passwords[0]);
}

// Serves the connection from the first byte that the library sees to the last.
static void show(struct session *session, int client)
{
    const struct vnc_options *options = session->options;
    if (options->web_client && !vnc_web_serve(options, client)) {
        close(client);
        return;
    }
    if (!open_screen(session)) {
        log_error("out of memory");
        return;
    }
    session->client = rfbNewClient(session->screen, client);
    if (!session->client)
        return;
    set_format(session);
    // The library speaks WebSocket with any caller that begins so, such as a page of some other
    // site. Only callers that vnc_web_serve has let through may.
    if (!session->client->wsctx || options->web_client)
        serve(session);
}

int vnc_session_main(const struct vnc_options *options)
{
    struct session session = {.options = options, .fd = options->fd};
    struct vnc_secure *secure = NULL;
    char summary[128];
    const char *const readable[] = {options->web_client ? options->web_root : NULL, NULL};
    const struct os_sandbox_options confined = {.kind = OS_SANDBOX_STRICT, .readable = readable};
    session.keyboard.send = on_key;
    session.keyboard.data = &session;
    if (options->password_file &&
        !(session.passwords[0] = vnc_read_password(options->password_file)))
        return 1;
    if (options->tls_certificate && !(secure = vnc_secure_create(options)))
        return 1;
    if (!os_sandbox_enter(&confined, summary, sizeof(summary)))
        log_debug("sandbox: %s", summary);
    os_socket_set_nonblocking(session.fd, true);
    void *texts;
    if (os_shm_size(VNC_TEXT_FD) >= VNC_MAX_TEXT &&
        !os_shm_map(VNC_TEXT_FD, 0, VNC_MAX_TEXT, &texts))
        session.texts = texts;
    int client = secure ? vnc_secure_begin(secure, options, options->client) : options->client;
    if (client >= 0)
        show(&session, client);
    finish(&session);
    vnc_secure_destroy(secure);
    return 0;
}
