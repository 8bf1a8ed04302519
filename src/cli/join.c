#include "cli/join.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/device/control.h"
#include "os/socket.h"

bool cli_join(const char *command, const char *control, struct cli_joined *joined)
{
    char text[256] = "its answer is not understood";
    struct json whole, member;
    int ends[2], error = os_socket_pair(ends);
    int64_t on = 0;
    if (error) {
        log_error("%s: no socket: %s", command, strerror(-error));
        return false;
    }
    char *answer = cli_control_ask(control, "join", ends[1], text, sizeof(text));
    close(ends[1]);
    bool parsed = answer && json_parse(answer, strlen(answer), &whole);
    bool good = parsed && json_member(whole, "ok", &member);
    if (parsed && json_member(whole, "error", &member))
        json_copy(member, text, sizeof(text));
    if (good) {
        joined->fd = ends[0];
        joined->connected = json_member(whole, "connected", &member) && json_is(member, 't');
        if (json_member(whole, "outputs_on", &member))
            json_integer(member, &on);
        joined->outputs_on = (uint32_t)on;
    } else {
        log_error("%s: the machine at '%s' cannot be looked at: %s", command, control, text);
        close(ends[0]);
    }
    free(answer);
    return good;
}
