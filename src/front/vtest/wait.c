// Waits of a client for its syncs, and the descriptors that answer them.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "front/vtest/client.h"
#include "front/vtest/protocol.h"
#include "os/clock.h"

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

// Answers a wait. `later`: not reached yet; the descriptor tells when it is. What will never be
// reached has a pipe without another end: Mesa tells its program VK_ERROR_DEVICE_LOST.
static void answer_wait(struct vtest_client *client, const struct vtest_sync_value *values,
                        uint32_t count, bool any, uint32_t timeout_ms, bool later)
{
    struct os_notifier notifier = {-1, -1};
    int error;
    bool lost = later && vtest_sync_lost(values, count);
    bool pending = later && timeout_ms && !lost;
    // A pipe: a client that waits when its context or this process ends must hear of it.
    if (pending || lost)
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
        uint32_t waits = client->syncs.wait_count;
        vtest_client_fail(
            client, "more than %u pending waits%s", waits,
            waits < client->server->options.max_waits ? ": there are no descriptors for it" : "");
        return;
    }
    vtest_client_reply(client, VTEST_SYNC_WAIT, NULL, 0);
    if (lost)
        close(notifier.write_fd);
    // The wait owns the write end; the read end is only the client's.
    vtest_client_reply_fd(client, notifier.read_fd, pending || lost);
}

bool vtest_wait_finish(struct vtest_client *client, bool now)
{
    uint32_t count = client->wait.count;
    bool reached = vtest_sync_reached(client->wait.values, count, client->wait.any);
    if (!reached && !now && !vtest_sync_lost(client->wait.values, count))
        return false;
    client->wait.count = 0;
    client->server->held_waits--;
    client->doing = "SYNC_WAIT";
    answer_wait(client, client->wait.values, count, client->wait.any, client->wait.timeout_ms,
                !reached);
    client->doing = NULL;
    return true;
}

void vtest_wait_start(struct vtest_client *client, const struct vtest_sync_value *values,
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
    client->server->held_waits++;
}
