// In a guest: a program that talks to the kernel's driver of virtio-gpu as it likes, without Mesa.
// Linked statically; tests/vm/hostile.py runs it.
//
//   hostile SCRIPT SECONDS
//
// It plays what tests/hostile/record.py has written down, each attempt in a process with a context
// of its own, and what only a client of the kernel can do: blobs of any kind, resources with
// transfers, resources of another context, rings that there are not, contexts in a row. The last
// line says how many attempts there were.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/linux/virtgpu_abi.h"

// What the kit has no use for.
struct virtgpu_resource_create {
    uint32_t
        words[10]; // target, format, bind, width, height, depth, layers, levels, samples, flags
    uint32_t handle, resource, size, stride;
};
struct virtgpu_transfer {
    uint32_t handle, box[6], level, offset, stride, layer_stride;
};
struct virtgpu_prime {
    uint32_t handle, flags;
    int32_t fd;
};
#define VIRTGPU_HANDLE_TO_FD _IOWR('d', 0x2d, struct virtgpu_prime)
#define VIRTGPU_FD_TO_HANDLE _IOWR('d', 0x2e, struct virtgpu_prime)
#define VIRTGPU_RESOURCE_CREATE _IOWR('d', 0x44, struct virtgpu_resource_create)
#define VIRTGPU_TRANSFER_FROM_HOST _IOWR('d', 0x46, struct virtgpu_transfer)
#define VIRTGPU_TRANSFER_TO_HOST _IOWR('d', 0x47, struct virtgpu_transfer)

enum { MEMORIES = 256, PATIENCE = 10, MADE_UP = 0x51a70000, VENUS = 4, RINGS = 64, NOT_BEGUN = 3 };

static int node;
static unsigned seed = 1, attempts, killed, not_begun;
static struct {
    uint32_t resource, size;
    uint8_t *address; // NULL: there is none
} memories[MEMORIES];

static uint32_t any(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8 ^ seed << 24;
}

static uint32_t below(uint32_t limit)
{
    return any() % limit;
}

static void open_context(void)
{
    uint64_t params[2][2] = {{VIRTGPU_CONTEXT_CAPSET, VENUS}, {VIRTGPU_CONTEXT_RINGS, RINGS}};
    struct virtgpu_context_init args = {.count = 2, .params = (uint64_t)(uintptr_t)params};
    node = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
    if (node < 0 || ioctl(node, VIRTGPU_CONTEXT_INIT, &args))
        _exit(NOT_BEGUN);
}

// Refused or not: the host decides.
static int submit(const void *bytes, uint32_t size, uint32_t ring, bool fence)
{
    struct virtgpu_submit args = {.flags = VIRTGPU_RING_IDX | (fence ? VIRTGPU_FENCE_OUT : 0),
                                  .size = size,
                                  .commands = (uint64_t)(uintptr_t)bytes,
                                  .fence = -1,
                                  .ring_idx = ring};
    return ioctl(node, VIRTGPU_SUBMIT, &args) ? -1 : args.fence;
}

static struct virtgpu_create_blob blob(uint32_t memory, uint32_t flags, uint64_t size, uint64_t id)
{
    struct virtgpu_create_blob args = {.memory = memory, .flags = flags, .size = size, .id = id};
    if (ioctl(node, VIRTGPU_CREATE_BLOB, &args))
        args.handle = 0;
    return args;
}

static void *map(uint32_t handle, uint64_t size)
{
    struct virtgpu_map args = {.handle = handle};
    void *address = ioctl(node, VIRTGPU_MAP, &args)
                        ? MAP_FAILED
                        : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node, args.offset);
    return address == MAP_FAILED ? NULL : address;
}

// ---- what was written down ------------------------------------------------

static const uint8_t *script, *script_end;

static uint32_t word(void)
{
    uint32_t value;
    if (script_end - script < 4)
        exit(2);
    memcpy(&value, script, 4);
    script += 4;
    return value;
}

static uint8_t *bytes(uint32_t size)
{
    uint8_t *copy = malloc(size + 4ull);
    if (!copy || (size_t)(script_end - script) < size)
        exit(2);
    memcpy(copy, script, size);
    script += size;
    for (uint32_t i = 0; i + 4 <= size; i += 4) {
        uint32_t value;
        memcpy(&value, copy + i, 4);
        if (value - MADE_UP < MEMORIES)
            memcpy(copy + i, &memories[value - MADE_UP].resource, 4);
    }
    return copy;
}

static void wait_for(int milliseconds)
{
    struct pollfd fence = {.fd = submit(NULL, 0, 0, true), .events = POLLIN};
    if (fence.fd >= 0)
        poll(&fence, 1, milliseconds);
}

// To the next attempt.
static void play(bool really)
{
    while (script < script_end && *script != 'A') {
        uint8_t what = *script++;
        uint32_t number = word(), size;
        uint8_t *data;
        switch (what) {
        case 'M':
            size = word();
            if (really && number - MADE_UP < MEMORIES) {
                struct virtgpu_create_blob made = blob(VIRTGPU_BLOB_HOST3D, 1, size, 0);
                memories[number - MADE_UP].resource = made.resource;
                memories[number - MADE_UP].size = size;
                memories[number - MADE_UP].address = made.handle ? map(made.handle, size) : NULL;
            }
            break;
        case 'W': {
            uint32_t at = word();
            size = word();
            data = bytes(size);
            number -= MADE_UP;
            if (really && number < MEMORIES && memories[number].address &&
                (uint64_t)at + size <= memories[number].size)
                memcpy(memories[number].address + at, data, size);
            free(data);
            break;
        }
        case 'S':
            size = word();
            data = bytes(size);
            if (really)
                submit(data, size, number, false);
            free(data);
            break;
        case 'F':
            if (really)
                wait_for((int)number);
            break;
        default:
            exit(2);
        }
    }
}

// ---- what only a client of the kernel can do -----------------------------

static void blobs(void)
{
    uint32_t handles[64] = {0};
    for (int i = 0; i < 200; i++) {
        // The guest's own memory is not what is tried.
        uint32_t memory = below(4);
        uint64_t size = memory != VIRTGPU_BLOB_HOST3D ? 4096ull << below(6)
                        : below(4)                    ? 4096ull << below(12)
                                                      : (uint64_t)any() << below(32);
        struct virtgpu_create_blob made = blob(memory, below(9), size,
                                               below(2)   ? 0
                                               : below(3) ? below(40)
                                                          : ~0ull);
        uint8_t *address = made.handle ? map(made.handle, size) : NULL;
        if (address) {
            address[0] = 1;
            address[size - 1] = 1;
            if (below(2))
                munmap(address, size);
        }
        struct virtgpu_close old = {.handle = handles[i % 64]};
        handles[i % 64] = made.handle;
        ioctl(node, VIRTGPU_CLOSE, &old);
    }
}

static void rings(void)
{
    uint32_t words[256];
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 256; j++)
            words[j] = below(2) ? below(400) : any();
        int fence = submit(words, below(257) * 4, below(2) ? below(70) : any(), below(4) == 0);
        if (fence >= 0)
            close(fence);
    }
}

// The device has no classic resources that a renderer draws to; the kernel's clients ask all the
// same.
static void resources(void)
{
    uint32_t handles[32] = {0};
    for (int i = 0; i < 200; i++) {
        struct virtgpu_resource_create made = {.words = {below(12), below(300), any(),
                                                         below(2) ? below(4096) : any(),
                                                         below(2) ? below(4096) : any(), below(3),
                                                         below(3), below(16), below(9), any()},
                                               .size = 4096u << below(6)};
        uint32_t *handle = &handles[below(32)];
        if (!ioctl(node, VIRTGPU_RESOURCE_CREATE, &made)) {
            ioctl(node, VIRTGPU_CLOSE, &(struct virtgpu_close){.handle = *handle});
            *handle = made.handle;
        } else if (below(2)) {
            *handle = blob(VIRTGPU_BLOB_HOST3D, 1 + below(7), 4096ull << below(6), 0).handle;
        }
        struct virtgpu_transfer transfer = {.handle = handles[below(32)],
                                            .box = {any(), below(64), 0, any(), below(64), 1},
                                            .level = below(20),
                                            .offset = any(),
                                            .stride = any(),
                                            .layer_stride = any()};
        ioctl(node, below(2) ? VIRTGPU_TRANSFER_TO_HOST : VIRTGPU_TRANSFER_FROM_HOST, &transfer);
    }
}

// Resources of one context are another's too, which goes on when the first has ended.
static void shared(void)
{
    for (int i = 0; i < 20; i++) {
        const int first = node;
        struct virtgpu_create_blob made = blob(VIRTGPU_BLOB_HOST3D, 7, 65536, 0);
        struct virtgpu_prime there = {.handle = made.handle, .flags = O_RDWR | O_CLOEXEC, .fd = -1};
        ioctl(first, VIRTGPU_HANDLE_TO_FD, &there);
        open_context();
        ioctl(node, VIRTGPU_FD_TO_HANDLE, &there);
        if (below(2))
            close(first);
        uint8_t *address = map(there.handle, 65536);
        if (address)
            memset(address, (int)below(256), 65536);
        rings();
        ioctl(node, VIRTGPU_CLOSE, &(struct virtgpu_close){.handle = there.handle});
        close(there.fd);
    }
}

static void contexts(void)
{
    for (int i = 0; i < 8; i++) {
        blob(VIRTGPU_BLOB_HOST3D, 1, 65536, 0);
        rings();
        close(node);
        open_context();
    }
}

// In a process of its own, which is ended if it hangs.
static void attempt(void (*does)(void))
{
    attempts++;
    seed = attempts * 2654435761u;
    pid_t child = fork();
    if (!child) {
        open_context();
        if (does)
            does();
        else
            play(true);
        _exit(0);
    }
    for (int i = 0; i < PATIENCE * 50; i++) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child) {
            not_begun += WIFEXITED(status) && WEXITSTATUS(status) == NOT_BEGUN;
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    killed++;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    static uint8_t text[32 << 20];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t size = file ? fread(text, 1, sizeof(text), file) : 0;
    void (*const own[])(void) = {blobs, rings, resources, shared, contexts};
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        attempt(own[i]);
    const time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 0);
    script = text;
    script_end = text + size;
    while (script < script_end && time(NULL) < end) {
        script++;
        uint32_t length = word();
        fprintf(stderr, "%.*s\n", (int)length, (const char *)script);
        script += length;
        attempt(NULL);
        play(false);
    }
    printf("%u attempts, %u ended by force, %u without a context, %s\n", attempts, killed,
           not_begun, script < script_end ? "cut short" : "all");
    return !size;
}
