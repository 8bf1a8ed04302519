// Arenas are sparse files of ARENA_SIZE; free ranges of an arena are a sorted list. Allocation is
// first fit: ranges are large (a page at least) and few compared with what happens inside them.
#include "venus/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "os/os.h"
#include "os/shm.h"

#define ARENA_SIZE (1ull << 30)

struct hole {
    struct hole *next;
    uint64_t offset, size;
};

struct pages_arena {
    struct pages_arena *next;
    int fd;
    uint64_t size;
    uint8_t *address;
    struct hole *holes; // by offset, never adjacent
};

struct venus_pages_pool {
    pthread_mutex_t lock;
    struct pages_arena *arenas;
};

struct venus_pages_pool *venus_pages_pool_create(void)
{
    struct venus_pages_pool *pool = calloc(1, sizeof(*pool));
    if (pool)
        pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void arena_destroy(struct pages_arena *arena)
{
    while (arena->holes) {
        struct hole *next = arena->holes->next;
        free(arena->holes);
        arena->holes = next;
    }
    os_shm_unmap(arena->address, arena->size);
    close(arena->fd);
    free(arena);
}

void venus_pages_pool_destroy(struct venus_pages_pool *pool)
{
    if (!pool)
        return;
    while (pool->arenas) {
        struct pages_arena *next = pool->arenas->next;
        arena_destroy(pool->arenas);
        pool->arenas = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static struct pages_arena *arena_create_with_room(uint64_t size)
{
    struct pages_arena *arena = calloc(1, sizeof(*arena));
    struct hole *hole = calloc(1, sizeof(*hole));
    uint64_t bytes = size > ARENA_SIZE ? size : ARENA_SIZE;
    if (arena && hole) {
        arena->fd = os_shm_create("hesper-arena", bytes);
        if (arena->fd >= 0) {
            arena->address = os_shm_map(arena->fd, 0, bytes);
            if (arena->address) {
                arena->size = hole->size = bytes;
                arena->holes = hole;
                return arena;
            }
            close(arena->fd);
        } else {
            errno = -arena->fd;
        }
    }
    free(hole);
    free(arena);
    return NULL;
}

// Cuts [offset, offset + size) out of the arena's holes, or returns false.
static bool take_from(struct pages_arena *arena, uint64_t size, uint64_t alignment,
                      uint64_t *offset)
{
    for (struct hole **link = &arena->holes; *link; link = &(*link)->next) {
        struct hole *hole = *link;
        // The address decides about alignment: the mapping may start anywhere.
        uintptr_t start = (uintptr_t)arena->address + hole->offset;
        uint64_t skip = (alignment - (start & (alignment - 1))) & (alignment - 1);
        if (skip > hole->size || hole->size - skip < size)
            continue;
        uint64_t rest = hole->size - skip - size;
        if (skip && rest) {
            struct hole *tail = malloc(sizeof(*tail));
            if (!tail)
                return false;
            *tail = (struct hole){
                .next = hole->next, .offset = hole->offset + skip + size, .size = rest};
            hole->next = tail;
            hole->size = skip;
            *offset = hole->offset + skip;
        } else if (skip) {
            hole->size = skip;
            *offset = hole->offset + skip;
        } else {
            *offset = hole->offset;
            hole->offset += size;
            hole->size = rest;
            if (!rest) {
                *link = hole->next;
                free(hole);
            }
        }
        return true;
    }
    return false;
}

// Returns a range to the holes. Without memory for the bookkeeping the range stays unused: lost,
// but harmless.
static void give_back(struct pages_arena *arena, uint64_t offset, uint64_t size)
{
    struct hole **link = &arena->holes, *before = NULL;
    while (*link && (*link)->offset < offset) {
        before = *link;
        link = &(*link)->next;
    }
    struct hole *after = *link;
    if (before && before->offset + before->size == offset) {
        before->size += size;
        if (after && before->offset + before->size == after->offset) {
            before->size += after->size;
            before->next = after->next;
            free(after);
        }
    } else if (after && offset + size == after->offset) {
        after->offset = offset;
        after->size += size;
    } else {
        struct hole *hole = malloc(sizeof(*hole));
        if (!hole)
            return;
        *hole = (struct hole){.next = after, .offset = offset, .size = size};
        *link = hole;
    }
}

static struct venus_pages *pages_new(int fd, uint64_t offset, uint64_t size, void *address,
                                     void *owner)
{
    struct venus_pages *pages = malloc(sizeof(*pages));
    if (!pages)
        return NULL;
    *pages = (struct venus_pages){
        .fd = fd, .offset = offset, .size = size, .address = address, .owner = owner};
    atomic_init(&pages->references, 1);
    return pages;
}

static struct venus_pages *alloc_own(uint64_t size)
{
    int fd = os_shm_create("hesper-memory", size);
    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    return venus_pages_adopt(fd, 0, size);
}

static struct venus_pages *alloc_range(struct venus_pages_pool *pool, uint64_t size,
                                       uint64_t alignment)
{
    struct venus_pages *pages = NULL;
    uint64_t offset;
    pthread_mutex_lock(&pool->lock);
    struct pages_arena *arena = pool->arenas;
    while (arena && !take_from(arena, size, alignment, &offset))
        arena = arena->next;
    if (!arena) {
        uint64_t room;
        arena = checked_add_u64(size, alignment, &room) ? arena_create_with_room(room) : NULL;
        if (arena) {
            arena->next = pool->arenas;
            pool->arenas = arena;
            if (!take_from(arena, size, alignment, &offset))
                arena = NULL;
        }
    }
    if (arena) {
        pages = pages_new(arena->fd, offset, size, arena->address + offset, arena);
        if (!pages)
            give_back(arena, offset, size);
    }
    pthread_mutex_unlock(&pool->lock);
    return pages;
}

struct venus_pages *venus_pages_alloc(struct venus_pages_pool *pool, uint64_t size,
                                      uint64_t alignment, bool own_file)
{
    uint64_t page = os_page_size(), rounded;
    if (!size || !checked_align_u64(size, page, &rounded) || rounded > INT64_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (alignment < page)
        alignment = page;
    // A mapping of a file of its own is as aligned as mmap makes it: to the page.
    if (own_file && alignment <= page)
        return alloc_own(rounded);
    if (own_file) {
        errno = EINVAL;
        return NULL;
    }
    return alloc_range(pool, rounded, alignment);
}

struct venus_pages *venus_pages_adopt(int fd, uint64_t offset, uint64_t size)
{
    void *address = os_shm_map(fd, offset, size);
    struct venus_pages *pages = address ? pages_new(fd, offset, size, address, NULL) : NULL;
    if (!pages) {
        int error = errno;
        if (address)
            os_shm_unmap(address, size);
        close(fd);
        errno = error;
    }
    return pages;
}

struct venus_pages *venus_pages_ref(struct venus_pages *pages)
{
    atomic_fetch_add(&pages->references, 1);
    return pages;
}

void venus_pages_unref(struct venus_pages_pool *pool, struct venus_pages *pages)
{
    if (!pages || atomic_fetch_sub(&pages->references, 1) != 1)
        return;
    struct pages_arena *arena = pages->owner;
    if (!arena) {
        os_shm_unmap(pages->address, pages->size);
        close(pages->fd);
    } else {
        // The next owner must see zeroes: a range that can't be emptied is cleared by hand.
        if (!os_shm_punch(arena->fd, pages->address, pages->offset, pages->size))
            memset(pages->address, 0, pages->size);
        pthread_mutex_lock(&pool->lock);
        give_back(arena, pages->offset, pages->size);
        pthread_mutex_unlock(&pool->lock);
    }
    free(pages);
}
