#include "cli/option/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/os.h"

bool cli_beside(const char *name, char path[4096])
{
    char self[4096];
    char *end = os_self_path(self, sizeof(self)) == 0 ? strrchr(self, '/') : NULL;
    if (!end)
        return false;
    *end = 0;
    return snprintf(path, 4096, "%s/%s", self, name) < 4096 && access(path, X_OK) == 0;
}

bool cli_folder_make(char *folder, size_t folder_size, const char *name, char *path,
                     size_t path_size)
{
    const char *bases[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if (!bases[i] || bases[i][0] != '/' ||
            snprintf(folder, folder_size, "%s/hesper-XXXXXX", bases[i]) >= (int)folder_size)
            continue; // a socket's path has room for about 100 bytes
        if (mkdtemp(folder)) {
            snprintf(path, path_size, "%s/%s", folder, name);
            return true;
        }
    }
    folder[0] = 0;
    log_error("no folder for the socket can be made in XDG_RUNTIME_DIR, TMPDIR or /tmp: %s",
              strerror(errno));
    return false;
}
