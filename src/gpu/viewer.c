#include "gpu/viewer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/scanout.h"
#include "link/worker.h"
#include "os/clock.h"
#include "os/loop.h"

#define NOT_TOLD UINT64_MAX // a generation that no picture has

enum {
    MAX_FILES = 64, // that the process keeps open; guests flip between three or four per output
    // Bytes that it has yet to read before it is told no more. It then reads the newest.
    FULL = 256 << 10,
};
// A new picture waits so long for its flush, which follows at once: they are one frame.
#define FLUSH_PATIENCE_NS 8000000ull

struct view {
    uint64_t generation; // of the picture that was sent
    uint64_t file_id;    // that it lies in
    uint64_t shape_serial;
    uint64_t frame; // under way; 0: none
    bool waits;     // there is a new picture, whose flush has not come
};

struct gpu_viewer {
    struct link_worker *process;
    struct gpu_viewer_callbacks callbacks;
    void *data;
    struct gpu_device *device; // NULL: detached
    struct gpu_scanout_listener listener;
    struct view views[GPU_MAX_OUTPUTS];
    uint64_t files[MAX_FILES]; // told, oldest first
    unsigned file_count;
    uint64_t serial;
    struct os_source *timer; // when new pictures are shown without a flush
};

static bool send(struct gpu_viewer *viewer, int type, const void *payload, size_t size,
                 const void *tail, size_t tail_size, const int *fd)
{
    enum link_status status = link_worker_send(viewer->process, (enum link_type)type, payload, size,
                                               tail, tail_size, fd, fd ? 1 : 0);
    return status == LINK_OK || status == LINK_AGAIN;
}

static bool is_full(const struct gpu_viewer *viewer)
{
    struct link *link = link_worker_link(viewer->process);
    return !link || link_queued(link) > FULL;
}

// ---- pictures -------------------------------------------------------------

static bool is_shown(const struct gpu_viewer *viewer, uint64_t file_id)
{
    for (unsigned i = 0; i < GPU_MAX_OUTPUTS; i++)
        if (viewer->views[i].file_id == file_id)
            return true;
    return false;
}

static void forget_file(struct gpu_viewer *viewer, unsigned index)
{
    struct link_file_close message = {.file_id = viewer->files[index]};
    viewer->file_count--;
    memmove(viewer->files + index, viewer->files + index + 1,
            (viewer->file_count - index) * sizeof(viewer->files[0]));
    send(viewer, LINK_FILE_CLOSE, &message, sizeof(message), NULL, 0, NULL);
}

static void make_room_for_file(struct gpu_viewer *viewer)
{
    for (unsigned i = 0; viewer->file_count == MAX_FILES && i < viewer->file_count; i++)
        if (!is_shown(viewer, viewer->files[i]))
            forget_file(viewer, i);
}

static void tell_file(struct gpu_viewer *viewer, const struct gpu_picture *picture)
{
    if (!picture->file_id)
        return;
    for (unsigned i = 0; i < viewer->file_count; i++)
        if (viewer->files[i] == picture->file_id)
            return;
    make_room_for_file(viewer);
    viewer->files[viewer->file_count++] = picture->file_id;
    struct link_file_open message = {.file_id = picture->file_id, .size = picture->file_size};
    send(viewer, LINK_FILE_OPEN, &message, sizeof(message), NULL, 0, &picture->fd);
}

// The output's picture, if it is another one than the process knows.
static void tell_picture(struct gpu_viewer *viewer, uint32_t output)
{
    struct view *view = &viewer->views[output];
    struct gpu_picture picture;
    gpu_scanout_picture(viewer->device, output, &picture);
    if (picture.generation == view->generation)
        return;
    tell_file(viewer, &picture);
    view->generation = picture.generation;
    view->file_id = picture.file_id;
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
    send(viewer, LINK_PICTURE, &message, sizeof(message), NULL, 0, NULL);
}

// What has happened on the output since the process was told last, unless it is busy with that.
static void update(struct gpu_viewer *viewer, uint32_t output)
{
    struct view *view = &viewer->views[output];
    struct gpu_rect damage;
    if (view->frame || view->waits || is_full(viewer))
        return;
    link_worker_hold(viewer->process);
    tell_picture(viewer, output);
    if (gpu_scanout_take_damage(viewer->device, &viewer->listener, output, &damage)) {
        view->frame = ++viewer->serial;
        struct link_frame message = {.output = output,
                                     .x = damage.x,
                                     .y = damage.y,
                                     .width = damage.width,
                                     .height = damage.height,
                                     .serial = view->frame};
        send(viewer, LINK_FRAME, &message, sizeof(message), NULL, 0, NULL);
    }
    link_worker_flush(viewer->process);
}

static void update_cursor(struct gpu_viewer *viewer, uint32_t output)
{
    struct view *view = &viewer->views[output];
    struct gpu_cursor cursor;
    if (is_full(viewer))
        return;
    gpu_scanout_cursor(viewer->device, output, &cursor);
    if (cursor.rgba && cursor.shape_serial != view->shape_serial) {
        view->shape_serial = cursor.shape_serial;
        struct link_cursor_shape shape = {.output = output,
                                          .width = cursor.width,
                                          .height = cursor.height,
                                          .hot_x = cursor.hot_x,
                                          .hot_y = cursor.hot_y};
        send(viewer, LINK_CURSOR_SHAPE, &shape, sizeof(shape), cursor.rgba,
             (size_t)cursor.width * cursor.height * 4, NULL);
    }
    struct link_cursor_move move = {
        .output = output, .visible = cursor.visible, .x = cursor.x, .y = cursor.y};
    send(viewer, LINK_CURSOR_MOVE, &move, sizeof(move), NULL, 0, NULL);
}

static void update_all(struct gpu_viewer *viewer)
{
    for (uint32_t i = 0; viewer->device && i < gpu_device_outputs(viewer->device); i++) {
        update_cursor(viewer, i); // first: a screenshot ends at the first frame
        update(viewer, i);
    }
}

// ---- what the device says -------------------------------------------------

static void on_change(void *data, uint32_t output)
{
    struct gpu_viewer *viewer = data;
    viewer->views[output].waits = true;
    os_source_set_deadline(viewer->timer, os_now_ns() + FLUSH_PATIENCE_NS);
}

static void on_flush(void *data, uint32_t output)
{
    struct gpu_viewer *viewer = data;
    viewer->views[output].waits = false;
    update(viewer, output);
}

static void on_timer(void *data)
{
    struct gpu_viewer *viewer = data;
    for (uint32_t i = 0; viewer->device && i < gpu_device_outputs(viewer->device); i++)
        if (viewer->views[i].waits)
            on_flush(viewer, i);
}

static void on_cursor(void *data, uint32_t output)
{
    update_cursor(data, output);
}

static void on_file_gone(void *data, uint64_t file_id)
{
    struct gpu_viewer *viewer = data;
    for (unsigned i = 0; i < viewer->file_count; i++) {
        if (viewer->files[i] != file_id)
            continue;
        // A frame may be under way whose successor was not told yet.
        for (uint32_t j = 0; j < gpu_device_outputs(viewer->device); j++)
            if (viewer->views[j].file_id == file_id)
                tell_picture(viewer, j);
        forget_file(viewer, i);
        return;
    }
}

// ---- what the process says ------------------------------------------------

static bool on_shown(struct gpu_viewer *viewer, const struct link_frame_shown *shown)
{
    if (shown->output >= GPU_MAX_OUTPUTS)
        return false;
    struct view *view = &viewer->views[shown->output];
    if (!view->frame || shown->serial != view->frame)
        return shown->serial <= viewer->serial; // of before an attach
    view->frame = 0;
    if (viewer->device) {
        gpu_scanout_shown(viewer->device, &viewer->listener, shown->output);
        update(viewer, shown->output);
    }
    return true;
}

static bool on_input(struct gpu_viewer *viewer, const struct link_input *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i].device >= LINK_INPUT_DEVICES)
            return false;
    if (viewer->callbacks.input)
        viewer->callbacks.input(viewer->data, events, count);
    return true;
}

// False: it broke the protocol.
static bool take_message(struct gpu_viewer *viewer, const struct link_message *message)
{
    const void *payload = message->payload;
    switch ((int)message->type) {
    case LINK_DISPLAY_READY:
        if (viewer->callbacks.ready)
            viewer->callbacks.ready(viewer->data);
        return true;
    case LINK_FRAME_SHOWN:
        return on_shown(viewer, payload);
    case LINK_OUTPUT_MODE: {
        const struct link_output_mode *mode = payload;
        // A size that the device can't have is no offence: windows can be tiny.
        if (viewer->device)
            gpu_device_set_mode(viewer->device, mode->output, mode->width, mode->height);
        return true;
    }
    case LINK_INPUT:
        return on_input(viewer, payload, message->size / sizeof(struct link_input));
    case LINK_DISPLAY_CLOSED:
        if (viewer->callbacks.closed)
            viewer->callbacks.closed(viewer->data);
        return true;
    case LINK_DISPLAY_COUNTERS:
        if (viewer->callbacks.counters)
            viewer->callbacks.counters(viewer->data, payload);
        return true;
    }
    return false;
}

static bool on_message(void *data, const struct link_message *message)
{
    struct gpu_viewer *viewer = data;
    if (take_message(viewer, message))
        return true;
    viewer->callbacks.gone(viewer->data, "it broke the protocol");
    return false;
}

static void on_drained(void *data)
{
    update_all(data);
}

static void on_gone(void *data, const char *how)
{
    struct gpu_viewer *viewer = data;
    viewer->callbacks.gone(viewer->data, how);
}

// ---- life -----------------------------------------------------------------

struct gpu_viewer *gpu_viewer_create(struct os_loop *loop, struct link_pool *pool,
                                     const struct gpu_viewer_options *options,
                                     const struct gpu_viewer_callbacks *callbacks, void *data)
{
    static const struct link_worker_callbacks process_callbacks = {
        .message = on_message, .drained = on_drained, .gone = on_gone};
    struct gpu_viewer *viewer = calloc(1, sizeof(*viewer));
    if (!viewer)
        return NULL;
    viewer->callbacks = *callbacks;
    viewer->data = data;
    viewer->listener = (struct gpu_scanout_listener){
        .data = viewer,
        .paces = options->paces,
        .changed = on_change,
        .damaged = on_flush,
        .cursor = on_cursor,
        .file_gone = on_file_gone,
    };
    for (unsigned i = 0; i < GPU_MAX_OUTPUTS; i++)
        viewer->views[i].generation = NOT_TOLD;
    viewer->timer = os_loop_add_timer(loop, 0, on_timer, viewer);
    errno = ENOMEM;
    viewer->process = viewer->timer ? link_pool_take(pool, &process_callbacks, viewer) : NULL;
    if (!viewer->process) {
        int error = errno;
        os_source_remove(viewer->timer);
        free(viewer);
        errno = error;
        return NULL;
    }
    send(viewer, LINK_DISPLAY_SETUP, &options->setup, sizeof(options->setup), NULL, 0, NULL);
    return viewer;
}

void gpu_viewer_destroy(struct gpu_viewer *viewer)
{
    if (!viewer)
        return;
    if (viewer->device)
        gpu_device_unlisten(viewer->device, &viewer->listener);
    os_source_remove(viewer->timer);
    link_worker_release(viewer->process);
    free(viewer);
}

void gpu_viewer_attach(struct gpu_viewer *viewer, struct gpu_device *device)
{
    if (viewer->device) {
        gpu_device_unlisten(viewer->device, &viewer->listener);
        for (uint32_t i = 0; i < gpu_device_outputs(viewer->device); i++) {
            struct link_picture nothing = {.output = i};
            send(viewer, LINK_PICTURE, &nothing, sizeof(nothing), NULL, 0, NULL);
            viewer->views[i] = (struct view){.generation = NOT_TOLD};
        }
        while (viewer->file_count)
            forget_file(viewer, viewer->file_count - 1);
    }
    viewer->device = device;
    if (!device)
        return;
    gpu_device_listen(device, &viewer->listener);
    update_all(viewer);
}

void gpu_viewer_set_leds(struct gpu_viewer *viewer, uint32_t leds)
{
    struct link_keyboard_leds message = {.leds = leds};
    send(viewer, LINK_KEYBOARD_LEDS, &message, sizeof(message), NULL, 0, NULL);
}
