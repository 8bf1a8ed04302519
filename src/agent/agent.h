// The host's end of the conversation with spice-vdagent, an agent that stock desktops have: a
// clipboard of text, both ways, and the size of the screen. Pure: bytes come in, bytes go out.
//
// The agent is the guest's, and hostile: what is wrong is left out, what is too long is read and
// forgotten, and nothing that it says takes more memory than a text of AGENT_MAX_TEXT.
//
// Thread: one at a time.
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_MAX_TEXT (1u << 20) // bytes

struct agent;

struct agent_callbacks {
    // Bytes for the guest, one whole message. It may be dropped, if the guest does not read.
    void (*send)(void *data, const uint8_t *bytes, size_t size);
    // The guest's person has copied a text: UTF-8 without a NUL, not empty, not ended by one.
    void (*text)(void *data, const char *text, size_t size);
};

// Says at once what it can do. Errors: NULL: out of memory.
struct agent *agent_create(const struct agent_callbacks *callbacks, void *data);
void agent_destroy(struct agent *agent);

// What the guest has written, in pieces of any size.
void agent_receive(struct agent *agent, const uint8_t *bytes, size_t size);
// The host's person has copied a text. The guest is told that there is one, and gets it when it
// asks. What is no text, as above, is left out.
void agent_offer(struct agent *agent, const char *text, size_t size);
// The guest's screen is to have this many pixels. Its monitor has such a mode already: that is
// enough for desktops on Wayland, and those on X follow their agent.
void agent_resize(struct agent *agent, uint32_t width, uint32_t height);

#endif
