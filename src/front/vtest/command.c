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
#include "link/link.h"
#include "os/clock.h"
#include "os/shm.h"

enum {
    MAX_NAME = 4096, // bytes of a client's name; only the first 63 are kept
    MAX_BATCHES = 64,
    MAX_SUBMIT_WORDS = (LINK_MAX_PAYLOAD - 4096) / 4,
};

// A program whose device is lost may look at numbers for so long; meanwhile most wait for one,
// which tells them.
#define LOST_PATIENCE_NS 1000000000ull

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

// A client for whom there is no place hears nothing of a protocol, as from a server that is too old
// for it: Mesa's client makes VK_ERROR_INITIALIZATION_FAILED of that, and of nothing else.
static bool is_full(struct vtest_client *client)
{
    const struct vtest_server *server = client->server;
    return client->state < VTEST_CONTEXT && server->context_count >= server->options.max_clients;
}

static void ping(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    if (is_full(client)) {
        if (log_limit_allows(&client->server->log_limit, os_now_ns(), 50, 10000000000u))
            log_warning("context %u (%s): refused: %u others are served already (--max-clients)",
                        client->context_id, client->name, client->server->context_count);
        return;
    }
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

static void context_init(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    if (word(payload, 0) != VTEST_CAPSET_VENUS) {
        vtest_client_fail(client, "capset %u is not offered", word(payload, 0));
        return;
    }
    if (is_full(client)) {
        vtest_client_fail(client, "%u others are served already (--max-clients)",
                          client->server->context_count);
        return;
    }
    int error;
    client->renderer = renderer_create(client->server->renderers, client->context_id, client->name,
                                       client->renderer_callbacks, client, &error);
    if (!client->renderer) {
        vtest_client_fail(client, "no worker can be started: %s", strerror(-error));
        return;
    }
    client->syncs.account = renderer_account_ref(renderer_account(client->renderer));
    client->state = VTEST_CONTEXT;
    client->server->context_count++;
    log_info("context %u (%s): served by worker %ld", client->context_id, client->name,
             renderer_pid(client->renderer));
}

// ---- resources ------------------------------------------------------------

// Rings, replies and streams: our file, for the client and its worker. The client may name it in a
// ring as soon as it has our reply, and rings overtake the link: so the worker must have it first.
static void create_shared_memory(struct vtest_client *client, uint64_t size)
{
    struct renderer_account *account = renderer_account(client->renderer);
    if (!renderer_account_charge(account, LINK_MEMORY_HOST, size)) {
        vtest_client_fail(client, "%llu bytes of shared memory are more than the client may have",
                          (unsigned long long)size);
        return;
    }
    int fd = os_shm_create("hesper-shm", size);
    if (fd < 0) {
        renderer_account_discharge(account, LINK_MEMORY_HOST, size);
        vtest_client_fail(client, "no shared memory of %llu bytes: %s", (unsigned long long)size,
                          strerror(-fd));
        return;
    }
    uint32_t id = vtest_resource_add(client, size);
    if (!id) {
        renderer_account_discharge(account, LINK_MEMORY_HOST, size);
        vtest_client_fail(client, "more than %u resources", client->server->options.max_resources);
        close(fd);
        return;
    }
    client->blob.id = id;
    client->blob.fd = fd;
    renderer_attach(client->renderer, id, LINK_RESOURCE_SHM, fd, 0, (uint64_t)os_shm_size(fd),
                    &client->blob.asked);
}

// A VkDeviceMemory: the worker has the file. Until it answers the client waits for its reply.
static void export_memory(struct vtest_client *client, uint32_t flags, uint64_t size,
                          uint64_t memory_id)
{
    uint32_t id = vtest_resource_add(client, 0);
    if (!id) {
        vtest_client_fail(client, "more than %u resources", client->server->options.max_resources);
        return;
    }
    client->blob.id = id;
    renderer_export(client->renderer, id, memory_id, flags, size, &client->blob.asked);
}

static void reply_blob(struct vtest_client *client, int fd)
{
    uint32_t id = client->blob.id;
    client->blob.id = 0;
    client->blob.fd = -1;
    vtest_client_reply(client, VTEST_RESOURCE_CREATE_BLOB, &id, 1);
    vtest_client_reply_fd(client, fd, true);
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

void vtest_command_answered(struct vtest_client *client, int error,
                            const struct renderer_memory *memory)
{
    client->doing = "RESOURCE_CREATE_BLOB";
    if (!error && !memory)
        reply_blob(client, client->blob.fd);
    else if (!error && !memory->offset)
        reply_blob(client, memory->fd);
    else if (error == -ENOMEM)
        reply_nothing(client);
    else if (error)
        vtest_client_fail(client, "the worker cannot export the memory: %s", strerror(-error));
    else {
        vtest_client_fail(client, "the worker exported something else");
        close(memory->fd);
    }
    client->doing = NULL;
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
    renderer_detach(client->renderer, id);
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
    if (vtest_sync_lost_for(sync) > LOST_PATIENCE_NS) {
        vtest_client_fail(client, "its device is lost, and it asks nothing that would tell it so");
        return;
    }
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
// Valid until the next call. NULL: the client has failed.
static const struct vtest_sync_value *
read_values(struct vtest_client *client, const uint8_t *payload, uint32_t first, uint32_t count)
{
    if (count > client->value_capacity) {
        struct vtest_sync_value *larger = realloc(client->values, count * sizeof(*larger));
        if (!larger) {
            vtest_client_fail(client, "out of memory");
            return NULL;
        }
        client->values = larger;
        client->value_capacity = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        client->values[i].sync = find_sync(client, word(payload, first + i * 3));
        client->values[i].value = long_word(payload, first + i * 3 + 1);
        if (!client->values[i].sync)
            return NULL;
    }
    return client->values;
}

static void sync_wait(struct vtest_client *client, const uint8_t *payload, uint32_t words)
{
    uint32_t flags = word(payload, 0), count = (words - 2) / 3;
    const struct vtest_sync_value *values;
    if ((words - 2) % 3)
        vtest_client_fail(client, "%u words are no list of syncs", words);
    else if (flags & ~(uint32_t)VTEST_WAIT_ANY)
        vtest_client_fail(client, "wait flags 0x%x are not known", flags);
    else if (!count)
        vtest_wait_start(client, NULL, 0, flags & VTEST_WAIT_ANY, word(payload, 1));
    else if ((values = read_values(client, payload, 2, count)))
        vtest_wait_start(client, values, count, flags & VTEST_WAIT_ANY, word(payload, 1));
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
    else if (batch->sync_count > VTEST_MAX_SYNCS)
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
    struct renderer_fence *fence = NULL;
    // Without a timeline the syncs are due when the commands are executed, as on timeline 0.
    uint32_t timeline = batch->flags & VTEST_BATCH_RING_IDX ? batch->ring_idx : 0;
    if (batch->sync_count) {
        const struct vtest_sync_value *values =
            read_values(client, payload, batch->sync_offset, batch->sync_count);
        if (!values)
            return false;
        fence = vtest_fence_create(&client->syncs, values, batch->sync_count);
        if (!fence) {
            vtest_client_fail(client, "out of memory for a submission");
            return false;
        }
    }
    if (fence || batch->command_size)
        renderer_submit(client->renderer, timeline, fence,
                        payload + (size_t)batch->command_offset * 4, batch->command_size * 4ull);
    return true;
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
    [VTEST_SYNC_WAIT] = {"SYNC_WAIT", sync_wait, 2, 2 + 3 * VTEST_MAX_SYNCS, VTEST_CONTEXT,
                         VTEST_CONTEXT},
    [VTEST_SUBMIT_CMD2] = {"SUBMIT_CMD2", submit_cmd2, 1, MAX_SUBMIT_WORDS, VTEST_CONTEXT,
                           VTEST_CONTEXT},
};

const char *vtest_command_name(uint32_t number)
{
    return number < VTEST_COMMAND_END && commands[number].name ? commands[number].name
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
