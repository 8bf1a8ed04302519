// The control socket of a running VM or server of vtest: a Unix stream socket for this user only. A
// request is a line, "NAME" or "NAME ARGUMENT"; the answer is a line of JSON, an object; {"error":
// "..."} if there is nothing better to say.
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct cli_control;
struct cli_control_answer;
struct os_loop;

// Answers a request now or later, with cli_control_answer, exactly once. `argument` is "" if there
// was none, and does not outlive the call.
typedef void (*cli_control_function)(void *data, const char *argument,
                                     struct cli_control_answer *answer);
struct cli_control_request {
    const char *name;
    const char *argument; // for messages: "FILE"; NULL: it has none
    cli_control_function function;
};

// Listens at `path`. `requests` is static and ended by a name of NULL. NULL after a log line.
struct cli_control *cli_control_create(struct os_loop *loop, const char *path,
                                       const struct cli_control_request *requests, void *data);
// Removes the socket too. Answers that are still owed become void; cli_control_answer may still be
// called for them.
void cli_control_destroy(struct cli_control *control);

// `json` is the whole answer; it is freed here.
void cli_control_answer(struct cli_control_answer *answer, struct json_writer *json);
// {"error": text}, or {"ok": true} for NULL.
void cli_control_answer_error(struct cli_control_answer *answer, const char *text);

// The other side: asks the process behind `path`. The answer's text, which the caller frees; NULL:
// `error` says why.
char *cli_control_ask(const char *path, const char *request, char *error, size_t error_size);

// Whose control socket: of a virtual machine, or of a server of vtest.
enum cli_control_kind { CLI_CONTROL_MACHINE, CLI_CONTROL_VTEST };

// Where the socket is made: FOLDER/hesper-PID.control, or .vtest, in XDG_RUNTIME_DIR, TMPDIR or
// /tmp. False: too long a path.
bool cli_control_default_path(enum cli_control_kind kind, long pid, char *path, size_t size);
// The sockets of this kind and user in the folder where one would be made here. Returns their
// number.
unsigned cli_control_list(enum cli_control_kind kind, char paths[][108], unsigned capacity);

#endif
