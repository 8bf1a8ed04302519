// Workers that say and do anything, against all that the device process has to do with them: the
// pool, its processes, the renderers and their budget. Only the processes are missing: starting,
// ending and reaping them is played here.
#include "link/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/short.h"
#include "link/context_messages.h"
#include "os/os.h"
#include "os/process.h"
#include "os/socket.h"
#include "played.h"
#include "renderer/private.h"

enum { WORKERS = 24, CONTEXTS = 3, DEBTS = 24, STEPS = 200 };

struct worker {
    struct link *link; // NULL: closed
    bool started, ended, reaped;
    int status, ledger;
    uint64_t newest; // fence
    uint32_t blob;   // of the newest export
    uint64_t blob_size;
};

struct debt {
    union {
        struct renderer_fence fence;
        struct renderer_blob blob;
    };
    bool is_fence;
    uint32_t timeline;
    uint64_t number; // on its timeline
};

struct context {
    struct renderer *renderer;
    struct renderer_account *account; // a reference that outlives the renderer
    uint64_t charged;
    struct debt *debts[DEBTS];
    uint64_t given[RENDERER_TIMELINES], retired[RENDERER_TIMELINES];
    uint8_t manners; // of its owner
    bool is_lost;
};

static struct {
    struct os_loop *loop;
    struct link_pool *pool;
    struct renderers *all;
    struct context contexts[CONTEXTS];
    struct worker workers[WORKERS];
    unsigned worker_count, rounds;
    bool cannot_start;
} stage;

// ---- processes and time, played -------------------------------------------

enum { FIRST_PID = 1 << 24 };

pid_t os_spawn(const struct os_spawn_options *options)
{
    (void)options;
    abort();
}

pid_t os_spawn_child(const char *const *command, const int *fds, unsigned fd_count)
{
    expect(command[0] && fd_count == 1);
    if (stage.cannot_start || stage.worker_count == WORKERS)
        return -EAGAIN;
    struct worker *worker = &stage.workers[stage.worker_count];
    *worker = (struct worker){.started = true, .ledger = -1};
    worker->link = new_link(fcntl(fds[0], F_DUPFD_CLOEXEC, 3), false);
    return FIRST_PID + (pid_t)stage.worker_count++;
}

static void end_process(struct worker *worker, int status)
{
    if (worker->ended)
        return;
    link_destroy(worker->link);
    worker->link = NULL;
    worker->ended = true;
    worker->status = status;
    raise(SIGCHLD);
}

int fuzz_kill(pid_t pid, int signal_number)
{
    unsigned index = (unsigned)(abs(pid) - FIRST_PID);
    expect(pid < -1 || pid > 1);
    expect(index < stage.worker_count);
    // What a number stands for after its process was reaped is somebody else's; its group may have
    // members.
    expect(pid < 0 || !stage.workers[index].reaped);
    end_process(&stage.workers[index], signal_number);
    return 0;
}

pid_t fuzz_waitpid(pid_t pid, int *status, int flags)
{
    struct worker *worker = &stage.workers[pid - FIRST_PID];
    expect(flags & WNOHANG && pid >= FIRST_PID);
    expect(!worker->reaped);
    if (!worker->ended)
        return 0;
    worker->reaped = true;
    *status = worker->status;
    return pid;
}

// Whoever would sleep is done for now.
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = poll(fds, count, 0);
    if ((!ready && timeout) || ++stage.rounds > 50)
        os_loop_stop(stage.loop, 0);
    return ready;
}

static void pump(void)
{
    stage.rounds = 0;
    os_loop_run(stage.loop);
}

// ---- owners of contexts ---------------------------------------------------

static struct debt *new_debt(struct context *context, bool is_fence, uint32_t timeline)
{
    for (unsigned i = 0; i < DEBTS; i++) {
        if (context->debts[i])
            continue;
        struct debt *debt = context->debts[i] = calloc(1, sizeof(*debt));
        debt->is_fence = is_fence;
        debt->timeline = timeline;
        debt->number = is_fence ? ++context->given[timeline] : 0;
        return debt;
    }
    return NULL;
}

// Each is paid once.
static void paid(struct context *context, void *face, bool is_fence)
{
    for (unsigned i = 0; i < DEBTS; i++) {
        struct debt *debt = context->debts[i];
        if (debt != face)
            continue;
        expect(debt->is_fence == is_fence);
        expect(!is_fence || debt->number == ++context->retired[debt->timeline]);
        context->debts[i] = NULL;
        free(debt);
        return;
    }
    abort();
}

static void drop(struct context *context)
{
    renderer_destroy(context->renderer);
    context->renderer = NULL;
    for (unsigned i = 0; i < DEBTS; i++)
        free(context->debts[i]);
    memset(context->debts, 0, sizeof(context->debts));
}

static void forget_account(struct context *context)
{
    if (!context->account)
        return;
    renderer_account_discharge(context->account, LINK_MEMORY_HOST, context->charged);
    renderer_account_unref(context->account);
    context->account = NULL;
    context->charged = 0;
}

static void on_retired(void *data, struct renderer_fence *fence)
{
    paid(data, fence, true);
}

static void on_blob(void *data, struct renderer_blob *blob, int error,
                    const struct renderer_memory *memory)
{
    expect(error <= 0);
    if (memory) {
        expect(!error && blob->exported && os_shm_is_fixed(memory->fd));
        uint64_t size = (uint64_t)os_shm_size(memory->fd);
        expect(memory->size >= blob->size && memory->size <= size &&
               memory->offset <= size - memory->size);
        close(memory->fd);
    }
    paid(data, blob, false);
}

static void on_told(void *data)
{
    struct context *context = data;
    if (context->manners & 1)
        drop(context);
}

static void on_drained(void *data)
{
    struct context *context = data;
    expect(context->renderer && !context->is_lost);
    if (context->manners & 2)
        drop(context);
}

static void on_failed(void *data, uint64_t count)
{
    struct context *context = data;
    expect(count && !context->is_lost);
    if (context->manners & 4)
        drop(context);
}

static void on_lost(void *data, const char *why)
{
    struct context *context = data;
    expect(!context->is_lost && (!why || strlen(why) < LINK_MAX_TEXT + 128));
    context->is_lost = true;
    if (context->manners & 8)
        drop(context);
}

static void create(struct context *context)
{
    static const struct renderer_callbacks callbacks = {.retired = on_retired,
                                                        .blob = on_blob,
                                                        .told = on_told,
                                                        .drained = on_drained,
                                                        .failed = on_failed,
                                                        .lost = on_lost};
    static const char name[64] = "fuzz";
    int error;
    forget_account(context);
    *context = (struct context){.manners = (uint8_t)take(1)};
    if (context->manners & 16)
        context->manners &= 8; // an owner with patience: most are
    context->renderer = renderer_create(stage.all, 1, name, &callbacks, context, &error);
    expect(context->renderer || error < 0);
    if (context->renderer)
        context->account = renderer_account_ref(renderer_account(context->renderer));
}

static void ask(struct context *context)
{
    static uint8_t bytes[1 << 16];
    struct renderer *renderer = context->renderer;
    uint32_t timeline = (uint32_t)take(1) % RENDERER_TIMELINES & 3;
    uint8_t what = (uint8_t)take(1);
    struct debt *debt;
    switch (what % 8) {
    case 0:
    case 1:
        debt = what & 16 ? NULL : new_debt(context, true, timeline);
        renderer_submit(renderer, timeline, debt ? &debt->fence : NULL, bytes,
                        what & 32 ? sizeof(bytes) : 8);
        break;
    case 2:
        if ((debt = new_debt(context, true, timeline)) &&
            !renderer_follow(renderer, timeline, &debt->fence)) {
            context->given[timeline]--;
            for (unsigned i = 0; i < DEBTS; i++)
                if (context->debts[i] == debt)
                    context->debts[i] = NULL;
            free(debt);
        }
        break;
    case 3:
    case 4: {
        debt = what & 16 ? NULL : new_debt(context, false, 0);
        int fd = os_shm_create("fuzz", 4096);
        renderer_attach(renderer, 1 + (what >> 5), LINK_RESOURCE_SHM, fd, 0, 4096,
                        debt ? &debt->blob : NULL);
        close(fd);
        break;
    }
    case 5:
    case 6:
        if ((debt = new_debt(context, false, 0)))
            renderer_export(renderer, 1 + (what >> 5), 1, LINK_BLOB_MAPPABLE, number(),
                            &debt->blob);
        break;
    case 7:
        renderer_detach(renderer, 1 + (what >> 5));
        break;
    }
}

static void act(struct context *context)
{
    uint8_t what = (uint8_t)take(1);
    if (!context->renderer) {
        if (what & 1)
            create(context);
        else
            forget_account(context);
        return;
    }
    switch (what % 10) {
    default:
        ask(context);
        break;
    case 5:
        renderer_hold(context->renderer);
        break;
    case 6:
        renderer_flush(context->renderer);
        break;
    case 7: {
        uint64_t bytes = number() << 12;
        if (bytes < UINT64_MAX >> 8 &&
            renderer_account_charge(context->account, LINK_MEMORY_HOST, bytes))
            context->charged += bytes;
        break;
    }
    case 8:
        if (what & 128)
            renderer_end(context->renderer);
        drop(context);
        break;
    case 9:
        renderer_is_full(context->renderer);
        renderers_refresh(stage.all);
        break;
    }
}

// ---- workers --------------------------------------------------------------

static void say(struct worker *worker, uint16_t type, const void *payload, size_t size, int fd)
{
    link_send(worker->link, type, payload, size, NULL, 0, &fd, fd >= 0);
    link_flush(worker->link);
}

// What it was sent, as far as a worker needs it to lie well.
static void hear(struct worker *worker)
{
    struct link_message message;
    while (!link_receive(worker->link, &message)) {
        if (message.type == LINK_CONTEXT_CREATE && message.fd_count)
            worker->ledger = link_take_fd(worker->link, 0);
        if (message.type == LINK_SUBMIT)
            worker->newest = ((const struct link_submit *)message.payload)->fence_id;
        if (message.type == LINK_RESOURCE_ATTACH || message.type == LINK_RESOURCE_DETACH)
            worker->blob = *(const uint32_t *)message.payload;
        if (message.type == LINK_BLOB_EXPORT) {
            const struct link_blob_export *export = (const void *)message.payload;
            worker->blob = export->resource_id;
            worker->blob_size = export->size;
        }
    }
}

static void answer_export(struct worker *worker)
{
    uint8_t what = (uint8_t)take(1);
    struct link_blob_exported exported = {.resource_id = worker->blob,
                                          .result = what & 1 ? -(int32_t)take(1) : 0,
                                          .map_info = what >> 6,
                                          .offset = what & 2 ? number() : 0,
                                          .size = what & 4 ? number()
                                                           : (worker->blob_size + 4095) & ~4095ull};
    int pipe_fds[2] = {-1, -1}, fd = -1;
    if (exported.result == 0 && what & 8 && !pipe(pipe_fds))
        fd = pipe_fds[0];
    else if (exported.result == 0)
        fd = os_shm_create("fuzz", (1 + (what >> 4 & 3)) << 12);
    say(worker, LINK_BLOB_EXPORTED, &exported, sizeof(exported), fd);
    if (fd >= 0)
        close(fd);
    if (pipe_fds[1] >= 0)
        close(pipe_fds[1]);
}

static void write_ledger(struct worker *worker)
{
    void *address;
    if (worker->ledger < 0 || os_shm_map(worker->ledger, 0, sizeof(struct link_ledger), &address))
        return;
    struct link_ledger *page = address;
    uint8_t what = (uint8_t)take(1);
    uint64_t value = number();
    if (what & 1)
        page->memory[what >> 1 & 1].room = what & 4 ? -(int64_t)(value >> 1) : (int64_t)value;
    else if (what & 2)
        page->memory[what >> 2 & 1].ceiling = value;
    else
        page->holds[(what >> 2) % LINK_HOLDINGS] = value;
    os_shm_unmap(address, sizeof(*page));
}

static void lie(struct worker *worker)
{
    _Alignas(8) uint8_t bytes[LINK_MAX_TEXT + 8];
    static const uint16_t types[] = {
        LINK_WORKER_REFUSALS,   LINK_WORKER_READY,   LINK_FENCE_RETIRED, LINK_BLOB_EXPORTED,
        LINK_RESOURCE_ATTACHED, LINK_CONTEXT_LOST,   LINK_MEMORY_ASK,    LINK_CREATIONS_FAILED,
        LINK_WORKER_CARD,       LINK_LEDGER_REFRESH, LINK_SUBMIT,        LINK_CONTEXT_CREATE,
    };
    uint16_t type = (uint16_t)take(1);
    size_t size = (size_t)take(1) * (take(1) & 1 ? 4 : 1);
    type = type < 0xc0 ? types[type % (sizeof(types) / sizeof(types[0]))] : (uint16_t)take(2);
    memset(bytes, 'x', sizeof(bytes));
    size = size > sizeof(bytes) ? sizeof(bytes) : size;
    for (size_t i = 0; i < size && i < 48; i++)
        bytes[i] = (uint8_t)take(1);
    say(worker, type, bytes, size, take(1) & 1 ? link_fd(worker->link) : -1);
}

static void speak(struct worker *worker)
{
    if (worker->ended)
        return;
    uint8_t what = (uint8_t)take(1);
    if (!worker->link || what % 16 == 15) {
        end_process(worker, what & 16 ? SIGSEGV : (what & 0xe0) << 3);
        return;
    }
    switch (what % 16) {
    case 0:
    case 1:
        hear(worker);
        break;
    case 2:
        say(worker, LINK_WORKER_READY, "device\n\x1b%s%n", what & 128 ? 12 : 0, -1);
        break;
    case 3:
    case 4: {
        struct link_fence_retired fences[2];
        for (unsigned i = 0; i < 2; i++)
            fences[i] =
                (struct link_fence_retired){.fence_id = what & 64 ? worker->newest : number(),
                                            .ring_idx = (uint32_t)take(1) & 67,
                                            .flags = (uint32_t)take(1)};
        say(worker, LINK_FENCE_RETIRED, fences, sizeof(fences[0]) << (what >> 7), -1);
        break;
    }
    case 5:
    case 6:
        answer_export(worker);
        break;
    case 7: {
        struct link_resource_attached attached = {.resource_id = what & 128 ? (uint32_t)number()
                                                                            : worker->blob};
        say(worker, LINK_RESOURCE_ATTACHED, &attached, sizeof(attached), -1);
        break;
    }
    case 8:
        say(worker, LINK_CONTEXT_LOST, "%s%n\n\x1b", what & 128 ? 6 : 0, -1);
        break;
    case 9: {
        struct link_memory_ask question = {
            .kind = what >> 7, .serial = (uint32_t)take(1), .bytes = number()};
        say(worker, LINK_MEMORY_ASK, &question, sizeof(question), -1);
        break;
    }
    case 10: {
        struct link_creations_failed failed = {.total = number()};
        say(worker, LINK_CREATIONS_FAILED, &failed, sizeof(failed), -1);
        break;
    }
    case 11: {
        struct link_worker_card card = {.bytes = number()};
        say(worker, LINK_WORKER_CARD, &card, sizeof(card), -1);
        break;
    }
    case 12:
        write_ledger(worker);
        break;
    case 13:
        lie(worker);
        break;
    case 14:
        if (what & 128) {
            link_destroy(worker->link);
            worker->link = NULL;
        } else { // out of step with the framing
            uint8_t bytes[16];
            for (unsigned i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)take(1);
            os_socket_send(link_fd(worker->link), bytes, 1 + what / 16, NULL, 0);
        }
        break;
    }
}

// ---- the stage ------------------------------------------------------------

static void on_ready(void *data, bool ready, int status)
{
    const char *const other[] = {"other", NULL};
    bool *once = data;
    (void)status;
    if (!*once && !ready && (*once = true))
        expect(!link_pool_set_command(stage.pool, other));
}

static void describe(void *data, const struct renderer_description *described)
{
    expect(described->name[0] && described->pid >= 0);
    (void)data;
}

static void step(void)
{
    uint8_t what = (uint8_t)take(1);
    switch (what & 7) {
    case 0:
    case 1:
    case 2:
        act(&stage.contexts[(what >> 3) % CONTEXTS]);
        break;
    default:
        if (stage.worker_count)
            speak(&stage.workers[stage.worker_count - 1 - (what >> 3) % stage.worker_count]);
        break;
    case 6:
        played_now += (uint64_t)(1 + (what >> 4)) * 100000000u;
        break;
    case 7:
        if (what >> 3 == 31)
            stage.cannot_start = !stage.cannot_start;
        break;
    }
    if (what & 7)
        pump();
    struct renderers_totals totals;
    renderers_describe(stage.all, describe, NULL);
    renderers_sum(stage.all, &totals);
    for (unsigned kind = 0; kind < LINK_MEMORY_KINDS; kind++) {
        uint64_t given = 0;
        for (unsigned i = 0; i < CONTEXTS; i++)
            given += stage.contexts[i].account ? stage.contexts[i].account->given[kind] : 0;
        expect(!totals.limits[kind] || given <= 2 * totals.limits[kind]);
    }
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 128; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const command[] = {"worker", NULL};
    unsigned before = count_descriptors();
    memset(&stage, 0, sizeof(stage));
    script.at = data;
    script.end = data + size;
    played_now = 1000000000;
    stage.loop = new_loop();
    uint8_t kind = (uint8_t)take(1);
    struct link_pool_options pool = {.command = command, .keep_spare = kind & 1};
    expect(!link_pool_create(stage.loop, &pool, &stage.pool));
    bool told = !(kind & 2);
    link_pool_on_ready(stage.pool, on_ready, &told);
    struct renderers_options options = {.pool = stage.pool,
                                        .max_wait_ns = kind & 4 ? 1000000000 : 0,
                                        .page_size = 4096,
                                        .max_queued = 1 << 16};
    options.max_memory[LINK_MEMORY_HOST] = kind & 8 ? 64 << 20 : 0;
    stage.all = renderers_create(stage.loop, &options);
    for (unsigned i = 0; script.at < script.end && i < STEPS; i++)
        step();
    for (unsigned i = 0; i < CONTEXTS; i++) {
        drop(&stage.contexts[i]);
        forget_account(&stage.contexts[i]);
    }
    expect(!renderer_budget_used(&stage.all->budget, LINK_MEMORY_HOST));
    renderers_destroy(stage.all);
    link_pool_destroy(stage.pool);
    for (unsigned i = 0; i < stage.worker_count; i++) {
        expect(stage.workers[i].reaped); // nothing is left behind
        if (stage.workers[i].ledger >= 0)
            close(stage.workers[i].ledger);
    }
    os_loop_destroy(stage.loop);
    expect(count_descriptors() == before);
    return 0;
}
