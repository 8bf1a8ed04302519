// A device process without a VM, for tests of display programs: starts one and does over its link
// what lines on stdin say; says on stdout what comes back.
//
//   fake_device [--outputs N] [--size WIDTHxHEIGHT] [--name NAME] -- PROGRAM [ARGUMENTS...]
//
// stdin:                                        stdout:
//   picture OUTPUT WIDTH HEIGHT [FORMAT [PAD [OFFSET]]]   ready
//   off OUTPUT                                    shown OUTPUT SERIAL
//   fill OUTPUT X Y WIDTH HEIGHT RRGGBB           mode OUTPUT WIDTH HEIGHT
//   pattern OUTPUT SEED                           input DEVICE TYPE CODE VALUE
//   frame OUTPUT X Y WIDTH HEIGHT                 closed
//   animate OUTPUT FRAMES                         counters FRAMES BYTES VIEWERS
//   cursor OUTPUT WIDTH HEIGHT HOT_X HOT_Y RRGGBBAA       animated OUTPUT FRAMES MICROSECONDS
//   move OUTPUT VISIBLE X Y                       ended STATUS (of waitpid; the last line)
//   leds BITS
//   (raw 137 HEX: a text is copied)               copied HEX
//   forget            (closes files that no output shows)
//   deaf 0|1          (stops reading the link)
//   raw TYPE HEX      (a message as it is)
//   end
//
// `picture` makes another file, black; FORMAT is virtio's number (2: B8G8R8X8), PAD bytes lie
// between rows, OFFSET bytes before the first. `pattern` gives pixel (x, y) red (3x + seed) mod
// 256, green (5y + seed) mod 256, blue ((x xor y) + seed) mod 256.
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/short.h"
#include "gpu/output.h"
#include "link/display_messages.h"
#include "link/link.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/process.h"
#include "os/shm.h"
#include "os/socket.h"

struct output {
    struct link_picture picture;
    int fd;
    uint8_t *address;
    uint64_t size;
    uint64_t serial;
    bool due; // a frame waits to be shown; what happens meanwhile is gathered, as the device does
    struct picture_rect gathered; // width 0: nothing
    uint64_t animate, animated, began_ns;
};

struct device {
    struct link *link;
    pid_t pid;
    uint32_t output_count;
    struct output outputs[LINK_DISPLAY_OUTPUTS];
    uint64_t file_ids;
    uint64_t stale[256];
    unsigned stale_count;
    bool deaf, ending;
};

static void fail(const char *what)
{
    fprintf(stderr, "fake_device: %s\n", what);
    exit(2);
}

static void send(struct device *device, int type, const void *payload, size_t size,
                 const void *tail, size_t tail_size, int fd)
{
    int status =
        link_send(device->link, type, payload, size, tail, tail_size, &fd, fd >= 0 ? 1 : 0);
    if (status != 0 && status != -EAGAIN)
        device->ending = true;
}

// ---- pictures -------------------------------------------------------------

static void put_pixel(const struct output *output, uint32_t x, uint32_t y, uint8_t red,
                      uint8_t green, uint8_t blue)
{
    uint8_t *at = output->address + output->picture.offset + (uint64_t)y * output->picture.stride +
                  (uint64_t)x * 4;
    const uint8_t bgra[4] = {blue, green, red, 0x77}, argb[4] = {0x77, red, green, blue};
    const uint8_t rgba[4] = {red, green, blue, 0x77}, abgr[4] = {0x77, blue, green, red};
    switch (output->picture.format) {
    case PICTURE_FORMAT_B8G8R8A8:
    case PICTURE_FORMAT_B8G8R8X8:
        memcpy(at, bgra, 4);
        break;
    case PICTURE_FORMAT_A8R8G8B8:
    case PICTURE_FORMAT_X8R8G8B8:
        memcpy(at, argb, 4);
        break;
    case PICTURE_FORMAT_R8G8B8A8:
    case PICTURE_FORMAT_R8G8B8X8:
        memcpy(at, rgba, 4);
        break;
    default:
        memcpy(at, abgr, 4);
        break;
    }
}

static void new_picture(struct device *device, struct output *output, uint32_t index,
                        const unsigned long *value)
{
    uint32_t width = (uint32_t)value[1], height = (uint32_t)value[2];
    if (output->picture.file_id && device->stale_count < 256)
        device->stale[device->stale_count++] = output->picture.file_id;
    if (output->address) {
        os_shm_unmap(output->address, output->size);
        close(output->fd);
    }
    output->picture = (struct link_picture){.output = index,
                                            .format = value[3] ? (uint32_t)value[3] : 2,
                                            .file_id = ++device->file_ids,
                                            .offset = value[5],
                                            .stride = width * 4 + (uint32_t)value[4],
                                            .width = width,
                                            .height = height,
                                            .enabled = 1};
    output->size = value[5] + (uint64_t)output->picture.stride * height;
    output->fd = os_shm_create("fake_device", output->size);
    output->address = output->fd < 0 ? NULL : map_file(output->fd, 0, output->size);
    if (!output->address)
        fail("no memory for a picture");
    struct link_file_open open = {.file_id = output->picture.file_id, .size = output->size};
    send(device, LINK_FILE_OPEN, &open, sizeof(open), NULL, 0, output->fd);
    send(device, LINK_PICTURE, &output->picture, sizeof(output->picture), NULL, 0, -1);
}

static void send_frame(struct device *device, struct output *output,
                       const struct picture_rect *rect)
{
    struct picture_rect *gathered = &output->gathered;
    if (output->due && gathered->width) {
        uint32_t right = gathered->x + gathered->width, bottom = gathered->y + gathered->height;
        right = rect->x + rect->width > right ? rect->x + rect->width : right;
        bottom = rect->y + rect->height > bottom ? rect->y + rect->height : bottom;
        gathered->x = rect->x < gathered->x ? rect->x : gathered->x;
        gathered->y = rect->y < gathered->y ? rect->y : gathered->y;
        gathered->width = right - gathered->x;
        gathered->height = bottom - gathered->y;
        return;
    }
    if (output->due) {
        *gathered = *rect;
        return;
    }
    struct link_frame frame = {.output = output->picture.output,
                               .x = rect->x,
                               .y = rect->y,
                               .width = rect->width,
                               .height = rect->height,
                               .serial = ++output->serial};
    output->due = true;
    send(device, LINK_FRAME, &frame, sizeof(frame), NULL, 0, -1);
}

// A block that moves over the picture, one step a frame.
static void animate(struct device *device, struct output *output)
{
    const struct picture_rect all = {0, 0, output->picture.width, output->picture.height};
    uint64_t step = output->animated++;
    for (uint32_t y = 0; y < 64 && y < all.height; y++)
        for (uint32_t x = 0; x < 64 && x < all.width; x++)
            put_pixel(output, (uint32_t)((step * 8 + x) % all.width), y, (uint8_t)step, 128, 255);
    send_frame(device, output, &all);
}

// ---- lines ----------------------------------------------------------------

static void send_cursor(struct device *device, const unsigned long *value, unsigned long color)
{
    struct link_cursor_shape shape = {.output = (uint32_t)value[0],
                                      .width = (uint32_t)value[1],
                                      .height = (uint32_t)value[2],
                                      .hot_x = (uint32_t)value[3],
                                      .hot_y = (uint32_t)value[4]};
    size_t size = (size_t)shape.width * shape.height * 4;
    uint8_t *pixels = malloc(size);
    if (!pixels)
        fail("out of memory");
    unsigned alpha = color & 255;
    for (size_t i = 0; i < size; i += 4) {
        pixels[i] = (uint8_t)((color >> 24 & 255) * alpha / 255);
        pixels[i + 1] = (uint8_t)((color >> 16 & 255) * alpha / 255);
        pixels[i + 2] = (uint8_t)((color >> 8 & 255) * alpha / 255);
        pixels[i + 3] = (uint8_t)alpha;
    }
    send(device, LINK_CURSOR_SHAPE, &shape, sizeof(shape), pixels, size, -1);
    free(pixels);
}

static void send_raw(struct device *device, const char *text)
{
    char hex[4096] = "";
    unsigned type;
    uint8_t bytes[2048];
    size_t size = 0;
    if (sscanf(text, "%u %4095s", &type, hex) < 1)
        fail("raw: no type");
    for (unsigned byte; sscanf(hex + 2 * size, "%2x", &byte) == 1; size++)
        bytes[size] = (uint8_t)byte;
    send(device, (int)type, bytes, size, NULL, 0, -1);
}

static void obey(struct device *device, char *line)
{
    char word[32] = "", rest[4200] = "";
    unsigned long value[6] = {0}, color = 0;
    if (sscanf(line, "%31s %4199[^\n]", word, rest) < 1)
        return;
    char *at = rest;
    for (int i = 0; i < 6; i++)
        value[i] = strtoul(at, &at, 10); // negative numbers wrap, and wrap back
    char *last = strrchr(rest, ' ');
    if (last)
        color = strtoul(last, NULL, 16);
    struct output *output = &device->outputs[value[0] % LINK_DISPLAY_OUTPUTS];
    const struct link_picture *picture = &output->picture;

    if (!strcmp(word, "picture")) {
        new_picture(device, output, (uint32_t)value[0], value);
    } else if (!strcmp(word, "off")) {
        output->picture.enabled = 0;
        send(device, LINK_PICTURE, picture, sizeof(*picture), NULL, 0, -1);
    } else if (!strcmp(word, "fill")) {
        for (uint32_t y = (uint32_t)value[2]; y < value[2] + value[4]; y++)
            for (uint32_t x = (uint32_t)value[1]; x < value[1] + value[3]; x++)
                put_pixel(output, x, y, (uint8_t)(color >> 16), (uint8_t)(color >> 8),
                          (uint8_t)color);
    } else if (!strcmp(word, "pattern")) {
        uint32_t seed = (uint32_t)value[1];
        for (uint32_t y = 0; y < picture->height; y++)
            for (uint32_t x = 0; x < picture->width; x++)
                put_pixel(output, x, y, (uint8_t)(3 * x + seed), (uint8_t)(5 * y + seed),
                          (uint8_t)((x ^ y) + seed));
    } else if (!strcmp(word, "frame")) {
        send_frame(device, output,
                   &(struct picture_rect){(uint32_t)value[1], (uint32_t)value[2],
                                          (uint32_t)value[3], (uint32_t)value[4]});
    } else if (!strcmp(word, "animate")) {
        output->animate = value[1];
        output->animated = 0;
        output->began_ns = os_now_ns();
        animate(device, output);
    } else if (!strcmp(word, "cursor")) {
        send_cursor(device, value, color);
    } else if (!strcmp(word, "move")) {
        struct link_cursor_move move = {.output = (uint32_t)value[0],
                                        .visible = (uint32_t)value[1],
                                        .x = (int32_t)value[2],
                                        .y = (int32_t)value[3]};
        send(device, LINK_CURSOR_MOVE, &move, sizeof(move), NULL, 0, -1);
    } else if (!strcmp(word, "leds")) {
        struct link_keyboard_leds leds = {.leds = (uint32_t)value[0]};
        send(device, LINK_KEYBOARD_LEDS, &leds, sizeof(leds), NULL, 0, -1);
    } else if (!strcmp(word, "forget")) {
        while (device->stale_count) {
            struct link_file_close close = {.file_id = device->stale[--device->stale_count]};
            send(device, LINK_FILE_CLOSE, &close, sizeof(close), NULL, 0, -1);
        }
    } else if (!strcmp(word, "deaf")) {
        device->deaf = value[0];
    } else if (!strcmp(word, "raw")) {
        send_raw(device, rest);
    } else if (!strcmp(word, "end")) {
        device->ending = true;
    } else {
        fail(line);
    }
}

// ---- what comes back ------------------------------------------------------

static void on_shown(struct device *device, const struct link_frame_shown *shown)
{
    if (shown->output >= device->output_count)
        fail("a frame of no output was shown");
    struct output *output = &device->outputs[shown->output];
    struct picture_rect gathered = output->gathered;
    if (!output->due || shown->serial != output->serial)
        puts("wrong"); // shown what was not sent, or again
    output->due = false;
    output->gathered = (struct picture_rect){0};
    if (!output->animate)
        printf("shown %u %llu\n", shown->output, (unsigned long long)shown->serial);
    if (gathered.width) {
        send_frame(device, output, &gathered);
    } else if (!output->animate) {
        return;
    } else if (output->animated < output->animate) {
        animate(device, output);
    } else {
        output->animate = 0;
        printf("animated %u %llu %llu\n", shown->output, (unsigned long long)output->animated,
               (unsigned long long)(os_now_ns() - output->began_ns) / 1000);
    }
}

static void take(struct device *device, const struct link_message *message)
{
    const void *payload = message->payload;
    switch (message->type) {
    case LINK_DISPLAY_READY:
        puts("ready");
        break;
    case LINK_FRAME_SHOWN:
        on_shown(device, payload);
        break;
    case LINK_OUTPUT_MODE: {
        const struct link_output_mode *mode = payload;
        printf("mode %u %u %u\n", mode->output, mode->width, mode->height);
        break;
    }
    case LINK_INPUT: {
        const struct link_input *input = payload;
        for (size_t i = 0; i < message->size / sizeof(*input); i++)
            printf("input %u %u %u %d\n", input[i].device, input[i].type, input[i].code,
                   input[i].value);
        break;
    }
    case LINK_DISPLAY_CLOSED:
        puts("closed");
        break;
    case LINK_DISPLAY_COUNTERS: {
        const struct link_display_counters *counters = payload;
        printf("counters %llu %llu %llu\n", (unsigned long long)counters->frames,
               (unsigned long long)counters->copied_bytes, (unsigned long long)counters->viewers);
        break;
    }
    case LINK_CLIPBOARD_COPIED:
        printf("copied ");
        for (size_t i = 0; i < message->size; i++)
            printf("%02x", message->payload[i]);
        puts("");
        break;
    default:
        printf("unknown %u\n", message->type);
    }
}

static void receive(struct device *device)
{
    struct link_message message;
    int status;
    while ((status = link_receive(device->link, &message)) == 0)
        take(device, &message);
    if (status == -EPROTO)
        puts("broken");
    if (status != -EAGAIN)
        device->ending = true;
}

// ---- life -----------------------------------------------------------------

static void run(struct device *device)
{
    static char line[8192];
    size_t held = 0;
    while (!device->ending) {
        fflush(stdout);
        struct pollfd waits[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                  {.fd = link_fd(device->link), .events = 0}};
        if (!device->deaf)
            waits[1].events |= POLLIN;
        if (link_queued(device->link))
            waits[1].events |= POLLOUT;
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            fail("poll");
        if (waits[1].revents & POLLOUT)
            link_flush(device->link);
        if (waits[1].revents & (POLLIN | POLLHUP))
            receive(device);
        if (!waits[0].revents)
            continue;
        ssize_t got = read(STDIN_FILENO, line + held, sizeof(line) - 1 - held);
        if (got <= 0)
            return;
        held += (size_t)got;
        line[held] = 0;
        char *start = line;
        for (char *end; (end = strchr(start, '\n')); start = end + 1) {
            *end = 0;
            obey(device, start);
        }
        held -= (size_t)(start - line);
        memmove(line, start, held);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"outputs", required_argument, NULL, 'o'},
                                            {"size", required_argument, NULL, 's'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"inputs", required_argument, NULL, 'i'},
                                            {0}};
    struct link_display_setup setup = {
        .outputs = 1, .width = 640, .height = 480, .name = "fake device"};
    struct device device = {0};
    int option, pair[2], status = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'o')
            setup.outputs = (uint32_t)atoi(optarg);
        else if (option == 's' && sscanf(optarg, "%ux%u", &setup.width, &setup.height) == 2)
            continue;
        else if (option == 'i')
            setup.inputs = (uint32_t)atoi(optarg);
        else if (option == 'n')
            snprintf(setup.name, sizeof(setup.name), "%s", optarg);
        else
            fail("wrong option");
    }
    int count = argc - optind;
    if (count < 1 || count > 60)
        fail("no program");
    char *arguments[64];
    memcpy(arguments, argv + optind, (size_t)count * sizeof(*arguments));
    arguments[count] = "--fd=3";
    arguments[count + 1] = NULL;

    os_init(&(struct os_options){0});
    if (os_socket_pair(pair))
        fail("socketpair");
    const struct os_fd_pass pass = {pair[1], 3};
    device.pid = os_spawn(&(struct os_spawn_options){
        .path = arguments[0], .argv = arguments, .fds = &pass, .fd_count = 1});
    if (device.pid < 0)
        fail("the program could not be started");
    close(pair[1]);
    device.output_count = setup.outputs;
    device.link = new_link(pair[0], false);
    if (!device.link)
        fail("out of memory");
    send(&device, LINK_DISPLAY_SETUP, &setup, sizeof(setup), NULL, 0, -1);
    run(&device);
    link_destroy(device.link);
    waitpid(device.pid, &status, 0);
    printf("ended %d\n", status);
    return 0;
}
