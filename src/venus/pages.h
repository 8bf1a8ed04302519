// Shared pages: (file, offset, length), the form in which all memory is shown to a guest.
//
// Thread: any.
#ifndef VENUS_PAGES_H
#define VENUS_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct venus_ledger;

// Who will see them.
enum venus_pages_use {
    VENUS_PAGES_RANGE,    // the guest, as a range of an arena
    VENUS_PAGES_OWN_FILE, // the same in a file of its own
    VENUS_PAGES_SHARED,   // others too, in a file of its own
};

// A range of a file, mapped here. Reference counted; the last reference gives the pages back, or
// keeps them for a while for the same guest.
struct venus_pages {
    atomic_uint references;
    int fd;           // of the arena (borrowed) or its own
    uint64_t offset;  // in the file
    uint64_t size;    // bytes, page multiple
    void *address;    // mapping in this process
    void *owner;      // arena of the pool, or NULL: a file of its own
    bool only_guests; // nobody else has ever seen them
    // The ledger that counts them is told when they are given back. NULL: they count elsewhere.
    _Atomic(struct venus_ledger *) ledger;
};

struct venus_pages_pool;

struct venus_pages_pool *venus_pages_pool_create(void);
void venus_pages_pool_destroy(struct venus_pages_pool *pool);

// Zeroed pages; `alignment` is a power of two ≥ the page size and holds for the address (the offset
// is page-aligned).
// Thread: any.
// Errors: -errno: no memory, descriptors or address space; *pages is NULL then.
int venus_pages_alloc(struct venus_pages_pool *pool, uint64_t size, uint64_t alignment,
                      enum venus_pages_use use, struct venus_pages **pages);
// Maps a range of a file that came from elsewhere; takes over `fd`.
// Errors: -errno; `fd` is closed and *pages is NULL then.
int venus_pages_adopt(int fd, uint64_t offset, uint64_t size, struct venus_pages **pages);

struct venus_pages *venus_pages_ref(struct venus_pages *pages);
void venus_pages_unref(struct venus_pages_pool *pool, struct venus_pages *pages);
// Lets go of what was kept since the call before.
void venus_pages_age(struct venus_pages_pool *pool);

#endif
