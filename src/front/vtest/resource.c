// The ids of a client's resources, and the memory counted for them.
#include <stdlib.h>

#include "front/vtest/client.h"

uint32_t vtest_resource_add(struct vtest_client *client, uint64_t size)
{
    if (client->resource_used - client->resource_free >= client->server->options.max_resources)
        return 0;
    if (!client->resource_free && client->resource_used == client->resource_capacity) {
        uint32_t capacity = client->resource_capacity ? client->resource_capacity * 2 : 64;
        struct vtest_resource *resources =
            realloc(client->resources, capacity * sizeof(*resources));
        if (resources)
            client->resources = resources;
        uint32_t *free_ids = realloc(client->free_resources, capacity * sizeof(*free_ids));
        if (free_ids)
            client->free_resources = free_ids;
        if (!resources || !free_ids)
            return 0;
        client->resource_capacity = capacity;
    }
    uint32_t id = client->resource_free ? client->free_resources[--client->resource_free]
                                        : ++client->resource_used;
    client->resources[id - 1] = (struct vtest_resource){.size = size, .used = true};
    return id;
}

bool vtest_resource_known(const struct vtest_client *client, uint32_t id)
{
    return id && id <= client->resource_used && client->resources[id - 1].used;
}

void vtest_resource_remove(struct vtest_client *client, uint32_t id)
{
    struct vtest_resource *resource = &client->resources[id - 1];
    renderer_account_discharge(renderer_account(client->renderer), LINK_MEMORY_HOST,
                               resource->size);
    resource->used = false;
    client->free_resources[client->resource_free++] = id;
}
