// The control socket of a running VM or vtest server: a Unix stream socket for this user only. A
// request is a line, "NAME" or "NAME ARGUMENT", and may bring a descriptor. The answer is a line
// with a JSON object; {"error":
// "..."} if the request fails.
//
// Thread: the loop's.
#ifndef CLI_DEVICE_CONTROL_H
#define CLI_DEVICE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct cli_control;
struct cli_control_answer;
struct os_loop;

// Carries a request out, and answers it with cli_control_answer, now or later, exactly once.
// `argument` is
// "" if there was none, and valid during the call.
typedef void (*cli_control_function)(void *data, const char *argument,
                                     struct cli_control_answer *answer);
struct cli_control_request {
    const char *name;
    const char *argument; // for messages: "FILE"; NULL: it has none
    cli_control_function function;
};

// Listens at `path`. A name of NULL ends `requests`, which is static.
// Errors: NULL after a log line.
struct cli_control *cli_control_create(struct os_loop *loop, const char *path,
                                       const struct cli_control_request *requests, void *data);
// Removes the socket too. Requests that are not answered yet become void; cli_control_answer may
// still be called for them.
void cli_control_destroy(struct cli_control *control);

// The descriptor that came with the request becomes the caller's; -1: none did.
int cli_control_take_fd(struct cli_control_answer *answer);

// `json` is the whole answer. Owns: it is freed here.
void cli_control_answer(struct cli_control_answer *answer, struct json_writer *json);
// {"error": text}, or {"ok": true} for NULL.
void cli_control_answer_error(struct cli_control_answer *answer, const char *text);

// The other side: asks the process behind `path`. `passed` goes with the request; -1: nothing does.
// Owns: the caller frees `reply->text`, and keeps the descriptor.
// Errors: false, and the reply says why: it has an "error", or none came.
struct cli_reply {
    char *text; // NULL: none came
    struct json root;
    char error[256];
};
bool cli_control_ask(const char *path, const char *request, int passed, struct cli_reply *reply);

// Whose control socket it is: a virtual machine's, or a vtest server's.
enum cli_control_kind { CLI_CONTROL_MACHINE, CLI_CONTROL_VTEST };

// Where the socket is made: FOLDER/hesper-PID.control, or .vtest, in XDG_RUNTIME_DIR, TMPDIR or
// /tmp. Errors: false, the path is too long.
bool cli_control_default_path(enum cli_control_kind kind, long pid, char *path, size_t size);
// Lists the sockets of this kind and user in the folder where one would be made now. Returns their
// number.
unsigned cli_control_list(enum cli_control_kind kind, char paths[][108], unsigned capacity);
// The socket `control`; NULL: those of all machines and servers of this user. Returns their number,
// 0 after a log line. `label` goes in front of that.
unsigned cli_control_find(const char *label, const char *control, char paths[][108],
                          unsigned capacity);

#endif
