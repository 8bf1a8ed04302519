// Who carries out which command.
#include <string.h>

#include "venus/failed.h"

void venus_handlers_fill(struct venus_handlers *handlers)
{
    venus_handler *table = handlers->carry_out;
#define TABLE(name) venus_##name##_handlers,
    static const struct venus_handler_entry *const tables[] = {VENUS_HANDLER_TABLES(TABLE)};
#undef TABLE
    *handlers = (struct venus_handlers){0};
    memcpy(table, venus_thunks, venus_thunk_count * sizeof(*table));
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct venus_handler_entry *entry = tables[i]; entry->handler; entry++)
            table[entry->command] = entry->handler;
    }
    venus_failed_watch(handlers);
}
