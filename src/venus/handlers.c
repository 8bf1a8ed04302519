// Who carries out which command.
#include <string.h>

#include "venus/call.h"

void venus_handlers_fill(venus_handler *table)
{
#define TABLE(name) venus_##name##_handlers,
    static const struct venus_handler_entry *const tables[] = {VENUS_HANDLER_TABLES(TABLE)};
#undef TABLE
    memset(table, 0, WIRE_COMMAND_COUNT * sizeof(*table));
    memcpy(table, venus_thunks, venus_thunk_count * sizeof(*table));
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct venus_handler_entry *entry = tables[i]; entry->handler; entry++)
            table[entry->command] = entry->handler;
    }
}
