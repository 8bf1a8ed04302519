// What tests ask of src/os and src/link in one word.
#ifndef TESTS_SHORT_H
#define TESTS_SHORT_H

#include "link/link.h"
#include "os/loop.h"
#include "os/shm.h"

// The mapping, or NULL.
static inline void *map_file(int fd, uint64_t offset, uint64_t size)
{
    void *address;
    os_shm_map(fd, offset, size, &address);
    return address;
}

// A loop, or NULL.
static inline struct os_loop *new_loop(void)
{
    struct os_loop *loop;
    os_loop_create(&loop);
    return loop;
}

// A link, or NULL.
static inline struct link *new_link(int fd, bool blocking)
{
    struct link *link;
    link_create(fd, blocking, &link);
    return link;
}

#endif
