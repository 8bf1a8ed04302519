// Resources that the device process attached to this context: mapped shared memory, by resource id.
//
// Thread: any, but for init and finish.
#ifndef VENUS_RESOURCE_H
#define VENUS_RESOURCE_H

#include <pthread.h>

#include "base/id_table.h"
#include "link/context_messages.h"
#include "venus/pages.h"

struct venus_resource {
    atomic_uint references; // the table's, rings', reply streams', imports'
    atomic_bool detached;   // the guest took it away; users let go when they see it
    uint32_t id;
    enum link_resource_kind kind;
    struct venus_pages *pages;
    struct venus_pages_pool *pool;
};

struct venus_resource_table {
    pthread_mutex_t lock;
    struct id_table resources;
    uint32_t limit;
    struct venus_pages_pool *pool; // NULL: not initialized
};

bool venus_resource_table_init(struct venus_resource_table *table, struct venus_pages_pool *pool,
                               uint32_t limit);
void venus_resource_table_finish(struct venus_resource_table *table);

// Owns: takes over one reference of `pages`, also on failure.
// Errors: false: the id is 0 or in use, or there are too many, or no memory.
bool venus_resource_attach(struct venus_resource_table *table, uint32_t id,
                           enum link_resource_kind kind, struct venus_pages *pages);
bool venus_resource_detach(struct venus_resource_table *table, uint32_t id);
// A reference to its pages, or NULL.
struct venus_pages *venus_resource_pages(struct venus_resource_table *table, uint32_t id);
// A reference, or NULL.
struct venus_resource *venus_resource_get(struct venus_resource_table *table, uint32_t id);
void venus_resource_unref(struct venus_resource *resource);

#endif
