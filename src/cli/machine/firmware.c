#include "cli/machine/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { PATH_SIZE = 4096 };

// ---- the code -------------------------------------------------------------

// Where distributions, QEMU itself, and a QEMU that was unpacked somewhere have it. "%s" is the
// folder of that QEMU.
static const char *const for_x86_64[] = {
    "%s/usr/share/OVMF/OVMF_CODE_4M.fd",         "%s/../share/OVMF/OVMF_CODE_4M.fd",
    "%s/../share/qemu/edk2-x86_64-code.fd",      "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",         "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
    "/usr/share/qemu/edk2-x86_64-code.fd",       "/opt/homebrew/share/qemu/edk2-x86_64-code.fd",
    "/usr/local/share/qemu/edk2-x86_64-code.fd", NULL};
static const char *const for_aarch64[] = {"%s/usr/share/AAVMF/AAVMF_CODE.fd",
                                          "%s/../share/AAVMF/AAVMF_CODE.fd",
                                          "%s/../share/qemu/edk2-aarch64-code.fd",
                                          "/usr/share/AAVMF/AAVMF_CODE.fd",
                                          "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
                                          "/usr/share/edk2/aarch64/QEMU_CODE.fd",
                                          "/usr/share/qemu/edk2-aarch64-code.fd",
                                          "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
                                          "/usr/local/share/qemu/edk2-aarch64-code.fd",
                                          NULL};

static bool find_uefi(const struct cli_qemu *qemu, char path[PATH_SIZE])
{
    bool pc = !strcmp(qemu->machine, "x86_64");
    const char *slash = strrchr(qemu->path, '/');
    for (const char *const *file = pc ? for_x86_64 : for_aarch64; *file; file++) {
        const char *rest = *file;
        int length = 0;
        if (!strncmp(rest, "%s", 2)) {
            if (!slash)
                continue;
            rest += 2;
            length = (int)(slash - qemu->path);
        }
        if (snprintf(path, PATH_SIZE, "%.*s%s", length, qemu->path, rest) < PATH_SIZE &&
            access(path, R_OK) == 0)
            return true;
    }
    log_error("no UEFI firmware found; install %s, or name a file with --firmware",
              pc ? "ovmf" : "qemu-efi-aarch64");
    return false;
}

// Firmware that has its variables in another file is for flash, the rest is for -bios.
static bool is_for_flash(const char *file)
{
    return strstr(file, "CODE") || strstr(file, "code") || strstr(file, "pflash");
}

// ---- its variables --------------------------------------------------------

// The file beside `code` from which a store of variables begins.
static bool find_template(const char *code, char path[PATH_SIZE])
{
    static const struct {
        const char *code, *variables;
    } pairs[] = {
        {"OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd"},
        {"OVMF_CODE.secboot.fd", "OVMF_VARS.fd"},
        {"QEMU_EFI-pflash.raw", "vars-template-pflash.raw"},
        {"edk2-x86_64-code.fd", "edk2-i386-vars.fd"},
        {"edk2-x86_64-secure-code.fd", "edk2-i386-vars.fd"},
        {"edk2-aarch64-code.fd", "edk2-arm-vars.fd"},
    };
    const char *slash = strrchr(code, '/'), *name = slash ? slash + 1 : code;
    int folder = (int)(name - code);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (!strcmp(name, pairs[i].code) &&
            snprintf(path, PATH_SIZE, "%.*s%s", folder, code, pairs[i].variables) < PATH_SIZE)
            return access(path, R_OK) == 0;
    const char *word = strstr(name, "CODE");
    return word &&
           snprintf(path, PATH_SIZE, "%.*sVARS%s", (int)(word - code), code, word + 4) <
               PATH_SIZE &&
           access(path, R_OK) == 0;
}

static bool copy_bytes(int from, int to)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(from, bytes, sizeof(bytes))) > 0)
        for (ssize_t done = 0; done < got;) {
            ssize_t wrote = write(to, bytes + done, (size_t)(got - done));
            if (wrote < 0)
                return false;
            done += wrote;
        }
    return got == 0 && fsync(to) == 0;
}

// The store appears whole or not at all, and one that is there stays as it is.
static bool make_store(const char *template, const char *store)
{
    char temporary[PATH_SIZE + 32];
    if (access(store, F_OK) == 0) {
        if (access(store, R_OK | W_OK) == 0)
            return true;
        log_error("--firmware: cannot write to '%s': %s", store, strerror(errno));
        return false;
    }
    snprintf(temporary, sizeof(temporary), "%s.part%ld", store, (long)getpid());
    int from = open(template, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = to >= 0 && copy_bytes(from, to);
    int error = errno;
    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) < 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temporary, store) < 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        if (to >= 0)
            unlink(temporary);
        log_error("--firmware: cannot make '%s', where the machine's boot entries are kept: %s",
                  store, strerror(error));
    }
    return good;
}

static bool add_flash(struct cli_arguments *arguments, unsigned unit, const char *file,
                      const char *how)
{
    char *value = cli_option_value(file);
    cli_arguments_add(arguments, "-drive");
    cli_arguments_add(arguments, "if=pflash,unit=%u,format=raw,%sfile=%s", unit, how,
                      value ? value : "");
    arguments->failed |= !value;
    free(value);
    return true;
}

static bool add_variables(struct cli_arguments *arguments, const char *code, const char *disk)
{
    char template[PATH_SIZE], store[PATH_SIZE];
    if (!find_template(code, template)) {
        log_warning("boot entries are lost when the machine ends: there are no variables (VARS) "
                    "beside '%s'",
                    code);
        return true;
    }
    // Nothing to keep them beside: a copy of QEMU's own, which goes with it.
    if (!disk)
        return add_flash(arguments, 1, template, "snapshot=on,");
    if (snprintf(store, sizeof(store), "%s.efivars.fd", disk) >= (int)sizeof(store)) {
        log_error("--disk: the path is too long: '%s'", disk);
        return false;
    }
    return make_store(template, store) && add_flash(arguments, 1, store, "");
}

bool cli_firmware_add(struct cli_arguments *arguments, const struct cli_qemu *qemu,
                      const char *wanted, const char *disk)
{
    char found[PATH_SIZE];
    const char *file = wanted;
    if (!strcmp(wanted, "uefi")) {
        if (!find_uefi(qemu, found))
            return false;
        file = found;
    }
    struct stat status;
    int error = stat(file, &status) < 0   ? errno
                : S_ISDIR(status.st_mode) ? EISDIR
                : access(file, R_OK) < 0  ? errno
                                          : 0;
    if (error) {
        log_error("run: --firmware: cannot read '%s': %s", file, strerror(error));
        return false;
    }
    if (!is_for_flash(file)) {
        cli_arguments_add(arguments, "-bios");
        cli_arguments_add(arguments, "%s", file);
        return true;
    }
    return add_flash(arguments, 0, file, "readonly=on,") && add_variables(arguments, file, disk);
}
