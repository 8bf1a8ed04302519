// hesper starter: starts processes for a device process that may start none any more.
#include "os/starter.h"

#include <fcntl.h>

#include "base/log.h"
#include "cli/cli.h"
#include "os/process.h"

int cli_starter(int argc, char **argv)
{
    if (argc > 1 || fcntl(OS_CHILD_FD, F_GETFD) < 0) {
        log_error("starter: hesper starts it itself");
        return CLI_USAGE;
    }
    return os_starter_main();
}
