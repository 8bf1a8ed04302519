#include "cli/machine/iso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/qemu/qemu.h"
#include "os/process.h"

enum { PATH_SIZE = 4096, SUM = 64, MAX_SUMS = 1 << 20 };

// ---- where it is kept -----------------------------------------------------

static bool is_url(const char *text)
{
    return !strncmp(text, "https://", 8) || !strncmp(text, "http://", 7) ||
           !strncmp(text, "file://", 7);
}

// The last part of an address, without what was asked of it.
static size_t name_in(const char *url, const char **name)
{
    size_t length = strcspn(url, "?#");
    const char *at = url + length;
    while (at[-1] != '/')
        at--;
    *name = at;
    return length - (size_t)(at - url);
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

// Two addresses may end in the same name: a number of each goes in front.
static bool place(const char *url, char path[PATH_SIZE])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *name;
    char folder[PATH_SIZE - 300], kept[201];
    size_t length = name_in(url, &name);
    uint32_t number = 2166136261u;
    for (const char *at = url; *at; at++)
        number = (number ^ (uint8_t)*at) * 16777619u;
    for (size_t i = 0; i < length && i < sizeof(kept) - 1; i++)
        kept[i] = strchr("/%\\'\"", name[i]) || (uint8_t)name[i] < 0x21 ? '-' : name[i];
    kept[length < sizeof(kept) ? length : sizeof(kept) - 1] = 0;
    bool good = length > 0 && ((cache && cache[0] == '/') || (home && home[0] == '/'));
    if (!good) {
        log_error(length ? "run: --iso: no place to keep it: HOME is not set"
                         : "run: --iso: '%s' does not end in a file's name",
                  url);
        return false;
    }
    if (cache && cache[0] == '/')
        snprintf(folder, sizeof(folder), "%s", cache);
    else
        snprintf(folder, sizeof(folder), "%s/.cache", home);
    good = make_folder(folder);
    snprintf(path, PATH_SIZE, "%s/hesper", folder);
    if (!good || !make_folder(path)) {
        log_error("run: --iso: cannot make '%s': %s", path, strerror(errno));
        return false;
    }
    snprintf(path, PATH_SIZE, "%s/hesper/%08x-%s", folder, number, kept);
    return true;
}

// ---- fetching it ----------------------------------------------------------

// Errors: false after a log line.
static bool fetch(const char *url, const char *path)
{
    bool seen = isatty(STDERR_FILENO);
    char *argv[] = {"curl",
                    "--fail",
                    "--location",
                    "--output",
                    (char *)path,
                    "--continue-at",
                    "-",
                    "--globoff",
                    "--retry",
                    "3",
                    "--proto",
                    "=http,https,file",
                    "--show-error",
                    seen ? "--progress-bar" : "--silent",
                    (char *)url,
                    NULL};
    fprintf(stderr, "hesper: fetching %s\n", url);
    int status;
    pid_t pid = os_spawn(&(struct os_spawn_options){.path = "curl", .argv = argv});
    if (pid < 0) {
        log_error("run: --iso: cannot run curl, which fetches it: %s (Debian: curl)",
                  strerror(-pid));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    log_error("run: --iso: '%s' could not be fetched whole; the next try goes on where this one "
              "has ended",
              url);
    return false;
}

// ---- is it whole? ---------------------------------------------------------

// The sum of `name` in the lines of a SHA256SUMS; NULL: it is not there.
static const char *find_sum(const char *sums, const char *name, size_t length)
{
    for (const char *line = sums; *line; line += strspn(line, "\n")) {
        size_t size = strcspn(line, "\n");
        const char *at = line + SUM;
        if (size > SUM + 2 && strspn(line, "0123456789abcdefABCDEF") == SUM && *at == ' ') {
            at += 2; // " " or "*"
            at += !strncmp(at, "./", 2) ? 2 : 0;
            if ((size_t)(line + size - at) == length && !strncmp(at, name, length))
                return line;
        }
        line += size;
    }
    return NULL;
}

static bool sum_of(const char *path, char sum[SUM + 1])
{
    char output[PATH_SIZE + 256];
    char *ways[][6] = {{"sha256sum", "--", (char *)path, NULL},
                       {"shasum", "-a", "256", "--", (char *)path, NULL}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (cli_capture(ways[i], output, sizeof(output)) != 0)
            continue;
        const char *at = output[0] == '\\' ? output + 1 : output; // of names with odd characters
        if (strspn(at, "0123456789abcdef") != SUM)
            continue;
        memcpy(sum, at, SUM);
        sum[SUM] = 0;
        return true;
    }
    return false;
}

// Errors: false after a log line: it is not the file whose sum its publisher gives.
static bool check(const char *url, const char *path)
{
    const char *name, *wanted = NULL;
    size_t length = name_in(url, &name);
    char sum[SUM + 1] = "", beside[PATH_SIZE];
    char *sums = malloc(MAX_SUMS);
    if (sums && snprintf(beside, sizeof(beside), "%.*sSHA256SUMS", (int)(name - url), url) <
                    (int)sizeof(beside)) {
        char *argv[] = {
            "curl",    "--fail",  "--location",       "--silent", "--globoff", "--max-filesize",
            "1000000", "--proto", "=http,https,file", beside,     NULL};
        if (cli_capture(argv, sums, MAX_SUMS) == 0)
            wanted = find_sum(sums, name, length);
    }
    bool good = true;
    if (!wanted)
        log_warning("run: --iso: there is no SHA256SUMS beside '%s' that has it: nobody knows "
                    "whether it came whole",
                    url);
    else if (!sum_of(path, sum))
        log_warning("run: --iso: it is not compared with its SHA256SUMS: no sha256sum here");
    else
        good = !strncasecmp(sum, wanted, SUM);
    free(sums);
    if (!good)
        log_error("run: --iso: what came is not what the SHA256SUMS beside '%s' say; it is thrown "
                  "away",
                  url);
    return good;
}

// `part` is complete, as far as curl knows.
static bool get(const char *url, const char *part, const char *path)
{
    if (!fetch(url, part))
        return false;
    if (!check(url, part)) {
        unlink(part);
        return false;
    }
    if (rename(part, path) == 0)
        return true;
    log_error("run: --iso: cannot make '%s': %s", path, strerror(errno));
    return false;
}

bool cli_iso_get(const char *text, char **file)
{
    char path[PATH_SIZE], part[PATH_SIZE + 8];
    *file = NULL;
    if (is_url(text)) {
        if (!place(text, path))
            return false;
        snprintf(part, sizeof(part), "%s.part", path);
        if (access(path, R_OK) < 0) {
            int lock = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
            bool good = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
            if (!good)
                log_error("run: --iso: cannot fetch it to '%s': %s", part,
                          errno == EWOULDBLOCK ? "another hesper does" : strerror(errno));
            good = good && (access(path, R_OK) == 0 || get(text, part, path));
            if (lock >= 0)
                close(lock);
            if (!good)
                return false;
        }
        text = path;
    }
    *file = strdup(text);
    if (!*file)
        log_error("out of memory");
    return *file;
}
