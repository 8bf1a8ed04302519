// macOS has no file that lists the mappings, and its shared memory has neither inode nor name to
// tell files apart by. The device process says where the aperture is, and placer.c looks whether
// that is true. This file has never been run.
#include <crt_externs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "placer/platform.h"

int platform_open_maps(void)
{
    return -1;
}

bool platform_walk(int maps, bool (*visit)(void *data, const struct mapping *mapping), void *data)
{
    return false;
}

int platform_file_at(int maps, const void *address, struct file_id *id)
{
    return -1;
}

void platform_prepare_socket(int fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
}

uint32_t platform_max_placements(void)
{
    return 0; // no limit is known
}

const char *platform_program_name(void)
{
    return getprogname();
}

char *platform_next_argument(struct platform_arguments *arguments)
{
    return arguments->next < *_NSGetArgc() ? strdup((*_NSGetArgv())[arguments->next++]) : NULL;
}
