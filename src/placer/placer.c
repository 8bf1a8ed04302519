// The placer: runs inside QEMU and maps ranges of files over ranges of the aperture, which QEMU has
// mapped from a file of ours. Nothing of QEMU is called or included; QEMU sees no change. One
// thread per connection serves the device process (placer.h).
//
//   -plugin hesper-placer.so,socket=PATH[,version=N]     QEMU loads it, under TCG and KVM alike
//   HESPER_PLACER_SOCKET=PATH LD_PRELOAD=hesper-placer.so qemu-system-…    where QEMU was built
//   without plugins
//
// `fd=N` (HESPER_PLACER_FD) instead of `socket=` names a connected descriptor that was inherited.
//
// QEMU takes only plugins made for its version of the plugin interface, of which nothing is used
// here: version=N, or else the variable HESPER_PLUGIN_VERSION, says what to claim. A constructor
// sets it, because QEMU looks before it calls us. QEMU names the number that it wants when it
// refuses another: `-plugin FILE,version=0`.
//
// macOS: the same, with DYLD_INSERT_LIBRARIES for LD_PRELOAD. Not tried on a Mac.
#include "placer/placer.h"

#include "placer/hypervisor.h"
#include "placer/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 // platform_prepare_socket then
#endif

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 7; // QEMU 11.1
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

enum {
    REQUEST_SIZE = sizeof(struct placer_header) + sizeof(struct placer_request),
    REPLY_SIZE = sizeof(struct placer_header) + sizeof(struct placer_reply),
};

struct placer {
    int socket;
    int maps; // platform_open_maps
    uint64_t page_size;

    bool bound;          // ranges may be mapped
    uint64_t generation; // the last aperture's; 0: none
    uint8_t *aperture;   // its address in this process
    uint64_t size;
    int file;
    bool by_address; // it was not found in `maps`, which are not looked at then
    struct hypervisor hypervisor;
    // The files that may be mapped in the aperture, its own and those placed; sorted.
    struct file_id *files;
    size_t file_count, file_capacity;

    uint8_t replies[64][REPLY_SIZE]; // not sent yet
    unsigned reply_count;
};

// ---- files ----------------------------------------------------------------

static bool identify(int fd, struct file_id *id)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    *id = (struct file_id){status.st_dev, status.st_ino};
    return true;
}

// Where the file is in the list, or would be.
static size_t file_place(const struct placer *placer, struct file_id id)
{
    size_t low = 0, high = placer->file_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct file_id at = placer->files[middle];
        if (at.inode < id.inode || (at.inode == id.inode && at.device < id.device))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool knows_file(const struct placer *placer, struct file_id id)
{
    size_t at = file_place(placer, id);
    return at < placer->file_count && placer->files[at].inode == id.inode &&
           placer->files[at].device == id.device;
}

static bool learn_file(struct placer *placer, struct file_id id)
{
    if (knows_file(placer, id))
        return true;
    if (placer->file_count == placer->file_capacity) {
        size_t capacity = placer->file_capacity ? placer->file_capacity * 2 : 64;
        struct file_id *files = realloc(placer->files, capacity * sizeof(*files));
        if (!files)
            return false;
        placer->files = files;
        placer->file_capacity = capacity;
    }
    size_t at = file_place(placer, id);
    memmove(&placer->files[at + 1], &placer->files[at],
            (placer->file_count - at) * sizeof(*placer->files));
    placer->files[at] = id;
    placer->file_count++;
    return true;
}

// ---- what is mapped in this process ---------------------------------------

struct search {
    struct file_id id;
    uint64_t size;
    uint64_t address; // found
};

static bool find_aperture(void *data, const struct mapping *mapping)
{
    struct search *search = data;
    if (mapping->id.inode != search->id.inode || mapping->id.device != search->id.device ||
        mapping->offset != 0 || mapping->end - mapping->start < search->size)
        return true;
    search->address = mapping->start;
    return false;
}

struct inspection {
    const struct placer *placer;
    uint64_t at, end; // [aperture, at) was found whole
};

static bool inspect(void *data, const struct mapping *mapping)
{
    struct inspection *inspection = data;
    if (mapping->end <= inspection->at)
        return true;
    if (mapping->start > inspection->at || !knows_file(inspection->placer, mapping->id))
        return false;
    inspection->at = mapping->end;
    return inspection->at < inspection->end;
}

// Whether every page of the aperture is still as we left it.
static bool stands(const struct placer *placer)
{
    uint64_t start = (uintptr_t)placer->aperture;
    struct inspection inspection = {placer, start, start + placer->size};
    if (placer->by_address)
        return true; // it cannot be known here: the device process knows by the memory table
    return platform_walk(placer->maps, inspect, &inspection) && inspection.at >= inspection.end;
}

// Whether a mapping that is not ours lies at `address`. False also where that cannot be told
// quickly.
static bool is_foreign(const struct placer *placer, const void *address)
{
    struct file_id id;
    int known = placer->by_address ? -1 : platform_file_at(placer->maps, address, &id);
    return known == 0 || (known > 0 && !knows_file(placer, id));
}

// Copies bytes at `address`, which may not be mapped: the kernel looks, and says EFAULT.
static bool peek(const void *address, void *to, size_t size)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    bool done =
        write(ends[1], address, size) == (ssize_t)size && read(ends[0], to, size) == (ssize_t)size;
    close(ends[0]);
    close(ends[1]);
    return done;
}

// Whether the page at `offset` of the file is mapped at `address`: then a word written into the one
// is seen in the other. The guest does not use the aperture yet.
static bool is_mapped_at(int fd, uint64_t offset, uint64_t page_size, uint64_t address)
{
    uint64_t mark = 0x7265707365680000u ^ (uintptr_t)&mark, before = 0, after = 0;
    volatile uint64_t *first =
        mmap(NULL, (size_t)page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (first == MAP_FAILED)
        return false;
    uint64_t was = *first;
    if (was == mark)
        mark = ~mark;
    const void *at = (const void *)(uintptr_t)address;
    // If nothing was mapped there, our own mapping may be there now.
    bool same = address % page_size == 0 && address != (uintptr_t)first &&
                peek(at, &before, sizeof(before)) && before == was;
    *first = mark;
    same = same && peek(at, &after, sizeof(after)) && after == mark;
    *first = was;
    munmap((void *)first, (size_t)page_size);
    return same;
}

// ---- requests -------------------------------------------------------------

static int map_range(uint8_t *address, uint64_t size, int file, uint64_t offset, bool read_only)
{
    int flags = (read_only ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED | MAP_NORESERVE;
    void *got = mmap(address, (size_t)size, PROT_READ | PROT_WRITE, flags, file, (off_t)offset);
    return got == MAP_FAILED ? -errno : 0;
}

static void release(struct placer *placer)
{
    if (placer->file >= 0)
        close(placer->file);
    placer->file = -1;
    placer->bound = false;
    placer->generation = 0;
    placer->file_count = 0;
}

// The aperture's address in this process, or 0.
static uint64_t find(struct placer *placer, const struct placer_request *request, int fd)
{
    struct search search = {.size = request->size};
    placer->by_address = request->flags & PLACER_BY_ADDRESS || placer->maps < 0;
    if (placer->by_address) {
        uint64_t last = request->size - placer->page_size, address = request->address;
        bool there = address && is_mapped_at(fd, 0, placer->page_size, address) &&
                     is_mapped_at(fd, last, placer->page_size, address + last);
        return there ? address : 0;
    }
    if (!identify(fd, &search.id) || !learn_file(placer, search.id) ||
        !platform_walk(placer->maps, find_aperture, &search))
        return 0;
    return search.address;
}

static int bind_aperture(struct placer *placer, const struct placer_request *request, int fd)
{
    release(placer);
    if (fd < 0 || !request->generation || !request->size || request->size % placer->page_size)
        return -EINVAL;
    uint64_t address = find(placer, request, fd);
    if (!address)
        return -ESRCH;
    placer->file = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (placer->file < 0)
        return -errno;
    placer->aperture = (uint8_t *)(uintptr_t)address;
    placer->size = request->size;
    // With QEMU's own flags, a range that is given back later would not merge with its neighbours
    // that were never placed: two mappings more, for ever.
    int error = map_range(placer->aperture, placer->size, placer->file, 0, false);
    if (!error)
        error = hypervisor_begin(&placer->hypervisor, placer->aperture, request->guest_address,
                                 placer->size);
    if (error)
        return error;
    placer->generation = request->generation;
    placer->bound = true;
    return 0;
}

static int place(struct placer *placer, const struct placer_request *request, int fd, bool take_out)
{
    uint64_t offset = request->offset, size = request->size;
    if (!placer->bound || request->generation != placer->generation)
        return -ESTALE;
    if (!size || offset > placer->size || size > placer->size - offset ||
        (offset | size | request->file_offset) % placer->page_size)
        return -EINVAL;
    uint8_t *address = placer->aperture + offset;
    if (is_foreign(placer, address))
        return -ESTALE;
    if (take_out) {
        int error = map_range(address, size, placer->file, offset, false);
        return error ? error
                     : hypervisor_renew(&placer->hypervisor, address, request->guest_address, size);
    }

    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return -EBADF;
    // Without this check QEMU would end at the guest's first access.
    if (S_ISREG(status.st_mode) && (request->file_offset > (uint64_t)status.st_size ||
                                    size > (uint64_t)status.st_size - request->file_offset))
        return -EINVAL;
    if (!placer->by_address && !learn_file(placer, (struct file_id){status.st_dev, status.st_ino}))
        return -ENOMEM;
    int error =
        map_range(address, size, fd, request->file_offset, request->flags & PLACER_READ_ONLY);
    if (!error)
        error = hypervisor_renew(&placer->hypervisor, address, request->guest_address, size);
    if (error)
        map_range(address, size, placer->file, offset, false); // a failed attempt may leave a hole
    return error;
}

static int carry_out(struct placer *placer, uint32_t type, const struct placer_request *request,
                     int fd)
{
    switch (type) {
    case PLACER_BIND:
        return bind_aperture(placer, request, fd);
    case PLACER_PLACE:
        return place(placer, request, fd, false);
    case PLACER_UNPLACE:
        return place(placer, request, fd, true);
    case PLACER_UNBIND:
        placer->bound = false;
        return 0;
    case PLACER_QUERY:
    case PLACER_RESUME:
        if (!placer->generation || request->generation != placer->generation || !stands(placer))
            return -ESTALE;
        placer->bound |= type == PLACER_RESUME;
        return 0;
    }
    return -ENOSYS;
}

// ---- the socket -----------------------------------------------------------

static bool send_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

static bool send_replies(struct placer *placer)
{
    unsigned count = placer->reply_count;
    placer->reply_count = 0;
    return send_all(placer->socket, placer->replies, count * REPLY_SIZE);
}

static bool reply(struct placer *placer, uint32_t type, const struct placer_request *request,
                  int result)
{
    struct placer_header header = {type, PLACER_VERSION | PLACER_REPLY,
                                   sizeof(struct placer_reply)};
    struct placer_reply reply = {request->generation, request->cookie, result};
    uint8_t *to = placer->replies[placer->reply_count++];
    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), &reply, sizeof(reply));
    return placer->reply_count < sizeof(placer->replies) / REPLY_SIZE || send_replies(placer);
}

// Reads once, at most `size` bytes. Keeps the last descriptor that came in *file and closes any
// other. 0: the end; -1: errno.
static ssize_t receive_some(int fd, void *data, size_t size, int flags, int *file)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr alignment;
    } control;
    struct iovec part = {data, size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do
        got = recvmsg(fd, &header, flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            if (*file >= 0)
                close(*file);
            memcpy(file, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            fcntl(*file, F_SETFD, FD_CLOEXEC);
        }
    }
    return got;
}

// Receives exactly one request, so that its descriptor cannot be another one's. Replies that wait
// are sent before this blocks. False: the end.
static bool receive(struct placer *placer, uint32_t *type, struct placer_request *request,
                    int *file)
{
    uint8_t message[REQUEST_SIZE];
    struct placer_header header;
    size_t have = 0;
    while (have < sizeof(message)) {
        bool waiting = placer->reply_count != 0;
        ssize_t got = receive_some(placer->socket, message + have, sizeof(message) - have,
                                   waiting ? MSG_DONTWAIT : 0, file);
        if (got < 0 && waiting && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!send_replies(placer))
                return false;
            continue;
        }
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    memcpy(&header, message, sizeof(header));
    memcpy(request, message + sizeof(header), sizeof(*request));
    *type = header.type;
    return header.size == sizeof(*request);
}

static void *serve(void *data)
{
    struct placer *placer = data;
    struct placer_request request;
    uint32_t type;
    bool more = true;
    while (more) {
        int file = -1;
        more = receive(placer, &type, &request, &file) &&
               reply(placer, type, &request, carry_out(placer, type, &request, file));
        if (file >= 0)
            close(file);
    }
    // Mappings stay: the guest may still be using them.
    release(placer);
    close(placer->socket);
    if (placer->maps >= 0)
        close(placer->maps);
    free(placer->files);
    free(placer);
    return NULL;
}

// ---- starting -------------------------------------------------------------

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool say_hello(const struct placer *placer)
{
    struct placer_header header = {PLACER_HELLO, PLACER_VERSION, sizeof(struct placer_hello)};
    struct placer_hello hello = {PLACER_MAGIC, (uint32_t)placer->page_size,
                                 platform_max_placements(), 0};
    return send_all(placer->socket, &header, sizeof(header)) &&
           send_all(placer->socket, &hello, sizeof(hello));
}

// Takes `fd` over. False: errno.
static bool start(int fd)
{
    struct placer *placer = calloc(1, sizeof(*placer));
    if (!placer) {
        close(fd);
        return false;
    }
    placer->socket = fd;
    placer->file = -1;
    placer->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    placer->maps = platform_open_maps();
    platform_prepare_socket(fd);
    pthread_t thread;
    sigset_t all, before;
    int error = 0;
    if (!say_hello(placer)) {
        error = errno;
    } else {
        sigfillset(&all); // signals are for QEMU's threads
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&thread, NULL, serve, placer);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (error) {
        close(fd);
        if (placer->maps >= 0)
            close(placer->maps);
        free(placer);
        errno = error;
        return false;
    }
    pthread_detach(thread);
    return true;
}

static bool start_by_path(const char *path)
{
    int fd = connect_to(path);
    if (fd >= 0 && start(fd))
        return true;
    fprintf(stderr, "hesper-placer: cannot reach hesper at %s: %s (start hesper first)\n", path,
            strerror(errno));
    return false;
}

static bool start_by_number(const char *number)
{
    if (start(atoi(number)))
        return true;
    fprintf(stderr, "hesper-placer: descriptor %s does not lead to hesper: %s\n", number,
            strerror(errno));
    return false;
}

static bool preloaded; // and running; set before QEMU's main, read in it

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "socket=", 7) == 0)
            return start_by_path(argv[i] + 7) ? 0 : -1;
        if (strncmp(argv[i], "fd=", 3) == 0)
            return start_by_number(argv[i] + 3) ? 0 : -1;
    }
    if (preloaded)
        return 0;
    fprintf(stderr,
            "hesper-placer: say where hesper listens: -plugin hesper-placer.so,socket=PATH\n");
    return -1;
}

// Looks for version=N in the argument of -plugin whose file name has "placer" in it; -1: none.
static int version_by_argument(void)
{
    struct platform_arguments arguments = {0};
    char *argument;
    int version = -1;
    bool plugin = false;
    while ((argument = platform_next_argument(&arguments))) {
        char *found = plugin && strstr(argument, "placer") ? strstr(argument, ",version=") : NULL;
        if (found)
            version = atoi(found + 9);
        plugin = strcmp(argument, "-plugin") == 0 || strcmp(argument, "--plugin") == 0;
        free(argument);
    }
    return version;
}

__attribute__((constructor)) static void load(void)
{
    const char *by_environment = getenv("HESPER_PLUGIN_VERSION");
    int version = version_by_argument();
    if (version < 0 && by_environment)
        version = atoi(by_environment);
    if (version >= 0)
        qemu_plugin_version = version;

    const char *path = getenv("HESPER_PLACER_SOCKET"), *descriptor = getenv("HESPER_PLACER_FD");
    if ((!path && !descriptor) || !strstr(platform_program_name(), "qemu"))
        return;
    preloaded = path ? start_by_path(path) : start_by_number(descriptor);
    unsetenv("HESPER_PLACER_SOCKET"); // programs that QEMU starts inherit the preload
    unsetenv("HESPER_PLACER_FD");
}
