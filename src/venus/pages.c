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
#include "venus/ledger.h"

#define ARENA_SIZE (1ull << 30)
// What a guest frees of these sizes is kept, one at a time: a page that is there costs those who
// touch it a third of a new one, and programs that upload ask for the same size again and again.
#define LEAST_KEPT (64u << 10)
#define MOST_KEPT (16u << 20)
// The guest is refused memory before the driver, the link and attached resources lack descriptors.
#define MOST_KEPT_FDS 512

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
    size_t most_fd; // files with higher numbers are for others than a guest's allocations
    pthread_mutex_t lock;
    struct pages_arena *arenas;
    struct venus_pages *kept; // without a reference; NULL: none
    bool kept_is_old;
};

struct venus_pages_pool *venus_pages_pool_create(void)
{
    struct venus_pages_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    size_t limit = os_file_limit();
    pool->most_fd = limit - (limit / 4 < MOST_KEPT_FDS ? limit / 4 : MOST_KEPT_FDS);
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

static void pages_end(struct venus_pages_pool *pool, struct venus_pages *pages);

void venus_pages_pool_destroy(struct venus_pages_pool *pool)
{
    if (!pool)
        return;
    pages_end(pool, pool->kept);
    while (pool->arenas) {
        struct pages_arena *next = pool->arenas->next;
        arena_destroy(pool->arenas);
        pool->arenas = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static int arena_create_with_room(uint64_t size, struct pages_arena **created)
{
    struct pages_arena *arena = calloc(1, sizeof(*arena));
    struct hole *hole = calloc(1, sizeof(*hole));
    uint64_t bytes = size > ARENA_SIZE ? size : ARENA_SIZE;
    void *address = NULL;
    int fd = arena && hole ? os_shm_create("hesper-arena", bytes) : -ENOMEM;
    int error = fd < 0 ? fd : os_shm_map(fd, 0, bytes, &address);
    if (error) {
        if (fd >= 0)
            close(fd);
        free(hole);
        free(arena);
        return error;
    }
    *hole = (struct hole){.size = bytes};
    arena->fd = fd;
    arena->address = address;
    arena->size = bytes;
    arena->holes = hole;
    *created = arena;
    return 0;
}

// Cuts [offset, offset + size) out of the arena's holes, or returns false.
static bool take_from(struct pages_arena *arena, uint64_t size, uint64_t alignment,
                      uint64_t *offset)
{
    for (struct hole **at = &arena->holes; *at; at = &(*at)->next) {
        struct hole *hole = *at;
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
                *at = hole->next;
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
    struct hole **at = &arena->holes, *before = NULL;
    while (*at && (*at)->offset < offset) {
        before = *at;
        at = &(*at)->next;
    }
    struct hole *after = *at;
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
        *at = hole;
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

// A new descriptor has the lowest number that is free: it says how many there are.
static int alloc_own(struct venus_pages_pool *pool, uint64_t size, struct venus_pages **pages)
{
    int fd = os_shm_create("hesper-memory", size);
    if (fd < 0)
        return fd;
    if ((size_t)fd < pool->most_fd)
        return venus_pages_adopt(fd, 0, size, pages);
    close(fd);
    return -EMFILE;
}

// An arena that has the range, cut out of it. The pool is locked.
static int find_range(struct venus_pages_pool *pool, uint64_t size, uint64_t alignment,
                      uint64_t *offset, struct pages_arena **found)
{
    for (struct pages_arena *arena = pool->arenas; arena; arena = arena->next)
        if (take_from(arena, size, alignment, offset))
            return *found = arena, 0;
    uint64_t room;
    int error =
        checked_add_u64(size, alignment, &room) ? arena_create_with_room(room, found) : -ENOMEM;
    if (error)
        return error;
    (*found)->next = pool->arenas;
    pool->arenas = *found;
    return take_from(*found, size, alignment, offset) ? 0 : -ENOMEM;
}

static int alloc_range(struct venus_pages_pool *pool, uint64_t size, uint64_t alignment,
                       struct venus_pages **pages)
{
    uint64_t offset;
    struct pages_arena *arena;
    pthread_mutex_lock(&pool->lock);
    int error = find_range(pool, size, alignment, &offset, &arena);
    if (!error) {
        *pages = pages_new(arena->fd, offset, size, arena->address + offset, arena);
        if (!*pages) {
            give_back(arena, offset, size);
            error = -ENOMEM;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return error;
}

static bool is_like(const struct venus_pages *pages, uint64_t size, uint64_t alignment,
                    enum venus_pages_use use)
{
    return pages && pages->size == size && use != VENUS_PAGES_SHARED &&
           !pages->owner == (use == VENUS_PAGES_OWN_FILE) &&
           !((uintptr_t)pages->address & (alignment - 1));
}

static struct venus_pages *take_kept(struct venus_pages_pool *pool, uint64_t size,
                                     uint64_t alignment, enum venus_pages_use use)
{
    struct venus_pages *found = NULL;
    pthread_mutex_lock(&pool->lock);
    if (is_like(pool->kept, size, alignment, use)) {
        found = pool->kept;
        pool->kept = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!found || !os_shm_clear(found->fd, found->address, found->offset, found->size))
        return found;
    pages_end(pool, found);
    return NULL;
}

int venus_pages_alloc(struct venus_pages_pool *pool, uint64_t size, uint64_t alignment,
                      enum venus_pages_use use, struct venus_pages **pages)
{
    uint64_t page = os_page_size(), rounded;
    *pages = NULL;
    if (!size || !checked_align_u64(size, page, &rounded) || rounded > INT64_MAX)
        return -ENOMEM;
    if (alignment < page)
        alignment = page;
    *pages = take_kept(pool, rounded, alignment, use);
    int error = 0;
    if (*pages)
        atomic_store(&(*pages)->references, 1);
    else if (use == VENUS_PAGES_RANGE)
        error = alloc_range(pool, rounded, alignment, pages);
    else // a mapping of a file of its own is as aligned as mmap makes it: to the page
        error = alignment <= page ? alloc_own(pool, rounded, pages) : -EINVAL;
    if (!error)
        (*pages)->only_guests = use != VENUS_PAGES_SHARED;
    return error;
}

int venus_pages_adopt(int fd, uint64_t offset, uint64_t size, struct venus_pages **pages)
{
    void *address;
    *pages = NULL;
    int error = os_shm_map(fd, offset, size, &address);
    if (!error) {
        *pages = pages_new(fd, offset, size, address, NULL);
        if (*pages)
            return 0;
        os_shm_unmap(address, size);
        error = -ENOMEM;
    }
    close(fd);
    return error;
}

struct venus_pages *venus_pages_ref(struct venus_pages *pages)
{
    atomic_fetch_add(&pages->references, 1);
    return pages;
}

static void pages_end(struct venus_pages_pool *pool, struct venus_pages *pages)
{
    struct pages_arena *arena = pages ? pages->owner : NULL;
    if (arena) {
        // The next owner must see zeroes: a range that cannot be emptied is cleared by hand.
        if (os_shm_punch(arena->fd, pages->address, pages->offset, pages->size))
            memset(pages->address, 0, pages->size);
        pthread_mutex_lock(&pool->lock);
        give_back(arena, pages->offset, pages->size);
        pthread_mutex_unlock(&pool->lock);
    } else if (pages) {
        os_shm_unmap(pages->address, pages->size);
        close(pages->fd);
    }
    free(pages);
}

// Returns what has to go instead.
static struct venus_pages *keep(struct venus_pages_pool *pool, struct venus_pages *pages)
{
    if (!pages->only_guests || pages->size < LEAST_KEPT || pages->size > MOST_KEPT)
        return pages;
    pthread_mutex_lock(&pool->lock);
    struct venus_pages *before = pool->kept;
    pool->kept = pages;
    pool->kept_is_old = false;
    pthread_mutex_unlock(&pool->lock);
    return before;
}

void venus_pages_unref(struct venus_pages_pool *pool, struct venus_pages *pages)
{
    if (!pages || atomic_fetch_sub(&pages->references, 1) != 1)
        return;
    if (pages->ledger)
        venus_ledger_give(pages->ledger, LINK_HOLDS_PAGES, pages->size);
    pages->ledger = NULL;
    pages_end(pool, keep(pool, pages));
}

void venus_pages_age(struct venus_pages_pool *pool)
{
    struct venus_pages *old = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->kept_is_old) {
        old = pool->kept;
        pool->kept = NULL;
    }
    pool->kept_is_old = true;
    pthread_mutex_unlock(&pool->lock);
    pages_end(pool, old);
}
