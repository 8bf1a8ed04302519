// The commands of the protocol. Everything a client sends is checked here before it is used or
// passed on.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "front/vtest/client.h"
#include "front/vtest/protocol.h"
#include "os/clock.h"
#include "os/shm.h"

enum {
    MAX_NAME = 4096, // bytes of a client's name; only the first 63 are kept
    MAX_WAIT_SYNCS = 1024,
    MAX_BATCHES = 64,
    MAX_SUBMIT_WORDS = (LINK_MAX_PAYLOAD - 4096) / 4,
};

static uint32_t word(const uint8_t *payload, uint32_t index)
{
    uint32_t value;
    memcpy(&value, payload + (size_t)index * 4, sizeof(value));
    return value;
}

static uint64_t long_word(const uint8_t *payload, uint32_t index)
{
    return word(payload, index) | (uint64_t)word(payload, index + 1) << 32;
}

// ---- start-up -------------------------------------------------------------

static void create_renderer(struct vtest_client *client, const uint8_t *payload, uint32_t bytes)
{
    size_t length = 0;
    for (; length < bytes && length < sizeof(client->name) - 1 && payload[length]; length++)
        client->name[length] =
            payload[length] >= 0x20 && payload[length] < 0x7f ? (char)payload[length] : '?';
    client->name[length] = 0;
    client->state = VTEST_NAMED;
}

static void ping(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    vtest_client_reply(client, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
}

static void protocol_version(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    client->version = word(payload, 0);
    client->state = VTEST_VERSIONED;
    uint32_t ours = client->version < VTEST_VERSION ? client->version : VTEST_VERSION;
    vtest_client_reply(client, VTEST_PROTOCOL_VERSION, &ours, 1);
}

static void busy_wait(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    // Handle 0 asks whether the server knows PING. Shared memory is never busy.
    uint32_t id = word(payload, 0), busy = 0;
    if (id && !vtest_resource_known(client, id)) {
        vtest_client_fail(client, "resource %u does not exist", id);
        return;
    }
    vtest_client_reply(client, VTEST_RESOURCE_BUSY_WAIT, &busy, 1);
}

static void get_param(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t answer[2] = {0, 0};
    if (word(payload, 0) == VTEST_PARAM_MAX_TIMELINE_COUNT) {
        answer[0] = 1;
        answer[1] = VTEST_TIMELINE_COUNT;
    }
    vtest_client_reply(client, VTEST_GET_PARAM, answer, 2);
}

static void get_capset(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t answer[1 + sizeof(client->server->capset) / 4] = {0};
    bool known = word(payload, 0) == VTEST_CAPSET_VENUS && word(payload, 1) == 0;
    if (known) {
        answer[0] = 1;
        memcpy(answer + 1, client->server->capset, sizeof(client->server->capset));
    }
    vtest_client_reply(client, VTEST_GET_CAPSET, answer, known ? sizeof(answer) / 4 : 1);
}

// Sends to the worker. False: it has failed the client.
static bool send_worker(struct vtest_client *client, enum link_type type, const void *payload,
                        size_t size, const void *tail, size_t tail_size, const int *fds,
                        unsigned fd_count)
{
    enum link_status status =
        link_worker_send(client->worker, type, payload, size, tail, tail_size, fds, fd_count);
    if (status == LINK_BROKEN)
        vtest_client_fail(client, "nothing can be sent to its worker: %s", strerror(errno));
    // LINK_CLOSED: the worker's end is on its way to us, and says more.
    return status != LINK_BROKEN;
}

static void context_init(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    if (word(payload, 0) != VTEST_CAPSET_VENUS) {
        vtest_client_fail(client, "capset %u is not offered", word(payload, 0));
        return;
    }
    client->worker = link_pool_take(client->server->pool, &vtest_worker_callbacks, client);
    if (!client->worker) {
        vtest_client_fail(client, "no worker can be started: %s", strerror(errno));
        return;
    }
    const struct vtest_options *options = &client->server->options;
    struct link_context_create create = {
        .context_id = client->context_id,
        .flags = LINK_CONTEXT_OWN_FILES | LINK_CONTEXT_SAME_KERNEL,
        .max_memory = options->max_memory,
        .max_rings = options->max_rings,
        .max_resources = options->max_resources,
    };
    memcpy(create.name, client->name, sizeof(create.name));
    if (send_worker(client, LINK_CONTEXT_CREATE, &create, sizeof(create), NULL, 0, NULL, 0)) {
        client->state = VTEST_CONTEXT;
        log_info("context %u (%s): served by worker %ld", client->context_id, client->name,
                 link_worker_pid(client->worker));
    }
}

// ---- resources ------------------------------------------------------------

uint32_t vtest_resource_add(struct vtest_client *client, uint64_t size)
{
    if (client->resource_used - client->resource_free >= client->server->options.max_resources)
        return 0;
    if (!client->resource_free && client->resource_used == client->resource_capacity) {
        uint32_t capacity = client->resource_capacity ? client->resource_capacity * 2 : 64;
        struct vtest_resource *resources =
            realloc(client->resources, capacity * sizeof(*resources));
        if (resources)
            client->resources = resources;
        uint32_t *free_ids = realloc(client->free_resources, capacity * sizeof(*free_ids));
        if (free_ids)
            client->free_resources = free_ids;
        if (!resources || !free_ids)
            return 0;
        client->resource_capacity = capacity;
    }
    uint32_t id = client->resource_free ? client->free_resources[--client->resource_free]
                                        : ++client->resource_used;
    client->resources[id - 1] = (struct vtest_resource){.size = size, .used = true};
    client->memory_used += size;
    return id;
}

bool vtest_resource_known(const struct vtest_client *client, uint32_t id)
{
    return id && id <= client->resource_used && client->resources[id - 1].used;
}

void vtest_resource_remove(struct vtest_client *client, uint32_t id)
{
    struct vtest_resource *resource = &client->resources[id - 1];
    client->memory_used -= resource->size;
    resource->used = false;
    client->free_resources[client->resource_free++] = id;
}

// Rings, replies and streams: our file, for the client and its worker. The client may name it in a
// ring as soon as it has our reply, and rings overtake the link: so the worker must have it first.
static void create_shared_memory(struct vtest_client *client, uint64_t size)
{
    uint64_t limit = client->server->options.max_memory;
    if (limit && !checked_range(client->memory_used, size, limit)) {
        vtest_client_fail(client, "%llu bytes of shared memory are more than the client may have",
                          (unsigned long long)size);
        return;
    }
    int fd = os_shm_create("hesper-shm", size);
    if (fd < 0) {
        vtest_client_fail(client, "no shared memory of %llu bytes: %s", (unsigned long long)size,
                          strerror(-fd));
        return;
    }
    uint32_t id = vtest_resource_add(client, size);
    if (!id) {
        vtest_client_fail(client, "more than %u resources", client->server->options.max_resources);
        close(fd);
        return;
    }
    struct link_resource_attach attach = {.resource_id = id,
                                          .kind = LINK_RESOURCE_SHM,
                                          .flags = LINK_ATTACH_ANSWER,
                                          .size = (uint64_t)os_shm_size(fd)};
    if (send_worker(client, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd, 1)) {
        client->blob.id = id;
        client->blob.fd = fd;
    } else {
        close(fd);
    }
}

// A VkDeviceMemory: its worker has the file, and answers in vtest_command_exported. Until then the
// client waits for its reply.
static void export_memory(struct vtest_client *client, uint32_t flags, uint64_t size,
                          uint64_t memory_id)
{
    uint32_t id = vtest_resource_add(client, 0);
    if (!id) {
        vtest_client_fail(client, "more than %u resources", client->server->options.max_resources);
        return;
    }
    struct link_blob_export export = {
        .resource_id = id, .blob_flags = flags, .memory_id = memory_id, .size = size};
    if (send_worker(client, LINK_BLOB_EXPORT, &export, sizeof(export), NULL, 0, NULL, 0)) {
        client->blob.id = id;
        client->blob.size = size;
    }
}

static void reply_blob(struct vtest_client *client, int fd)
{
    uint32_t id = client->blob.id;
    client->blob.id = 0;
    client->blob.fd = -1;
    vtest_client_reply(client, VTEST_RESOURCE_CREATE_BLOB, &id, 1);
    vtest_client_reply_fd(client, fd, true);
}

void vtest_command_attached(struct vtest_client *client, const struct link_message *message)
{
    const struct link_resource_attached *attached = (const void *)message->payload;
    if (!client->blob.id || client->blob.fd < 0 || attached->resource_id != client->blob.id)
        vtest_client_fail(client, "the worker answered for resource %u, which nobody asked for",
                          attached->resource_id);
    else
        reply_blob(client, client->blob.fd);
}

// The memory never came to be, which the client's program learns by vkMapMemory: Mesa takes no
// other answer than a resource and a file, and this one cannot be mapped.
static void reply_nothing(struct vtest_client *client)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vtest_client_fail(client, "/dev/null: %s", strerror(errno));
        return;
    }
    client->resources[client->blob.id - 1].empty = true;
    reply_blob(client, fd);
}

void vtest_command_exported(struct vtest_client *client, const struct link_message *message)
{
    const struct link_blob_exported *exported = (const void *)message->payload;
    client->command = VTEST_RESOURCE_CREATE_BLOB;
    if (!client->blob.id || client->blob.fd >= 0 || exported->resource_id != client->blob.id)
        vtest_client_fail(client, "the worker answered for resource %u, which nobody asked for",
                          exported->resource_id);
    else if (exported->result == -ENOMEM)
        reply_nothing(client);
    else if (exported->result)
        vtest_client_fail(client, "the worker can't export the memory: %s",
                          strerror(-exported->result));
    else if (exported->offset || exported->size < client->blob.size)
        vtest_client_fail(client, "the worker exported something else");
    else
        reply_blob(client, link_take_fd(link_worker_link(client->worker), 0));
    client->command = 0;
}

static void create_blob(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t type = word(payload, 0), flags = word(payload, 1);
    uint64_t size = long_word(payload, 2), memory_id = long_word(payload, 4);
    if (type != VTEST_BLOB_TYPE_HOST3D)
        vtest_client_fail(client, "blob type %u is not supported", type);
    else if (flags & ~(uint32_t)(LINK_BLOB_MAPPABLE | LINK_BLOB_SHAREABLE | LINK_BLOB_CROSS_DEVICE))
        vtest_client_fail(client, "blob flags 0x%x are not known", flags);
    else if (!size || size > INT64_MAX / 2)
        vtest_client_fail(client, "a blob of %llu bytes", (unsigned long long)size);
    else if (memory_id)
        export_memory(client, flags, size, memory_id);
    else
        create_shared_memory(client, size);
}

static void resource_unref(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t id = word(payload, 0);
    if (!vtest_resource_known(client, id)) {
        vtest_client_fail(client, "resource %u does not exist", id);
        return;
    }
    bool empty = client->resources[id - 1].empty;
    vtest_resource_remove(client, id);
    if (empty)
        return;
    struct link_resource_detach detach = {.resource_id = id};
    send_worker(client, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL, 0);
}

// ---- syncs ----------------------------------------------------------------

static struct vtest_sync *find_sync(struct vtest_client *client, uint32_t id)
{
    struct vtest_sync *sync = vtest_sync_get(&client->syncs, id);
    if (!sync)
        vtest_client_fail(client, "sync %u does not exist", id);
    return sync;
}

static void sync_create(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t id = vtest_sync_create(&client->syncs, long_word(payload, 0));
    if (id)
        vtest_client_reply(client, VTEST_SYNC_CREATE, &id, 1);
    else
        vtest_client_fail(client, "more than %u sync objects", client->server->options.max_syncs);
}

static void sync_unref(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    if (find_sync(client, word(payload, 0)))
        vtest_sync_destroy(&client->syncs, word(payload, 0));
}

static void sync_read(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    const struct vtest_sync *sync = find_sync(client, word(payload, 0));
    if (!sync)
        return;
    uint64_t value = vtest_sync_read(sync);
    vtest_client_reply(client, VTEST_SYNC_READ,
                       (uint32_t[]){(uint32_t)value, (uint32_t)(value >> 32)}, 2);
}

static void sync_write(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    struct vtest_sync *sync = find_sync(client, word(payload, 0));
    if (sync)
        vtest_sync_write(&client->syncs, sync, long_word(payload, 1));
}

// Triples {id, value low, value high} from word `first` on, which the caller has found to be there.
static bool read_values(struct vtest_client *client, const uint8_t *payload, uint32_t first,
                        uint32_t count, struct vtest_sync_value *values)
{
    for (uint32_t i = 0; i < count; i++) {
        values[i].sync = find_sync(client, word(payload, first + i * 3));
        values[i].value = long_word(payload, first + i * 3 + 1);
        if (!values[i].sync)
            return false;
    }
    return true;
}

// A descriptor that is, or never becomes, readable; or -errno. One per client and not one for all:
// whoever gets it could clear it.
static int constant_fd(struct vtest_client *client, bool reached)
{
    struct os_notifier *notifier = reached ? &client->reached : &client->never;
    if (notifier->read_fd >= 0)
        return notifier->read_fd;
    int error = os_notifier_init(notifier);
    if (error)
        return error;
    if (reached)
        os_notifier_signal(notifier);
    return notifier->read_fd;
}

// Answers a wait. `later`: not reached yet; the descriptor tells when it is.
static void answer_wait(struct vtest_client *client, const struct vtest_sync_value *values,
                        uint32_t count, bool any, uint32_t timeout_ms, bool later)
{
    struct os_notifier notifier = {-1, -1};
    int error;
    bool pending = later && timeout_ms;
    if (pending) // a pipe: a client that waits when its context or this process ends must hear of
                 // it
        error = os_notifier_init_pipe(&notifier);
    else
        error = notifier.read_fd = constant_fd(client, !later);
    if (error < 0) {
        vtest_client_fail(client, "no descriptor for the wait: %s", strerror(-error));
        return;
    }
    uint64_t deadline =
        timeout_ms == UINT32_MAX ? UINT64_MAX : os_now_ns() + timeout_ms * 1000000ull;
    if (pending && !vtest_wait_add(&client->syncs, values, count, any, deadline, &notifier)) {
        os_notifier_finish(&notifier);
        vtest_client_fail(client, "more than %u pending waits", client->server->options.max_waits);
        return;
    }
    vtest_client_reply(client, VTEST_SYNC_WAIT, NULL, 0);
    vtest_client_reply_fd(
        client, notifier.read_fd,
        pending); // the wait owns the write end; the read end is only the client's
}

bool vtest_command_finish_wait(struct vtest_client *client, bool now)
{
    uint32_t count = client->wait.count;
    bool reached = vtest_sync_reached(client->wait.values, count, client->wait.any);
    if (!reached && !now)
        return false;
    client->wait.count = 0;
    vtest_client_held(client, false);
    client->command = VTEST_SYNC_WAIT;
    answer_wait(client, client->wait.values, count, client->wait.any, client->wait.timeout_ms,
                !reached);
    client->command = 0;
    return true;
}

static void start_wait(struct vtest_client *client, const struct vtest_sync_value *values,
                       uint32_t count, bool any, uint32_t timeout_ms)
{
    bool reached = !count || vtest_sync_reached(values, count, any);
    if (reached || !timeout_ms || count > VTEST_HELD_SYNCS) {
        answer_wait(client, values, count, any, timeout_ms, !reached);
        return;
    }
    client->wait.count = count;
    client->wait.any = any;
    client->wait.timeout_ms = timeout_ms;
    memcpy(client->wait.values, values, count * sizeof(*values));
    vtest_client_held(client, true);
}

static void sync_wait(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t flags = word(payload, 0), count = (words - 2) / 3;
    struct vtest_sync_value values[MAX_WAIT_SYNCS];
    if ((words - 2) % 3)
        vtest_client_fail(client, "%u words are no list of syncs", words);
    else if (flags & ~(uint32_t)VTEST_WAIT_ANY)
        vtest_client_fail(client, "wait flags 0x%x are not known", flags);
    else if (read_values(client, payload, 2, count, values))
        start_wait(client, values, count, flags & VTEST_WAIT_ANY, word(payload, 1));
}

// ---- submissions ----------------------------------------------------------

struct batch {
    uint32_t flags, command_offset, command_size, sync_offset, sync_count, ring_idx;
};

static bool read_batch(struct vtest_client *client, const uint8_t *payload, uint32_t words,
                       uint32_t index, uint32_t stride, struct batch *batch)
{
    uint32_t at = 1 + index * stride;
    *batch = (struct batch){
        .flags = word(payload, at),
        .command_offset = word(payload, at + 1),
        .command_size = word(payload, at + 2),
        .sync_offset = word(payload, at + 3),
        .sync_count = word(payload, at + 4),
        .ring_idx = word(payload, at + 5),
    };
    if (batch->flags & ~(uint32_t)VTEST_BATCH_RING_IDX)
        vtest_client_fail(client, "batch flags 0x%x are not supported", batch->flags);
    else if (stride > 6 && (word(payload, at + 6) || word(payload, at + 7)))
        vtest_client_fail(client, "DRM sync objects are not supported");
    else if (!checked_range(batch->command_offset, batch->command_size, words))
        vtest_client_fail(client, "commands at %u, %u words, of a submission of %u",
                          batch->command_offset, batch->command_size, words);
    else if (batch->sync_count > VTEST_FENCE_SYNCS)
        vtest_client_fail(client, "%u syncs in a batch", batch->sync_count);
    else if (!checked_range(batch->sync_offset, batch->sync_count * 3ull, words))
        vtest_client_fail(client, "syncs at %u, %u of them, of a submission of %u words",
                          batch->sync_offset, batch->sync_count, words);
    else if ((batch->flags & VTEST_BATCH_RING_IDX) && batch->ring_idx >= VTEST_TIMELINE_COUNT)
        vtest_client_fail(client, "timeline %u", batch->ring_idx);
    else
        return true;
    return false;
}

static bool submit_batch(struct vtest_client *client, const uint8_t *payload,
                         const struct batch *batch)
{
    struct vtest_sync_value values[VTEST_FENCE_SYNCS];
    struct link_submit submit = {.byte_count = batch->command_size * 4};
    // Without a timeline the syncs are due when the commands are executed, as on timeline 0.
    if (batch->flags & VTEST_BATCH_RING_IDX)
        submit.ring_idx = batch->ring_idx;
    if (batch->sync_count) {
        if (!read_values(client, payload, batch->sync_offset, batch->sync_count, values))
            return false;
        submit.fence_id = vtest_fence_create(&client->syncs, values, batch->sync_count);
        if (!submit.fence_id) {
            vtest_client_fail(client, "too many submissions at once");
            return false;
        }
    }
    if (!submit.fence_id && !submit.byte_count)
        return true;
    return send_worker(client, LINK_SUBMIT, &submit, sizeof(submit),
                       payload + (size_t)batch->command_offset * 4, submit.byte_count, NULL, 0);
}

static void submit_cmd2(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    // Mesa's choice depends on the version it asked for, not on the one it was told.
    uint32_t stride = client->version > VTEST_MINIMUM_VERSION ? 8 : 6;
    uint32_t count = word(payload, 0);
    if (count > MAX_BATCHES || count * stride > words - 1) {
        vtest_client_fail(client, "%u batches in %u words", count, words);
        return;
    }
    struct batch batch;
    for (uint32_t i = 0; i < count; i++)
        if (!read_batch(client, payload, words, i, stride, &batch) ||
            !submit_batch(client, payload, &batch))
            return;
}

// ---- the table ------------------------------------------------------------

static const struct command {
    const char *name;
    void (*run)(struct vtest_client *client, const uint8_t *payload, uint32_t words);
    uint32_t minimum, maximum; // payload words; bytes for CREATE_RENDERER
    enum vtest_state first, last;
} commands[VTEST_COMMAND_END] = {
    [VTEST_RESOURCE_UNREF] = {"RESOURCE_UNREF", resource_unref, 1, 1, VTEST_CONTEXT, VTEST_CONTEXT},
    [VTEST_RESOURCE_BUSY_WAIT] = {"RESOURCE_BUSY_WAIT", busy_wait, 2, 2, VTEST_NAMED,
                                  VTEST_CONTEXT},
    [VTEST_CREATE_RENDERER] = {"CREATE_RENDERER", create_renderer, 1, MAX_NAME, VTEST_NEW,
                               VTEST_NEW},
    [VTEST_PING_PROTOCOL_VERSION] = {"PING_PROTOCOL_VERSION", ping, 0, 0, VTEST_NEW, VTEST_CONTEXT},
    [VTEST_PROTOCOL_VERSION] = {"PROTOCOL_VERSION", protocol_version, 1, 1, VTEST_NAMED,
                                VTEST_VERSIONED},
    [VTEST_GET_PARAM] = {"GET_PARAM", get_param, 1, 1, VTEST_VERSIONED, VTEST_CONTEXT},
    [VTEST_GET_CAPSET] = {"GET_CAPSET", get_capset, 2, 2, VTEST_VERSIONED, VTEST_CONTEXT},
    [VTEST_CONTEXT_INIT] = {"CONTEXT_INIT", context_init, 1, 1, VTEST_VERSIONED, VTEST_VERSIONED},
    [VTEST_RESOURCE_CREATE_BLOB] = {"RESOURCE_CREATE_BLOB", create_blob, 6, 6, VTEST_CONTEXT,
                                    VTEST_CONTEXT},
    [VTEST_SYNC_CREATE] = {"SYNC_CREATE", sync_create, 2, 2, VTEST_CONTEXT, VTEST_CONTEXT},
    [VTEST_SYNC_UNREF] = {"SYNC_UNREF", sync_unref, 1, 1, VTEST_CONTEXT, VTEST_CONTEXT},
    [VTEST_SYNC_READ] = {"SYNC_READ", sync_read, 1, 1, VTEST_CONTEXT, VTEST_CONTEXT},
    [VTEST_SYNC_WRITE] = {"SYNC_WRITE", sync_write, 3, 3, VTEST_CONTEXT, VTEST_CONTEXT},
    [VTEST_SYNC_WAIT] = {"SYNC_WAIT", sync_wait, 2, 2 + 3 * MAX_WAIT_SYNCS, VTEST_CONTEXT,
                         VTEST_CONTEXT},
    [VTEST_SUBMIT_CMD2] = {"SUBMIT_CMD2", submit_cmd2, 1, MAX_SUBMIT_WORDS, VTEST_CONTEXT,
                           VTEST_CONTEXT},
};

const char *vtest_command_name(uint32_t command)
{
    return command < VTEST_COMMAND_END && commands[command].name ? commands[command].name
                                                                 : "unknown command";
}

bool vtest_command_check(struct vtest_client *client, uint32_t number, uint32_t length,
                         size_t *size)
{
    const struct command *command = number < VTEST_COMMAND_END ? &commands[number] : NULL;
    if (!command || !command->run) {
        vtest_client_fail(client, "command %u", number);
        return false;
    }
    if (client->state < command->first || client->state > command->last ||
        (number >= VTEST_GET_PARAM && client->version < VTEST_MINIMUM_VERSION)) {
        vtest_client_fail(client, "not at this point of the conversation");
        return false;
    }
    if (length < command->minimum || length > command->maximum) {
        vtest_client_fail(client, "a length of %u", length);
        return false;
    }
    *size = number == VTEST_CREATE_RENDERER ? length : (size_t)length * 4;
    return true;
}

void vtest_command_run(struct vtest_client *client, uint32_t number, const uint8_t *payload,
                       size_t size)
{
    commands[number].run(client, payload,
                         (uint32_t)(number == VTEST_CREATE_RENDERER ? size : size / 4));
}
