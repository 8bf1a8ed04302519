// What hesper doctor checks of the machine itself.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "os/os.h"
#include "os/places.h"
#include "os/shm.h"
#include "wire/wire.h"

enum { ENOUGH_FILES = 4096, NEEDED_FILES = 256, ENOUGH_MAPPINGS = 65000 };
#define APERTURE_SIZE (8ull << 30) // the default

static void check_version(struct doctor *doctor)
{
    struct utsname name;
    uint32_t version = wire_vk_xml_version();
    if (uname(&name) < 0)
        strcpy(name.sysname, "?");
    doctor_say(doctor, DOCTOR_GOOD, "hesper", NULL, "%s, Vulkan %u.%u.%u, on %s %s %s",
               HESPER_VERSION, version >> 22 & 0x7f, version >> 12 & 0x3ff, version & 0xfff,
               name.sysname, name.release, name.machine);
}

// Guests map such files: sparse, of the aperture's size, with pages that can be given back.
static void check_memory(struct doctor *doctor)
{
    size_t page = os_page_size();
    int fd = os_shm_create("hesper-doctor", APERTURE_SIZE);
    void *mapping;
    int error = fd < 0 ? fd : os_shm_map(fd, APERTURE_SIZE / 2, page, &mapping);
    bool returned = false;
    if (!error) {
        volatile unsigned char *first = mapping;
        *first = 1;
        returned = !os_shm_punch(fd, mapping, APERTURE_SIZE / 2, page) && *first == 0;
        os_shm_unmap(mapping, page);
    }
    if (fd >= 0)
        close(fd);
    if (error)
        doctor_say(doctor, DOCTOR_BAD, "memory",
                   "give this user shared memory (a container may need --shm-size)",
                   "no shared memory of %llu GiB, sparse: %s", APERTURE_SIZE >> 30,
                   strerror(-error));
    else if (!returned)
        doctor_say(doctor, DOCTOR_NOTE, "memory", NULL,
                   "shared memory in pages of %zu bytes; what a guest frees stays taken", page);
    else
        doctor_say(doctor, DOCTOR_GOOD, "memory", NULL,
                   "shared memory, sparse, given back in pages of %zu bytes", page);
}

static void check_files(struct doctor *doctor)
{
    size_t limit = os_raise_file_limit();
    char remedy[96];
    snprintf(remedy, sizeof(remedy), "raise the hard limit: ulimit -Hn %d", 1 << 16);
    if (limit >= ENOUGH_FILES)
        doctor_say(doctor, DOCTOR_GOOD, "files", NULL, "%zu may be open", limit);
    else
        doctor_say(doctor, limit < NEEDED_FILES ? DOCTOR_BAD : DOCTOR_NOTE, "files", remedy,
                   "only %zu may be open: guests with many shared images will run out", limit);
}

static void check_space(struct doctor *doctor)
{
    struct rlimit space, locked;
    unsigned long mappings = os_mapping_limit();
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY &&
        space.rlim_cur < 2 * APERTURE_SIZE)
        doctor_say(doctor, DOCTOR_BAD, "space", "ulimit -v unlimited, or a smaller --aperture-size",
                   "the address space is limited to %llu MiB, less than the aperture needs",
                   (unsigned long long)(space.rlim_cur >> 20));
    else if (mappings && mappings < ENOUGH_MAPPINGS)
        doctor_say(doctor, DOCTOR_NOTE, "space", "sysctl vm.max_map_count=65530",
                   "QEMU may have %lu mappings: guests with much memory will run out", mappings);
    else if (mappings)
        doctor_say(doctor, DOCTOR_GOOD, "space", NULL, "no limit; %lu mappings", mappings);
    else
        doctor_say(doctor, DOCTOR_GOOD, "space", NULL, "no limit");
    // Said because people look for it: nothing is locked here.
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0) {
        if (locked.rlim_cur == RLIM_INFINITY)
            doctor_say(doctor, DOCTOR_GOOD, "locked", NULL, "no limit of locked memory");
        else
            doctor_say(doctor, DOCTOR_GOOD, "locked", NULL,
                       "%llu KiB of memory may be locked; Hesper locks none",
                       (unsigned long long)(locked.rlim_cur >> 10));
    }
}

void doctor_host(struct doctor *doctor)
{
    check_version(doctor);
    check_memory(doctor);
    check_files(doctor);
    check_space(doctor);
}
