#include "display/display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "link/link.h"
#include "os/clock.h"
#include "os/shm.h"

#define NS_PER_S 1000000000ull

enum { MAX_FILES = 128, HELD_INPUTS = 256 };

// A file with its mapping, made when pixels are read.
struct file {
    struct display_file face; // first
    uint8_t *address;         // of all of it; NULL: not mapped
};

struct display {
    struct link *link;
    const struct display_ops *ops;
    void *data;
    bool setup_done, wants_write, gone, shares_clipboard;
    uint32_t output_count;
    struct display_output outputs[LINK_DISPLAY_OUTPUTS];
    uint64_t frames[LINK_DISPLAY_OUTPUTS]; // serial of the frame that is due
    struct file *files[MAX_FILES];
    unsigned file_count;

    struct link_input inputs[HELD_INPUTS];
    unsigned input_count;

    struct link_display_counters counters;
    uint64_t told_ns;
};

// ---- sending --------------------------------------------------------------

static void send(struct display *display, int type, const void *payload, size_t size)
{
    int error = link_send(display->link, type, payload, size, NULL, 0, NULL, 0);
    if (error == -EAGAIN)
        display->wants_write = true;
    else if (error)
        display->gone = true;
}

void display_flush(struct display *display)
{
    if (!display->input_count)
        return;
    send(display, LINK_INPUT, display->inputs, display->input_count * sizeof(display->inputs[0]));
    display->input_count = 0;
}

void display_shown(struct display *display, uint32_t output)
{
    struct display_output *shown = &display->outputs[output];
    if (!shown->frame_due)
        return;
    shown->frame_due = false;
    struct link_frame_shown message = {.output = output, .serial = display->frames[output]};
    send(display, LINK_FRAME_SHOWN, &message, sizeof(message));
}

void display_ready(struct display *display)
{
    send(display, LINK_DISPLAY_READY, NULL, 0);
}

void display_closed(struct display *display)
{
    send(display, LINK_DISPLAY_CLOSED, NULL, 0);
}

void display_set_mode(struct display *display, uint32_t output, uint32_t width, uint32_t height)
{
    struct link_output_mode message = {.output = output, .width = width, .height = height};
    send(display, LINK_OUTPUT_MODE, &message, sizeof(message));
}

void display_set_screen(struct display *display, uint32_t output, uint32_t refresh, uint32_t dpi)
{
    struct link_output_screen message = {.output = output, .refresh = refresh, .dpi = dpi};
    send(display, LINK_OUTPUT_SCREEN, &message, sizeof(message));
}

void display_set_clipboard(struct display *display, const char *text, size_t size)
{
    if (display->shares_clipboard && size && size <= LINK_MAX_CLIPBOARD && utf8_is_text(text, size))
        send(display, LINK_CLIPBOARD_COPIED, text, size);
}

void display_input(struct display *display, enum link_input_device device, uint16_t type,
                   uint16_t code, int32_t value)
{
    if (display->input_count == HELD_INPUTS)
        display_flush(display);
    display->inputs[display->input_count++] =
        (struct link_input){.device = (uint16_t)device, .type = type, .code = code, .value = value};
}

void display_input_end(struct display *display, enum link_input_device device)
{
    display_input(display, device, 0, 0, 0); // EV_SYN, SYN_REPORT
}

static int32_t scale(double position, uint32_t size)
{
    double value = size > 1 ? position * LINK_INPUT_RANGE / (size - 1) : 0;
    return value < 0 ? 0 : value > LINK_INPUT_RANGE ? LINK_INPUT_RANGE : (int32_t)(value + 0.5);
}

void display_input_position(struct display *display, enum link_input_device device, uint32_t output,
                            double x, double y)
{
    enum { EV_ABS = 3, ABS_X = 0, ABS_MT_POSITION_X = 0x35 };
    uint16_t code = device == LINK_INPUT_TOUCH ? ABS_MT_POSITION_X : ABS_X;
    struct picture_rect places[LINK_DISPLAY_OUTPUTS] = {0};
    for (uint32_t i = 0; i < display->output_count; i++) {
        const struct display_output *shown = &display->outputs[i];
        if (shown->enabled)
            places[i] = (struct picture_rect){.width = shown->width, .height = shown->height};
    }
    struct picture_rect all = picture_side_by_side(places, display->output_count);
    display_input(display, device, EV_ABS, code, scale(places[output].x + x, all.width));
    display_input(display, device, EV_ABS, (uint16_t)(code + 1), scale(y, all.height));
}

// ---- counters -------------------------------------------------------------

void display_count(struct display *display, uint64_t frames, uint64_t copied_bytes)
{
    display->counters.frames += frames;
    display->counters.copied_bytes += copied_bytes;
    uint64_t now = os_now_ns();
    if (now - display->told_ns < NS_PER_S)
        return;
    display->told_ns = now;
    send(display, LINK_DISPLAY_COUNTERS, &display->counters, sizeof(display->counters));
}

void display_count_viewers(struct display *display, uint32_t viewers)
{
    display->counters.viewers = viewers;
    display_count(display, 0, 0);
}

// ---- files and pictures ---------------------------------------------------

static struct file *find_file(const struct display *display, uint64_t id)
{
    for (unsigned i = 0; i < display->file_count; i++)
        if (display->files[i]->face.id == id)
            return display->files[i];
    return NULL;
}

static void close_file(struct display *display, unsigned index)
{
    struct file *file = display->files[index];
    display->files[index] = display->files[--display->file_count];
    for (uint32_t i = 0; i < display->output_count; i++)
        if (display->outputs[i].file == &file->face)
            display->outputs[i].file = NULL;
    if (display->ops->file_closed)
        display->ops->file_closed(display->data, &file->face);
    os_shm_unmap(file->address, file->face.size);
    close(file->face.fd);
    free(file);
}

static bool take_file(struct display *display, const struct link_file_open *open)
{
    struct file *file = NULL;
    int fd = link_take_fd(display->link, 0);
    int64_t size = fd < 0 ? -EBADF : os_shm_size(fd);
    if (size >= 0 && (uint64_t)size >= open->size && display->file_count < MAX_FILES &&
        open->file_id && !find_file(display, open->file_id))
        file = calloc(1, sizeof(*file));
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    file->face = (struct display_file){.id = open->file_id, .fd = fd, .size = open->size};
    display->files[display->file_count++] = file;
    return true;
}

static bool take_picture(struct display *display, const struct link_picture *picture)
{
    if (picture->output >= display->output_count)
        return false;
    struct file *file = find_file(display, picture->file_id);
    if (picture->file_id) {
        uint64_t row = (uint64_t)picture->width * 4;
        uint64_t bytes = (uint64_t)picture->stride * (picture->height - 1) + row;
        if (!file || !picture->width || !picture->height || picture->width > UINT16_MAX ||
            picture->height > UINT16_MAX || picture->stride < row ||
            !picture_format_known(picture->format) || bytes > file->face.size ||
            picture->offset > file->face.size - bytes)
            return false;
    }
    struct display_output *output = &display->outputs[picture->output];
    output->file = file ? &file->face : NULL;
    output->offset = picture->offset;
    output->stride = picture->stride;
    output->format = picture->format;
    output->width = picture->width;
    output->height = picture->height;
    output->enabled = file && picture->enabled;
    if (display->ops->picture)
        display->ops->picture(display->data, picture->output);
    return true;
}

static bool take_frame(struct display *display, const struct link_frame *frame)
{
    if (frame->output >= display->output_count || display->outputs[frame->output].frame_due)
        return false;
    struct display_output *output = &display->outputs[frame->output];
    struct picture_rect damage = {frame->x, frame->y, frame->width, frame->height};
    // Clip it: the picture may have just become smaller.
    if (damage.x > output->width || damage.y > output->height)
        damage = (struct picture_rect){0};
    if (damage.width > output->width - damage.x)
        damage.width = output->width - damage.x;
    if (damage.height > output->height - damage.y)
        damage.height = output->height - damage.y;
    output->frame_due = true;
    display->frames[frame->output] = frame->serial;
    display->ops->frame(display->data, frame->output, &damage);
    return true;
}

static bool take_shape(struct display *display, const struct link_cursor_shape *shape)
{
    if (shape->output >= display->output_count)
        return false;
    struct display_output *output = &display->outputs[shape->output];
    size_t size = (size_t)shape->width * shape->height * 4;
    uint8_t *rgba = malloc(size);
    if (!rgba)
        return true; // the last shape stays
    memcpy(rgba, shape + 1, size);
    free(output->cursor.rgba);
    output->cursor.rgba = rgba;
    output->cursor.width = shape->width;
    output->cursor.height = shape->height;
    output->cursor.hot_x = shape->hot_x;
    output->cursor.hot_y = shape->hot_y;
    if (display->ops->cursor)
        display->ops->cursor(display->data, shape->output, true);
    return true;
}

static bool take_move(struct display *display, const struct link_cursor_move *move)
{
    if (move->output >= display->output_count)
        return false;
    struct display_output *output = &display->outputs[move->output];
    output->cursor.visible = move->visible && output->cursor.rgba;
    output->cursor.x = move->x;
    output->cursor.y = move->y;
    if (display->ops->cursor)
        display->ops->cursor(display->data, move->output, false);
    return true;
}

static bool take_condition(struct display *display, const struct link_machine_condition *condition)
{
    if (condition->state >= LINK_MACHINE_STATES)
        return false;
    if (display->ops->state)
        display->ops->state(display->data, (enum link_machine_state)condition->state);
    return true;
}

static void take_clipboard(struct display *display, const char *text, size_t size)
{
    display->shares_clipboard = true;
    if (display->ops->clipboard && utf8_is_text(text, size))
        display->ops->clipboard(display->data, text, size);
}

static bool take(struct display *display, const struct link_message *message)
{
    const void *payload = message->payload;
    if (!display->setup_done) {
        const struct link_display_setup *setup = payload;
        if (message->type != LINK_DISPLAY_SETUP || !setup->outputs ||
            setup->outputs > LINK_DISPLAY_OUTPUTS)
            return false;
        display->setup_done = true;
        display->output_count = setup->outputs;
        display->ops->setup(display->data, setup);
        return true;
    }
    switch (message->type) {
    case LINK_FILE_OPEN:
        return take_file(display, payload);
    case LINK_FILE_CLOSE: {
        const struct link_file_close *gone = payload;
        for (unsigned i = 0; i < display->file_count; i++) {
            if (display->files[i]->face.id == gone->file_id) {
                close_file(display, i);
                return true;
            }
        }
        return false;
    }
    case LINK_PICTURE:
        return take_picture(display, payload);
    case LINK_FRAME:
        return take_frame(display, payload);
    case LINK_CURSOR_SHAPE:
        return take_shape(display, payload);
    case LINK_CURSOR_MOVE:
        return take_move(display, payload);
    case LINK_MACHINE_CONDITION:
        return take_condition(display, payload);
    case LINK_KEYBOARD_LEDS:
        if (display->ops->leds)
            display->ops->leds(display->data, ((const struct link_keyboard_leds *)payload)->leds);
        return true;
    case LINK_CLIPBOARD:
        take_clipboard(display, payload, message->size);
        return true;
    }
    return false;
}

bool display_dispatch(struct display *display)
{
    struct link_message message;
    int error;
    while (!(error = link_receive(display->link, &message))) {
        if (!take(display, &message)) {
            log_error("the device process broke the protocol: message %u", message.type);
            return false;
        }
    }
    if (link_is_broken(error))
        log_error("the device process broke the protocol");
    if (error != -EAGAIN)
        return false;
    display_flush(display);
    display->wants_write = link_flush(display->link) == -EAGAIN;
    return !display->gone;
}

// ---- life -----------------------------------------------------------------

int display_create(int fd, const struct display_ops *ops, void *data, struct display **created)
{
    struct display *display = calloc(1, sizeof(*display));
    *created = NULL;
    if (!display) {
        close(fd);
        return -ENOMEM;
    }
    display->ops = ops;
    display->data = data;
    int error = link_create(fd, false, &display->link);
    if (error)
        free(display);
    else
        *created = display;
    return error;
}

void display_destroy(struct display *display)
{
    if (!display)
        return;
    while (display->file_count)
        close_file(display, display->file_count - 1);
    for (unsigned i = 0; i < LINK_DISPLAY_OUTPUTS; i++)
        free(display->outputs[i].cursor.rgba);
    link_destroy(display->link);
    free(display);
}

int display_fd(const struct display *display)
{
    return link_fd(display->link);
}

bool display_wants_write(const struct display *display)
{
    return display->wants_write;
}

const struct display_output *display_output(const struct display *display, uint32_t index)
{
    return &display->outputs[index];
}

// ---- pixels ---------------------------------------------------------------

bool display_read(struct display *display, uint32_t index, const struct picture_rect *rect,
                  enum picture_order order, uint8_t *pixels, size_t stride)
{
    const struct display_output *output = &display->outputs[index];
    struct file *file = (struct file *)output->file;
    if (!file || rect->x > output->width || rect->width > output->width - rect->x ||
        rect->y > output->height || rect->height > output->height - rect->y)
        return false;
    void *address = file->address;
    if (!address && os_shm_map(file->face.fd, 0, file->face.size, &address))
        return false;
    file->address = address;
    const uint8_t *from =
        file->address + output->offset + (uint64_t)rect->y * output->stride + (uint64_t)rect->x * 4;
    for (uint32_t row = 0; row < rect->height; row++)
        picture_convert(output->format, from + (uint64_t)row * output->stride, order,
                        pixels + (size_t)row * stride, rect->width, true);
    display_count(display, 0, (uint64_t)rect->width * rect->height * 4);
    return true;
}

void display_draw_cursor(const struct display *display, uint32_t index,
                         const struct picture_rect *rect, enum picture_order order, uint8_t *pixels,
                         size_t stride)
{
    const struct display_output *output = &display->outputs[index];
    if (output->cursor.visible)
        picture_blend(output->cursor.rgba, output->cursor.width, output->cursor.height,
                      (int64_t)output->cursor.x - rect->x, (int64_t)output->cursor.y - rect->y,
                      order, pixels, stride, rect->width, rect->height);
}
