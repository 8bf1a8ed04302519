#include "cli/machine/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/folder.h"
#include "cli/qemu/qemu.h"

enum {
    MAX_FILE = 65536, // bytes of what hesper-toml prints
    LARGEST = 1 << 20 // bytes of what it reads
};

// Keys beside the options of `hesper run`, and what is special about some of those.
static const char qemu_key[] = "qemu-arguments";
static const char *const lists[] = {"disk", "display", "forward", "share", "usb", qemu_key};
static const char *const files[] = {"cdrom",      "disk",  "iso",     "initrd",  "kernel",
                                    "screenshot", "share", "ssh-key", "firmware"};

static bool is_one_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}
#define IS_ONE_OF(names, name) is_one_of(names, sizeof(names) / sizeof(names[0]), name)

static void blame(const struct cli_machine_file *file, unsigned line)
{
    char tag[40];
    snprintf(tag, sizeof(tag), "%s:%u", file->name, line);
    log_set_tag(tag);
}

void cli_machine_file_blame(const struct cli_machine_file *file, int index)
{
    if (index > 0 && index < (int)file->count)
        blame(file, file->lines[index]);
    else
        log_set_tag("");
}

// ---- a value --------------------------------------------------------------

// What goes in front of the name of a file, of which `folder` has the first bytes.
static const char *before(const char *key, const char **value, const char *path, int *length)
{
    const char *slash = strrchr(path, '/'), *home = getenv("HOME");
    *length = 0;
    if (!IS_ONE_OF(files, key) || **value == '/' ||
        (!strcmp(key, "firmware") && !strcmp(*value, "uefi")) || strstr(*value, "://"))
        return "";
    if (!strncmp(*value, "~/", 2) && home) {
        *value += 1;
        *length = (int)strlen(home);
        return home;
    }
    *length = slash ? (int)(slash - path) + 1 : 0;
    return path;
}

static bool add(struct cli_machine_file *file, unsigned line, const char *key, const char *value,
                const char *path)
{
    if (file->count == CLI_FILE_VALUES) {
        log_error("more than %d values", CLI_FILE_VALUES - 1);
        return false;
    }
    int length;
    const char *front = value ? before(key, &value, path, &length) : "";
    file->lines[file->count++] = line;
    if (value)
        cli_arguments_add(&file->arguments, "--%s=%.*s%s", key, length, front, value);
    else
        cli_arguments_add(&file->arguments, "--%s", key);
    return true;
}

static bool take_value(struct cli_machine_file *file, struct cli_arguments *rest,
                       const struct options *options, const char *path, unsigned line,
                       const char *type, const char *key, const char *value)
{
    bool of_list = !strncmp(type, "list-", 5);
    const char *kind = of_list ? type + 5 : type;
    bool boolean = !strcmp(kind, "boolean"), yes = boolean && !strcmp(value, "true");
    bool text = !strcmp(kind, "string") || !strcmp(kind, "integer");
    const struct option_row *option = options_find(options, key);
    if (!strcmp(type, "error")) {
        log_error("%s%s%s", strcmp(key, "-") ? key : "", strcmp(key, "-") ? ": " : "", value);
        return false;
    }
    if (strcmp(key, qemu_key) && !option) {
        log_error("unknown key '%s': keys are the options of 'hesper run --help' without their "
                  "dashes, and '%s'",
                  key, qemu_key);
        return false;
    }
    if (of_list && !IS_ONE_OF(lists, key)) {
        log_error("'%s' takes one value, and no list", key);
        return false;
    }
    if (!option) {
        if (text)
            cli_arguments_add(rest, "%s", value);
        else
            log_error("'%s' is a list of texts, in quotes", key);
        return text;
    }
    bool may_miss = option_value_may_miss(option);
    if ((!option->value || may_miss) && boolean)
        return yes ? add(file, line, key, NULL, path) : true;
    if (!option->value || !text) {
        log_error("'%s' is %s, and not a %s", key,
                  !option->value ? "true or false"
                  : may_miss     ? "a text in quotes, true or false"
                                 : "a text in quotes, or a number",
                  kind);
        return false;
    }
    return add(file, line, key, value, path);
}

// ---- all of them ----------------------------------------------------------

static bool take_lines(struct cli_machine_file *file, struct cli_arguments *rest,
                       const struct options *options, const char *path, char *output)
{
    char *next;
    for (char *at = output; *at; at = next) {
        next = at + strcspn(at, "\n");
        if (*next)
            *next++ = 0;
        char *end, *words[3];
        unsigned line = (unsigned)strtoul(at, &end, 10);
        bool good = end > at && *end == ' ';
        for (unsigned i = 0; good && i < 3; i++) {
            *end = 0;
            words[i] = end + 1;
            end = words[i] + strcspn(words[i], " ");
            good = i == 2 || *end == ' ';
        }
        if (!good) {
            log_error("cannot read '%s': hesper-toml says: %s", path, at);
            return false;
        }
        blame(file, line);
        if (!take_value(file, rest, options, path, line, words[0], words[1], words[2]))
            return false;
        log_set_tag("");
    }
    return true;
}

static bool read_file(struct cli_machine_file *file, struct cli_arguments *rest,
                      const struct options *options, char *path)
{
    char program[4096];
    char *command[] = {program, path, NULL}, *output;
    const char *slash = strrchr(path, '/');
    struct stat what;
    if (access(path, R_OK) < 0 || stat(path, &what) < 0) {
        log_error("run: cannot read the machine's file '%s': %m", path);
        return false;
    }
    if (S_ISDIR(what.st_mode) || what.st_size > LARGEST) {
        log_error("run: '%s' is no machine's file: it is %s", path,
                  S_ISDIR(what.st_mode) ? "a folder" : "larger than 1 MiB");
        return false;
    }
    if (!cli_beside("hesper-toml", program)) {
        log_error("run: '%s' cannot be read: hesper-toml is not installed beside hesper; it is "
                  "built where a C++ compiler and tomlplusplus are (Debian: libtomlplusplus-dev)",
                  path);
        return false;
    }
    snprintf(file->name, sizeof(file->name), "%s", slash ? slash + 1 : path);
    output = malloc(MAX_FILE);
    if (!output) {
        log_error("out of memory");
        return false;
    }
    int status = cli_capture(command, output, MAX_FILE);
    bool good = take_lines(file, rest, options, path, output);
    if (good && (status != 0 || strlen(output) == MAX_FILE - 1)) {
        log_error("cannot read '%s': hesper-toml %s", path,
                  status ? "has failed" : "has too much to say");
        good = false;
    }
    free(output);
    log_set_tag("");
    return good;
}

bool cli_machine_file_read(struct cli_machine_file *file, const struct options *options, int argc,
                           char **argv)
{
    struct cli_arguments rest = {0};
    bool from_file = argc > 1 && argv[1][0] != '-', separated = false;
    cli_arguments_add(&file->arguments, "%s", argv[0]);
    file->count = 1;
    bool good = !from_file || read_file(file, &rest, options, argv[1]);
    for (int i = from_file ? 2 : 1; i < argc; i++) {
        separated = separated || !strcmp(argv[i], "--");
        cli_arguments_add(&file->arguments, "%s", argv[i]);
    }
    if (rest.count && !separated)
        cli_arguments_add(&file->arguments, "--");
    for (size_t i = 0; i < rest.count; i++)
        cli_arguments_add(&file->arguments, "%s", rest.items[i]);
    if (good && (file->arguments.failed || rest.failed)) {
        log_error("out of memory");
        good = false;
    }
    cli_arguments_free(&rest);
    return good;
}
