#include "venus/resource.h"

#include <stdlib.h>

bool venus_resource_table_init(struct venus_resource_table *table, struct venus_pages_pool *pool,
                               uint32_t limit)
{
    *table = (struct venus_resource_table){.limit = limit, .pool = pool};
    return pthread_mutex_init(&table->lock, NULL) == 0;
}

void venus_resource_unref(struct venus_resource *resource)
{
    if (resource && atomic_fetch_sub(&resource->references, 1) == 1) {
        venus_pages_unref(resource->pool, resource->pages);
        free(resource);
    }
}

void venus_resource_table_finish(struct venus_resource_table *table)
{
    if (!table->pool)
        return;
    struct venus_resource *resource;
    for (uint32_t cursor = 0; (resource = id_table_next(&table->resources, &cursor));)
        venus_resource_unref(resource);
    id_table_finish(&table->resources);
    pthread_mutex_destroy(&table->lock);
    *table = (struct venus_resource_table){0};
}

bool venus_resource_attach(struct venus_resource_table *table, uint32_t id,
                           enum link_resource_kind kind, struct venus_pages *pages)
{
    struct venus_resource *resource = calloc(1, sizeof(*resource));
    if (!resource) {
        venus_pages_unref(table->pool, pages);
        return false;
    }
    *resource =
        (struct venus_resource){.id = id, .kind = kind, .pages = pages, .pool = table->pool};
    atomic_init(&resource->references, 1);

    pthread_mutex_lock(&table->lock);
    bool ok = id && table->resources.count < table->limit &&
              !id_table_find(&table->resources, id) &&
              id_table_insert(&table->resources, id, resource);
    pthread_mutex_unlock(&table->lock);
    if (!ok)
        venus_resource_unref(resource);
    return ok;
}

bool venus_resource_detach(struct venus_resource_table *table, uint32_t id)
{
    pthread_mutex_lock(&table->lock);
    struct venus_resource *resource = id_table_remove(&table->resources, id);
    pthread_mutex_unlock(&table->lock);
    if (!resource)
        return false;
    atomic_store(&resource->detached, true);
    venus_resource_unref(resource);
    return true;
}

struct venus_resource *venus_resource_get(struct venus_resource_table *table, uint32_t id)
{
    pthread_mutex_lock(&table->lock);
    struct venus_resource *resource = id_table_find(&table->resources, id);
    if (resource)
        atomic_fetch_add(&resource->references, 1);
    pthread_mutex_unlock(&table->lock);
    return resource;
}

struct venus_pages *venus_resource_pages(struct venus_resource_table *table, uint32_t id)
{
    struct venus_resource *resource = venus_resource_get(table, id);
    struct venus_pages *pages = resource ? venus_pages_ref(resource->pages) : NULL;
    venus_resource_unref(resource);
    return pages;
}
