#include "cli/machine/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"

static const char readonly[] = ",readonly", size_is[] = ",size=";

// The length of the file's name in `disk`; `size` is 0 if none was said.
static size_t length_of(const char *disk, bool *read_only, uint64_t *size)
{
    const char *last = strrchr(disk, ',');
    *size = 0;
    *read_only = last && last > disk && !strcmp(last, readonly);
    bool sized = last && last > disk && !strncmp(last, size_is, sizeof(size_is) - 1) &&
                 option_size(last + sizeof(size_is) - 1, 1ull << 46, size) && *size;
    return *read_only || sized ? (size_t)(last - disk) : strlen(disk);
}

char *cli_disk_file(const char *disk, bool *read_only)
{
    uint64_t size;
    return strndup(disk, length_of(disk, read_only, &size));
}

bool cli_disk_parse(const char *label, const char *disk)
{
    bool read_only;
    char *file = cli_disk_file(disk, &read_only);
    bool good = file && (!strstr(file, size_is) || access(file, F_OK) == 0);
    if (!good)
        log_error("%s: --disk is FILE, FILE,readonly or FILE,size=SIZE with a size like 20G, not "
                  "'%s'",
                  label, disk);
    free(file);
    return good;
}

static bool make(const char *file, uint64_t size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = fd >= 0 && ftruncate(fd, (off_t)size) == 0;
    if (!good) {
        log_error("run: --disk: cannot make '%s': %s", file, strerror(errno));
        if (fd >= 0)
            unlink(file);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static bool check_file(const char *file, bool read_only)
{
    struct stat status;
    if (stat(file, &status) == 0 && S_ISDIR(status.st_mode))
        errno = EISDIR;
    else if (access(file, R_OK) == 0) {
        if (read_only || access(file, W_OK) == 0)
            return true;
        log_error("run: --disk: cannot write to '%s': %s (--disk FILE,readonly boots it as it is, "
                  "if the guest can do with that)",
                  file, strerror(errno));
        return false;
    }
    log_error("run: --disk: cannot read '%s': %s%s", file, strerror(errno),
              errno == ENOENT ? " (--disk FILE,size=20G makes an empty one)" : "");
    return false;
}

// QEMU locks these bytes of an image, which nobody reads or writes by them: it writes, and nobody
// else may. It says so itself, in two lines of its own words.
static bool check_use(const char *file, bool read_only)
{
    enum { WRITES = 101, ALONE = 201 };
    static const off_t bytes[] = {WRITES, ALONE};
    bool is_free = true;
    int fd = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < (read_only ? 1 : 2); i++) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = bytes[i], .l_len = 1};
        is_free = is_free && (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK);
    }
    if (fd >= 0)
        close(fd);
    if (!is_free)
        log_error("run: --disk: '%s' is in use: another machine writes to it", file);
    return is_free;
}

bool cli_disk_check(const char *disk)
{
    bool read_only;
    uint64_t size;
    char *file = strndup(disk, length_of(disk, &read_only, &size));
    bool made_later = file && size && access(file, F_OK) < 0 && errno == ENOENT;
    bool good = made_later || (file && check_file(file, read_only) && check_use(file, read_only));
    free(file);
    return good;
}

bool cli_disk_make(const char *disk)
{
    bool read_only;
    uint64_t size;
    char *file = strndup(disk, length_of(disk, &read_only, &size));
    bool good = file && (!size || access(file, F_OK) == 0 || make(file, size));
    free(file);
    return good;
}

static bool is_qcow2(const char *file)
{
    char magic[4] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool found = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                 !memcmp(magic, "QFI\xfb", sizeof(magic));
    if (fd >= 0)
        close(fd);
    return found;
}

void cli_disk_add(const char *disk, struct cli_arguments *arguments)
{
    bool read_only;
    char *file = cli_disk_file(disk, &read_only);
    char *value = file ? cli_option_value(file) : NULL;
    if (value) {
        cli_arguments_add(arguments, "-drive");
        cli_arguments_add(arguments, "if=virtio,format=%s,file=%s%s",
                          is_qcow2(file) ? "qcow2" : "raw", value, read_only ? ",readonly=on" : "");
    } else {
        arguments->failed = true;
    }
    free(value);
    free(file);
}
