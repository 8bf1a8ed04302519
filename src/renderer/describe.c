// What persons ask of the contexts that live: who they are, what they hold, what they do.
#include "renderer/private.h"

bool renderers_trace(struct renderers *renderers, uint64_t which, int tracer)
{
    struct renderer *found = NULL;
    LIST_EACH (node, &renderers->alive) {
        struct renderer *renderer = LIST_ENTRY(node, struct renderer, node);
        bool is = renderer->context_id == which;
        if (is || (!found && (uint64_t)renderer_pid(renderer) == which))
            found = renderer;
        if (is)
            break;
    }
    if (found)
        renderer_trace(found, tracer);
    return found;
}

void renderers_describe(const struct renderers *renderers,
                        void (*callback)(void *data, const struct renderer_description *described),
                        void *data)
{
    LIST_EACH (node, &renderers->alive) {
        const struct renderer *renderer = LIST_ENTRY(node, struct renderer, node);
        struct renderer_description description = {.context_id = renderer->context_id,
                                                   .pid = renderer_pid(renderer),
                                                   .name = renderer->name};
        renderer_account_usage(renderer->account, &description.usage);
        callback(data, &description);
    }
}

// Not a second time before a worker has carried out the first: it may be hung.
void renderers_refresh(struct renderers *renderers)
{
    LIST_EACH (node, &renderers->alive) {
        struct renderer *renderer = LIST_ENTRY(node, struct renderer, node);
        struct link_ledger_refresh refresh = {.serial = renderer->account->refresh + 1};
        if (atomic_load(&renderer->account->page->refreshed) != renderer->account->refresh)
            continue;
        renderer->account->refresh++;
        renderer_send(renderer, LINK_LEDGER_REFRESH, &refresh, sizeof(refresh), NULL, 0, -1);
    }
}

void renderers_sum(const struct renderers *renderers, struct renderers_totals *totals)
{
    *totals =
        (struct renderers_totals){.created = renderers->created, .lost = renderers->lost_so_far};
    for (unsigned kind = 0; kind < RENDERER_KINDS; kind++) {
        totals->used[kind] = renderer_budget_used(&renderers->budget, kind);
        totals->limits[kind] = renderers->budget.limits[kind];
    }
}
