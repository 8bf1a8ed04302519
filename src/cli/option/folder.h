// A folder for one socket, that nobody else can reach.
#ifndef CLI_OPTION_FOLDER_H
#define CLI_OPTION_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

// Makes a folder of mode 0700 in XDG_RUNTIME_DIR, TMPDIR or /tmp, short enough for a socket's path,
// and puts the path of `name` in it into `path`. Owns: the caller removes the folder.
// Errors: false after a log line; `folder` is empty then.
bool cli_folder_make(char *folder, size_t folder_size, const char *name, char *path,
                     size_t path_size);

// A program of ours: `path` is `name` in the folder where this program lies.
// Errors: false: none is there.
bool cli_beside(const char *name, char path[4096]);

#endif
