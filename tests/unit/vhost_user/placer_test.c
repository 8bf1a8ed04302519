// The placer, loaded into this process, which plays QEMU: it has a file mapped, and the placer maps
// others over it.
#include "placer/placer.h"

#include "../short.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { APERTURE = 1 << 24, PAGE = 0x1000 };
#define GUEST_ADDRESS 0xfc00000000ull // of the aperture

static const char *plugin_path;
static int (*install)(uint64_t id, const void *info, int argc, char **argv);

struct qemu {
    bool by_address; // the aperture is not looked for in /proc, as on macOS
    int socket;      // to the placer
    int file;
    uint8_t *aperture;
    uint64_t cookie;
};

static void receive_exactly(int fd, void *to, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = read(fd, (uint8_t *)to + have, size - have);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

static void expect_hello(int fd)
{
    struct placer_header header;
    struct placer_hello hello;
    receive_exactly(fd, &header, sizeof(header));
    assert_int_equal(header.type, PLACER_HELLO);
    assert_int_equal(header.flags & 3, PLACER_VERSION);
    assert_int_equal(header.size, sizeof(hello));
    receive_exactly(fd, &hello, sizeof(hello));
    assert_int_equal(hello.magic, PLACER_MAGIC);
    assert_int_equal(hello.page_size, sysconf(_SC_PAGESIZE));
    assert_true(hello.max_placements > 1000 && hello.max_placements < 10000000);
}

static void send_request(struct qemu *q, enum placer_type type,
                         const struct placer_request *request, int fd)
{
    uint8_t message[sizeof(struct placer_header) + sizeof(*request)];
    struct placer_header header = {type, PLACER_VERSION, sizeof(*request)};
    struct placer_request copy = *request;
    copy.cookie = ++q->cookie;
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), &copy, sizeof(copy));
    assert_int_equal(os_socket_send(q->socket, message, sizeof(message), &fd, fd >= 0),
                     sizeof(message));
}

static int receive_reply(struct qemu *q, enum placer_type type, uint64_t cookie)
{
    struct placer_header header;
    struct placer_reply reply;
    receive_exactly(q->socket, &header, sizeof(header));
    receive_exactly(q->socket, &reply, sizeof(reply));
    assert_int_equal(header.type, type);
    assert_int_equal(header.flags, PLACER_VERSION | PLACER_REPLY);
    assert_int_equal(reply.cookie, cookie);
    return (int)reply.result;
}

static int ask(struct qemu *q, enum placer_type type, struct placer_request request, int fd)
{
    send_request(q, type, &request, fd);
    return receive_reply(q, type, q->cookie);
}

static int place(struct qemu *q, uint64_t offset, uint64_t size, int fd, uint64_t file_offset)
{
    return ask(q, PLACER_PLACE,
               (struct placer_request){
                   .generation = 1, .offset = offset, .size = size, .file_offset = file_offset},
               fd);
}

static int unplace(struct qemu *q, uint64_t offset, uint64_t size)
{
    return ask(q, PLACER_UNPLACE,
               (struct placer_request){.generation = 1, .offset = offset, .size = size}, -1);
}

static int bind_aperture(struct qemu *q, uint64_t generation)
{
    struct placer_request request = {
        .generation = generation, .size = APERTURE, .guest_address = GUEST_ADDRESS};
    if (q->by_address) {
        request.flags = PLACER_BY_ADDRESS;
        request.address = (uintptr_t)q->aperture;
    }
    return ask(q, PLACER_BIND, request, q->file);
}

static int setup(void **state)
{
    struct qemu *q = test_calloc(1, sizeof(*q));
    int fds[2];
    char argument[32];
    assert_int_equal(os_socket_pair(fds), 0);
    snprintf(argument, sizeof(argument), "fd=%d", fds[1]);
    assert_int_equal(install(1, NULL, 1, (char *[]){argument}), 0);
    q->socket = fds[0];
    expect_hello(q->socket);
    q->file = os_shm_create("aperture", APERTURE);
    q->aperture = map_file(q->file, 0, APERTURE);
    assert_non_null(q->aperture);
    *state = q;
    return 0;
}

static int setup_bound(void **state)
{
    setup(state);
    assert_int_equal(bind_aperture(*state, 1), 0);
    return 0;
}

static int setup_by_address(void **state)
{
    setup(state);
    ((struct qemu *)*state)->by_address = true;
    return 0;
}

static int setup_bound_by_address(void **state)
{
    setup_by_address(state);
    assert_int_equal(bind_aperture(*state, 1), 0);
    return 0;
}

static int teardown(void **state)
{
    struct qemu *q = *state;
    close(q->socket);
    if (q->aperture)
        munmap(q->aperture, APERTURE);
    close(q->file);
    test_free(q);
    return 0;
}

static int file_of(const char *text, uint64_t size)
{
    int fd = os_shm_create("range", size);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
    return fd;
}

// ---- placing --------------------------------------------------------------

static void a_placed_range_shows_the_file_both_ways(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("hello", 4 * PAGE);
    q->aperture[5 * PAGE] = 1;
    assert_int_equal(place(q, 8 * PAGE, 2 * PAGE, fd, 0), 0);
    assert_memory_equal(q->aperture + 8 * PAGE, "hello", 6);
    assert_int_equal(q->aperture[5 * PAGE], 1); // neighbours stay
    memcpy(q->aperture + 9 * PAGE, "back", 5);
    char text[5];
    assert_int_equal(pread(fd, text, 5, PAGE), 5);
    assert_memory_equal(text, "back", 5);
    close(fd); // the range outlives it
    assert_memory_equal(q->aperture + 8 * PAGE, "hello", 6);

    assert_int_equal(unplace(q, 8 * PAGE, 2 * PAGE), 0);
    assert_int_equal(q->aperture[8 * PAGE], 0); // the aperture's own file again
    q->aperture[8 * PAGE] = 3;
    assert_int_equal(pread(q->file, text, 1, 8 * PAGE), 1);
    assert_int_equal(text[0], 3);
}

static void a_part_of_a_file_over_another(void **state)
{
    struct qemu *q = *state;
    int a = file_of("aaaa", 4 * PAGE), b = file_of("bbbb", 4 * PAGE);
    assert_int_equal(pwrite(b, "third", 6, 2 * PAGE), 6);
    assert_int_equal(place(q, 0, 4 * PAGE, a, 0), 0);
    assert_int_equal(place(q, PAGE, PAGE, b, 2 * PAGE), 0);
    assert_memory_equal(q->aperture, "aaaa", 4);
    assert_memory_equal(q->aperture + PAGE, "third", 6);
    assert_int_equal(unplace(q, 0, APERTURE), 0); // all at once
    assert_int_equal(q->aperture[0], 0);
    assert_int_equal(q->aperture[PAGE], 0);
    close(a);
    close(b);
}

static void a_read_only_range_keeps_writes_from_the_file(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("original", PAGE);
    struct placer_request request = {.generation = 1, .size = PAGE, .flags = PLACER_READ_ONLY};
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), 0);
    assert_memory_equal(q->aperture, "original", 8);
    memcpy(q->aperture, "scribble", 8); // and QEMU survives it
    char text[8];
    assert_int_equal(pread(fd, text, 8, 0), 8);
    assert_memory_equal(text, "original", 8);
    close(fd);
}

static void thousands_live_at_once(void **state)
{
    struct qemu *q = *state;
    enum { COUNT = APERTURE / (2 * PAGE) };
    int fd = os_shm_create("arena", APERTURE);
    uint32_t *arena = map_file(fd, 0, APERTURE);
    for (uint32_t i = 0; i < APERTURE / PAGE; i++)
        arena[i * (PAGE / 4)] = i;
    uint64_t first = q->cookie + 1;
    for (uint32_t i = 0; i < COUNT; i++) { // pipelined; answers are taken as they come
        struct placer_request request = {.generation = 1,
                                         .offset = 2 * PAGE * i,
                                         .size = PAGE,
                                         .file_offset = PAGE * (APERTURE / PAGE - 1 - i)};
        send_request(q, PLACER_PLACE, &request, fd);
        if (i >= 32)
            assert_int_equal(receive_reply(q, PLACER_PLACE, first + i - 32), 0);
    }
    for (uint32_t i = COUNT - 32; i < COUNT; i++)
        assert_int_equal(receive_reply(q, PLACER_PLACE, first + i), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(*(uint32_t *)(q->aperture + 2 * PAGE * i), APERTURE / PAGE - 1 - i);
        assert_int_equal(q->aperture[2 * PAGE * i + PAGE], 0);
    }
    assert_int_equal(ask(q, PLACER_QUERY, (struct placer_request){.generation = 1}, -1), 0);
    os_shm_unmap(arena, APERTURE);
    close(fd);
}

static unsigned count_mappings(const struct qemu *q)
{
    char line[512];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps)) {
        unsigned long start = strtoul(line, NULL, 16);
        count += start >= (uintptr_t)q->aperture && start < (uintptr_t)q->aperture + APERTURE;
    }
    fclose(maps);
    return count;
}

static void ranges_given_back_leave_no_trace(void **state)
{
    struct qemu *q = *state;
    int fd = os_shm_create("arena", APERTURE);
    assert_int_equal(count_mappings(q), 1);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(place(q, 2 * PAGE * i, PAGE, fd, PAGE * i), 0);
    assert_true(count_mappings(q) >= 200);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(unplace(q, 2 * PAGE * i, PAGE), 0);
    assert_int_equal(count_mappings(q), 1);
    close(fd);
}

// ---- where the platform has no list of mappings ---------------------------

static void the_address_must_be_the_apertures(void **state)
{
    struct qemu *q = *state;
    int other = os_shm_create("other", APERTURE);
    uint8_t *elsewhere = map_file(other, 0, APERTURE);
    struct placer_request request = {
        .generation = 1, .size = APERTURE, .flags = PLACER_BY_ADDRESS, .address = 0};
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH); // nobody said
    request.address = (uintptr_t)elsewhere;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH); // another file's
    request.address = (uintptr_t)q->aperture + PAGE;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH); // beside it
    request.address = (uintptr_t)q->aperture + 8;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH);
    request.address = UINT64_MAX - PAGE + 1;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH);
    assert_int_equal(munmap(elsewhere, APERTURE), 0);
    request.address = (uintptr_t)elsewhere; // nothing is there: and QEMU survives the look
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH);
    request.address = (uintptr_t)q->aperture;
    request.size = APERTURE / 2 + 8;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -EINVAL);
    // Its end is looked at too.
    assert_int_equal(munmap(q->aperture + APERTURE - PAGE, PAGE), 0);
    request.size = APERTURE;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH);
    request.size = APERTURE - PAGE;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), 0);
    close(other);
}

static void looking_leaves_no_mark(void **state)
{
    struct qemu *q = *state;
    q->aperture[0] = 7;
    q->aperture[APERTURE - 1] = 9;
    assert_int_equal(bind_aperture(q, 1), 0);
    for (int i = 0; i < PAGE; i++) {
        assert_int_equal(q->aperture[i], i ? 0 : 7);
        assert_int_equal(q->aperture[APERTURE - 1 - i], i ? 0 : 9);
    }
}

// ---- a hypervisor with a picture of its own, as HVF is --------------------

static struct {
    bool exists;    // this process has a virtual machine of the hypervisor's
    uint8_t *guest; // what the guest sees of the aperture: mappings that stay when others change
    int maps, unmaps;
} hypervisor;

// The placer finds these by their names.
__attribute__((visibility("default"))) int hv_vm_map(void *address, uint64_t guest, size_t size,
                                                     uint64_t flags);
__attribute__((visibility("default"))) int hv_vm_unmap(uint64_t guest, size_t size);

int hv_vm_map(void *address, uint64_t guest, size_t size, uint64_t flags)
{
    uint8_t *at = hypervisor.guest + (guest - GUEST_ADDRESS);
    assert_true(hypervisor.exists);
    assert_int_equal(flags, 7);
    assert_true(guest >= GUEST_ADDRESS && guest + size <= GUEST_ADDRESS + APERTURE);
    hypervisor.maps++;
    return mremap(address, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at ? 0 : 1;
}

int hv_vm_unmap(uint64_t guest, size_t size)
{
    if (!hypervisor.exists)
        return (int)0xfae94006; // HV_NO_DEVICE
    hypervisor.unmaps++;
    void *at = hypervisor.guest + (guest - GUEST_ADDRESS);
    return mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at ? 0 : 1;
}

static int setup_with_hypervisor(void **state)
{
    setup_by_address(state);
    struct qemu *q = *state;
    hypervisor.exists = true;
    hypervisor.maps = hypervisor.unmaps = 0;
    hypervisor.guest =
        mmap(NULL, APERTURE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_int_equal(hv_vm_map(q->aperture, GUEST_ADDRESS, APERTURE, 7), 0); // as QEMU does
    return 0;
}

static int teardown_hypervisor(void **state)
{
    munmap(hypervisor.guest, APERTURE);
    hypervisor.exists = false;
    return teardown(state);
}

static void the_guest_sees_what_is_placed(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("hello", 4 * PAGE);
    struct placer_request request = {.generation = 1,
                                     .size = APERTURE,
                                     .address = (uintptr_t)q->aperture,
                                     .guest_address = GUEST_ADDRESS,
                                     .flags = PLACER_BY_ADDRESS};
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), 0);
    assert_int_equal(hypervisor.unmaps, 1);
    assert_int_equal(hypervisor.maps, 2);

    request = (struct placer_request){.generation = 1,
                                      .offset = 8 * PAGE,
                                      .size = 2 * PAGE,
                                      .guest_address = GUEST_ADDRESS + 8 * PAGE};
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), 0);
    assert_memory_equal(hypervisor.guest + 8 * PAGE, "hello", 6);
    hypervisor.guest[9 * PAGE] = 5;
    char byte;
    assert_int_equal(pread(fd, &byte, 1, PAGE), 1);
    assert_int_equal(byte, 5);
    assert_int_equal(ask(q, PLACER_UNPLACE, request, -1), 0);
    assert_int_equal(hypervisor.guest[8 * PAGE], 0);
    assert_int_equal(hypervisor.unmaps, 3);
    assert_int_equal(hypervisor.maps, 4);

    // Where it is in the guest must be known, or the guest would go on seeing what was there.
    request.guest_address = 0;
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), -ENXIO);
    assert_int_equal(q->aperture[8 * PAGE], 0);
    close(fd);
}

// QEMU has the functions, and runs the machine by another accelerator.
static void a_hypervisor_without_a_machine_is_left_alone(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("hello", PAGE);
    hypervisor.exists = false;
    assert_int_equal(bind_aperture(q, 1), 0);
    struct placer_request request = {.generation = 1, .size = PAGE, .guest_address = GUEST_ADDRESS};
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), 0);
    assert_memory_equal(q->aperture, "hello", 6);
    assert_int_equal(hypervisor.maps, 1); // that of the setup
    close(fd);
}

// ---- refusals -------------------------------------------------------------

static void impossible_ranges_are_refused(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("x", 4 * PAGE);
    assert_int_equal(place(q, APERTURE, PAGE, fd, 0), -EINVAL);
    assert_int_equal(place(q, APERTURE - PAGE, 2 * PAGE, fd, 0), -EINVAL);
    assert_int_equal(place(q, UINT64_MAX - PAGE + 1, 2 * PAGE, fd, 0), -EINVAL);
    assert_int_equal(place(q, 0, 0, fd, 0), -EINVAL);
    assert_int_equal(place(q, 0, 0x800, fd, 0), -EINVAL);
    assert_int_equal(place(q, 0x800, PAGE, fd, 0), -EINVAL);
    assert_int_equal(place(q, 0, PAGE, fd, 0x800), -EINVAL);
    assert_int_equal(place(q, 0, 5 * PAGE, fd, 0),
                     -EINVAL); // beyond the file: QEMU would die of it
    assert_int_equal(place(q, 0, PAGE, fd, 4 * PAGE), -EINVAL);
    assert_int_equal(place(q, 0, PAGE, fd, UINT64_MAX - PAGE + 1), -EINVAL);
    assert_int_equal(place(q, 0, PAGE, -1, 0), -EBADF);
    assert_int_equal(unplace(q, APERTURE - PAGE, 2 * PAGE), -EINVAL);
    assert_int_equal(ask(q, 99, (struct placer_request){.generation = 1}, -1), -ENOSYS);
    close(fd);
}

static void what_can_not_be_mapped_leaves_the_aperture_whole(void **state)
{
    struct qemu *q = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_not_equal(place(q, 0, PAGE, ends[0], 0), 0);
    q->aperture[0] = 5; // no hole
    assert_int_equal(ask(q, PLACER_QUERY, (struct placer_request){.generation = 1}, -1), 0);
    close(ends[0]);
    close(ends[1]);
}

static void other_generations_are_refused(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("x", PAGE);
    struct placer_request request = {.generation = 2, .size = PAGE};
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), -ESTALE);
    assert_int_equal(ask(q, PLACER_UNPLACE, request, -1), -ESTALE);
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), -ESTALE);
    assert_int_equal(ask(q, PLACER_RESUME, request, -1), -ESTALE);
    request.generation = 0;
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), -ESTALE);
    close(fd);
}

// ---- binding --------------------------------------------------------------

static void binding_needs_the_aperture_in_this_process(void **state)
{
    struct qemu *q = *state;
    int other = os_shm_create("other", APERTURE);
    struct placer_request request = {.generation = 1, .size = APERTURE};
    int fd = file_of("x", PAGE);
    assert_int_equal(place(q, 0, PAGE, fd, 0), -ESTALE); // not bound
    assert_int_equal(ask(q, PLACER_BIND, request, other), -ESRCH);
    assert_int_equal(ask(q, PLACER_BIND, request, -1), -EINVAL);
    request.size = 2 * APERTURE; // more than is mapped
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -ESRCH);
    request.size = 0;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -EINVAL);
    request.size = APERTURE;
    request.generation = 0;
    assert_int_equal(ask(q, PLACER_BIND, request, q->file), -EINVAL);
    assert_int_equal(place(q, 0, PAGE, fd, 0), -ESTALE);
    assert_int_equal(bind_aperture(q, 1), 0);
    assert_int_equal(place(q, 0, PAGE, fd, 0), 0);
    close(other);
    close(fd);
}

static void nothing_is_mapped_between_unbind_and_resume(void **state)
{
    struct qemu *q = *state;
    struct placer_request request = {.generation = 1};
    int fd = file_of("stays", PAGE);
    assert_int_equal(place(q, 0, PAGE, fd, 0), 0);
    assert_int_equal(ask(q, PLACER_UNBIND, request, -1), 0);
    assert_int_equal(place(q, PAGE, PAGE, fd, 0), -ESTALE);
    assert_int_equal(unplace(q, 0, PAGE), -ESTALE);
    assert_memory_equal(q->aperture, "stays", 5);
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), 0);
    assert_int_equal(place(q, PAGE, PAGE, fd, 0), -ESTALE); // asking changes nothing
    assert_int_equal(ask(q, PLACER_RESUME, request, -1), 0);
    assert_int_equal(place(q, PAGE, PAGE, fd, 0), 0);
    close(fd);
}

static void an_aperture_that_qemu_unmapped_is_noticed(void **state)
{
    struct qemu *q = *state;
    struct placer_request request = {.generation = 1};
    assert_int_equal(ask(q, PLACER_UNBIND, request, -1), 0);
    munmap(q->aperture, APERTURE);
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), -ESTALE);
    assert_int_equal(ask(q, PLACER_RESUME, request, -1), -ESTALE);
    // Something else at the same address is not the aperture either, be it of the same kind.
    int other = os_shm_create("other", APERTURE);
    assert_ptr_equal(
        mmap(q->aperture, APERTURE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, other, 0),
        q->aperture);
    assert_int_equal(ask(q, PLACER_RESUME, request, -1), -ESTALE);
    close(other);
}

static void an_aperture_that_was_cut_into_is_noticed(void **state)
{
    struct qemu *q = *state;
    struct placer_request request = {.generation = 1};
    munmap(q->aperture + APERTURE - PAGE, PAGE); // the last page
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), -ESTALE);
    assert_ptr_equal(mmap(q->aperture + APERTURE - PAGE, PAGE, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_FIXED, q->file, APERTURE - PAGE),
                     q->aperture + APERTURE - PAGE);
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), 0);
    assert_ptr_equal(mmap(q->aperture + PAGE, PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                     q->aperture + PAGE);
    assert_int_equal(ask(q, PLACER_QUERY, request, -1), -ESTALE);
}

// Where the kernel can say quickly what is mapped (Linux 6.11), a range that is somebody else's is
// not overwritten even if bound.
static void foreign_memory_is_not_overwritten(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("x", PAGE);
    uint8_t *foreign = mmap(q->aperture, PAGE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    assert_ptr_equal(foreign, q->aperture);
    *foreign = 77;
    int error = place(q, 0, PAGE, fd, 0);
    if (error == 0)
        skip(); // an older kernel
    assert_int_equal(error, -ESTALE);
    assert_int_equal(unplace(q, 0, PAGE), -ESTALE);
    assert_int_equal(*foreign, 77);
    munmap(foreign, PAGE);
    assert_int_equal(place(q, 0, PAGE, fd, 0), -ESTALE);
    assert_int_equal(place(q, PAGE, PAGE, fd, 0), 0);
    close(fd);
}

static void a_new_aperture_replaces_the_old(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("new", PAGE);
    munmap(q->aperture, APERTURE);
    close(q->file);
    q->file = os_shm_create("aperture", APERTURE);
    q->aperture = map_file(q->file, 0, APERTURE);
    assert_int_equal(bind_aperture(q, 2), 0);
    assert_int_equal(place(q, 0, PAGE, fd, 0), -ESTALE); // of generation 1
    struct placer_request request = {.generation = 2, .size = PAGE};
    assert_int_equal(ask(q, PLACER_PLACE, request, fd), 0);
    assert_memory_equal(q->aperture, "new", 3);
    close(fd);
}

static void what_is_placed_outlives_the_connection(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("stays", PAGE);
    assert_int_equal(place(q, 0, PAGE, fd, 0), 0);
    close(fd);
    shutdown(q->socket, SHUT_RDWR);
    usleep(50000);
    assert_memory_equal(q->aperture, "stays", 5);
}

static unsigned open_files(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void no_descriptor_stays_behind(void **state)
{
    struct qemu *q = *state;
    int fd = file_of("x", PAGE);
    unsigned before = open_files();
    for (int i = 0; i < 50; i++) {
        assert_int_equal(place(q, 0, PAGE, fd, 0), 0);
        assert_int_equal(ask(q, PLACER_PLACE, (struct placer_request){.generation = 9}, fd),
                         -ESTALE);
        assert_int_equal(ask(q, PLACER_QUERY, (struct placer_request){.generation = 1}, fd),
                         0); // nobody asked for one
    }
    assert_int_equal(unplace(q, 0, PAGE), 0);
    assert_int_equal(bind_aperture(q, 1), 0);
    // What the test before this one had open may have gone meanwhile.
    assert_in_range(open_files(), 0, before);
    close(fd);
}

// ---- loading --------------------------------------------------------------

static void connects_to_a_path(void **state)
{
    (void)state;
    char folder[] = "/tmp/hesper-placer-XXXXXX", path[64], argument[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(argument, sizeof(argument), "socket=%s", path);
    assert_int_equal(install(1, NULL, 1, (char *[]){argument}), -1); // nobody listens
    int listener = os_socket_listen(path);
    assert_true(listener >= 0);
    assert_int_equal(install(1, NULL, 2, (char *[]){"version=7", argument}), 0);
    int fd = os_socket_accept(listener);
    assert_true(fd >= 0);
    assert_int_equal(os_socket_set_nonblocking(fd, false), 0);
    expect_hello(fd);
    close(fd);
    close(listener);
    unlink(path);
    rmdir(folder);
}

static void must_be_told_where_to_connect(void **state)
{
    (void)state;
    char long_path[300] = "socket=/";
    memset(long_path + 8, 'x', 200);
    assert_int_equal(install(1, NULL, 0, NULL), -1);
    assert_int_equal(install(1, NULL, 1, (char *[]){long_path}), -1);
    assert_int_equal(install(1, NULL, 1, (char *[]){"fd=987"}), -1);
}

static void claims_a_version_of_the_plugin_interface(void **state)
{
    (void)state;
    void *object = dlopen(plugin_path, RTLD_NOW);
    const int *version = dlsym(object, "qemu_plugin_version");
    assert_non_null(version);
    const char *wanted = getenv("HESPER_PLUGIN_VERSION");
    assert_int_equal(*version, wanted ? atoi(wanted) : 7);
    dlclose(object);
    if (wanted)
        return;
    char command[4096];
    snprintf(command, sizeof(command),
             "HESPER_PLUGIN_VERSION=12 '/proc/%d/exe' '%s' version >/dev/null 2>&1", (int)getpid(),
             plugin_path);
    assert_int_equal(system(command), 0);
    // The command line, as QEMU would have it, goes before the environment.
    snprintf(command, sizeof(command),
             "HESPER_PLUGIN_VERSION=12 '/proc/%d/exe' '%s' expect 9 -plugin '%s,version=9' "
             ">/dev/null 2>&1",
             (int)getpid(), plugin_path, plugin_path);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_placed_range_shows_the_file_both_ways, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_of_a_file_over_another, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(a_read_only_range_keeps_writes_from_the_file, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(thousands_live_at_once, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(ranges_given_back_leave_no_trace, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(impossible_ranges_are_refused, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_mapped_leaves_the_aperture_whole,
                                        setup_bound, teardown),
        cmocka_unit_test_setup_teardown(other_generations_are_refused, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(binding_needs_the_aperture_in_this_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_is_mapped_between_unbind_and_resume, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_aperture_that_qemu_unmapped_is_noticed, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_aperture_that_was_cut_into_is_noticed, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(foreign_memory_is_not_overwritten, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(a_new_aperture_replaces_the_old, setup_bound, teardown),
        cmocka_unit_test_setup_teardown(what_is_placed_outlives_the_connection, setup_bound,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_descriptor_stays_behind, setup_bound, teardown),
#define BY_ADDRESS(name) {#name " (by address)", name, setup_bound_by_address, teardown, NULL}
        BY_ADDRESS(a_placed_range_shows_the_file_both_ways),
        BY_ADDRESS(a_part_of_a_file_over_another),
        BY_ADDRESS(thousands_live_at_once),
        BY_ADDRESS(ranges_given_back_leave_no_trace),
        BY_ADDRESS(impossible_ranges_are_refused),
        BY_ADDRESS(what_can_not_be_mapped_leaves_the_aperture_whole),
        BY_ADDRESS(other_generations_are_refused),
        BY_ADDRESS(no_descriptor_stays_behind),
        cmocka_unit_test_setup_teardown(the_address_must_be_the_apertures, setup_by_address,
                                        teardown),
        cmocka_unit_test_setup_teardown(looking_leaves_no_mark, setup_by_address, teardown),
        cmocka_unit_test_setup_teardown(the_guest_sees_what_is_placed, setup_with_hypervisor,
                                        teardown_hypervisor),
        cmocka_unit_test_setup_teardown(a_hypervisor_without_a_machine_is_left_alone,
                                        setup_with_hypervisor, teardown_hypervisor),
        cmocka_unit_test(connects_to_a_path),
        cmocka_unit_test(must_be_told_where_to_connect),
        cmocka_unit_test(claims_a_version_of_the_plugin_interface),
    };
    plugin_path = argc > 1 ? argv[1] : "./hesper-placer.so";
    void *object = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (argc > 2) { // as a child of the test above: did the constructor set what was asked for?
        const char *wanted = argc > 3 ? argv[3] : getenv("HESPER_PLUGIN_VERSION");
        return *(int *)dlsym(object, "qemu_plugin_version") == atoi(wanted) ? 0 : 1;
    }
    install = (int (*)(uint64_t, const void *, int, char **))dlsym(object, "qemu_plugin_install");
    os_init(&(struct os_options){0});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
