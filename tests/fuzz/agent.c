// libFuzzer target: an agent in a guest that says anything, in pieces of any size, while a person
// of the host copies and resizes now and then. What goes to the guest must be whole chunks, and
// what comes to the host must be a text.
#include "agent/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"

// In place of base/log.c: a fuzzer's log is of no interest, and slow.
void log_write(enum log_level level, const char *format, ...)
{
}

enum log_level log_get_level(void)
{
    return LOG_ERROR;
}

static void check(bool good)
{
    if (!good)
        abort();
}

static void on_send(void *data, const uint8_t *bytes, size_t size)
{
    while (size) {
        check(size > 8 && bytes[0] == 1);
        size_t part = bytes[4] | (size_t)bytes[5] << 8;
        check(part && part <= 2048 && part <= size - 8 && !bytes[6] && !bytes[7]);
        bytes += 8 + part;
        size -= 8 + part;
    }
}

static void on_text(void *data, const char *text, size_t size)
{
    check(size && size <= AGENT_MAX_TEXT && utf8_is_text(text, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct agent_callbacks callbacks = {.send = on_send, .text = on_text};
    struct agent *agent = agent_create(&callbacks, NULL);
    check(agent);
    // A byte says how much follows at once; 0: the host's person copies what follows.
    while (size) {
        size_t part = *data++;
        bool offers = !part;
        size--;
        if (offers)
            part = 9;
        part = part < size ? part : size;
        if (offers) {
            agent_resize(agent, (uint32_t)size, (uint32_t)part);
            agent_offer(agent, (const char *)data, part);
        } else {
            agent_receive(agent, data, part);
        }
        data += part;
        size -= part;
    }
    agent_destroy(agent);
    return 0;
}
