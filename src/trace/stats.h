// How often each command was carried out, how many bytes it took, and for how long.
#ifndef TRACE_STATS_H
#define TRACE_STATS_H

#include <stdio.h>

#include "wire/wire.h"

struct trace_stats {
    struct trace_stats_row {
        uint64_t count, bytes, total_ns, longest_ns;
    } rows[WIRE_COMMAND_COUNT];
};

void trace_stats_add(struct trace_stats *stats, uint32_t command, uint64_t bytes, uint64_t ns);
// A table, by time; the last line has the sums.
void trace_stats_print(const struct trace_stats *stats, FILE *out);

#endif
