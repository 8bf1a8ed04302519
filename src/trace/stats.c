#include "trace/stats.h"

#include <inttypes.h>
#include <stdlib.h>

void trace_stats_add(struct trace_stats *stats, uint32_t command, uint64_t bytes, uint64_t ns)
{
    if (command >= WIRE_COMMAND_COUNT)
        return;
    struct trace_stats_row *row = &stats->rows[command];
    row->count++;
    row->bytes += bytes;
    row->total_ns += ns;
    if (ns > row->longest_ns)
        row->longest_ns = ns;
}

static const struct trace_stats *sorted; // qsort has no argument for it

static int by_time(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    uint64_t x = sorted->rows[first].total_ns, y = sorted->rows[second].total_ns;
    if (x != y)
        return x < y ? 1 : -1;
    return first < second ? -1 : 1;
}

static void print_row(FILE *out, const struct trace_stats_row *row, const char *name)
{
    fprintf(out, "%10" PRIu64 " %12" PRIu64 " %12.3f %10.3f %10.3f  %s\n", row->count, row->bytes,
            (double)row->total_ns / 1e6,
            row->count ? (double)row->total_ns / 1e3 / (double)row->count : 0,
            (double)row->longest_ns / 1e3, name);
}

void trace_stats_print(const struct trace_stats *stats, FILE *out)
{
    uint32_t order[WIRE_COMMAND_COUNT], used = 0;
    struct trace_stats_row sum = {0};
    for (uint32_t i = 0; i < WIRE_COMMAND_COUNT; i++) {
        const struct trace_stats_row *row = &stats->rows[i];
        if (!row->count)
            continue;
        order[used++] = i;
        sum.count += row->count;
        sum.bytes += row->bytes;
        sum.total_ns += row->total_ns;
        if (row->longest_ns > sum.longest_ns)
            sum.longest_ns = row->longest_ns;
    }
    sorted = stats;
    qsort(order, used, sizeof(order[0]), by_time);
    fprintf(out, "%10s %12s %12s %10s %10s  %s\n", "count", "bytes", "total ms", "mean us",
            "max us", "command");
    for (uint32_t i = 0; i < used; i++)
        print_row(out, &stats->rows[order[i]], wire_command_info(order[i])->name);
    print_row(out, &sum, "all");
}
