#include "front/display/display_front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/output.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/loop.h"

#define NOT_TOLD UINT64_MAX // a generation that no picture has

enum {
    MAX_FILES = 64, // that the process keeps open; guests flip between three or four per output
    // Bytes that it has yet to read. When there are more, it is sent nothing until it has read
    // them, and then what is newest.
    FULL = 256 << 10,
};
// How long a new picture waits for its flush, which usually follows at once: they are one frame.
#define FLUSH_PATIENCE_NS 8000000ull

// What the process knows of an output.
struct output {
    uint64_t generation; // the generation of the picture that was sent
    uint64_t file_id;    // the file that it lies in
    uint64_t shape_serial;
    uint64_t frame; // under way; 0: none
    bool waits;     // there is a new picture, whose flush has not come
};

struct display_front {
    struct link_child *process;
    struct display_front_callbacks callbacks;
    void *data;
    struct gpu_device *device; // NULL: detached
    struct gpu_listener listener;
    struct output outputs[GPU_MAX_OUTPUTS];
    struct {
        uint32_t refresh, dpi; // 0: not known
    } screens[GPU_MAX_OUTPUTS];
    uint64_t files[MAX_FILES]; // told, oldest first
    unsigned file_count;
    uint64_t serial;
    struct os_source *timer; // when new pictures are shown without a flush
};

static bool send(struct display_front *front, int type, const void *payload, size_t size,
                 const void *tail, size_t tail_size, const int *fd)
{
    int error =
        link_child_send(front->process, type, payload, size, tail, tail_size, fd, fd ? 1 : 0);
    return !error || error == -EAGAIN;
}

static bool is_full(const struct display_front *front)
{
    struct link *link = link_child_link(front->process);
    return !link || link_queued(link) > FULL;
}

// ---- pictures -------------------------------------------------------------

static bool is_shown(const struct display_front *front, uint64_t file_id)
{
    for (unsigned i = 0; i < GPU_MAX_OUTPUTS; i++)
        if (front->outputs[i].file_id == file_id)
            return true;
    return false;
}

static void forget_file(struct display_front *front, unsigned index)
{
    struct link_file_close message = {.file_id = front->files[index]};
    front->file_count--;
    memmove(front->files + index, front->files + index + 1,
            (front->file_count - index) * sizeof(front->files[0]));
    send(front, LINK_FILE_CLOSE, &message, sizeof(message), NULL, 0, NULL);
}

static void make_room_for_file(struct display_front *front)
{
    for (unsigned i = 0; front->file_count == MAX_FILES && i < front->file_count; i++)
        if (!is_shown(front, front->files[i]))
            forget_file(front, i);
}

static void tell_file(struct display_front *front, const struct gpu_picture *picture)
{
    if (!picture->file_id)
        return;
    for (unsigned i = 0; i < front->file_count; i++)
        if (front->files[i] == picture->file_id)
            return;
    make_room_for_file(front);
    front->files[front->file_count++] = picture->file_id;
    struct link_file_open message = {.file_id = picture->file_id, .size = picture->file_size};
    send(front, LINK_FILE_OPEN, &message, sizeof(message), NULL, 0, &picture->fd);
}

// Tells the output's picture, if it is not the one that the process knows.
static void tell_picture(struct display_front *front, uint32_t output)
{
    struct output *shown = &front->outputs[output];
    struct gpu_picture picture;
    gpu_output_picture(front->device, output, &picture);
    if (picture.generation == shown->generation)
        return;
    tell_file(front, &picture);
    shown->generation = picture.generation;
    shown->file_id = picture.file_id;
    struct link_picture message = {
        .output = output,
        .format = picture.format,
        .file_id = picture.file_id,
        .offset = picture.offset,
        .stride = picture.stride,
        .width = picture.width,
        .height = picture.height,
        .enabled = picture.enabled,
    };
    send(front, LINK_PICTURE, &message, sizeof(message), NULL, 0, NULL);
}

// Tells what has happened on the output since the process was told last, unless it is still busy.
static void update(struct display_front *front, uint32_t output)
{
    struct output *shown = &front->outputs[output];
    struct picture_rect damage;
    if (shown->frame || shown->waits || is_full(front))
        return;
    link_child_hold(front->process);
    tell_picture(front, output);
    if (gpu_output_take_damage(front->device, &front->listener, output, &damage)) {
        shown->frame = ++front->serial;
        struct link_frame message = {.output = output,
                                     .x = damage.x,
                                     .y = damage.y,
                                     .width = damage.width,
                                     .height = damage.height,
                                     .serial = shown->frame};
        send(front, LINK_FRAME, &message, sizeof(message), NULL, 0, NULL);
    }
    link_child_flush(front->process);
}

static void update_cursor(struct display_front *front, uint32_t output)
{
    struct output *shown = &front->outputs[output];
    struct gpu_cursor cursor;
    if (is_full(front))
        return;
    gpu_output_cursor(front->device, output, &cursor);
    if (cursor.rgba && cursor.shape_serial != shown->shape_serial) {
        shown->shape_serial = cursor.shape_serial;
        struct link_cursor_shape shape = {.output = output,
                                          .width = cursor.width,
                                          .height = cursor.height,
                                          .hot_x = cursor.hot_x,
                                          .hot_y = cursor.hot_y};
        send(front, LINK_CURSOR_SHAPE, &shape, sizeof(shape), cursor.rgba,
             (size_t)cursor.width * cursor.height * 4, NULL);
    }
    struct link_cursor_move move = {
        .output = output, .visible = cursor.visible, .x = cursor.x, .y = cursor.y};
    send(front, LINK_CURSOR_MOVE, &move, sizeof(move), NULL, 0, NULL);
}

static void update_all(struct display_front *front)
{
    for (uint32_t i = 0; front->device && i < gpu_device_outputs(front->device); i++) {
        update_cursor(front, i); // first: a screenshot ends at the first frame
        update(front, i);
    }
}

// ---- what the device says -------------------------------------------------

static void on_change(void *data, uint32_t output)
{
    struct display_front *front = data;
    front->outputs[output].waits = true;
    os_source_set_deadline(front->timer, os_now_ns() + FLUSH_PATIENCE_NS);
}

static void on_flush(void *data, uint32_t output)
{
    struct display_front *front = data;
    front->outputs[output].waits = false;
    update(front, output);
}

static void on_timer(void *data)
{
    struct display_front *front = data;
    for (uint32_t i = 0; front->device && i < gpu_device_outputs(front->device); i++)
        if (front->outputs[i].waits)
            on_flush(front, i);
}

static void on_cursor(void *data, uint32_t output)
{
    update_cursor(data, output);
}

static void on_file_gone(void *data, uint64_t file_id)
{
    struct display_front *front = data;
    for (unsigned i = 0; i < front->file_count; i++) {
        if (front->files[i] != file_id)
            continue;
        // A frame may be under way whose successor was not told yet.
        for (uint32_t j = 0; j < gpu_device_outputs(front->device); j++)
            if (front->outputs[j].file_id == file_id)
                tell_picture(front, j);
        forget_file(front, i);
        return;
    }
}

// ---- what the process says ------------------------------------------------

static bool on_shown(struct display_front *front, const struct link_frame_shown *message)
{
    if (message->output >= GPU_MAX_OUTPUTS)
        return false;
    struct output *shown = &front->outputs[message->output];
    if (!shown->frame || message->serial != shown->frame)
        return message->serial <= front->serial; // it was sent before an attach
    shown->frame = 0;
    if (front->device) {
        gpu_output_shown(front->device, &front->listener, message->output);
        update(front, message->output);
    }
    return true;
}

static bool on_input(struct display_front *front, const struct link_input *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i].device >= LINK_INPUT_DEVICES)
            return false;
    if (front->callbacks.input)
        front->callbacks.input(front->data, events, count);
    return true;
}

// Kept for the machine that is attached later.
static void on_screen(struct display_front *front, const struct link_output_screen *screen)
{
    if (screen->output >= GPU_MAX_OUTPUTS)
        return;
    front->screens[screen->output].refresh = screen->refresh;
    front->screens[screen->output].dpi = screen->dpi;
    if (front->device)
        gpu_device_set_screen(front->device, screen->output, screen->refresh, screen->dpi);
}

// False: it broke the protocol.
static bool take_message(struct display_front *front, const struct link_message *message)
{
    const void *payload = message->payload;
    switch (message->type) {
    case LINK_DISPLAY_READY:
        if (front->callbacks.ready)
            front->callbacks.ready(front->data);
        return true;
    case LINK_FRAME_SHOWN:
        return on_shown(front, payload);
    case LINK_OUTPUT_MODE: {
        const struct link_output_mode *mode = payload;
        // A size that the device cannot have is no breach of the protocol: windows can be tiny.
        if (front->device &&
            gpu_device_set_mode(front->device, mode->output, mode->width, mode->height) &&
            front->callbacks.resized)
            front->callbacks.resized(front->data, mode->output, mode->width, mode->height);
        return true;
    }
    case LINK_OUTPUT_SCREEN:
        on_screen(front, payload);
        return true;
    case LINK_INPUT:
        return on_input(front, payload, message->size / sizeof(struct link_input));
    case LINK_CLIPBOARD_COPIED:
        if (front->callbacks.copied)
            front->callbacks.copied(front->data, payload, message->size);
        return true;
    case LINK_DISPLAY_CLOSED:
        if (front->callbacks.closed)
            front->callbacks.closed(front->data);
        return true;
    case LINK_DISPLAY_COUNTERS:
        if (front->callbacks.counters)
            front->callbacks.counters(front->data, payload);
        return true;
    }
    return false;
}

static bool on_message(void *data, const struct link_message *message)
{
    struct display_front *front = data;
    if (take_message(front, message))
        return true;
    front->callbacks.gone(front->data, -1, "it broke the protocol");
    return false;
}

static void on_drained(void *data)
{
    update_all(data);
}

static void on_gone(void *data, int status, const char *how)
{
    struct display_front *front = data;
    front->callbacks.gone(front->data, status, how);
}

// ---- life -----------------------------------------------------------------

static const struct link_child_callbacks process_callbacks = {
    .message = on_message, .drained = on_drained, .gone = on_gone};

// Without its process. NULL: out of memory.
static struct display_front *new_front(struct os_loop *loop,
                                       const struct display_front_options *options,
                                       const struct display_front_callbacks *callbacks, void *data)
{
    struct display_front *front = calloc(1, sizeof(*front));
    if (!front)
        return NULL;
    front->callbacks = *callbacks;
    front->data = data;
    front->listener = (struct gpu_listener){
        .data = front,
        .paces = options->paces,
        .changed = on_change,
        .damaged = on_flush,
        .cursor = on_cursor,
        .file_gone = on_file_gone,
    };
    for (unsigned i = 0; i < GPU_MAX_OUTPUTS; i++)
        front->outputs[i].generation = NOT_TOLD;
    front->timer = os_loop_add_timer(loop, 0, on_timer, front);
    if (front->timer)
        return front;
    free(front);
    return NULL;
}

static int begin(struct display_front *front, const struct display_front_options *options,
                 int error, struct display_front **created)
{
    if (error) {
        display_front_destroy(front);
        return error;
    }
    send(front, LINK_DISPLAY_SETUP, &options->setup, sizeof(options->setup), NULL, 0, NULL);
    *created = front;
    return 0;
}

int display_front_create(struct os_loop *loop, struct link_pool *pool,
                         const struct display_front_options *options,
                         const struct display_front_callbacks *callbacks, void *data,
                         struct display_front **created)
{
    struct display_front *front = new_front(loop, options, callbacks, data);
    *created = NULL;
    if (!front)
        return -ENOMEM;
    int error = link_pool_take(pool, &process_callbacks, front, &front->process);
    return begin(front, options, error, created);
}

int display_front_adopt(struct os_loop *loop, int fd, const struct display_front_options *options,
                        const struct display_front_callbacks *callbacks, void *data,
                        struct display_front **created)
{
    struct display_front *front = new_front(loop, options, callbacks, data);
    *created = NULL;
    if (!front) {
        close(fd);
        return -ENOMEM;
    }
    int error = link_child_adopt(loop, fd, &process_callbacks, front, &front->process);
    return begin(front, options, error, created);
}

void display_front_destroy(struct display_front *front)
{
    if (!front)
        return;
    if (front->device)
        gpu_device_unlisten(front->device, &front->listener);
    os_source_remove(front->timer);
    link_child_release(front->process);
    free(front);
}

void display_front_attach(struct display_front *front, struct gpu_device *device)
{
    if (front->device) {
        gpu_device_unlisten(front->device, &front->listener);
        for (uint32_t i = 0; i < gpu_device_outputs(front->device); i++) {
            struct link_picture nothing = {.output = i};
            send(front, LINK_PICTURE, &nothing, sizeof(nothing), NULL, 0, NULL);
            front->outputs[i] = (struct output){.generation = NOT_TOLD};
        }
        while (front->file_count)
            forget_file(front, front->file_count - 1);
    }
    front->device = device;
    if (!device)
        return;
    for (uint32_t i = 0; i < gpu_device_outputs(device); i++)
        gpu_device_set_screen(device, i, front->screens[i].refresh, front->screens[i].dpi);
    gpu_device_listen(device, &front->listener);
    update_all(front);
}

void display_front_set_clipboard(struct display_front *front, const char *text, size_t size)
{
    if (!is_full(front))
        send(front, LINK_CLIPBOARD, text, size, NULL, 0, NULL);
}

void display_front_set_leds(struct display_front *front, uint32_t leds)
{
    struct link_keyboard_leds message = {.leds = leds};
    send(front, LINK_KEYBOARD_LEDS, &message, sizeof(message), NULL, 0, NULL);
}

void display_front_set_state(struct display_front *front, enum link_machine_state state)
{
    struct link_machine_condition message = {.state = state};
    send(front, LINK_MACHINE_CONDITION, &message, sizeof(message), NULL, 0, NULL);
}
