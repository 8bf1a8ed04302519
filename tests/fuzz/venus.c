// A worker with a hostile guest, a driver that fails at random (puppet.h), and a device process
// that does as it is asked. Commands are mostly valid (grammar.h), on the context's stream and on
// rings.
//
// Input: a header of 8 bytes, then steps of 8: what to do, on which stream, which command, and four
// bytes that decide about the rest. Bit 7 of the first byte: rings run beside each other and
// destroy what others use; else every step is waited for, and no driver may see a handle that is
// gone.
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../scarce/scarce.h"
#include "../unit/short.h"
#include "base/log.h"
#include "grammar.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/socket.h"
#include "puppet.h"
#include "venus/profile.h"
#include "venus/ring.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    RINGS = 3,
    REGION = 16384, // of a ring, of a reply
    BUFFER = 4096,
    FILE_SIZE = (RINGS + 1) * REGION,
    COMMAND_MEMORY = 48 << 20,
    MAX_STEPS = 256,
    MEMORY_ROOM = 1 << 20,
    PATIENCE_NS = 100000000,
};

enum resources { RING_FILE = 1, REPLY_FILE, MEMORY_FILE };

static struct {
    // The worker's thread sets it; looked at under the lock.
    pthread_mutex_t lock;
    struct venus_context *context;

    struct venus_host host;
    const struct venus_profile *profile;
    struct link *link, *worker_link;
    bool over; // the worker has lost the context or does not answer
    uint64_t asked, retired;
    int tracer;
    uint8_t *files[MEMORY_FILE + 1];
    struct {
        bool live;
        uint32_t tail;
    } rings[RINGS];
    bool racing;
    uint32_t attached; // a bit for each resource
    struct link_ledger *ledger;
    int64_t given; // room in it
} fuzz = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct grammar grammar;

// ---- the worker, with an eye on its context ---------------------------------

static struct venus_context *begin_context(const struct link_context_create *info, int ledger,
                                           struct link *link, struct venus_host *host,
                                           const struct venus_profile *profile)
{
    struct venus_context *context = venus_context_create(info, ledger, link, host, profile);
    if (context)
        context->commands.limit = COMMAND_MEMORY;
    pthread_mutex_lock(&fuzz.lock);
    fuzz.context = context;
    pthread_mutex_unlock(&fuzz.lock);
    return context;
}

static void end_context(struct venus_context *context)
{
    pthread_mutex_lock(&fuzz.lock);
    fuzz.context = NULL;
    pthread_mutex_unlock(&fuzz.lock);
    venus_context_destroy(context);
}

#define venus_context_create begin_context
#define venus_context_destroy end_context
#include "../../src/venus/worker.c"
#undef venus_context_create
#undef venus_context_destroy

static void *worker_main(void *data)
{
    (void)data;
    serve(fuzz.worker_link, &fuzz.host, fuzz.profile);
    link_destroy(fuzz.worker_link);
    return NULL;
}

// monitor.c calls it for _exit: the worker did not end by itself.
__attribute__((noreturn)) void fuzz_hung(int status);
void fuzz_hung(int status)
{
    fprintf(stderr, "fuzz: the worker does not end (%d)\n", status);
    abort();
}

// ---- the device process ---------------------------------------------------

static void answer(const struct link_memory_ask *ask)
{
    bool good = ask->kind == LINK_MEMORY_HOST && ask->bytes <= (uint64_t)MEMORY_ROOM &&
                fuzz.given < 8 * MEMORY_ROOM;
    if (good) {
        fuzz.given += MEMORY_ROOM;
        atomic_fetch_add(&fuzz.ledger->memory[ask->kind].room, MEMORY_ROOM);
    }
    atomic_store(&fuzz.ledger->memory[ask->kind].answered, ask->serial << 1 | good);
}

// A page of its own for each run. Returns its descriptor.
static int begin_ledger(bool limited)
{
    int fd = os_shm_create("ledger", sizeof(*fuzz.ledger));
    fuzz.ledger = map_file(fd, 0, sizeof(*fuzz.ledger));
    if (!fuzz.ledger)
        abort();
    fuzz.given = limited ? MEMORY_ROOM : LINK_MEMORY_NO_LIMIT;
    for (unsigned kind = 0; kind < LINK_MEMORY_KINDS; kind++)
        atomic_store(&fuzz.ledger->memory[kind].room, fuzz.given);
    return fd;
}

// Whoever has ended holds nothing.
static void end_ledger(void)
{
    if (atomic_load(&fuzz.ledger->memory[LINK_MEMORY_HOST].room) != fuzz.given)
        abort();
    for (unsigned i = 0; i < LINK_HOLDINGS; i++)
        if (atomic_load(&fuzz.ledger->holds[i]))
            abort();
    os_shm_unmap(fuzz.ledger, sizeof(*fuzz.ledger));
    fuzz.ledger = NULL;
}

static void hear(void)
{
    struct link_message message;
    int error;
    while (!(error = link_receive(fuzz.link, &message))) {
        if (message.type == LINK_FENCE_RETIRED) {
            const struct link_fence_retired *fences = (const void *)message.payload;
            for (size_t i = 0; i < message.size / sizeof(*fences); i++) {
                if (!fences[i].fence_id || fences[i].fence_id > fuzz.asked)
                    abort(); // it was never asked for
                if (fences[i].ring_idx == 0 && fences[i].fence_id > fuzz.retired)
                    fuzz.retired = fences[i].fence_id;
            }
        } else if (message.type == LINK_BLOB_EXPORTED) {
            const struct link_blob_exported *exported = (const void *)message.payload;
            if (!exported->result)
                fuzz.attached |= 1u << exported->resource_id;
        } else if (message.type == LINK_MEMORY_ASK) {
            answer((const void *)message.payload);
        } else if (message.type == LINK_CONTEXT_LOST) {
            if (getenv("FUZZ_TELL"))
                fprintf(stderr, "lost: %.*s\n", (int)message.size, (const char *)message.payload);
            fuzz.over = true;
        }
    }
    if (error == -EPIPE)
        fuzz.over = true;
    else if (error != -EAGAIN)
        abort(); // the worker breaks the rules of the link
    char bytes[4096];
    while (fuzz.tracer >= 0 && read(fuzz.tracer, bytes, sizeof(bytes)) > 0)
        ;
}

static void listen_until(bool (*come)(unsigned), unsigned what)
{
    uint64_t end = os_now_ns() + PATIENCE_NS;
    for (unsigned times = 0;; times++) {
        hear();
        if (fuzz.over || come(what))
            return;
        if (times < 50) {
            sched_yield();
            continue;
        }
        if (os_now_ns() > end) {
            fuzz.over = true;
            return;
        }
        struct pollfd fd = {.fd = link_fd(fuzz.link), .events = POLLIN};
        poll(&fd, 1, 1);
    }
}

static bool has_retired(unsigned what)
{
    (void)what;
    return fuzz.retired >= fuzz.asked;
}

static void tell(uint16_t type, const void *payload, size_t size, const void *tail,
                 size_t tail_size, const int *fd)
{
    int error = link_send(fuzz.link, type, payload, size, tail, tail_size, fd, fd != NULL);
    if (error && error != -EAGAIN)
        fuzz.over = true;
}

static void send_bytes(const void *bytes, size_t size, uint32_t ring_idx, bool wait)
{
    const struct link_submit submit = {
        .fence_id = ++fuzz.asked, .ring_idx = ring_idx, .byte_count = (uint32_t)size};
    tell(LINK_SUBMIT, &submit, sizeof(submit), bytes, size, NULL);
    if (wait && !ring_idx)
        listen_until(has_retired, 0);
    else
        hear();
}

static void attach_file(uint32_t id, enum link_resource_kind kind)
{
    if (fuzz.attached & 1u << id)
        return;
    fuzz.attached |= 1u << id;
    int fd = os_shm_create("fuzz", FILE_SIZE);
    if (fd < 0)
        abort();
    if (id <= MEMORY_FILE && !fuzz.files[id])
        fuzz.files[id] = map_file(fd, 0, FILE_SIZE);
    const struct link_resource_attach attach = {.resource_id = id, .kind = kind, .size = FILE_SIZE};
    tell(LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd);
    close(fd);
}

// ---- the guest ------------------------------------------------------------

static _Atomic(uint32_t) *word(unsigned ring, unsigned offset)
{
    return (_Atomic(uint32_t) *)(fuzz.files[RING_FILE] + ring * REGION + offset);
}

static bool write_command(enum wire_command command, bool reply, const struct grammar_wish *wishes)
{
    grammar.wishes = wishes;
    pthread_mutex_lock(&fuzz.lock);
    bool ok =
        fuzz.context && grammar_write(&grammar, fuzz.context, command, reply ? WIRE_FLAG_REPLY : 0);
    pthread_mutex_unlock(&fuzz.lock);
    return ok;
}

static void notify(unsigned ring)
{
    const struct grammar_wish wishes[] = {{"ring", ring + 1}, {NULL, 0}};
    if (write_command(WIRE_vkNotifyRingMESA, false, wishes))
        send_bytes(grammar.bytes, grammar.size, 0, false);
}

static bool ring_is_dry(unsigned ring)
{
    return atomic_load(word(ring, 0)) == fuzz.rings[ring].tail || !fuzz.rings[ring].live ||
           atomic_load(word(ring, 128)) & VENUS_RING_FATAL;
}

static void put_in_ring(unsigned ring, const uint8_t *bytes, size_t size)
{
    uint32_t free_bytes = BUFFER - (fuzz.rings[ring].tail - atomic_load(word(ring, 0)));
    if (size > free_bytes)
        listen_until(ring_is_dry, ring);
    if (fuzz.over || size > BUFFER)
        return;
    uint8_t *buffer = fuzz.files[RING_FILE] + ring * REGION + BUFFER;
    for (size_t i = 0; i < size; i++)
        buffer[(fuzz.rings[ring].tail + i) % BUFFER] = bytes[i];
    fuzz.rings[ring].tail += (uint32_t)size;
    atomic_store(word(ring, 64), fuzz.rings[ring].tail);
    if (atomic_load(word(ring, 128)) & VENUS_RING_IDLE)
        notify(ring);
    if (!fuzz.racing)
        listen_until(ring_is_dry, ring);
}

// Stream 0 is the context's.
static void send_command(unsigned stream)
{
    uint8_t bytes[GRAMMAR_ROOM];
    size_t size = grammar.size;
    memcpy(bytes, grammar.bytes, size);
    if (stream && fuzz.rings[stream - 1].live && size <= BUFFER)
        put_in_ring(stream - 1, bytes, size);
    else
        send_bytes(bytes, size, 0, !fuzz.racing);
}

static void say(unsigned stream, enum wire_command command, bool reply,
                const struct grammar_wish *wishes, unsigned depth);

static bool there_is(enum wire_handle type)
{
    pthread_mutex_lock(&fuzz.lock);
    bool found = false;
    for (unsigned i = 0; i < GRAMMAR_IDS && fuzz.context && !found; i++) {
        const uint64_t id = grammar.ids[type][i];
        const struct venus_object *object =
            id ? venus_object_find(&fuzz.context->objects, id) : NULL;
        found = object && object->type == type;
    }
    pthread_mutex_unlock(&fuzz.lock);
    return found;
}

// Makes an object, and those that it needs.
static void make(unsigned stream, enum wire_handle type, unsigned depth)
{
    static const struct grammar_wish instance[] = {
        {"enabledLayerCount", 0}, {"enabledExtensionCount", 0}, {NULL, 0}};
    static const struct grammar_wish two[] = {{"pPhysicalDeviceCount", 2}, {NULL, 0}};
    static const struct grammar_wish device[] = {{"queueCreateInfoCount", 1},  {"queueCount", 1},
                                                 {"queueFamilyIndex", 0},      {"flags", 0},
                                                 {"enabledExtensionCount", 1}, {NULL, 0}};
    static const struct grammar_wish queue[] = {
        {"queueFamilyIndex", 0}, {"queueIndex", 0}, {"flags", 0}, {NULL, 0}};
    const struct grammar_wish *wishes = NULL;
    enum wire_command command = grammar_maker(type);
    enum wire_handle first = 0;
    unsigned times = 1;
    switch (type) {
    case WIRE_HANDLE_INSTANCE:
        wishes = instance;
        break;
    case WIRE_HANDLE_PHYSICAL_DEVICE:
        wishes = two;
        first = WIRE_HANDLE_INSTANCE;
        break;
    case WIRE_HANDLE_DEVICE: // not every extension is one that there is
        wishes = device;
        first = WIRE_HANDLE_PHYSICAL_DEVICE;
        times = 4;
        break;
    case WIRE_HANDLE_QUEUE:
        wishes = queue;
        first = WIRE_HANDLE_DEVICE;
        break;
    default:
        if (!command)
            return;
        break;
    }
    if (first && !there_is(first))
        make(stream, first, depth);
    for (unsigned i = 0; i < times && !(first && there_is(type)); i++)
        say(stream, command, wishes != NULL, wishes, depth + 1);
}

// Writes and sends a command, and what makes the objects that it needs before.
static void say(unsigned stream, enum wire_command command, bool reply,
                const struct grammar_wish *wishes, unsigned depth)
{
    uint64_t random = grammar.random;
    for (unsigned attempt = 0; attempt < 8 && !fuzz.over; attempt++) {
        if (write_command(command, reply, wishes)) {
            send_command(stream);
            return;
        }
        if (grammar.needed && depth < 5)
            make(stream, grammar.needed, depth);
        grammar.random = ++random;
    }
}

static void set_reply(unsigned stream)
{
    const struct grammar_wish wishes[] = {
        {"resourceId", REPLY_FILE}, {"offset", stream * REGION}, {"size", REGION}, {NULL, 0}};
    say(stream, WIRE_vkSetReplyCommandStreamMESA, false, wishes, 0);
}

static void create_ring(unsigned ring)
{
    const struct grammar_wish wishes[] = {{"ring", ring + 1},
                                          {"flags", 0},
                                          {"resourceId", RING_FILE},
                                          {"offset", ring * REGION},
                                          {"size", REGION},
                                          {"headOffset", 0},
                                          {"tailOffset", 64},
                                          {"statusOffset", 128},
                                          {"bufferOffset", BUFFER},
                                          {"bufferSize", BUFFER},
                                          {"extraOffset", 256},
                                          {"extraSize", 64},
                                          {NULL, 0}};
    if (fuzz.rings[ring].live)
        return;
    memset(fuzz.files[RING_FILE] + ring * REGION, 0, BUFFER);
    fuzz.rings[ring].tail = 0;
    say(0, WIRE_vkCreateRingMESA, false, wishes, 0);
    fuzz.rings[ring].live = true;
    set_reply(ring + 1);
}

static void destroy_ring(unsigned ring)
{
    const struct grammar_wish wishes[] = {{"ring", ring + 1}, {NULL, 0}};
    if (!fuzz.rings[ring].live)
        return;
    fuzz.rings[ring].live = false;
    say(0, WIRE_vkDestroyRingMESA, false, wishes, 0);
}

// The commands of a stream of its own, in shared memory.
static void execute_stream(unsigned stream, enum wire_command command)
{
    if (!write_command(command, false, NULL) || grammar.size > REGION)
        return;
    size_t size = grammar.size;
    uint32_t offset = RINGS * REGION;
    memcpy(fuzz.files[RING_FILE] + offset, grammar.bytes, size);
    const struct grammar_wish wishes[] = {
        {"resourceId", RING_FILE}, {"offset", offset}, {"size", size},         {"streamCount", 1},
        {"dependencyCount", 0},    {"flags", 0},       {"pReplyPositions", 0}, {NULL, 0}};
    say(stream, WIRE_vkExecuteCommandStreamsMESA, false, wishes, 0);
}

static void prologue(uint8_t flags)
{
    attach_file(RING_FILE, LINK_RESOURCE_SHM);
    attach_file(REPLY_FILE, LINK_RESOURCE_SHM);
    attach_file(MEMORY_FILE, LINK_RESOURCE_MEMORY);
    send_bytes(NULL, 0, 0, true);
    set_reply(0);
    if ((flags & 0x71) == 0x71)
        return;
    grammar.plain = true;
    make(0, WIRE_HANDLE_QUEUE, 0);
    grammar.plain = false;
    for (unsigned ring = 0; ring < RINGS; ring++) {
        if (flags >> ring & 2)
            create_ring(ring);
    }
}

// Ends things: not as often as others, or nothing would live long.
static bool is_end(const char *name)
{
    return strncmp(name, "vkDestroy", 9) == 0 || strncmp(name, "vkFree", 6) == 0 ||
           strncmp(name, "vkReset", 7) == 0;
}

// Commands of which hardly one would be taken as it comes.
static const struct grammar_wish *wishes_of(enum wire_command command)
{
    static const struct grammar_wish signalled[] = {{"resourceId", 0}, {NULL, 0}};
    static const struct grammar_wish no_layers[] = {{"pLayerName", 0}, {NULL, 0}};
    static const struct grammar_wish reply[] = {
        {"resourceId", REPLY_FILE}, {"size", REGION}, {NULL, 0}};
    static const struct grammar_wish start[] = {{"position", 0}, {NULL, 0}};
    static const struct grammar_wish extra[] = {{"offset", 4}, {NULL, 0}};
    static const struct grammar_wish streams[] = {
        {"dependencyCount", 0}, {"resourceId", REPLY_FILE}, {"size", 0}, {NULL, 0}};
    switch ((int)command) {
    case WIRE_vkImportSemaphoreResourceMESA:
        return signalled;
    case WIRE_vkEnumerateInstanceExtensionProperties:
    case WIRE_vkEnumerateDeviceExtensionProperties:
        return no_layers;
    case WIRE_vkSetReplyCommandStreamMESA:
        return reply;
    case WIRE_vkSeekReplyCommandStreamMESA:
        return start;
    case WIRE_vkWriteRingExtraMESA:
        return extra;
    case WIRE_vkExecuteCommandStreamsMESA:
        return streams;
    default:
        return NULL;
    }
}

static bool is_of_context_stream(enum wire_command command)
{
    return command == WIRE_vkCreateRingMESA || command == WIRE_vkDestroyRingMESA ||
           command == WIRE_vkNotifyRingMESA || command == WIRE_vkWriteRingExtraMESA ||
           command == WIRE_vkWaitRingSeqnoMESA || command == WIRE_vkSubmitVirtqueueSeqnoMESA;
}

static void step(const uint8_t *bytes)
{
    uint32_t seed;
    memcpy(&seed, bytes + 4, sizeof(seed));
    grammar.random = seed * 0x9e3779b97f4a7c15ull;
    unsigned stream = bytes[1] % (RINGS + 1), ring = bytes[1] % RINGS;
    enum wire_command command = (bytes[2] | bytes[3] << 8) % WIRE_COMMAND_COUNT;
    const struct wire_command_info *info = wire_command_info(command);
    if (!info)
        return;
    // Waiting for what may never come is for racing runs, which cost the time it takes to give up.
    bool waits = command == WIRE_vkWaitRingSeqnoMESA || command == WIRE_vkWaitVirtqueueSeqnoMESA;
    switch (bytes[0] % 64) {
    case 0:
        create_ring(ring);
        break;
    case 1:
        destroy_ring(ring);
        break;
    case 2:
        attach_file(4 + bytes[1] % 4, bytes[1] & 16 ? LINK_RESOURCE_SHM : LINK_RESOURCE_MEMORY);
        break;
    case 3: {
        const struct link_resource_detach detach = {.resource_id = 1 + bytes[1] % 8};
        if (!(fuzz.attached & 1u << detach.resource_id) ||
            (detach.resource_id <= MEMORY_FILE && bytes[1] < 240))
            break;
        fuzz.attached &= ~(1u << detach.resource_id);
        tell(LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL);
        break;
    }
    case 4:
    case 5: {
        const struct link_blob_export request = {
            .resource_id = 8 + bytes[1] % 8,
            .blob_flags = bytes[1] >> 4 & 7,
            .memory_id = grammar.ids[WIRE_HANDLE_DEVICE_MEMORY][seed % GRAMMAR_IDS],
            .size = seed % 3 ? 4096 : seed};
        if (!(fuzz.attached & 1u << request.resource_id))
            tell(LINK_BLOB_EXPORT, &request, sizeof(request), NULL, 0, NULL);
        break;
    }
    case 6:
    case 7:
        send_bytes(NULL, 0, 1 + bytes[1] % 4, false);
        break;
    case 8: {
        int pair[2];
        if (fuzz.tracer >= 0 || os_socket_pair(pair))
            break;
        os_socket_set_nonblocking(pair[0], true);
        fuzz.tracer = pair[0];
        tell(LINK_TRACE, NULL, 0, NULL, 0, &pair[1]);
        close(pair[1]);
        break;
    }
    case 9: // the guest writes what it likes
        if (fuzz.files[RING_FILE] && seed % 4 == 0) {
            static const unsigned words[] = {0, 64, 128, BUFFER};
            atomic_store(word(ring, words[bytes[1] >> 4 & 3]), seed);
        }
        break;
    case 10: // a byte of a command is another
        if (write_command(command, false, NULL)) {
            grammar.bytes[seed % grammar.size] ^= (uint8_t)(1 << bytes[1] % 8);
            send_command(stream);
        }
        break;
    case 11:
    case 12:
        execute_stream(stream, command);
        break;
    default:
        if ((is_end(info->name) && bytes[0] & 0xc0 && !(bytes[0] & 0x20)) ||
            (waits && !fuzz.racing) || command == WIRE_vkDestroyRingMESA ||
            (command == WIRE_vkDestroyInstance && bytes[1] < 240))
            break;
        if ((command == WIRE_vkGetDeviceQueue || command == WIRE_vkCreateInstance ||
             command == WIRE_vkCreateRingMESA) &&
            seed % 16)
            break;
        if (is_of_context_stream(command) && seed % 16)
            stream = 0;
        say(stream, command, seed & 1, seed % 16 ? wishes_of(command) : NULL, 0);
        break;
    }
}

static void clean_up(void)
{
    for (unsigned i = 0; i <= MEMORY_FILE; i++) {
        if (fuzz.files[i])
            os_shm_unmap(fuzz.files[i], FILE_SIZE);
        fuzz.files[i] = NULL;
    }
    memset(fuzz.rings, 0, sizeof(fuzz.rings));
    if (fuzz.tracer >= 0)
        close(fuzz.tracer);
    fuzz.tracer = -1;
    grammar_finish(&grammar);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = getenv("FUZZ_PORTABLE") != NULL});
    log_set_level(LOG_ERROR);
    return 0;
}

static int first_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 16)
        return 0;
    int free_before = first_free(), pair[2];
    static const char *const profiles[] = {"native", "portable", "moltenvk"};
    fuzz.profile = venus_profile_find(profiles[data[1] % 3]);
    fuzz.racing = false;
    fuzz.attached = 0;
    fuzz.over = false;
    fuzz.asked = fuzz.retired = 0;
    fuzz.tracer = -1;
    static const unsigned failures[] = {0, 100, 20, 5};
    puppet.strict = !(data[0] & 128);
    puppet.failures = failures[data[2] % 4];
    puppet.portability = data[2] & 4;
    puppet.on_cpu = data[2] & 8;
    puppet.few_extensions = data[2] & 16;
    uint64_t seed;
    memcpy(&seed, data, sizeof(seed));
    puppet_reset(seed);
    puppet_host(&fuzz.host);
    grammar_init(&grammar);
    grammar.random = seed;

    if (os_socket_pair(pair))
        abort();
    fuzz.link = new_link(pair[0], false);
    fuzz.worker_link = new_link(pair[1], true);
    scarce_begin_for(data, size);
    pthread_t thread;
    if (pthread_create(&thread, NULL, worker_main, NULL))
        abort();
    const struct link_context_create create = {.context_id = 1,
                                               .flags = data[3] % 8,
                                               .max_memory = {data[3] & 8 ? 8 * MEMORY_ROOM : 0},
                                               .max_rings = RINGS,
                                               .max_resources = 12,
                                               .name = "fuzz"};
    int ledger = begin_ledger(data[3] & 8);
    tell(LINK_CONTEXT_CREATE, &create, sizeof(create), NULL, 0, &ledger);
    close(ledger);
    prologue(data[0]);
    fuzz.racing = data[0] & 128;
    size_t steps = (size - 8) / 8;
    for (size_t i = 0; i < steps && i < MAX_STEPS && !fuzz.over; i++)
        step(data + 8 + i * 8);

    link_destroy(fuzz.link);
    pthread_join(thread, NULL);
    scarce_end();
    end_ledger();
    if (getenv("FUZZ_TELL"))
        fprintf(stderr, "%llu calls\n", (unsigned long long)puppet.calls);
    if (puppet.strict)
        puppet_expect_nothing_left();
    clean_up();
    if (first_free() != free_before)
        abort(); // a descriptor stays open
    return 0;
}
