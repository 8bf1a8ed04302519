// Landlock is asked by raw system calls: the headers of the build machine may be older than the
// kernel that runs.
#include "os/linux_landlock.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"

// The same numbers on every architecture.
enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };

// Kernel interface (Documentation/userspace-api/landlock.rst).
enum {
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1,
    RESTRICT_ALL_THREADS = 8, // ABI 8

    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
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

    READ = FS_READ_FILE | FS_READ_DIR,
    OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE, // the rest is of folders
};

struct ruleset_attributes {
    uint64_t handled_fs, handled_net, scoped; // a zero field may be unknown to the kernel
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

struct rules {
    int ruleset;
    uint64_t handled; // what the kernel knows
};

static void allow_fd(const struct rules *rules, int fd, uint64_t access)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode))
        access &= OF_FILES;
    struct path_beneath rule = {.allowed = access & rules->handled, .parent_fd = fd};
    syscall(CALL_ADD_RULE, rules->ruleset, RULE_PATH_BENEATH, &rule, 0);
}

static void allow(const struct rules *rules, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return; // not there: nothing to allow
    allow_fd(rules, fd, access);
    close(fd);
}

static void allow_below(const struct rules *rules, const char *base, const char *name,
                        uint64_t access)
{
    char path[PATH_MAX];
    if (base && base[0] == '/' &&
        snprintf(path, sizeof(path), "%s/%s", base, name) < (int)sizeof(path))
        allow(rules, path, access);
}

// ---- what is read ---------------------------------------------------------

// Libraries, the data of drivers, and what says what this machine is. No home of a user, nothing
// that others have left in /tmp, /var or /run, no passwords or keys of /etc, and of other processes
// nothing.
static void allow_system(const struct rules *rules)
{
    static const char *const paths[] = {
        "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store",
        "/run/opengl-driver", "/run/opengl-driver-32", "/run/current-system/sw",
        // Folders and files of /etc.
        "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
        "/etc/alternatives", "/etc/vulkan", "/etc/xdg/vulkan", "/etc/glvnd", "/etc/drirc",
        "/etc/OpenCL", "/etc/nvidia", "/etc/amd", "/etc/localtime", "/etc/passwd", "/etc/group",
        "/etc/nsswitch.conf", "/etc/os-release", "/etc/machine-id", "/etc/locale.alias",
        "/etc/mali_platform.config", "/etc/powervr.ini",
        // What the kernel tells.
        "/proc/bus", "/proc/cpuinfo", "/proc/devices", "/proc/driver", "/proc/filesystems",
        "/proc/meminfo", "/proc/modules", "/proc/stat", "/proc/sys", "/proc/version", "/sys/bus",
        "/sys/class", "/sys/dev", "/sys/devices", "/sys/module"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        allow(rules, paths[i], READ);
    allow(rules, "/proc/self/exe", READ); // NVIDIA's driver looks into it
    // Rules hold on to inodes; that of a process lasts only while somebody has it open.
    int self = open("/proc/self", O_PATH | O_CLOEXEC);
    if (self >= 0)
        allow_fd(rules, self, READ);
}

// Device nodes that drivers open.
static void allow_devices(const struct rules *rules)
{
    static const char *const patterns[] = {
        "/dev/dri", "/dev/nvidia*", "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
        "/dev/urandom", "/dev/udmabuf", "/dev/dma_heap", "/dev/sw_sync", "/dev/kfd",
        // Drivers of vendors, and of WSL.
        "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali*", "/dev/nvgpu*", "/dev/nvhost*", "/dev/nvmap",
        "/dev/nvsciipc", "/dev/pvr*", "/dev/galcore", "/dev/mtgpu*"};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        glob_t found;
        if (glob(patterns[i], 0, NULL, &found))
            continue;
        for (size_t j = 0; j < found.gl_pathc; j++)
            allow(rules, found.gl_pathv[j], READ | FS_WRITE_FILE | FS_TRUNCATE);
        globfree(&found);
    }
}

// Folders in which there is more than a driver.
static bool holds_others_too(const char *folder)
{
    static const char *const folders[] = {"", "/tmp", "/var/tmp", "/dev/shm", "/etc", "/root"};
    const char *home = getenv("HOME");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (!strcmp(folder, folders[i]))
            return true;
    return home && !strcmp(folder, home);
}

// The folder of a file; of a library also what was installed with it: PREFIX/lib*, PREFIX/share/...
static void allow_folder_of(const struct rules *rules, const char *file)
{
    static const char *const beside[] = {
        "lib", "lib32", "lib64", "share/drirc.d", "share/libdrm", "share/nvidia", "share/vulkan"};
    char path[PATH_MAX];
    if (file[0] != '/' || snprintf(path, sizeof(path), "%s", file) >= (int)sizeof(path))
        return;
    char *slash = strrchr(path, '/');
    *slash = 0;
    allow(rules, holds_others_too(path) ? file : path, READ);
    for (; (slash = strrchr(path, '/')) && slash != path; *slash = 0) {
        if (strncmp(slash, "/lib", 4))
            continue;
        *slash = 0;
        if (holds_others_too(path))
            return;
        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
            allow_below(rules, path, beside[i], READ);
        return;
    }
}

static void allow_file(const struct rules *rules, const char *path)
{
    struct stat status;
    char real[PATH_MAX];
    if (stat(path, &status) < 0)
        return;
    if (S_ISDIR(status.st_mode)) {
        allow(rules, path, READ);
        return;
    }
    allow_folder_of(rules, path);
    if (realpath(path, real) && strcmp(real, path))
        allow_folder_of(rules, real);
}

// A list with colons; `below` is appended to each of its parts.
static void allow_list(const struct rules *rules, const char *list, const char *below)
{
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, ":");
        char path[PATH_MAX];
        if (length &&
            snprintf(path, sizeof(path), "%.*s%s", (int)length, at, below) < (int)sizeof(path))
            allow_file(rules, path);
        at += length + (at[length] == ':');
    }
}

static int allow_loaded(struct dl_phdr_info *info, size_t size, void *data)
{
    if (info->dlpi_name && info->dlpi_name[0] == '/')
        allow_file(data, info->dlpi_name);
    return 0;
}

// What the environment and the libraries of this process say of where drivers and layers are.
static void allow_named(struct rules *rules, const char *const *readable)
{
    static const char *const variables[] = {
        "LD_LIBRARY_PATH",    "VK_DRIVER_FILES",   "VK_ICD_FILENAMES",        "VK_ADD_DRIVER_FILES",
        "VK_LAYER_PATH",      "VK_ADD_LAYER_PATH", "VK_LOADER_SETTINGS_FILE", "DRIRC_CONFIGDIR",
        "LIBGL_DRIVERS_PATH", "GBM_BACKENDS_PATH"};
    static const char *const of_home[] = {".config/vulkan", ".local/share/vulkan", ".drirc"};
    static const char *const of_data[] = {"/vulkan", "/drirc.d", "/libdrm", "/nvidia"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        allow_list(rules, getenv(variables[i]), "");
    for (size_t i = 0; i < sizeof(of_home) / sizeof(of_home[0]); i++)
        allow_below(rules, getenv("HOME"), of_home[i], READ);
    for (size_t i = 0; i < sizeof(of_data) / sizeof(of_data[0]); i++) {
        allow_list(rules, getenv("XDG_DATA_DIRS"), of_data[i]);
        allow_below(rules, getenv("XDG_DATA_HOME"), of_data[i] + 1, READ);
    }
    allow_list(rules, getenv("XDG_CONFIG_DIRS"), "/vulkan");
    allow_below(rules, getenv("XDG_CONFIG_HOME"), "vulkan", READ);
    for (; readable && *readable; readable++)
        allow_file(rules, *readable);
    dl_iterate_phdr(allow_loaded, rules);
}

// ---- what is written ------------------------------------------------------

static void allow_cache(const struct rules *rules, const char *base, const char *name,
                        uint64_t access)
{
    char path[PATH_MAX];
    if (base && base[0] == '/' &&
        snprintf(path, sizeof(path), "%s/%s", base, name) < (int)sizeof(path)) {
        // It is there already, or there is no place for it: then no cache is kept.
        mkdir(path, 0700);
        allow(rules, path, access);
    }
}

// Shader caches of the drivers, which could not be made later.
static void allow_caches(const struct rules *rules)
{
    static const char *const below_cache[] = {"mesa_shader_cache", "mesa_shader_cache_db",
                                              "mesa_shader_cache_sf", "radv_builtin_shaders",
                                              "nvidia"};
    static const char *const variables[] = {"MESA_SHADER_CACHE_DIR", "MESA_GLSL_CACHE_DIR",
                                            "__GL_SHADER_DISK_CACHE_PATH"};
    const uint64_t access = READ | FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_FILE | FS_REMOVE_DIR |
                            FS_MAKE_DIR | FS_MAKE_REG | FS_REFER;
    const char *home = getenv("HOME");
    const char *cache = getenv("XDG_CACHE_HOME");
    char default_cache[PATH_MAX];
    if ((!cache || !cache[0]) && home &&
        snprintf(default_cache, sizeof(default_cache), "%s/.cache", home) <
            (int)sizeof(default_cache))
        cache = default_cache;
    if (cache && cache[0] == '/')
        mkdir(cache, 0700); // as the specification of XDG_CACHE_HOME asks
    for (size_t i = 0; i < sizeof(below_cache) / sizeof(below_cache[0]); i++)
        allow_cache(rules, cache, below_cache[i], access);
    allow_cache(rules, home, ".nv", access);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *path = getenv(variables[i]);
        if (path && path[0] == '/')
            allow(rules, path, access);
    }
}

// What windows are made of: fonts, cursors, themes, the key to the X server; and game pads. Nothing
// else of a home.
static void allow_desktop(const struct rules *rules)
{
    static const char *const paths[] = {
        "/etc/fonts", "/etc/X11", "/etc/gtk-3.0", "/etc/dconf", "/var/cache/fontconfig",
        "/run/udev"};
    static const char *const of_home[] = {".icons",
                                          ".local/share/icons",
                                          ".themes",
                                          ".local/share/themes",
                                          ".fonts",
                                          ".local/share/fonts",
                                          ".config/fontconfig",
                                          ".cache/fontconfig",
                                          ".config/gtk-3.0",
                                          ".config/dconf",
                                          ".Xauthority"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        allow(rules, paths[i], READ);
    for (size_t i = 0; i < sizeof(of_home) / sizeof(of_home[0]); i++)
        allow_below(rules, getenv("HOME"), of_home[i], READ);
    const char *key = getenv("XAUTHORITY");
    if (key)
        allow(rules, key, READ);
    allow(rules, "/dev/input", READ | FS_WRITE_FILE);
    allow_below(rules, getenv("XDG_RUNTIME_DIR"), "dconf", READ | FS_WRITE_FILE); // its "changed"
}

static void allow_server(const struct rules *rules)
{
    allow(rules, "/dev/null", READ);
    allow(rules, "/proc/sys/vm/max_map_count", READ);
}

static void allow_driver(struct rules *rules, const char *const *readable)
{
    allow_system(rules);
    allow_devices(rules);
    allow_named(rules, readable);
    allow(rules, "/proc/self/task", FS_WRITE_FILE); // names of threads
    allow_caches(rules);
}

int os_landlock_enter(const struct os_sandbox_options *options)
{
    bool server = options->kind == OS_SANDBOX_SERVER;
    bool desktop = options->kind == OS_SANDBOX_DESKTOP;
    int abi = (int)syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;

    struct ruleset_attributes attributes = {
        .handled_fs = READ | FS_EXECUTE | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE |
                      FS_MAKE_CHAR | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO |
                      FS_MAKE_BLOCK | FS_MAKE_SYM};
    if (abi >= 2)
        attributes.handled_fs |= FS_REFER;
    if (abi >= 3)
        attributes.handled_fs |= FS_TRUNCATE;
    if (abi >= 4 && !desktop) // the X server may be far away, or have an abstract socket
        attributes.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        attributes.scoped = (desktop ? 0 : SCOPE_ABSTRACT_SOCKET) | (server ? 0 : SCOPE_SIGNAL);
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return 0;

    struct rules rules = {.ruleset = ruleset, .handled = attributes.handled_fs};
    if (server)
        allow_server(&rules);
    else
        allow_driver(&rules, options->readable);
    if (desktop)
        allow_desktop(&rules);
    if (os_is_portable()) // shm_open
        allow(&rules, "/dev/shm",
              READ | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE);
    if (options->writable)
        allow(&rules, options->writable,
              READ | FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_FILE | FS_MAKE_REG);

    // Before ABI 8 only this thread and those it starts from now on are bound.
    long result = abi >= 8 ? syscall(CALL_RESTRICT_SELF, ruleset, RESTRICT_ALL_THREADS) : -1;
    if (result < 0)
        result = syscall(CALL_RESTRICT_SELF, ruleset, 0);
    close(ruleset);
    return result < 0 ? 0 : abi;
}
