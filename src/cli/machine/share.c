#include "cli/machine/share.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/folder.h"
#include "cli/qemu/qemu.h"
#include "os/loop.h"
#include "os/socket.h"

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "._-";

// ---- the command line -----------------------------------------------------

// What follows the last colon, unless that belongs to the folder's path; NULL: nothing.
static const char *said_name(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon && !strchr(colon, '/') ? colon + 1 : NULL;
}

// A folder's own name, as far as it can be one in the guest.
static void derive_name(struct cli_share *share)
{
    const char *from = strrchr(share->folder, '/') + 1;
    size_t length = 0;
    for (; from[length] && length < sizeof(share->name) - 1; length++)
        share->name[length] = strchr(name_letters, from[length]) ? from[length] : '-';
    share->name[length] = 0;
    if (!share->name[0] || share->name[0] == '.')
        strcpy(share->name, "shared");
}

static bool take_name(struct cli_share *share, const char *name)
{
    size_t length = strlen(name);
    if (!length || length >= sizeof(share->name) || name[0] == '.' ||
        strspn(name, name_letters) != length) {
        log_error("run: --share: '%s' cannot be the folder's name in the guest: up to %d of a-z, "
                  "A-Z, 0-9, '.', '_' and '-'",
                  name, CLI_SHARE_NAME - 1);
        return false;
    }
    strcpy(share->name, name);
    return true;
}

static bool find_folder(struct cli_share *share)
{
    const char *name = said_name(share->text);
    struct stat status;
    char *text = strndup(share->text, name ? (size_t)(name - share->text) - 1 : SIZE_MAX);
    share->folder = text ? realpath(text, NULL) : NULL;
    bool good = share->folder && stat(share->folder, &status) == 0;
    if (good && !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        good = false;
    }
    good = good && access(share->folder, R_OK | X_OK) == 0;
    if (!good)
        log_error("run: --share: cannot read the folder '%s': %s", text ? text : share->text,
                  strerror(errno));
    free(text);
    if (!good || name)
        return good && take_name(share, name);
    derive_name(share);
    return true;
}

// ---- virtiofsd ------------------------------------------------------------

// Whether what was found takes our options. The one that came with QEMU 5 to 7 has others.
static bool try_server(struct cli_shares *shares)
{
    char help[16384];
    char *argv[] = {shares->found, "--help", NULL};
    if (access(shares->found, X_OK) != 0 || cli_capture(argv, help, sizeof(help)) != 0 ||
        !strstr(help, "--shared-dir"))
        return false;
    shares->translates = strstr(help, "--translate-uid");
    return true;
}

static bool find_server(struct cli_shares *shares)
{
    // Distributions put it where no person starts programs from.
    static const char *const places[] = {"/usr/libexec", "/usr/lib"};
    const char *at = getenv("PATH");
    for (; at && *at; at += strspn(at, ":")) {
        size_t length = strcspn(at, ":");
        if (snprintf(shares->found, sizeof(shares->found), "%.*s/virtiofsd", (int)length, at) <
                (int)sizeof(shares->found) &&
            at[0] == '/' && try_server(shares))
            return true;
        at += length;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(shares->found, sizeof(shares->found), "%s/virtiofsd", places[i]);
        if (try_server(shares))
            return true;
    }
    return false;
}

bool cli_shares_check(struct cli_shares *shares)
{
    for (unsigned i = 0; i < shares->count; i++) {
        if (!find_folder(&shares->list[i]))
            return false;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(shares->list[i].name, shares->list[j].name))
                continue;
            log_error("run: --share: two folders would be '%s' in the guest; name one with "
                      "FOLDER:NAME",
                      shares->list[i].name);
            return false;
        }
    }
    if (shares->count && find_server(shares))
        shares->program = shares->found;
    return true;
}

static void on_server_end(void *data, pid_t pid, int status)
{
    struct cli_share *share = data;
    share->server = 0;
    if (status != 0)
        log_error("the guest has lost the folder '%s': virtiofsd has ended", share->folder);
}

// As another user than root it can make files of its own user only. Newer ones can then take every
// user of the guest for that one.
static void add_translation(const struct cli_shares *shares, struct cli_arguments *arguments)
{
    if (geteuid() == 0 || !shares->translates)
        return;
    cli_arguments_add(arguments, "--translate-uid=squash-guest:0:%u:4294967295",
                      (unsigned)geteuid());
    cli_arguments_add(arguments, "--translate-gid=squash-guest:0:%u:4294967295",
                      (unsigned)getegid());
}

static bool start_server(struct cli_shares *shares, struct cli_share *share, struct os_loop *loop,
                         int listener)
{
    enum { CHILD_FD = 3 };
    struct cli_arguments arguments = {0};
    struct os_fd_pass fds[] = {{listener, CHILD_FD}};
    cli_arguments_add(&arguments, "%s", shares->program);
    cli_arguments_add(&arguments, "--fd=%d", CHILD_FD);
    cli_arguments_add(&arguments, "--shared-dir=%s", share->folder);
    cli_arguments_add(&arguments, "--log-level=error");
    add_translation(shares, &arguments);
    pid_t pid = -ENOMEM;
    if (!arguments.failed)
        pid = os_spawn(&(struct os_spawn_options){.path = shares->program,
                                                  .argv = arguments.items,
                                                  .fds = fds,
                                                  .fd_count = 1,
                                                  .own_group = true});
    cli_arguments_free(&arguments);
    if (pid < 0) {
        log_error("run: --share: cannot run '%s': %s", shares->program, strerror(-pid));
        return false;
    }
    share->server = pid;
    if (os_loop_add_child(loop, pid, on_server_end, share))
        return true;
    log_error("out of memory");
    return false;
}

// A connection to a socket whose name is gone again when this returns. -1 after a log line.
static int connect_server(struct cli_shares *shares, struct cli_share *share, struct os_loop *loop)
{
    char folder[CLI_SOCKET_PATH], path[CLI_SOCKET_PATH];
    if (!cli_folder_make(folder, sizeof(folder) - sizeof("/share"), "share", path, sizeof(path)))
        return -1;
    int listener = os_socket_listen(path);
    int fd = listener < 0 ? listener : os_socket_connect(path);
    if (fd < 0)
        log_error("run: --share: no socket for virtiofsd: %s", strerror(-fd));
    else if (!start_server(shares, share, loop, listener)) {
        close(fd);
        fd = -1;
    }
    if (listener >= 0)
        close(listener);
    unlink(path);
    rmdir(folder);
    return fd < 0 ? -1 : fd;
}

bool cli_shares_connect(struct cli_shares *shares, struct os_loop *loop, struct os_fd_pass *fds,
                        unsigned *count)
{
    for (unsigned i = 0; shares->program && i < shares->count; i++) {
        int fd = connect_server(shares, &shares->list[i], loop);
        if (fd < 0)
            return false;
        fds[(*count)++] = (struct os_fd_pass){fd, CLI_SHARE_FD + (int)i};
    }
    return true;
}

void cli_shares_finish(struct cli_shares *shares)
{
    for (unsigned i = 0; i < shares->count; i++) {
        struct cli_share *share = &shares->list[i];
        if (share->server) { // it ends with its connection, if it was ever used
            kill(-share->server, SIGKILL);
            while (waitpid(share->server, NULL, 0) < 0 && errno == EINTR)
                ;
        }
        free(share->folder);
    }
    shares->count = 0;
}

// ---- what QEMU and the guest are told -------------------------------------

void cli_shares_add_arguments(const struct cli_shares *shares, struct cli_arguments *arguments)
{
    for (unsigned i = 0; i < shares->count; i++) {
        const struct cli_share *share = &shares->list[i];
        char *folder = cli_option_value(share->folder);
        if (!folder) {
            arguments->failed = true;
            return;
        }
        if (shares->program) {
            cli_arguments_add(arguments, "-chardev");
            cli_arguments_add(arguments, "socket,id=hesper-share%u,fd=%d", i,
                              CLI_SHARE_FD + (int)i);
            cli_arguments_add(arguments, "-device");
            cli_arguments_add(arguments, "vhost-user-fs-pci,chardev=hesper-share%u,tag=%s", i,
                              share->name);
        } else {
            cli_arguments_add(arguments, "-fsdev");
            cli_arguments_add(arguments, "local,id=hesper-share%u,security_model=none,path=%s", i,
                              folder);
            cli_arguments_add(arguments, "-device");
            cli_arguments_add(arguments, "virtio-9p-pci,fsdev=hesper-share%u,mount_tag=%s", i,
                              share->name);
        }
        free(folder);
    }
}

char *cli_shares_fstab(const struct cli_shares *shares)
{
    enum { LINE = 2 * CLI_SHARE_NAME + 80 };
    char *text = shares->count ? malloc(shares->count * LINE) : NULL;
    size_t used = 0;
    for (unsigned i = 0; text && i < shares->count; i++) {
        const char *name = shares->list[i].name;
        used += (size_t)snprintf(text + used, LINE, "%s /mnt/%s %s nofail%s 0 0\n", name, name,
                                 shares->program ? "virtiofs" : "9p",
                                 shares->program ? "" : ",trans=virtio,msize=1048576");
    }
    return text;
}
