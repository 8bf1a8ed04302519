// vkbench: what single Vulkan operations cost, in microseconds, to compare ways to the same driver.
//
//   vkbench [-t SECONDS] [-g] [ROW...]   each row runs for about SECONDS (default 0.3); -g: writes
//   a
//                                        line and reads one first, so that several begin together
//   vkbench -n COUNT [ROW...]            COUNT calls a row, after a line was read from stdin; a
//   line
//                                        is written before that, and when they are done
//   vkbench -e                           the device's extensions, a line each
//
// Prints "ROW<TAB>MICROSECONDS<TAB>OPERATIONS<TAB>QUANTILES" a line: the median over slices of the
// run, how many operations there were in all, and how long the quickest, the 1st, 10th, 25th, 50th,
// 75th, 90th and 99th of a hundred took. bench/compare runs it on several sides by turns.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

enum { SLICES = 15 };
enum { TIMES = 1 << 14 }; // single operations that are remembered for the quantiles

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// How long single calls took: of the row's time, evenly, once there are more than fit.
struct times {
    double values[TIMES];
    unsigned count, every, skipped;
};

static void remember(struct times *times, double seconds)
{
    if (++times->skipped < times->every)
        return;
    times->skipped = 0;
    if (times->count == TIMES) { // every other one goes
        for (times->count = 0; times->count < TIMES / 2; times->count++)
            times->values[times->count] = times->values[2 * times->count];
        times->every *= 2;
    }
    times->values[times->count++] = seconds;
}

static void print_quantiles(struct times *times, const struct row *row)
{
    static const double at[] = {0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99};
    qsort(times->values, times->count, sizeof(times->values[0]), by_value);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        printf("%s%.4f", i ? "," : "\t",
               1e6 * times->values[(size_t)(at[i] * (times->count - 1))] / row->per_run);
}

// Calls of the row until `seconds` are over; how long one operation took. Calls that are shorter
// than a microsecond are timed by the hundred.
static double slice(struct bench *b, const struct row *row, double seconds, long chunk, long *runs,
                    struct times *times)
{
    const double start = now();
    double before = start, end;
    long here = 0;
    do {
        for (long k = 0; k < chunk; k++)
            row->run(b);
        here += chunk;
        end = now();
        remember(times, (end - before) / (double)chunk);
        before = end;
    } while (end - start < seconds);
    *runs += here;
    return 1e6 * (end - start) / (double)(here * row->per_run);
}

// Says where we are, and waits to be told to go on.
static void mark(const char *name, int per_run)
{
    printf("%s\t%d\n", name, per_run);
    fflush(stdout);
    while (getchar() != '\n' && !feof(stdin))
        ;
}

// Slices of equal length; what was only queued when a slice ends counts, for the queue is then full
// and each further operation pays for one that leaves it.
static void measure(struct bench *b, const struct row *row, double seconds)
{
    static struct times times;
    double slices[SLICES];
    const int count = row->slices ? row->slices : SLICES;
    const double each = row->slices ? 0 : seconds / SLICES;
    long runs = 0;
    row->run(b); // warm up
    VK_CHECK(vk.DeviceWaitIdle(b->app.device));
    const double start = now();
    row->run(b);
    const long chunk = now() - start < 1e-6 ? 100 : 1;
    times = (struct times){.every = 1};
    int taken = 0;
    while (taken < count && (taken < 3 || now() - start < 3 * seconds))
        slices[taken++] = slice(b, row, each, chunk, &runs, &times);
    VK_CHECK(vk.DeviceWaitIdle(b->app.device));
    qsort(slices, (size_t)taken, sizeof(slices[0]), by_value);
    printf("%s\t%.4f\t%ld", row->name, slices[taken / 2], (runs + 2) * row->per_run);
    print_quantiles(&times, row);
    printf("\n");
    fflush(stdout);
}

// Runs exactly `count` times between two marks, for somebody who counts meanwhile.
static void count_out(struct bench *b, const struct row *row, long count)
{
    for (int i = 0; !row->slices && i < 64; i++) // warm up
        row->run(b);
    VK_CHECK(vk.DeviceWaitIdle(b->app.device));
    for (int turn = 0; turn < 2; turn++) {
        mark(row->name, row->per_run);
        for (long i = 0; turn == 0 && i < count; i++)
            row->run(b);
    }
}

static bool wanted(const struct row *row, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], row->name) == 0)
            return true;
    return argc == 0 && !row->slices;
}

static void print_extensions(VkPhysicalDevice gpu)
{
    uint32_t count = 0;
    VK_CHECK(vk.EnumerateDeviceExtensionProperties(gpu, NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count + 1, sizeof(*list));
    VK_CHECK(vk.EnumerateDeviceExtensionProperties(gpu, NULL, &count, list));
    for (uint32_t i = 0; i < count; i++)
        puts(list[i].extensionName);
    free(list);
}

int main(int argc, char **argv)
{
    double seconds = 0.3;
    long count = 0;
    bool told = false, asked = false;
    int first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "-g") == 0)
            told = true;
        else if (strcmp(argv[first], "-e") == 0)
            asked = true;
        else if (strcmp(argv[first], "-t") == 0 && first + 1 < argc)
            seconds = atof(argv[++first]);
        else if (strcmp(argv[first], "-n") == 0 && first + 1 < argc)
            count = atol(argv[++first]);
    }
    struct bench b;
    bench_init(&b);
    if (asked) {
        print_extensions(b.app.gpu);
        bench_finish(&b);
        return 0;
    }
    for (const struct row *row = rows; row->name; row++) {
        if (!wanted(row, argc - first, argv + first))
            continue;
        if (row->slices) // what others do only once, such as the server's next worker, is over
            row->run(&b);
        if (told)
            mark(row->name, row->per_run);
        if (count)
            count_out(&b, row, count);
        else
            measure(&b, row, seconds);
    }
    if (told)
        mark("end", 0); // whoever counts looks at us before we go
    bench_finish(&b);
    return 0;
}
