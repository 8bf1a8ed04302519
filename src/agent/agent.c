#include "agent/agent.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"

// The protocol's numbers; all of it is little-endian. A message travels in chunks.
enum {
    CHUNK_HEADER = 8, // port, size
    CHUNK_DATA = 2048,
    PORT_CLIENT = 1,
    MESSAGE_HEADER = 20, // protocol, type, opaque (8), size
    PROTOCOL = 1,

    MONITORS = 2,  // their sizes and places
    CLIPBOARD = 4, // a text
    CAPABILITIES = 6,
    GRAB = 7,    // there is one
    REQUEST = 8, // give it
    MAX_CLIPBOARD = 14,

    CAP_MONITORS = 1 << 1,
    CAP_BY_DEMAND = 1 << 5,
    CAP_SELECTION = 1 << 6,
    CAP_MAX_CLIPBOARD = 1 << 10,

    SELECTION = 4, // which clipboard, where both can CAP_SELECTION; 0: that of Ctrl-C
    TYPE_NONE = 0,
    TYPE_TEXT = 1,

    // The size of the longest message that is kept.
    MAX_MESSAGE = SELECTION + 4 + AGENT_MAX_TEXT,
};

struct agent {
    struct agent_callbacks callbacks;
    void *data;

    // Reading.
    uint8_t chunk[CHUNK_HEADER], header[MESSAGE_HEADER];
    unsigned chunk_held, header_held;
    uint32_t chunk_left;
    bool ours; // the chunk is for us
    uint32_t message_size, message_taken;
    uint8_t *message; // as far as it has come; NULL: it is left out
    size_t message_room;

    uint32_t capabilities; // the guest's; 0: it has not said yet
    bool asked;            // for the guest's text
    char *offer;           // the host's text; NULL: the guest's is newer, or there is none
    size_t offer_size;
    uint32_t width, height; // of the screen; 0: as the guest likes
};

static uint32_t get32(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

// ---- to the guest ---------------------------------------------------------

// Cuts header and parts into chunks, in place: `bytes` begins with room for all of their headers.
static bool send(struct agent *agent, uint32_t type, const uint8_t *head, size_t head_size,
                 const char *text, size_t text_size)
{
    size_t size = MESSAGE_HEADER + head_size + text_size;
    size_t chunks = (size + CHUNK_DATA - 1) / CHUNK_DATA;
    uint8_t *bytes = calloc(1, size + chunks * CHUNK_HEADER);
    if (!bytes) {
        log_warning("out of memory for a message to the guest's agent");
        return false;
    }
    uint8_t *whole = bytes + chunks * CHUNK_HEADER, *to = bytes;
    put32(whole, PROTOCOL);
    put32(whole + 4, type);
    put32(whole + 16, (uint32_t)(head_size + text_size));
    memcpy(whole + MESSAGE_HEADER, head, head_size);
    if (text_size)
        memcpy(whole + MESSAGE_HEADER + head_size, text, text_size);
    for (size_t done = 0; done < size;) {
        size_t part = size - done < CHUNK_DATA ? size - done : CHUNK_DATA;
        put32(to, PORT_CLIENT);
        put32(to + 4, (uint32_t)part);
        memmove(to + CHUNK_HEADER, whole + done, part);
        to += CHUNK_HEADER + part;
        done += part;
    }
    agent->callbacks.send(agent->data, bytes, (size_t)(to - bytes));
    free(bytes);
    return true;
}

static bool say_capabilities(struct agent *agent, bool ask)
{
    uint8_t body[8];
    put32(body, ask);
    put32(body + 4, CAP_MONITORS | CAP_BY_DEMAND | CAP_SELECTION | CAP_MAX_CLIPBOARD);
    return send(agent, CAPABILITIES, body, sizeof(body), NULL, 0);
}

// A message about the clipboard of Ctrl-C: its type, and a text.
static void say(struct agent *agent, uint32_t message, uint32_t type, const char *text, size_t size)
{
    uint8_t body[SELECTION + 4] = {0};
    size_t skip = agent->capabilities & CAP_SELECTION ? 0 : SELECTION;
    put32(body + SELECTION, type);
    send(agent, message, body + skip, sizeof(body) - skip, text, size);
}

void agent_offer(struct agent *agent, const char *text, size_t size)
{
    if (!size || size > AGENT_MAX_TEXT || !utf8_is_text(text, size))
        return;
    char *copy = malloc(size);
    if (!copy) {
        log_warning("out of memory for a text that was copied");
        return;
    }
    memcpy(copy, text, size);
    free(agent->offer);
    agent->offer = copy;
    agent->offer_size = size;
    agent->asked = false; // what the guest had is old
    if (agent->capabilities)
        say(agent, GRAB, TYPE_TEXT, NULL, 0);
}

static void say_size(struct agent *agent)
{
    uint8_t body[28] = {1}; // one monitor, at 0, 0
    put32(body + 8, agent->height);
    put32(body + 12, agent->width);
    put32(body + 16, 32); // bits of a pixel
    if (agent->capabilities & CAP_MONITORS && agent->width)
        send(agent, MONITORS, body, sizeof(body), NULL, 0);
}

void agent_resize(struct agent *agent, uint32_t width, uint32_t height)
{
    agent->width = width;
    agent->height = height;
    say_size(agent);
}

// ---- from the guest -------------------------------------------------------

static void take_capabilities(struct agent *agent, const uint8_t *body, size_t size)
{
    if (size < 8)
        return;
    agent->capabilities = get32(body + 4);
    agent->asked = false;
    if (get32(body))
        say_capabilities(agent, false);
    if (agent->capabilities & CAP_MAX_CLIPBOARD) {
        uint8_t most[4];
        put32(most, AGENT_MAX_TEXT);
        send(agent, MAX_CLIPBOARD, most, sizeof(most), NULL, 0);
    }
    say_size(agent);
    if (agent->capabilities && agent->offer)
        say(agent, GRAB, TYPE_TEXT, NULL, 0);
}

static void take_grab(struct agent *agent, const uint8_t *types, size_t size)
{
    free(agent->offer);
    agent->offer = NULL;
    agent->asked = false;
    for (size_t i = 0; i + 4 <= size && !agent->asked; i += 4)
        agent->asked = get32(types + i) == TYPE_TEXT;
    if (agent->asked)
        say(agent, REQUEST, TYPE_TEXT, NULL, 0);
}

static void take_text(struct agent *agent, const uint8_t *body, size_t size)
{
    if (!agent->asked || size < 4 || get32(body) != TYPE_TEXT)
        return;
    const char *text = (const char *)body + 4;
    size -= 4;
    agent->asked = false;
    if (size && !text[size - 1]) // some end it so
        size--;
    if (size && size <= AGENT_MAX_TEXT && utf8_is_text(text, size))
        agent->callbacks.text(agent->data, text, size);
}

static void take_message(struct agent *agent)
{
    const uint8_t *body = agent->message;
    uint32_t type = get32(agent->header + 4);
    size_t size = agent->message_size;
    if (type == CAPABILITIES) {
        take_capabilities(agent, body, size);
        return;
    }
    if (type != CLIPBOARD && type != GRAB && type != REQUEST)
        return;
    if (agent->capabilities & CAP_SELECTION) {
        if (size < SELECTION || body[0])
            return; // that of the middle button
        body += SELECTION;
        size -= SELECTION;
    }
    if (type == GRAB)
        take_grab(agent, body, size);
    else if (type == CLIPBOARD)
        take_text(agent, body, size);
    else if (size >= 4 && get32(body) == TYPE_TEXT && agent->offer)
        say(agent, CLIPBOARD, TYPE_TEXT, agent->offer, agent->offer_size);
    else
        say(agent, CLIPBOARD, TYPE_NONE, NULL, 0);
}

static void end_message(struct agent *agent)
{
    if (agent->message || !agent->message_size)
        take_message(agent);
    free(agent->message);
    agent->message = NULL;
    agent->message_room = 0;
    agent->header_held = 0;
}

static void begin_message(struct agent *agent)
{
    uint32_t type = get32(agent->header + 4);
    agent->message_size = get32(agent->header + 16);
    agent->message_taken = 0;
    bool known = get32(agent->header) == PROTOCOL &&
                 (type == CAPABILITIES || type == CLIPBOARD || type == GRAB || type == REQUEST);
    if (known && agent->message_size <= MAX_MESSAGE) {
        agent->message_room = agent->message_size < CHUNK_DATA ? agent->message_size : CHUNK_DATA;
        agent->message = agent->message_room ? malloc(agent->message_room) : NULL;
    } else if (known) {
        log_debug("the guest's clipboard is longer than %u bytes", AGENT_MAX_TEXT);
    }
    if (!agent->message_size)
        end_message(agent);
}

// Memory is taken as bytes come, not as they are promised.
static void keep(struct agent *agent, const uint8_t *bytes, size_t size)
{
    size_t needed = agent->message_taken + size;
    if (agent->message && needed > agent->message_room) {
        size_t room = 2 * needed < agent->message_size ? 2 * needed : agent->message_size;
        uint8_t *larger = realloc(agent->message, room);
        if (!larger) {
            free(agent->message);
            agent->message = NULL;
        } else {
            agent->message = larger;
            agent->message_room = room;
        }
    }
    if (agent->message)
        memcpy(agent->message + agent->message_taken, bytes, size);
    agent->message_taken += (uint32_t)size;
    if (agent->message_taken == agent->message_size)
        end_message(agent);
}

// Fills a header. Returns how many bytes it took; `*held` is `size` when it is whole.
static size_t fill(uint8_t *header, unsigned *held, size_t size, const uint8_t *bytes, size_t there)
{
    size_t part = size - *held < there ? size - *held : there;
    memcpy(header + *held, bytes, part);
    *held += (unsigned)part;
    return part;
}

// Bytes of messages, of which chunks say nothing more.
static void take_bytes(struct agent *agent, const uint8_t *bytes, size_t size)
{
    while (size) {
        size_t part;
        if (agent->header_held < MESSAGE_HEADER) {
            part = fill(agent->header, &agent->header_held, MESSAGE_HEADER, bytes, size);
            if (agent->header_held == MESSAGE_HEADER)
                begin_message(agent);
        } else {
            part = agent->message_size - agent->message_taken;
            part = part < size ? part : size;
            keep(agent, bytes, part);
        }
        bytes += part;
        size -= part;
    }
}

void agent_receive(struct agent *agent, const uint8_t *bytes, size_t size)
{
    while (size) {
        size_t part;
        if (!agent->chunk_left) {
            part = fill(agent->chunk, &agent->chunk_held, CHUNK_HEADER, bytes, size);
            if (agent->chunk_held == CHUNK_HEADER) {
                agent->chunk_held = 0;
                agent->ours = get32(agent->chunk) == PORT_CLIENT;
                agent->chunk_left = get32(agent->chunk + 4);
            }
        } else {
            part = agent->chunk_left < size ? agent->chunk_left : size;
            if (agent->ours)
                take_bytes(agent, bytes, part);
            agent->chunk_left -= (uint32_t)part;
        }
        bytes += part;
        size -= part;
    }
}

// ---- life -----------------------------------------------------------------

struct agent *agent_create(const struct agent_callbacks *callbacks, void *data)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    if (!agent)
        return NULL;
    agent->callbacks = *callbacks;
    agent->data = data;
    if (say_capabilities(agent, true))
        return agent;
    agent_destroy(agent);
    return NULL;
}

void agent_destroy(struct agent *agent)
{
    if (!agent)
        return;
    free(agent->message);
    free(agent->offer);
    free(agent);
}
