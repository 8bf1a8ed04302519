// hesper-image: what a guest's screen shows, as PNG files, or as a video. Started by hesper itself.
#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "display/display.h"
#include "display/image/record.h"
#include "link/display_messages.h"
#include "os/os.h"
#include "os/process.h"
#include "os/sandbox.h"

static const char usage[] =
    "usage: hesper-image --fd N (--screenshot FILE | --frames FOLDER | --record FILE) [OPTIONS]\n"
    "\n"
    "Writes what a guest's screen shows as PNG files or as a video. hesper starts it: see\n"
    "--screenshot and --display image=FOLDER of 'hesper run', and 'hesper record-screen'.\n"
    "\n";

struct image {
    struct display *display;
    uint32_t output;
    const char *screenshot, *folder;
    unsigned number; // of the last frame
    bool done;
    int status;
};

// ---- writing --------------------------------------------------------------

// The file appears whole or not at all.
static bool write_png(const char *path, const uint8_t *rgba, uint32_t width, uint32_t height)
{
    char temporary[4200];
    snprintf(temporary, sizeof(temporary), "%s.part%ld", path, (long)getpid());
    png_image picture = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGBA};
    errno = 0;
    if (!png_image_write_to_file(&picture, temporary, 0, rgba, 0, NULL)) {
        log_error("cannot write '%s': %s", path, errno ? strerror(errno) : picture.message);
        unlink(temporary);
        return false;
    }
    if (rename(temporary, path) == 0)
        return true;
    log_error("cannot write '%s': %s", path, strerror(errno));
    unlink(temporary);
    return false;
}

static bool write_picture(struct image *image, const char *path)
{
    const struct display_output *shown = display_output(image->display, image->output);
    const struct picture_rect all = {0, 0, shown->width, shown->height};
    const size_t stride = (size_t)shown->width * 4;
    uint8_t *rgba = malloc(stride * shown->height);
    bool good =
        rgba && display_read(image->display, image->output, &all, PICTURE_ORDER_RGBA, rgba, stride);
    if (good) {
        display_draw_cursor(image->display, image->output, &all, PICTURE_ORDER_RGBA, rgba, stride);
        good = write_png(path, rgba, shown->width, shown->height);
    } else {
        log_error("cannot read the picture: %s",
                  rgba ? "its file cannot be mapped" : "out of memory");
    }
    free(rgba);
    return good;
}

// ---- what the device says -------------------------------------------------

static void end(struct image *image, int status)
{
    image->done = true;
    image->status = status;
}

static void on_setup(void *data, const struct link_display_setup *setup)
{
    struct image *image = data;
    if (image->output < setup->outputs)
        return;
    log_error("there is no output %u: the guest has %u", image->output, setup->outputs);
    end(image, 2);
}

static void on_picture(void *data, uint32_t output)
{
    struct image *image = data;
    if (output == image->output && image->screenshot &&
        !display_output(image->display, output)->file) {
        log_error("no picture: the guest has shown nothing yet");
        end(image, LINK_DISPLAY_NOTHING_SHOWN);
    }
}

static void on_frame(void *data, uint32_t output, const struct picture_rect *damage)
{
    struct image *image = data;
    char path[4200];
    if (output == image->output && !image->done) {
        if (image->screenshot)
            end(image, write_picture(image, image->screenshot) ? 0 : 1);
        else if (snprintf(path, sizeof(path), "%s/frame-%06u.png", image->folder,
                          ++image->number) >= (int)sizeof(path) ||
                 !write_picture(image, path))
            end(image, 1);
        display_count(image->display, 1, 0);
    }
    display_shown(image->display, output);
}

// ---- main -----------------------------------------------------------------

// Numbers go on where an earlier run has ended.
static bool use_folder(struct image *image)
{
    if (mkdir(image->folder, 0777) < 0 && errno != EEXIST) {
        log_error("cannot make the folder '%s': %s", image->folder, strerror(errno));
        return false;
    }
    DIR *folder = opendir(image->folder);
    if (!folder) {
        log_error("cannot read the folder '%s': %s", image->folder, strerror(errno));
        return false;
    }
    unsigned number;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (sscanf(entry->d_name, "frame-%u.png", &number) == 1 && number > image->number)
            image->number = number;
    closedir(folder);
    return true;
}

static void run(struct image *image)
{
    display_ready(image->display);
    while (!image->done) {
        struct pollfd fd = {.fd = display_fd(image->display),
                            .events = POLLIN | (display_wants_write(image->display) ? POLLOUT : 0)};
        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            break;
        if (!display_dispatch(image->display) && !image->done)
            end(image, image->screenshot ? 1 : 0);
    }
}

// It writes pictures, and needs nothing else of this machine.
static void confine(const struct image *image)
{
    char folder[4096] = ".", summary[128];
    const char *slash = image->screenshot ? strrchr(image->screenshot, '/') : NULL;
    if (image->folder)
        snprintf(folder, sizeof(folder), "%s", image->folder);
    else if (slash)
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - image->screenshot + 1),
                 image->screenshot);
    const struct os_sandbox_options confined = {.kind = OS_SANDBOX_STRICT, .writable = folder};
    if (!os_sandbox_enter(&confined, summary, sizeof(summary)))
        log_debug("sandbox: %s", summary);
}

struct wanted {
    uint32_t fd;
    struct image image;
    struct record_options video;
    struct os_options host;
    unsigned verbose;
};

static const struct option_row rows[] = {
    {"fd", "N", "the socket to the device process", OPTION_NUMBER(struct wanted, fd, 3, 1 << 20)},
    {"screenshot", "FILE", "the picture of now, and end",
     OPTION_TEXT(struct wanted, image.screenshot)},
    {"frames", "FOLDER", "FOLDER/frame-000001.png and so on, whenever it changes",
     OPTION_TEXT(struct wanted, image.folder)},
    {"record", "FILE", "FILE.mp4 or FILE.webm, until a signal, by the program ffmpeg",
     OPTION_TEXT(struct wanted, video.file)},
    {"seconds", "N", "or for so long", OPTION_NUMBER(struct wanted, video.seconds, 0, INT32_MAX)},
    {"rate", "N", "pictures in a second, at most [60]",
     OPTION_NUMBER(struct wanted, video.rate, 1, 1000)},
    {"output", "N", "of the guest's screens, from 0 [0]",
     OPTION_NUMBER(struct wanted, image.output, 0, LINK_DISPLAY_OUTPUTS - 1)},
    {"portable", NULL, "use only what every host has", OPTION_FLAG(struct wanted, host.portable)},
    {"verbose", NULL, "twice: more", OPTION_COUNT(struct wanted, verbose), .letter = 'v'},
    {0},
};

int main(int argc, char **argv)
{
    static const struct display_ops ops = {
        .setup = on_setup, .picture = on_picture, .frame = on_frame};
    struct wanted wanted = {.video.rate = 60};
    struct image *image = &wanted.image;
    const struct options options = {
        .program = "hesper-image", .usage = usage, .tables = {{rows, &wanted}}};
    log_set_tag("image");
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? 2 : 0;
    if (!wanted.fd || !!image->screenshot + !!image->folder + !!wanted.video.file != 1 ||
        first < argc) {
        log_error("hesper starts this program itself; see 'hesper-image --help'");
        return 2;
    }
    if (wanted.verbose)
        log_set_level(wanted.verbose > 1 ? LOG_DEBUG : LOG_INFO);
    os_init(&wanted.host);
    if (wanted.video.file) {
        wanted.video.output = image->output;
        return record((int)wanted.fd, &wanted.video);
    }
    os_die_with_parent();
    if (image->folder && !use_folder(image))
        return 1;
    confine(image);
    int error = display_create((int)wanted.fd, &ops, image, &image->display);
    if (error) {
        log_error("cannot start: %s", strerror(-error));
        return 1;
    }
    run(image);
    display_destroy(image->display);
    return image->status;
}
