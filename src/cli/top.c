// hesper top: what the programs of virtual machines and of vtest servers hold and do.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "os/clock.h"
#include "os/process.h"

static const char usage[] =
    "usage: hesper top [OPTIONS]\n"
    "\n"
    "Shows each second what the programs of running machines and of servers of 'hesper vtest'\n"
    "hold and do: a line for each virtual machine or server, and one for each program below it.\n"
    "\n"
    "  CPU       time of its worker, in percent of a CPU\n"
    "  GPU       time in which somebody waited for its queues, in percent\n"
    "  MEMORY    of the machine: what it may map, the driver's for it, commands, tables\n"
    "  CARD      memory of a graphics card that has its own\n"
    "  RESIDENT  what its worker has in memory, driver and shaders included\n"
    "  SUBMIT/s, FENCE/s, WAKE/s  submissions to queues, fences retired, rings that were woken\n"
    "  FILES     descriptors that its worker and the device process hold for it\n"
    "  REFUSED   allocations that the budget had no room for (--gpu-memory), and files\n"
    "\n";

enum { MAX_SERVERS = 32, ONCE_MS = 500, EACH_MS = 1000 };

enum number {
    MAPPABLE,
    PLAIN,
    COMMANDS,
    TABLES,
    PRIVATE,
    SHARED,
    CARD,
    DRIVER,
    OBJECTS,
    RINGS,
    RESOURCES,
    DESCRIPTORS,
    WORKER_DESCRIPTORS,
    SUBMISSIONS,
    FENCES,
    WAKES,
    BUSY_NS,
    REFUSALS,
    CPU_NS, // these are asked of the system
    RESIDENT,
    NUMBERS,
};

static const char *const keys[NUMBERS] = {"mappable_bytes",
                                          "plain_bytes",
                                          "command_bytes",
                                          "object_bytes",
                                          "driver_bytes",
                                          "shared_bytes",
                                          "card_bytes",
                                          "card_bytes_of_driver",
                                          "objects",
                                          "rings",
                                          "resources",
                                          "descriptors",
                                          "worker_descriptors",
                                          "submissions",
                                          "fences",
                                          "wakes",
                                          "queue_busy_ns",
                                          "refusals",
                                          "cpu_ns",
                                          "resident_bytes"};

struct program {
    int64_t context, pid;
    char name[68], engine[68];
    int64_t numbers[NUMBERS];
};

struct server {
    char path[108], name[128];
    int64_t pid, frames, lost, memory, memory_limit, card, card_limit, descriptors,
        descriptor_limit;
    struct program *programs;
    unsigned count;
};

struct sample {
    uint64_t at_ns;
    struct server servers[MAX_SERVERS];
    unsigned count;
};

struct top {
    const char *control;
    bool once, json;
};

// ---- looking --------------------------------------------------------------

// What guests call themselves goes to a terminal.
static void take_text(struct json object, const char *key, char *text, size_t size)
{
    json_get_text(object, key, text, size);
    for (char *c = text; *c; c++)
        *c = *c >= 0x20 && *c < 0x7f ? *c : '?';
}

static void take_program(struct json item, struct program *program)
{
    struct os_process_usage process = {0};
    program->context = json_get_number(item, "context");
    program->pid = json_get_number(item, "pid");
    take_text(item, "name", program->name, sizeof(program->name));
    take_text(item, "engine", program->engine, sizeof(program->engine));
    for (unsigned i = 0; i < CPU_NS; i++)
        program->numbers[i] = json_get_number(item, keys[i]);
    if (program->pid > 0)
        os_process_usage((pid_t)program->pid, &process);
    program->numbers[CPU_NS] = (int64_t)process.cpu_ns;
    program->numbers[RESIDENT] = (int64_t)process.resident;
}

static bool take_server(struct json root, struct server *server)
{
    struct json contexts, item = {0};
    if (!json_member(root, "contexts", &contexts))
        return false;
    take_text(root, "name", server->name, sizeof(server->name));
    server->pid = json_get_number(root, "pid");
    server->frames = json_get_number(root, "frames");
    server->lost = json_get_number(root, "contexts_lost");
    server->memory = json_get_number(root, "memory_bytes");
    server->memory_limit = json_get_number(root, "memory_limit");
    server->card = json_get_number(root, "card_bytes");
    server->card_limit = json_get_number(root, "card_limit");
    server->descriptors = json_get_number(root, "descriptors");
    server->descriptor_limit = json_get_number(root, "descriptor_limit");
    while (json_next(contexts, &item)) {
        struct program *more =
            realloc(server->programs, (server->count + 1) * sizeof(*server->programs));
        if (!more)
            return true;
        server->programs = more;
        take_program(item, &server->programs[server->count++]);
    }
    return true;
}

static void forget(struct sample *sample)
{
    for (unsigned i = 0; i < sample->count; i++)
        free(sample->servers[i].programs);
    sample->count = 0;
}

// Errors: false after a log line: there is nobody to ask.
static bool look(const struct top *top, struct sample *sample)
{
    char paths[MAX_SERVERS][108];
    unsigned count = cli_control_find("top", top->control, paths, MAX_SERVERS);
    forget(sample);
    sample->at_ns = os_now_ns();
    for (unsigned i = 0; i < count; i++) {
        struct cli_reply reply;
        struct server *server = &sample->servers[sample->count];
        bool answered = cli_control_ask(paths[i], "usage", -1, &reply);
        *server = (struct server){.pid = 0};
        snprintf(server->path, sizeof(server->path), "%.107s", paths[i]);
        if (answered && take_server(reply.root, server))
            sample->count++;
        else if (top->control)
            log_error("top: '%s' does not answer: %s", top->control,
                      answered ? "its answer is not understood" : reply.error);
        free(reply.text);
    }
    return sample->count;
}

// ---- telling --------------------------------------------------------------

static const struct server *find_server(const struct sample *sample, const struct server *like)
{
    for (unsigned i = 0; i < sample->count; i++) {
        const struct server *server = &sample->servers[i];
        if (server->pid == like->pid && !strcmp(server->path, like->path))
            return server;
    }
    return NULL;
}

static const struct program *find_program(const struct server *server, const struct program *like)
{
    for (unsigned i = 0; server && i < server->count; i++) {
        const struct program *program = &server->programs[i];
        if (program->pid == like->pid && program->context == like->context)
            return program;
    }
    return NULL;
}

// What a number grows by in a second. A program that was not there before began with 0.
static int64_t rate(const struct program *now, const struct program *before, enum number number,
                    uint64_t ns)
{
    int64_t more = now->numbers[number] - (before ? before->numbers[number] : 0);
    return more > 0 && ns ? (int64_t)((double)more * 1e9 / (double)ns + 0.5) : 0;
}

static int64_t percent(const struct program *now, const struct program *before, enum number number,
                       uint64_t ns)
{
    return before ? rate(now, before, number, ns) / 10000000 : 0;
}

static int64_t host_memory(const struct program *program)
{
    return program->numbers[MAPPABLE] + program->numbers[PLAIN] + program->numbers[COMMANDS] +
           program->numbers[TABLES] + program->numbers[PRIVATE] + program->numbers[SHARED];
}

// "812K", "23M", "1.5G"
static const char *size_text(int64_t bytes, char text[16])
{
    if (bytes < 1 << 20)
        snprintf(text, 16, "%lldK", (long long)(bytes < 0 ? 0 : bytes) >> 10);
    else if (bytes < 1 << 30)
        snprintf(text, 16, "%lldM", (long long)bytes >> 20);
    else
        snprintf(text, 16, "%.1fG", (double)bytes / (1 << 30));
    return text;
}

static void print_memory(const char *what, int64_t bytes, int64_t limit)
{
    char held[16], most[16];
    if (limit)
        printf("  %s %s of %s", what, size_text(bytes, held), size_text(limit, most));
    else
        printf("  %s without a limit", what);
}

static void print_server(const struct server *now, const struct server *before, uint64_t ns)
{
    int64_t frames = before && ns ? (now->frames - before->frames) * 1000000000 / (int64_t)ns : 0;
    printf("%s (process %lld)", now->name[0] ? now->name : now->path, (long long)now->pid);
    print_memory("memory", now->memory, now->memory_limit);
    print_memory("card", now->card, now->card_limit);
    printf("  frames %lld/s  lost %lld\n", (long long)frames, (long long)now->lost);
    printf("  CONTEXT     PID  PROGRAM           CPU   GPU  MEMORY    CARD RESIDENT  OBJECTS RINGS "
           "FILES SUBMIT/s FENCE/s WAKE/s REFUSED\n");
    for (unsigned i = 0; i < now->count; i++) {
        const struct program *program = &now->programs[i], *was = find_program(before, program);
        const int64_t *numbers = program->numbers;
        char memory[16], card[16], resident[16];
        printf("  %7lld %7lld  %-15.15s %4lld%% %4lld%% %7s %7s %8s %8lld %5lld %5lld %8lld %7lld "
               "%6lld %7lld\n",
               (long long)program->context, (long long)program->pid, program->name,
               (long long)percent(program, was, CPU_NS, ns),
               (long long)percent(program, was, BUSY_NS, ns),
               size_text(host_memory(program), memory),
               size_text(numbers[CARD] + numbers[DRIVER], card),
               size_text(numbers[RESIDENT], resident), (long long)numbers[OBJECTS],
               (long long)numbers[RINGS],
               (long long)(numbers[DESCRIPTORS] + numbers[WORKER_DESCRIPTORS]),
               (long long)rate(program, was, SUBMISSIONS, ns),
               (long long)rate(program, was, FENCES, ns), (long long)rate(program, was, WAKES, ns),
               (long long)numbers[REFUSALS]);
    }
}

static void put_server(struct json_writer *json, const struct server *now,
                       const struct server *before, uint64_t ns)
{
    json_open(json, NULL, '{');
    json_string(json, "name", now->name);
    json_string(json, "control", now->path);
    json_number(json, "pid", now->pid);
    json_number(json, "memory_bytes", now->memory);
    json_number(json, "memory_limit", now->memory_limit);
    json_number(json, "card_bytes", now->card);
    json_number(json, "card_limit", now->card_limit);
    json_number(json, "descriptors", now->descriptors);
    json_number(json, "descriptor_limit", now->descriptor_limit);
    json_number(json, "frames", now->frames);
    json_number(json, "contexts_lost", now->lost);
    json_open(json, "contexts", '[');
    for (unsigned i = 0; i < now->count; i++) {
        const struct program *program = &now->programs[i], *was = find_program(before, program);
        json_open(json, NULL, '{');
        json_number(json, "context", program->context);
        json_number(json, "pid", program->pid);
        json_string(json, "name", program->name);
        json_string(json, "engine", program->engine);
        json_number(json, "cpu_percent", percent(program, was, CPU_NS, ns));
        json_number(json, "gpu_percent", percent(program, was, BUSY_NS, ns));
        for (unsigned j = 0; j < NUMBERS; j++)
            json_number(json, keys[j], program->numbers[j]);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

// Errors: false, nobody reads it any more.
static bool tell(const struct top *top, const struct sample *now, const struct sample *before)
{
    uint64_t ns = now->at_ns - before->at_ns;
    struct json_writer json = {0};
    if (!top->json && !top->once && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout); // a new page
    if (top->json) {
        json_open(&json, NULL, '{');
        json_open(&json, "servers", '[');
    }
    for (unsigned i = 0; i < now->count; i++) {
        const struct server *server = &now->servers[i], *was = find_server(before, server);
        if (top->json)
            put_server(&json, server, was, ns);
        else
            print_server(server, was, ns);
    }
    if (top->json) {
        json_close(&json, ']');
        json_close(&json, '}');
        puts(json.failed ? "{}" : json.text);
        json_finish(&json);
    }
    return fflush(stdout) == 0;
}

// ---- the command line -----------------------------------------------------

static int watch(const struct top *top, struct sample samples[2])
{
    unsigned now = 0;
    if (!look(top, &samples[now]))
        return CLI_FAILED;
    do {
        poll(NULL, 0, top->once ? ONCE_MS : EACH_MS);
        now = !now;
        if (!look(top, &samples[now]))
            return top->once ? CLI_FAILED : CLI_OK;
        if (!tell(top, &samples[now], &samples[!now])) {
            log_error("top: cannot write: %s", strerror(errno));
            return CLI_FAILED;
        }
    } while (!top->once);
    return CLI_OK;
}

static const struct option_row rows[] = {
    {"once", NULL, "one table, of half a second", OPTION_FLAG(struct top, once)},
    {"json", NULL, "a line of JSON instead of a table, with all counts",
     OPTION_FLAG(struct top, json)},
    {"control", "PATH", "only the machine or server of this control socket [all that run]",
     OPTION_TEXT(struct top, control)},
    {0},
};

int cli_top(int argc, char **argv)
{
    struct top top = {.control = NULL};
    const struct options options = {
        .program = "hesper top", .usage = usage, .tables = {{rows, &top}}};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first != argc) {
        log_error("top: '%s' is no option; see 'hesper top --help'", argv[first]);
        return CLI_USAGE;
    }
    struct sample *samples = calloc(2, sizeof(*samples));
    if (!samples) {
        log_error("out of memory");
        return CLI_FAILED;
    }
    int status = watch(&top, samples);
    forget(&samples[0]);
    forget(&samples[1]);
    free(samples);
    return status;
}
