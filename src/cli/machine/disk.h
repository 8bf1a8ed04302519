// Disks of a machine, as a person says them: FILE[,readonly] or FILE[,size=SIZE].
//
// Thread: any.
#ifndef CLI_MACHINE_DISK_H
#define CLI_MACHINE_DISK_H

#include <stdbool.h>

#include "cli/option/arguments.h"

// Is the text one of these? A file that is there may have any name.
// Errors: false after a log line.
bool cli_disk_parse(const char *label, const char *disk);
// Can the disk be had as it was said? One with a size may be missing.
// Errors: false after a log line.
bool cli_disk_check(const char *disk);
// Makes one with a size, empty, if it is not there. Errors: as above.
bool cli_disk_make(const char *disk);
void cli_disk_add(const char *disk, struct cli_arguments *arguments);
// Owns: the caller frees it. Errors: NULL: out of memory.
char *cli_disk_file(const char *disk, bool *read_only);

#endif
