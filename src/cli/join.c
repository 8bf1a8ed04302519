#include "cli/join.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/device/control.h"
#include "os/socket.h"

bool cli_join(const char *command, const char *control, struct cli_joined *joined)
{
    struct cli_reply reply;
    int ends[2], error = os_socket_pair(ends);
    if (error) {
        log_error("%s: no socket: %s", command, strerror(-error));
        return false;
    }
    bool good = cli_control_ask(control, "join", ends[1], &reply);
    close(ends[1]);
    if (good) {
        joined->fd = ends[0];
        joined->connected = json_get_bool(reply.root, "connected");
        joined->outputs_on = (uint32_t)json_get_number(reply.root, "outputs_on");
    } else {
        log_error("%s: the machine at '%s' cannot be looked at: %s", command, control, reply.error);
        close(ends[0]);
    }
    free(reply.text);
    return good;
}
