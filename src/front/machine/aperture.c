#include "front/machine/aperture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/queue.h"
#include "front/machine/placer_link.h"
#include "front/virtio/device.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"

enum {
    QEMU_RANGES = 480,  // mappings of its own that QEMU 11.1 survives: 512 and more can abort it
    UNBIND_SECONDS = 1, // QEMU and the VM wait for us meanwhile
    CHECKS = 4,         // whether a stop was a reset, at 0.25, 1, 4 and 16 s
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

struct machine_aperture {
    struct os_loop *loop;
    struct machine_aperture_options options;
    const struct machine_aperture_ops *ops;
    void *data;
    struct virtio_transport *transport;
    struct machine_placer *placer;
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

    struct queue pending; // struct pending: sent to the placer, which answers in order
    unsigned stale;       // answers to come first that nobody waits for any more
};

struct pending {
    uint64_t cookie;
    bool removal;
};

static void on_timer(void *data);

struct machine_aperture *machine_aperture_create(struct os_loop *loop,
                                                 const struct machine_aperture_options *options,
                                                 const struct machine_aperture_ops *ops, void *data)
{
    struct machine_aperture *aperture = calloc(1, sizeof(*aperture));
    if (!aperture)
        return NULL;
    *aperture = (struct machine_aperture){.loop = loop,
                                          .options = *options,
                                          .ops = ops,
                                          .data = data,
                                          .file = -1,
                                          .pending = QUEUE_OF(struct pending)};
    if (!aperture->options.max_ranges)
        aperture->options.max_ranges = QEMU_RANGES;
    aperture->timer = os_loop_add_timer(loop, 0, on_timer, aperture);
    if (!aperture->timer) {
        free(aperture);
        return NULL;
    }
    return aperture;
}

void machine_aperture_destroy(struct machine_aperture *aperture)
{
    if (!aperture)
        return;
    machine_placer_destroy(aperture->placer);
    os_source_remove(aperture->timer);
    if (aperture->file >= 0)
        close(aperture->file);
    queue_finish(&aperture->pending);
    free(aperture);
}

void machine_aperture_set_transport(struct machine_aperture *aperture,
                                    struct virtio_transport *transport)
{
    aperture->transport = transport;
}

// ---- messages to the placer -----------------------------------------------

static int tell_placer(struct machine_aperture *aperture, enum placer_type type,
                       const struct placer_request *request, int fd)
{
    struct placer_request copy = *request;
    copy.generation = aperture->generation;
    return aperture->placer ? machine_placer_send(aperture->placer, type, &copy, fd) : -ENOTCONN;
}

static void settle(struct machine_aperture *aperture, struct pending pending, int error)
{
    if (pending.removal ? !error : error)
        aperture->live--;
    aperture->ops->placed(aperture->data, pending.cookie, error);
}

static void settle_first(struct machine_aperture *aperture, int error)
{
    struct pending pending = *(struct pending *)queue_first(&aperture->pending);
    queue_drop(&aperture->pending);
    settle(aperture, pending, error);
}

// ---- start ----------------------------------------------------------------

static void say_carrier(struct machine_aperture *aperture)
{
    bool *said = aperture->by_placer ? &aperture->said_placer : &aperture->said_ranges;
    if (*said)
        return;
    *said = true;
    unsigned long mib = (unsigned long)(aperture->options.size >> 20);
    if (aperture->by_placer)
        log_info("aperture of %lu MiB: ranges are placed by the plugin in QEMU, in microseconds",
                 mib);
    else
        log_warning("aperture of %lu MiB: no placer in QEMU. Each mapped blob costs it a memory "
                    "region and about a millisecond, at most "
                    "%u can be mapped at a time, and stop/cont fails with more than a few%s%s",
                    mib, aperture->options.max_ranges, aperture->options.hint ? "; " : "",
                    aperture->options.hint ? aperture->options.hint : "");
}

static void fail(struct machine_aperture *aperture, const char *what, int error)
{
    log_error("aperture: %s: %s; the guest gets no mappable memory until its driver restarts", what,
              strerror(-error));
    aperture->state = FAILED;
}

// The front end has mapped a file of the transport's, for good.
static bool is_fixed(const struct machine_aperture *aperture)
{
    return aperture->transport && aperture->transport->shmem_file >= 0;
}

static void start_failed(struct machine_aperture *aperture, const char *what, int error)
{
    fail(aperture, what, error);
    aperture->ops->started(aperture->data);
}

static int send_bind(struct machine_aperture *aperture)
{
    struct placer_request request = {
        .size = aperture->options.size,
        .address = aperture->transport->ops->address(aperture->transport, 0),
        .guest_address = aperture->transport->ops->guest_address(aperture->transport, 0),
        .flags = os_is_portable() ? PLACER_BY_ADDRESS : 0,
    };
    aperture->generation++;
    aperture->bound = false;
    int file = is_fixed(aperture) ? aperture->transport->shmem_file : aperture->file;
    int error = tell_placer(aperture, PLACER_BIND, &request, file);
    if (!error)
        aperture->state = BINDING;
    return error;
}

static void on_mapped(void *data, uint64_t generation, int error)
{
    struct machine_aperture *aperture = data;
    if (aperture->state != MAPPING || generation != aperture->generation)
        return;
    if (error) {
        start_failed(aperture, "QEMU refused to map it", error);
        return;
    }
    error = send_bind(aperture);
    if (error)
        start_failed(aperture, "the placer cannot be asked", error);
}

static int map_file(struct machine_aperture *aperture)
{
    if (aperture->file >= 0)
        close(aperture->file);
    // A new file each time: QEMU may not yet have unmapped the last driver's, and the placer must
    // not mistake that mapping for this one.
    aperture->file = os_shm_create("hesper-aperture", aperture->options.size);
    if (aperture->file < 0)
        return aperture->file;
    aperture->generation++;
    aperture->state = MAPPING;
    return aperture->transport->ops->map(aperture->transport, 0, aperture->file, 0,
                                         aperture->options.size, true, on_mapped, aperture,
                                         aperture->generation);
}

// A file that stays is looked for once: it could not be found any more with ranges placed in it.
static bool start_fixed(struct machine_aperture *aperture)
{
    aperture->by_placer = true;
    if (aperture->bound) {
        aperture->state = SERVING;
        return true;
    }
    if (!machine_placer_hello(aperture->placer)) {
        if (!aperture->said_ranges)
            log_error("aperture: no placer in QEMU, and without it vfio-user has no memory that "
                      "the guest can map%s%s",
                      aperture->options.hint ? "; " : "",
                      aperture->options.hint ? aperture->options.hint : "");
        aperture->said_ranges = true;
        aperture->state = FAILED;
        return true;
    }
    say_carrier(aperture);
    int error = send_bind(aperture);
    if (error)
        fail(aperture, "the placer cannot be asked", error);
    return error != 0;
}

bool machine_aperture_start(struct machine_aperture *aperture, bool resumed)
{
    os_source_set_deadline(aperture->timer, 0);
    if (!aperture->options.size || (resumed && aperture->state == FAILED))
        return true;
    if (is_fixed(aperture))
        return start_fixed(aperture);
    if (resumed && aperture->state != PAUSED) { // impossible: what was stopped is paused
        fail(aperture, "resumed without having been stopped", -EINVAL);
        return true;
    }
    int error = 0;
    if (!resumed) {
        aperture->by_placer = machine_placer_hello(aperture->placer);
        aperture->live = 0;
        aperture->bound = false;
        say_carrier(aperture);
    }
    if (!aperture->by_placer) {
        aperture->state = SERVING;
        return true;
    }
    if (!resumed) {
        error = map_file(aperture);
    } else if (aperture->bound) {
        error = tell_placer(aperture, PLACER_RESUME, &(struct placer_request){0}, -1);
        aperture->state = RESUMING;
    } else {
        error = send_bind(aperture); // it was stopped between the mapping and the binding
    }
    if (error)
        fail(aperture, "it cannot be mapped", error);
    return error != 0;
}

// ---- stop -----------------------------------------------------------------

static void arm_check(struct machine_aperture *aperture)
{
    if (!aperture->checks_left)
        return;
    uint64_t quarters = 1ull << (2 * (CHECKS - aperture->checks_left));
    aperture->checks_left--;
    os_source_set_deadline(aperture->timer, os_now_ns() + quarters * 250000000ull);
}

static void paused(struct machine_aperture *aperture)
{
    aperture->state = PAUSED;
    os_source_set_deadline(aperture->timer, 0);
    aperture->checks_left = aperture->bound ? CHECKS : 0;
    arm_check(aperture);
}

bool machine_aperture_stop(struct machine_aperture *aperture)
{
    os_source_set_deadline(aperture->timer, 0);
    if (!aperture->options.size || aperture->state == FAILED || aperture->state == IDLE ||
        is_fixed(aperture)) // a reset follows, and QEMU takes nothing away
        return true;
    bool active =
        aperture->state == BINDING || aperture->state == SERVING || aperture->state == RESUMING;
    if (!aperture->by_placer || !active ||
        tell_placer(aperture, PLACER_UNBIND, &(struct placer_request){0}, -1) != 0) {
        paused(aperture);
        return true;
    }
    aperture->state = UNBINDING;
    os_source_set_deadline(aperture->timer, os_now_ns() + UNBIND_SECONDS * 1000000000ull);
    return false;
}

static void on_timer(void *data)
{
    struct machine_aperture *aperture = data;
    if (aperture->state == UNBINDING) {
        log_error("aperture: the placer in QEMU does not answer; going on without it");
        machine_placer_destroy(aperture->placer);
        aperture->placer = NULL;
        aperture->bound = false;
        while (aperture->pending.count)
            settle_first(aperture, -EIO);
        paused(aperture);
        aperture->ops->stopped(aperture->data);
    } else if (aperture->state == PAUSED) {
        tell_placer(aperture, PLACER_QUERY, &(struct placer_request){0}, -1);
    }
}

// The mapping and its generation stay; what was placed and written goes.
static void reset_fixed(struct machine_aperture *aperture)
{
    struct placer_request request = {.size = aperture->options.size};
    bool used = aperture->live || aperture->pending.count;
    aperture->stale += aperture->pending.count;
    aperture->pending.count = 0;
    aperture->live = 0;
    aperture->state = IDLE;
    if (used && aperture->bound && tell_placer(aperture, PLACER_UNPLACE, &request, -1) == 0)
        aperture->stale++;
    os_shm_punch(aperture->transport->shmem_file, NULL, 0, aperture->options.size);
}

void machine_aperture_reset(struct machine_aperture *aperture)
{
    os_source_set_deadline(aperture->timer, 0);
    if (is_fixed(aperture) && aperture->options.size) {
        reset_fixed(aperture);
        return;
    }
    if (aperture->file >= 0)
        close(aperture->file);
    aperture->file = -1;
    aperture->bound = false;
    aperture->live = 0;
    aperture->pending.count = 0;
    aperture->generation++; // answers under way are ignored
    aperture->state = IDLE;
}

// ---- what the placer says -------------------------------------------------

// The answer to what a start waits for in the state `awaited`.
static void start_answered(struct machine_aperture *aperture, enum state awaited, int error,
                           const char *what)
{
    if (aperture->state != awaited)
        return;
    if (error) {
        start_failed(aperture, what, error);
        return;
    }
    aperture->state = SERVING;
    aperture->ops->started(aperture->data);
}

static void on_answer(void *data, enum placer_type type, const struct placer_reply *reply)
{
    struct machine_aperture *aperture = data;
    int error = (int)reply->result;
    if (reply->generation != aperture->generation)
        return;
    switch (type) {
    case PLACER_PLACE:
    case PLACER_UNPLACE:
        if (aperture->stale)
            aperture->stale--;
        else if (aperture->pending.count)
            settle_first(aperture, error);
        return;
    case PLACER_BIND:
        aperture->bound = !error;
        start_answered(aperture, BINDING, error, "the placer cannot find it in QEMU");
        return;
    case PLACER_RESUME:
        start_answered(aperture, RESUMING, error,
                       "QEMU has dropped it while the machine was stopped");
        return;
    case PLACER_UNBIND:
        if (aperture->state != UNBINDING)
            return;
        paused(aperture);
        aperture->ops->stopped(aperture->data);
        return;
    case PLACER_QUERY:
        if (aperture->state != PAUSED)
            return;
        if (error)
            aperture->ops->gone(aperture->data);
        else
            arm_check(aperture);
        return;
    default:
        return;
    }
}

static void on_placer_closed(void *data)
{
    struct machine_aperture *aperture = data;
    enum state state = aperture->state;
    aperture->placer_ended = true;
    aperture->bound = false;
    aperture->stale = 0;
    for (unsigned left = aperture->pending.count; left && aperture->pending.count; left--)
        settle_first(aperture, -EIO);
    if (state == BINDING || state == RESUMING) {
        start_failed(aperture, "the placer in QEMU has ended", -EPIPE);
    } else if (state == UNBINDING) {
        paused(aperture);
        aperture->ops->stopped(aperture->data);
    }
}

bool machine_aperture_set_placer(struct machine_aperture *aperture, int fd)
{
    static const struct machine_placer_ops ops = {.answered = on_answer,
                                                  .closed = on_placer_closed};
    if (aperture->placer && !aperture->placer_ended) {
        close(fd);
        return false;
    }
    machine_placer_destroy(aperture->placer);
    aperture->placer_ended = false;
    return !machine_placer_create(aperture->loop, fd, &ops, aperture, &aperture->placer);
}

bool machine_aperture_has_placer(const struct machine_aperture *aperture)
{
    return aperture->placer && !aperture->placer_ended;
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

static int by_placer(struct machine_aperture *aperture, enum placer_type type,
                     const struct placer_request *request, int fd)
{
    const struct placer_hello *hello = machine_placer_hello(aperture->placer);
    if (!hello || !aperture->bound) {
        if (log_limit_allows(&aperture->limit, os_now_ns(), 1, 60000000000ull))
            log_error("aperture: the placer in QEMU has ended; nothing can be mapped until the "
                      "guest's driver restarts");
        return -EPIPE;
    }
    if ((request->offset | request->size | request->file_offset) & (hello->page_size - 1))
        return -EINVAL;
    if (type == PLACER_PLACE && hello->max_placements && aperture->live >= hello->max_placements)
        return -ENOSPC;
    struct pending *pending = queue_push(&aperture->pending);
    if (!pending)
        return -ENOMEM;
    *pending = (struct pending){request->cookie, type == PLACER_UNPLACE};
    int error = tell_placer(aperture, type, request, fd);
    if (error)
        aperture->pending.count--; // the one that was just pushed
    else if (type == PLACER_PLACE)
        aperture->live++;
    return error;
}

static bool can_place(const struct machine_aperture *aperture, uint64_t offset, uint64_t size)
{
    return aperture->state == SERVING && size &&
           checked_range(offset, size, aperture->options.size);
}

int machine_aperture_place(struct machine_aperture *aperture, uint64_t offset, int fd,
                           uint64_t file_offset, uint64_t size, bool writable, uint64_t cookie)
{
    if (!can_place(aperture, offset, size))
        return aperture->state == SERVING ? -EINVAL : -ENODEV;
    if (aperture->by_placer) {
        struct placer_request request = {
            .cookie = cookie,
            .offset = offset,
            .size = size,
            .file_offset = file_offset,
            .guest_address = aperture->transport->ops->guest_address(aperture->transport, offset),
            .flags = writable ? 0 : PLACER_READ_ONLY,
        };
        return by_placer(aperture, PLACER_PLACE, &request, fd);
    }
    if (aperture->live >= aperture->options.max_ranges)
        return -ENOSPC;
    int error = aperture->transport->ops->map(aperture->transport, offset, fd, file_offset, size,
                                              writable, on_range_mapped, aperture, cookie);
    if (!error)
        aperture->live++;
    return error;
}

int machine_aperture_unplace(struct machine_aperture *aperture, uint64_t offset, uint64_t size,
                             uint64_t cookie)
{
    if (!can_place(aperture, offset, size))
        return aperture->state == SERVING ? -EINVAL : -ENODEV;
    if (aperture->by_placer) {
        struct placer_request request = {
            .cookie = cookie,
            .offset = offset,
            .size = size,
            .guest_address = aperture->transport->ops->guest_address(aperture->transport, offset),
        };
        return by_placer(aperture, PLACER_UNPLACE, &request, -1);
    }
    return aperture->transport->ops->unmap(aperture->transport, offset, size, on_range_removed,
                                           aperture, cookie);
}
