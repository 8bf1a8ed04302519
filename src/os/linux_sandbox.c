// Landlock by raw system calls: the headers of the build machine may be older than the kernel that
// runs.
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/linux_filter.h"
#include "os/os.h"

// The same numbers on every architecture.
enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };

// Kernel interface (Documentation/userspace-api/landlock.rst). Reading stays allowed: drivers look
// into /proc, /sys, /etc and load their shader compilers late.
enum {
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1,
    RESTRICT_ALL_THREADS = 8, // ABI 8

    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10,
    FS_MAKE_BLOCK = 1 << 11,
    FS_MAKE_SYM = 1 << 12,
    FS_REFER = 1 << 13,    // ABI 2
    FS_TRUNCATE = 1 << 14, // ABI 3

    NET_BIND_TCP = 1 << 0, // ABI 4
    NET_CONNECT_TCP = 1 << 1,

    SCOPE_ABSTRACT_SOCKET = 1 << 0, // ABI 6
    SCOPE_SIGNAL = 1 << 1,
};

struct ruleset_attributes {
    uint64_t handled_fs, handled_net, scoped; // a zero field may be unknown to the kernel
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static void allow(int ruleset, uint64_t handled, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return; // not there: nothing to allow
    struct path_beneath rule = {.allowed = access & handled, .parent_fd = fd};
    syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
    close(fd);
}

static void allow_below(int ruleset, uint64_t handled, const char *base, const char *name,
                        uint64_t access)
{
    char path[4096];
    if (base && base[0] == '/' &&
        snprintf(path, sizeof(path), "%s/%s", base, name) < (int)sizeof(path)) {
        mkdir(path,
              0700); // it is there already, or there is no place for it: then no cache is kept
        allow(ruleset, handled, path, access);
    }
}

// Shader caches of the drivers, which could not be made later.
static void allow_caches(int ruleset, uint64_t handled)
{
    static const char *const below_cache[] = {"mesa_shader_cache", "mesa_shader_cache_db",
                                              "mesa_shader_cache_sf", "radv_builtin_shaders",
                                              "nvidia"};
    static const char *const variables[] = {"MESA_SHADER_CACHE_DIR", "MESA_GLSL_CACHE_DIR",
                                            "__GL_SHADER_DISK_CACHE_PATH"};
    const uint64_t access = FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_FILE | FS_REMOVE_DIR |
                            FS_MAKE_DIR | FS_MAKE_REG | FS_REFER;
    const char *home = getenv("HOME");
    const char *cache = getenv("XDG_CACHE_HOME");
    char default_cache[4096];
    if ((!cache || !cache[0]) && home &&
        snprintf(default_cache, sizeof(default_cache), "%s/.cache", home) <
            (int)sizeof(default_cache))
        cache = default_cache;
    for (size_t i = 0; i < sizeof(below_cache) / sizeof(below_cache[0]); i++)
        allow_below(ruleset, handled, cache, below_cache[i], access);
    allow_below(ruleset, handled, home, ".nv", access);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *path = getenv(variables[i]);
        if (path && path[0] == '/')
            allow(ruleset, handled, path, access);
    }
}

// The ABI in force, or 0.
static int enter_landlock(void)
{
    int abi = (int)syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;

    struct ruleset_attributes attributes = {
        .handled_fs = FS_EXECUTE | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR |
                      FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK |
                      FS_MAKE_SYM};
    if (abi >= 2)
        attributes.handled_fs |= FS_REFER;
    if (abi >= 3)
        attributes.handled_fs |= FS_TRUNCATE;
    if (abi >= 4)
        attributes.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        attributes.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return 0;

    uint64_t handled = attributes.handled_fs;
    allow(ruleset, handled, "/dev",
          FS_WRITE_FILE | FS_TRUNCATE); // /dev/dri, /dev/nvidia*, /dev/null
    if (os_is_portable())               // shm_open
        allow(ruleset, handled, "/dev/shm",
              FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE);
    allow(ruleset, handled, "/proc/self/task", FS_WRITE_FILE); // names of threads
    allow_caches(ruleset, handled);

    // Before ABI 8 only this thread and those it starts from now on are bound.
    long result = abi >= 8 ? syscall(CALL_RESTRICT_SELF, ruleset, RESTRICT_ALL_THREADS) : -1;
    if (result < 0)
        result = syscall(CALL_RESTRICT_SELF, ruleset, 0);
    close(ruleset);
    return result < 0 ? 0 : abi;
}

int os_sandbox_enter(enum os_sandbox kind, char *summary, size_t summary_size)
{
    if (kind == OS_SANDBOX_OFF) {
        snprintf(summary, summary_size, "off");
        return 0;
    }
    struct rlimit none = {0, 0};
    bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
    bool no_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    int abi = no_privileges ? enter_landlock() : 0;
    bool strict = kind == OS_SANDBOX_STRICT && no_privileges && os_seccomp_enter_strict() == 0;
    bool calls = strict || (no_privileges && os_seccomp_enter() == 0);

    char landlock[32] = "no landlock";
    if (abi)
        snprintf(landlock, sizeof(landlock), "landlock %d", abi);
    snprintf(summary, summary_size, "%s%s%s%s", landlock,
             strict  ? ", seccomp (strict)"
             : calls ? ", seccomp"
                     : "",
             no_privileges ? ", no-new-privs" : "", no_core ? ", no-core" : "");
    return no_core || no_privileges || abi ? 0 : -ENOTSUP;
}

void os_sandbox_close(enum os_sandbox kind)
{
    if (kind == OS_SANDBOX_DEFAULT) // strict: it is so already
        os_seccomp_close();
}
