// The options of a command line, each said once: its name, where its value goes, what --help says.
//
// Thread: one; before others start.
// Owns: texts that are taken point into the command line.
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Takes a value (NULL: none was given) for the member `to`. `label` goes in front of a complaint:
// "run". Errors: false after a log line.
typedef bool (*option_taker)(const char *label, const char *text, void *to);

enum option_kind {
    OPTION_TEXTS,
    OPTION_FLAGS,
    OPTION_COUNTS,
    OPTION_NUMBERS,
    OPTION_CHOICES,
    OPTION_TAKEN
};

// A table of these ends with {0}.
struct option_row {
    const char *name;  // without its dashes
    const char *value; // as --help calls it, like "FILE"; "[=FILE]": it may be missing; NULL: none
    const char *help;  // is broken into lines, and at '\n'; NULL: not in --help, another name
    enum option_kind kind;
    size_t at; // of the member in the object that the table is for
    uint32_t least, most;
    const char *const *choices; // ended by NULL
    option_taker take;
    char letter; // 0: none
};

// How a row ends: the member that its value goes to.
#define OPTION_TEXT(type, member) OPTION_MEMBER_(type, member, TEXTS, const char **)
// Becomes true; false; one more.
#define OPTION_FLAG(type, member) OPTION_MEMBER_(type, member, FLAGS, bool *), .most = true
#define OPTION_NO_FLAG(type, member) OPTION_MEMBER_(type, member, FLAGS, bool *)
#define OPTION_COUNT(type, member) OPTION_MEMBER_(type, member, COUNTS, unsigned *)
// A number from `from` to `to`, or one like "64k".
#define OPTION_NUMBER(type, member, from, to)                                                      \
    .kind = OPTION_NUMBERS, .least = from, .most = to,                                             \
    .at = offsetof(type, member) +                                                                 \
          0 * sizeof(char[_Generic(((type *)NULL)->member, uint32_t : 1, int : 1)])
#define OPTION_POSITIVE(type, member) OPTION_NUMBER(type, member, 1, UINT32_MAX / 2)
// An enum in the order of `names`.
#define OPTION_CHOICE(type, member, names)                                                         \
    .kind = OPTION_CHOICES, .choices = names,                                                      \
    .at = offsetof(type, member) +                                                                 \
          0 * sizeof(char[sizeof(((type *)NULL)->member) == sizeof(int) ? 1 : -1])
#define OPTION_TAKE(type, member, function)                                                        \
    .kind = OPTION_TAKEN, .take = function, .at = offsetof(type, member)
// The whole object is `to`.
#define OPTION_TAKE_WHOLE(function) .kind = OPTION_TAKEN, .take = function
#define OPTION_MEMBER_(type, member, what, pointer)                                                \
    .kind = OPTION_##what, .at = offsetof(type, member) +                                          \
                                 0 * sizeof(char[_Generic(&((type *)NULL)->member, pointer : 1)])

struct options {
    const char *program; // "hesper run": in complaints and in --help
    const char *usage;   // how --help begins
    struct {
        const struct option_row *rows;
        void *object;
    } tables[4];   // the last is {0}
    bool in_order; // the first word that is no option ends them: it is another program's
    void (*before)(void *data, int index); // is told which word comes next; may be NULL
    void *data;
};

// Every command has --help and -h.
// Returns the index of the first word that is no option; 0: --help was printed.
// Errors: -1 after a log line.
int options_read(const struct options *options, int argc, char **argv);
// NULL: there is none of this name.
const struct option_row *options_find(const struct options *options, const char *name);
bool option_value_may_miss(const struct option_row *row);

// "123", "64k", "512M", "8G". False: not a number, or more than `most`.
bool option_size(const char *text, uint64_t most, uint64_t *value);
// The index of a text among names that end with NULL; -1 after a line that names them.
int option_choice(const char *label, const char *option, const char *const *names,
                  const char *text);

#endif
