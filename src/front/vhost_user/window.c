#include "front/vhost_user/window.h"

#include "base/checked.h"
#include "base/log.h"
#include "front/vhost_user/placer_link.h"
#include "front/vhost_user/vhost_user.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QEMU_RANGES = 480,  // mappings of its own that QEMU 11.1 survives; 512 and more can abort it
    UNBIND_SECONDS = 1, // QEMU and the VM wait for us meanwhile
    CHECKS = 4,         // after a stop, whether it was a reset: 0.25, 1, 4, 16 s
};

enum state {
    IDLE,    // no driver
    MAPPING, // the file is being mapped over the region
    BINDING, // the placer looks for it
    SERVING,
    UNBINDING,
    PAUSED,   // the driver is stopped; what was placed may still be there
    RESUMING, // the placer looks whether it is
    FAILED,   // the driver runs, and nothing can be placed
};

struct vhost_window {
    struct os_loop *loop;
    struct vhost_window_options options;
    const struct vhost_window_ops *ops;
    void *data;
    struct vhost_user *vhost;
    struct vhost_placer *placer;
    bool placer_ended; // to be destroyed outside its callback

    enum state state;
    bool by_placer; // the carrier of this driver
    bool bound;     // the placer has found `file` as `generation`
    int file;       // mapped over the region; -1: none
    uint64_t generation;
    unsigned live; // placements
    unsigned checks_left;
    struct os_source *timer; // UNBINDING: patience; PAUSED: next check
    bool said_placer, said_ranges;
    struct log_limit limit;

    struct pending {
        uint64_t cookie;
        bool removal;
    } * pending;                     // sent to the placer; ring buffer
    unsigned first, count, capacity; // capacity: power of two
};

static void on_timer(void *data);

struct vhost_window *vhost_window_create(struct os_loop *loop,
                                         const struct vhost_window_options *options,
                                         const struct vhost_window_ops *ops, void *data)
{
    struct vhost_window *window = calloc(1, sizeof(*window));
    if (!window)
        return NULL;
    *window = (struct vhost_window){
        .loop = loop, .options = *options, .ops = ops, .data = data, .file = -1};
    if (!window->options.max_ranges)
        window->options.max_ranges = QEMU_RANGES;
    window->timer = os_loop_add_timer(loop, 0, on_timer, window);
    if (!window->timer) {
        free(window);
        return NULL;
    }
    return window;
}

void vhost_window_destroy(struct vhost_window *window)
{
    if (!window)
        return;
    vhost_placer_destroy(window->placer);
    os_source_remove(window->timer);
    if (window->file >= 0)
        close(window->file);
    free(window->pending);
    free(window);
}

void vhost_window_set_device(struct vhost_window *window, struct vhost_user *vhost)
{
    window->vhost = vhost;
}

// ---- messages to the placer -----------------------------------------------

static int tell_placer(struct vhost_window *window, enum placer_type type,
                       const struct placer_request *request, int fd)
{
    struct placer_request copy = *request;
    copy.generation = window->generation;
    return window->placer ? vhost_placer_send(window->placer, type, &copy, fd) : -ENOTCONN;
}

static bool push_pending(struct vhost_window *window, struct pending pending)
{
    if (window->count == window->capacity) {
        unsigned capacity = window->capacity ? window->capacity * 2 : 64;
        struct pending *larger = malloc(capacity * sizeof(*larger));
        if (!larger)
            return false;
        for (unsigned i = 0; i < window->count; i++)
            larger[i] = window->pending[(window->first + i) & (window->capacity - 1)];
        free(window->pending);
        window->pending = larger;
        window->capacity = capacity;
        window->first = 0;
    }
    window->pending[(window->first + window->count++) & (window->capacity - 1)] = pending;
    return true;
}

static void settle(struct vhost_window *window, struct pending pending, int error)
{
    if (pending.removal ? !error : error)
        window->live--;
    window->ops->placed(window->data, pending.cookie, error);
}

static void settle_first(struct vhost_window *window, int error)
{
    struct pending pending = window->pending[window->first++ & (window->capacity - 1)];
    window->count--;
    settle(window, pending, error);
}

// ---- start ----------------------------------------------------------------

static void say_carrier(struct vhost_window *window)
{
    bool *said = window->by_placer ? &window->said_placer : &window->said_ranges;
    if (*said)
        return;
    *said = true;
    unsigned long mib = (unsigned long)(window->options.size >> 20);
    if (window->by_placer)
        log_info("window of %lu MiB: ranges are placed by the plugin in QEMU, in microseconds",
                 mib);
    else
        log_warning("window of %lu MiB: no placer in QEMU. Each mapped blob costs it a memory "
                    "region and about a millisecond, at most "
                    "%u can be mapped at a time, and stop/cont fails with more than a few%s%s",
                    mib, window->options.max_ranges, window->options.hint ? "; " : "",
                    window->options.hint ? window->options.hint : "");
}

static void fail(struct vhost_window *window, const char *what, int error)
{
    log_error("window: %s: %s; the guest gets no mappable memory until its driver restarts", what,
              strerror(-error));
    window->state = FAILED;
}

static void start_failed(struct vhost_window *window, const char *what, int error)
{
    fail(window, what, error);
    window->ops->started(window->data);
}

static int send_bind(struct vhost_window *window)
{
    struct placer_request request = {
        .size = window->options.size,
        .address = vhost_user_shmem_address(window->vhost, 0),
        .guest_address = vhost_user_shmem_guest_address(window->vhost, 0),
        .flags = os_is_portable() ? PLACER_BY_ADDRESS : 0,
    };
    window->generation++;
    window->bound = false;
    int error = tell_placer(window, PLACER_BIND, &request, window->file);
    if (!error)
        window->state = BINDING;
    return error;
}

static void on_mapped(void *data, uint64_t generation, int error)
{
    struct vhost_window *window = data;
    if (window->state != MAPPING || generation != window->generation)
        return;
    if (error) {
        start_failed(window, "QEMU refused to map it", error);
        return;
    }
    error = send_bind(window);
    if (error)
        start_failed(window, "the placer cannot be asked", error);
}

static int map_file(struct vhost_window *window)
{
    if (window->file >= 0)
        close(window->file);
    // A new one each time: the placer must not mistake a mapping of the last driver, which QEMU has
    // yet to unmap, for this one.
    window->file = os_shm_create("hesper-window", window->options.size);
    if (window->file < 0)
        return window->file;
    window->generation++;
    window->state = MAPPING;
    return vhost_user_shmem_map(window->vhost, 0, window->file, 0, window->options.size, true,
                                on_mapped, window, window->generation);
}

bool vhost_window_start(struct vhost_window *window, bool resumed)
{
    os_source_set_deadline(window->timer, 0);
    if (!window->options.size || (resumed && window->state == FAILED))
        return true;
    if (resumed && window->state != PAUSED) { // can't be: what was stopped is paused
        fail(window, "resumed without having been stopped", -EINVAL);
        return true;
    }
    int error = 0;
    if (!resumed) {
        window->by_placer = vhost_placer_hello(window->placer);
        window->live = 0;
        window->bound = false;
        say_carrier(window);
    }
    if (!window->by_placer) {
        window->state = SERVING;
        return true;
    }
    if (!resumed) {
        error = map_file(window);
    } else if (window->bound) {
        error = tell_placer(window, PLACER_RESUME, &(struct placer_request){0}, -1);
        window->state = RESUMING;
    } else {
        error = send_bind(window); // it was stopped between the mapping and the binding
    }
    if (error)
        fail(window, "it cannot be mapped", error);
    return error != 0;
}

// ---- stop -----------------------------------------------------------------

static void arm_check(struct vhost_window *window)
{
    if (!window->checks_left)
        return;
    uint64_t quarters = 1ull << (2 * (CHECKS - window->checks_left));
    window->checks_left--;
    os_source_set_deadline(window->timer, os_now_ns() + quarters * 250000000ull);
}

static void paused(struct vhost_window *window)
{
    window->state = PAUSED;
    os_source_set_deadline(window->timer, 0);
    window->checks_left = window->bound ? CHECKS : 0;
    arm_check(window);
}

bool vhost_window_stop(struct vhost_window *window)
{
    os_source_set_deadline(window->timer, 0);
    if (!window->options.size || window->state == FAILED || window->state == IDLE)
        return true;
    bool active = window->state == BINDING || window->state == SERVING || window->state == RESUMING;
    if (!window->by_placer || !active ||
        tell_placer(window, PLACER_UNBIND, &(struct placer_request){0}, -1) != 0) {
        paused(window);
        return true;
    }
    window->state = UNBINDING;
    os_source_set_deadline(window->timer, os_now_ns() + UNBIND_SECONDS * 1000000000ull);
    return false;
}

static void on_timer(void *data)
{
    struct vhost_window *window = data;
    if (window->state == UNBINDING) {
        log_error("window: the placer in QEMU does not answer; going on without it");
        vhost_placer_destroy(window->placer);
        window->placer = NULL;
        window->bound = false;
        while (window->count)
            settle_first(window, -EIO);
        paused(window);
        window->ops->stopped(window->data);
    } else if (window->state == PAUSED) {
        tell_placer(window, PLACER_QUERY, &(struct placer_request){0}, -1);
    }
}

void vhost_window_reset(struct vhost_window *window)
{
    os_source_set_deadline(window->timer, 0);
    if (window->file >= 0)
        close(window->file);
    window->file = -1;
    window->bound = false;
    window->live = 0;
    window->count = 0;
    window->generation++; // answers under way are nobody's
    window->state = IDLE;
}

// ---- what the placer says -------------------------------------------------

static void on_answer(void *data, enum placer_type type, const struct placer_reply *reply)
{
    struct vhost_window *window = data;
    int error = (int)reply->result;
    if (reply->generation != window->generation)
        return;
    switch (type) {
    case PLACER_PLACE:
    case PLACER_UNPLACE:
        if (window->count)
            settle_first(window, error);
        return;
    case PLACER_BIND:
        window->bound = !error;
        if (window->state != BINDING)
            return;
        if (error) {
            start_failed(window, "the placer cannot find it in QEMU", error);
            return;
        }
        window->state = SERVING;
        window->ops->started(window->data);
        return;
    case PLACER_RESUME:
        if (window->state != RESUMING)
            return;
        if (error) {
            start_failed(window, "QEMU has dropped it while the machine was stopped", error);
            return;
        }
        window->state = SERVING;
        window->ops->started(window->data);
        return;
    case PLACER_UNBIND:
        if (window->state != UNBINDING)
            return;
        paused(window);
        window->ops->stopped(window->data);
        return;
    case PLACER_QUERY:
        if (window->state != PAUSED)
            return;
        if (error)
            window->ops->gone(window->data);
        else
            arm_check(window);
        return;
    default:
        return;
    }
}

static void on_placer_closed(void *data)
{
    struct vhost_window *window = data;
    enum state state = window->state;
    window->placer_ended = true;
    window->bound = false;
    for (unsigned left = window->count; left && window->count; left--)
        settle_first(window, -EIO);
    if (state == BINDING || state == RESUMING) {
        start_failed(window, "the placer in QEMU has ended", -EPIPE);
    } else if (state == UNBINDING) {
        paused(window);
        window->ops->stopped(window->data);
    }
}

bool vhost_window_set_placer(struct vhost_window *window, int fd)
{
    static const struct vhost_placer_ops ops = {.answered = on_answer, .closed = on_placer_closed};
    if (window->placer && !window->placer_ended) {
        close(fd);
        return false;
    }
    vhost_placer_destroy(window->placer);
    window->placer_ended = false;
    window->placer = vhost_placer_create(window->loop, fd, &ops, window);
    return window->placer != NULL;
}

bool vhost_window_has_placer(const struct vhost_window *window)
{
    return window->placer && !window->placer_ended;
}

// ---- placements -----------------------------------------------------------

static void on_range_mapped(void *data, uint64_t cookie, int error)
{
    if (error != -ECANCELED)
        settle(data, (struct pending){cookie, false}, error);
}

static void on_range_removed(void *data, uint64_t cookie, int error)
{
    if (error != -ECANCELED)
        settle(data, (struct pending){cookie, true}, error);
}

static int by_placer(struct vhost_window *window, enum placer_type type,
                     const struct placer_request *request, int fd)
{
    const struct placer_hello *hello = vhost_placer_hello(window->placer);
    if (!hello || !window->bound) {
        if (log_limit_allows(&window->limit, os_now_ns(), 1, 60000000000ull))
            log_error("window: the placer in QEMU has ended; nothing can be mapped until the "
                      "guest's driver restarts");
        return -EPIPE;
    }
    if ((request->offset | request->size | request->file_offset) & (hello->page_size - 1))
        return -EINVAL;
    if (type == PLACER_PLACE && hello->max_placements && window->live >= hello->max_placements)
        return -ENOSPC;
    if (!push_pending(window, (struct pending){request->cookie, type == PLACER_UNPLACE}))
        return -ENOMEM;
    int error = tell_placer(window, type, request, fd);
    if (error)
        window->count--;
    else if (type == PLACER_PLACE)
        window->live++;
    return error;
}

static bool can_place(const struct vhost_window *window, uint64_t offset, uint64_t size)
{
    return window->state == SERVING && size && checked_range(offset, size, window->options.size);
}

int vhost_window_place(struct vhost_window *window, uint64_t offset, int fd, uint64_t file_offset,
                       uint64_t size, bool writable, uint64_t cookie)
{
    if (!can_place(window, offset, size))
        return window->state == SERVING ? -EINVAL : -ENODEV;
    if (window->by_placer) {
        struct placer_request request = {
            .cookie = cookie,
            .offset = offset,
            .size = size,
            .file_offset = file_offset,
            .guest_address = vhost_user_shmem_guest_address(window->vhost, offset),
            .flags = writable ? 0 : PLACER_READ_ONLY,
        };
        return by_placer(window, PLACER_PLACE, &request, fd);
    }
    if (window->live >= window->options.max_ranges)
        return -ENOSPC;
    int error = vhost_user_shmem_map(window->vhost, offset, fd, file_offset, size, writable,
                                     on_range_mapped, window, cookie);
    if (!error)
        window->live++;
    return error;
}

int vhost_window_unplace(struct vhost_window *window, uint64_t offset, uint64_t size,
                         uint64_t cookie)
{
    if (!can_place(window, offset, size))
        return window->state == SERVING ? -EINVAL : -ENODEV;
    if (window->by_placer) {
        struct placer_request request = {
            .cookie = cookie,
            .offset = offset,
            .size = size,
            .guest_address = vhost_user_shmem_guest_address(window->vhost, offset),
        };
        return by_placer(window, PLACER_UNPLACE, &request, -1);
    }
    return vhost_user_shmem_unmap(window->vhost, offset, size, on_range_removed, window, cookie);
}
