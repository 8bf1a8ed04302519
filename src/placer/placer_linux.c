// Linux tells in /proc/self/maps what is mapped in this process.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "placer/platform.h"

int platform_open_maps(void)
{
    return open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
}

// "start-end perms offset major:minor inode path"
static bool parse_mapping(const char *line, struct mapping *mapping)
{
    unsigned long long start, end, offset, inode;
    unsigned major_number, minor_number;
    char permissions[5];
    if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &start, &end, permissions, &offset,
               &major_number, &minor_number, &inode) != 7)
        return false;
    *mapping = (struct mapping){start, end, offset, {makedev(major_number, minor_number), inode}};
    return true;
}

bool platform_walk(int maps, bool (*visit)(void *data, const struct mapping *mapping), void *data)
{
    enum { CHUNK = 1 << 16 };
    char *buffer = malloc(CHUNK + 1);
    if (!buffer || maps < 0 || lseek(maps, 0, SEEK_SET) < 0) {
        free(buffer);
        return false;
    }
    size_t held = 0;
    bool more = true;
    while (more) {
        ssize_t got = read(maps, buffer + held, CHUNK - held);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        held += (size_t)got;
        buffer[held] = 0;
        char *line = buffer, *end;
        while (more && (end = strchr(line, '\n'))) {
            *end = 0;
            struct mapping mapping;
            more = !parse_mapping(line, &mapping) || visit(data, &mapping);
            line = end + 1;
        }
        held -= (size_t)(line - buffer);
        memmove(buffer, line, held);
    }
    free(buffer);
    return true;
}

// The kernel's answer for one address (Linux 6.11), a thousand times faster than reading all of
// them.
struct mapping_query {
    uint64_t size, flags, address;
    uint64_t start, end, vma_flags, page_size, offset, inode;
    uint32_t major_number, minor_number, name_size, build_id_size;
    uint64_t name, build_id;
};
#define MAPPING_QUERY _IOWR('f', 17, struct mapping_query)

int platform_file_at(int maps, const void *address, struct file_id *id)
{
    struct mapping_query query = {.size = sizeof(query), .address = (uintptr_t)address};
    if (ioctl(maps, MAPPING_QUERY, &query) < 0)
        return errno == ENOENT ? 0 : -1;
    *id = (struct file_id){makedev(query.major_number, query.minor_number), query.inode};
    return 1;
}

void platform_prepare_socket(int fd)
{
    // MSG_NOSIGNAL does it.
}

// Every isolated placement costs two mappings of the process; QEMU needs some thousands for itself.
uint32_t platform_max_placements(void)
{
    unsigned long limit = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu", &limit) != 1)
        limit = 0;
    fclose(file);
    if (limit > UINT32_MAX)
        limit = UINT32_MAX;
    return limit > 16384 ? (uint32_t)(limit / 2 - 4096) : (uint32_t)(limit / 4);
}

const char *platform_program_name(void)
{
    return program_invocation_short_name;
}

char *platform_next_argument(struct platform_arguments *arguments)
{
    char *argument = NULL;
    size_t capacity = 0;
    if (!arguments->handle && !arguments->next++)
        arguments->handle = fopen("/proc/self/cmdline", "re");
    if (arguments->handle && getdelim(&argument, &capacity, 0, arguments->handle) > 0)
        return argument;
    free(argument);
    if (arguments->handle)
        fclose(arguments->handle);
    arguments->handle = NULL;
    return NULL;
}
