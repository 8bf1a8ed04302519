// Writes Venus commands that are mostly valid, by the tables of the codec: one that uses objects
// that exist, values that vk.xml names and counts that agree.
#ifndef FUZZ_GRAMMAR_H
#define FUZZ_GRAMMAR_H

#include "venus/context.h"

enum { GRAMMAR_ROOM = 32768, GRAMMAR_IDS = 64 };

// A value for all members of a name, instead of one made up.
struct grammar_wish {
    const char *name;
    uint64_t value;
};

struct grammar {
    uint64_t random;
    uint64_t next_id;
    uint64_t ids[WIRE_HANDLE_COUNT][GRAMMAR_IDS]; // the newest of each type; 0: none
    const struct grammar_wish *wishes;            // ended by name NULL; NULL: none
    bool plain;                                   // no chains

    uint8_t bytes[GRAMMAR_ROOM];
    size_t size;

    // Private to grammar.c.
    enum wire_command command;
    enum wire_handle needed; // the command cannot be written without one
    bool given_up;
    struct venus_context *context;
    struct venus_device *device;
    bool has_device;
    const struct venus_object *pool;
    struct arena arena;
};

void grammar_init(struct grammar *grammar);
void grammar_finish(struct grammar *grammar);

uint64_t grammar_random(struct grammar *grammar);
// Writes a command into `bytes`. `context` is looked at for the objects that there are.
// Errors: false: it was given up; then `needed` is the type of an object that has to be made first,
// or 0.
bool grammar_write(struct grammar *grammar, struct venus_context *context,
                   enum wire_command command, uint32_t flags);
// A command that makes objects of the type; 0: there is none.
enum wire_command grammar_maker(enum wire_handle type);

#endif
