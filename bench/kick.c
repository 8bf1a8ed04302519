// kick: how long a guest's processor is held when it rings the GPU's bell, in a Linux guest.
//
// Prints "kick<TAB>MICROSECONDS" and "register<TAB>MICROSECONDS": medians of 5000 writes of a
// queue that has nothing new, and of reads of a register. Root's, and where the kernel guards the
// memory of devices with `iomem=relaxed` on its command line.
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 5000, CURSOR_QUEUE = 1 };
enum { COMMON = 1, NOTIFY = 2 };

static const char devices[] = "/sys/bus/pci/devices";

// Opens a file of the device; -1: there is none.
static int open_of(const char *device, const char *file, int flags)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s/%s", devices, device, file);
    return open(path, flags);
}

static uint32_t get(const uint8_t *bytes, unsigned at)
{
    uint32_t value;
    memcpy(&value, bytes + at, sizeof(value));
    return value;
}

// The configuration space of the first virtio GPU.
static int find(char device[256], uint8_t config[256])
{
    DIR *folder = opendir(devices);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int fd = open_of(entry->d_name, "config", O_RDONLY);
        int whole = fd >= 0 && read(fd, config, 256) == 256;
        if (fd >= 0)
            close(fd);
        if (whole && get(config, 0) == 0x10501af4) {
            snprintf(device, 256, "%s", entry->d_name);
            closedir(folder);
            return 1;
        }
    }
    if (folder)
        closedir(folder);
    return 0;
}

// Where the structure of that type is mapped, and what its capability's last word says.
static volatile uint8_t *map(const char *device, const uint8_t *config, uint8_t type,
                             uint32_t *last)
{
    char file[16];
    for (unsigned at = config[0x34], n = 0; at && n < 48; at = config[at + 1], n++) {
        if (config[at] != 9 || config[at + 3] != type)
            continue;
        snprintf(file, sizeof(file), "resource%u", config[at + 4]);
        int fd = open_of(device, file, O_RDWR | O_SYNC);
        uint32_t offset = get(config, at + 8), page = offset & ~4095u;
        void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);
        if (fd < 0 || mapped == MAP_FAILED) {
            perror(file);
            exit(1);
        }
        if (last)
            *last = get(config, at + 16);
        return (volatile uint8_t *)mapped + (offset - page);
    }
    fprintf(stderr, "kick: the device has no structure %u\n", type);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void say(const char *name, double times[TIMES])
{
    qsort(times, TIMES, sizeof(*times), by_value);
    printf("%s\t%.2f\n", name, times[TIMES / 2]);
}

int main(void)
{
    char device[256];
    uint8_t config[256];
    static double times[TIMES];
    uint32_t stride;
    if (!find(device, config)) {
        fprintf(stderr, "kick: no virtio GPU\n");
        return 1;
    }
    volatile uint8_t *notify = map(device, config, NOTIFY, &stride);
    volatile uint8_t *common = map(device, config, COMMON, NULL);
    volatile uint16_t *bell = (volatile uint16_t *)(notify + CURSOR_QUEUE * stride);
    for (unsigned i = 0; i < TIMES; i++) {
        double began = now();
        *bell = CURSOR_QUEUE;
        times[i] = now() - began;
    }
    say("kick", times);
    for (unsigned i = 0; i < TIMES; i++) {
        double began = now();
        (void)common[20]; // the status
        times[i] = now() - began;
    }
    say("register", times);
    return 0;
}
