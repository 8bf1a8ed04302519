// Runs a fuzz target over its seeds without libFuzzer, and lets each allocation fail in turn:
//
//   PROGRAM FOLDER RUNS     at most so many for each seed, spread over its allocations; 0: all
//
// The target aborts if something is wrong.
#include "scarce.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[1 << 16];
static uint64_t runs;

static uint64_t run(size_t size, uint64_t number, bool for_good)
{
    scarce_plan = (struct scarce_plan){true, for_good, number};
    LLVMFuzzerTestOneInput(bytes, size);
    runs++;
    return scarce_end();
}

static void sweep(const char *name, size_t size, uint64_t most)
{
    uint64_t count = run(size, 0, false),
             step = most && count > most / 2 ? 2 * count / most + 1 : 1;
    for (uint64_t number = 1; number <= count; number += step) {
        if (getenv("SCARCE_TELL"))
            fprintf(stderr, "%s %llu of %llu\n", name, (unsigned long long)number,
                    (unsigned long long)count);
        run(size, number, false);
        run(size, number, true);
    }
}

int main(int argc, char **argv)
{
    char path[4096];
    DIR *folder = argc == 3 ? opendir(argv[1]) : NULL;
    if (!folder || (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv)))
        return 2;
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file)
            continue;
        size_t size = fread(bytes, 1, sizeof(bytes), file);
        fclose(file);
        sweep(entry->d_name, size, strtoull(argv[2], NULL, 10));
    }
    closedir(folder);
    printf("%llu runs\n", (unsigned long long)runs);
    return runs ? 0 : 1;
}
