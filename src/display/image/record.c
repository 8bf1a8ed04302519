#include "display/image/record.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "display/display.h"
#include "display/image/matroska.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/process.h"
#include "os/sandbox.h"

#define NS_PER_S 1000000000ull

struct recorder {
    const struct record_options *options;
    struct display *display;
    bool done, failed;

    // What the output shows, without its cursor, and with it in the video's size.
    uint8_t *picture, *frame;
    uint32_t width, height;             // of the picture
    uint32_t video_width, video_height; // even; 0: nothing was shown yet
    bool changed;                       // since the last frame
    bool owes;                          // an answer to the device

    pid_t encoder; // 0: none yet
    int pipe;      // to it
    uint64_t joined_ns, began_ns, written_ns, frames;
};

// ---- signals --------------------------------------------------------------

static int stop_pipe[2] = {-1, -1};

static void on_signal(int number)
{
    int error = errno;
    (void)!write(stop_pipe[1], "", 1);
    errno = error;
}

// The second one ends us as it would anybody; the encoder ends its file even so.
static bool catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    if (pipe(stop_pipe) < 0)
        return false;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

static uint64_t period_ns(const struct recorder *recorder)
{
    return NS_PER_S / recorder->options->rate;
}

// ---- the encoder ----------------------------------------------------------

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && !strcmp(text + length - tail, end);
}

// It reads a stream with times, and keeps them. It is in a process group of its own: Ctrl-C is for
// us, and the end of the stream for it.
static bool start_encoder(struct recorder *recorder)
{
    // Without -bf 0 the file's length is wrong: pictures would lie in another order than they are
    // shown in, and take each other's durations.
    // clang-format off
    static const char *const before[] = {
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
        "-probesize", "32", "-f", "matroska", "-i", "pipe:0",
        "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
        "-fps_mode", "passthrough", "-enc_time_base", "1:90000",
    };
    static const char *const mp4[] = {"-preset", "veryfast", "-crf", "20", "-bf", "0",
                                      "-video_track_timescale", "90000", NULL};
    static const char *const webm[] = {"-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1",
                                       "-crf", "30", "-b:v", "0", NULL};
    // clang-format on
    enum { BEFORE = sizeof(before) / sizeof(before[0]) };
    const char *const *after = ends_with(recorder->options->file, ".webm") ? webm : mp4;
    char file[4200], *argv[BEFORE + 16];
    unsigned count = 0;
    int fds[2];
    snprintf(file, sizeof(file), "file:%s", recorder->options->file);
    for (; count < BEFORE; count++)
        argv[count] = (char *)before[count];
    while (*after)
        argv[count++] = (char *)*after++;
    argv[count++] = file;
    argv[count] = NULL;
    if (pipe(fds) < 0) {
        log_error("no pipe: %s", strerror(errno));
        return false;
    }
    const struct os_fd_pass pass = {.parent_fd = fds[0], .child_fd = 0};
    pid_t pid = os_spawn(&(struct os_spawn_options){
        .path = argv[0], .argv = argv, .fds = &pass, .fd_count = 1, .own_group = true});
    close(fds[0]);
    if (pid < 0) {
        close(fds[1]);
        log_error(pid == -ENOENT ? "the program ffmpeg, which makes videos, is not installed (on "
                                   "Debian: apt-get install ffmpeg)"
                                 : "cannot start ffmpeg: %s",
                  strerror(-pid));
        return false;
    }
    recorder->encoder = pid;
    recorder->pipe = fds[1];
    return true;
}

// False: it has ended.
static bool feed(struct recorder *recorder, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t written = write(recorder->pipe, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

// ---- frames ---------------------------------------------------------------

// The encoder is started, and nothing else of this machine is needed from here on.
static bool begin(struct recorder *recorder)
{
    static const struct os_sandbox_options confined = {.kind = OS_SANDBOX_DEFAULT};
    char summary[128];
    uint8_t header[MATROSKA_HEADER];
    recorder->video_width = (recorder->width + 1) & ~1u;
    recorder->video_height = (recorder->height + 1) & ~1u;
    recorder->frame = calloc((size_t)recorder->video_width * recorder->video_height, 4);
    if (!recorder->frame) {
        log_error("out of memory");
        return false;
    }
    if (!start_encoder(recorder))
        return false;
    if (!os_sandbox_enter(&confined, summary, sizeof(summary)))
        log_debug("sandbox: %s", summary);
    return feed(recorder, header,
                matroska_header(header, recorder->video_width, recorder->video_height,
                                period_ns(recorder)));
}

// A guest that changes its mode goes on in the video's size, with black beside.
static void fit(const struct recorder *recorder, const uint8_t *from)
{
    uint64_t width = recorder->video_width, height = recorder->video_height;
    if (width * recorder->height > height * recorder->width)
        width = height * recorder->width / recorder->height;
    else
        height = width * recorder->height / recorder->width;
    uint64_t left = (recorder->video_width - width) / 2,
             top = (recorder->video_height - height) / 2;
    memset(recorder->frame, 0, (size_t)recorder->video_width * recorder->video_height * 4);
    for (uint64_t y = 0; y < height; y++) {
        const uint8_t *row = from + y * recorder->height / height * recorder->width * 4;
        uint8_t *to = recorder->frame + ((top + y) * recorder->video_width + left) * 4;
        for (uint64_t x = 0; x < width; x++)
            memcpy(to + x * 4, row + x * recorder->width / width * 4, 4);
    }
}

static bool compose(struct recorder *recorder)
{
    size_t stride = (size_t)recorder->width * 4, size = stride * recorder->height;
    const struct picture_rect all = {.width = recorder->width, .height = recorder->height};
    bool same = (recorder->width + 1) / 2 == recorder->video_width / 2 &&
                (recorder->height + 1) / 2 == recorder->video_height / 2;
    size_t video_stride = (size_t)recorder->video_width * 4;
    if (same) { // at most a row and a column stay black
        for (uint32_t y = 0; y < recorder->height; y++)
            memcpy(recorder->frame + y * video_stride, recorder->picture + y * stride, stride);
        display_draw_cursor(recorder->display, recorder->options->output, &all, PICTURE_ORDER_RGBA,
                            recorder->frame, video_stride);
        return true;
    }
    uint8_t *drawn = malloc(size);
    if (!drawn)
        return false;
    memcpy(drawn, recorder->picture, size);
    display_draw_cursor(recorder->display, recorder->options->output, &all, PICTURE_ORDER_RGBA,
                        drawn, stride);
    fit(recorder, drawn);
    free(drawn);
    return true;
}

static void write_frame(struct recorder *recorder, uint64_t now)
{
    uint8_t header[MATROSKA_PICTURE];
    size_t size = (size_t)recorder->video_width * recorder->video_height * 4;
    if (recorder->failed)
        return;
    if (recorder->changed && !compose(recorder))
        return; // out of memory: later
    recorder->changed = false;
    if (!recorder->frames++)
        recorder->began_ns = now;
    recorder->written_ns = now;
    if (!feed(recorder, header,
              matroska_picture(header, (now - recorder->began_ns) / 1000, size)) ||
        !feed(recorder, recorder->frame, size))
        recorder->failed = recorder->done = true; // its status says why
}

static void answer(struct recorder *recorder)
{
    if (recorder->owes) {
        recorder->owes = false;
        display_count(recorder->display, 1, 0);
        display_shown(recorder->display, recorder->options->output);
    }
}

// When the next frame may be written: a still picture needs none.
static uint64_t due_ns(const struct recorder *recorder)
{
    return recorder->frames ? recorder->written_ns + period_ns(recorder) : 0;
}

static uint64_t end_ns(const struct recorder *recorder)
{
    uint64_t first = recorder->frames ? recorder->began_ns : recorder->joined_ns;
    uint32_t seconds = recorder->options->seconds;
    if (!seconds || (!recorder->frames && recorder->changed))
        return UINT64_MAX;
    return first + seconds * NS_PER_S;
}

// ---- what the device says -------------------------------------------------

static void on_setup(void *data, const struct link_display_setup *setup)
{
    struct recorder *recorder = data;
    if (recorder->options->output < setup->outputs)
        return;
    log_error("there is no output %u: the guest has %u", recorder->options->output, setup->outputs);
    recorder->done = recorder->failed = true;
}

// Takes over what has changed at once: the guest draws into this memory again soon.
static bool read_picture(struct recorder *recorder, const struct picture_rect *damage)
{
    const struct display_output *shown =
        display_output(recorder->display, recorder->options->output);
    struct picture_rect part = *damage;
    if (shown->width != recorder->width || shown->height != recorder->height) {
        uint8_t *larger = realloc(recorder->picture, (size_t)shown->width * shown->height * 4);
        if (!larger)
            return false;
        recorder->picture = larger;
        recorder->width = shown->width;
        recorder->height = shown->height;
        part = (struct picture_rect){.width = shown->width, .height = shown->height};
    }
    size_t stride = (size_t)recorder->width * 4;
    return display_read(recorder->display, recorder->options->output, &part, PICTURE_ORDER_RGBA,
                        recorder->picture + part.y * stride + (size_t)part.x * 4, stride);
}

static void on_frame(void *data, uint32_t output, const struct picture_rect *damage)
{
    struct recorder *recorder = data;
    if (output != recorder->options->output || recorder->done) {
        display_shown(recorder->display, output);
        return;
    }
    recorder->owes = true;
    if (!read_picture(recorder, damage))
        answer(recorder); // nothing that can be recorded
    else if (!recorder->video_width && !begin(recorder))
        recorder->done = recorder->failed = true;
    else
        recorder->changed = true;
}

static void on_cursor(void *data, uint32_t output, bool shape_changed)
{
    struct recorder *recorder = data;
    if (output == recorder->options->output && recorder->video_width)
        recorder->changed = true;
}

// ---- life -----------------------------------------------------------------

static void run(struct recorder *recorder)
{
    recorder->joined_ns = os_now_ns();
    display_ready(recorder->display);
    while (!recorder->done) {
        uint64_t now = os_now_ns(), until = end_ns(recorder);
        if (recorder->changed && due_ns(recorder) < until)
            until = due_ns(recorder);
        struct pollfd fds[2] = {
            {.fd = display_fd(recorder->display),
             .events = POLLIN | (display_wants_write(recorder->display) ? POLLOUT : 0)},
            {.fd = stop_pipe[0], .events = POLLIN}};
        int wait = until == UINT64_MAX ? -1 : until <= now ? 0 : (int)((until - now) / 1000000 + 1);
        if (poll(fds, 2, wait) < 0 && errno != EINTR)
            break;
        now = os_now_ns();
        if (recorder->changed && now >= due_ns(recorder) && now < end_ns(recorder)) {
            write_frame(recorder, now);
            answer(recorder);
        }
        if (fds[1].revents || now >= end_ns(recorder))
            break;
        if (!display_dispatch(recorder->display))
            break; // the machine has ended
    }
}

// The last picture was seen until now: it is told once more, for as long as a picture lasts.
static int finish(struct recorder *recorder)
{
    int status = 0;
    if (!recorder->encoder) {
        if (!recorder->failed)
            log_error("nothing was recorded: the guest has shown nothing");
        return 1;
    }
    uint64_t now = os_now_ns();
    if (now > end_ns(recorder))
        now = end_ns(recorder);
    uint64_t last = now - period_ns(recorder);
    if (recorder->changed && now > recorder->written_ns)
        write_frame(recorder, now);
    else if (recorder->frames && last > recorder->written_ns)
        write_frame(recorder, last);
    close(recorder->pipe);
    while (waitpid(recorder->encoder, &status, 0) < 0 && errno == EINTR)
        ;
    if (status) {
        log_error("the video could not be written: ffmpeg has ended with status %d",
                  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return 1;
    }
    printf("%s: %.1f s, %llu pictures of %ux%u\n", recorder->options->file,
           (double)(recorder->written_ns + period_ns(recorder) - recorder->began_ns) / 1e9,
           (unsigned long long)recorder->frames, recorder->video_width, recorder->video_height);
    return 0;
}

int record(int fd, const struct record_options *options)
{
    static const struct display_ops ops = {
        .setup = on_setup, .frame = on_frame, .cursor = on_cursor};
    struct recorder recorder = {.options = options, .pipe = -1};
    int error = catch_signals() ? 0 : -errno;
    if (!error)
        error = display_create(fd, &ops, &recorder, &recorder.display);
    if (error) {
        log_error("cannot start: %s", strerror(-error));
        return 1;
    }
    run(&recorder);
    int status = finish(&recorder);
    display_destroy(recorder.display);
    free(recorder.picture);
    free(recorder.frame);
    return status;
}
