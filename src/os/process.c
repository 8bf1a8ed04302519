#include "os/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "os/native.h"

extern char **environ;

enum { MAX_PASSED = 24, MAX_CHILD_FD = 127 };

struct spawn_setup {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int copies[MAX_PASSED]; // of the passed descriptors, above every number they get in the child
    unsigned copy_count;
};

static int set_up(struct spawn_setup *setup, const struct os_spawn_options *options)
{
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all, blocked;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&blocked);
    if (options->shielded) {
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGQUIT);
        sigaddset(&blocked, SIGHUP);
    }
    posix_spawnattr_setsigdefault(&setup->attributes, &all);
    posix_spawnattr_setsigmask(&setup->attributes, &blocked);
    if (options->own_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(&setup->attributes, 0);
    }

    int keep[MAX_PASSED];
    int first_unused = STDERR_FILENO + 1;
    for (unsigned i = 0; i < options->fd_count; i++)
        if (options->fds[i].child_fd >= first_unused)
            first_unused = options->fds[i].child_fd + 1;
    for (unsigned i = 0; i < options->fd_count; i++) {
        // A copy above all numbers of the child is passed on. So 4 can be passed as 3 and 3 as 4,
        // and also 3 as 3 (a dup2 to itself would keep close-on-exec).
        int copy = fcntl(options->fds[i].parent_fd, F_DUPFD_CLOEXEC, first_unused);
        if (copy < 0) // EINVAL: there are no descriptors with such a number
            return errno == EINVAL ? -EMFILE : -errno;
        setup->copies[setup->copy_count++] = copy;
        int error =
            posix_spawn_file_actions_adddup2(&setup->actions, copy, options->fds[i].child_fd);
        if (error)
            return -error;
        keep[i] = options->fds[i].child_fd;
    }
    if (!options->inherit_fds)
        os_native_spawn_close_from(&setup->actions, &setup->attributes, &flags, keep,
                                   options->fd_count, first_unused);
    return -posix_spawnattr_setflags(&setup->attributes, flags);
}

pid_t os_spawn(const struct os_spawn_options *options)
{
    if (options->fd_count > MAX_PASSED)
        return -EINVAL;
    for (unsigned i = 0; i < options->fd_count; i++)
        if (options->fds[i].child_fd < 0 || options->fds[i].child_fd > MAX_CHILD_FD)
            return -EINVAL;

    struct spawn_setup setup = {.copy_count = 0};
    int error = posix_spawn_file_actions_init(&setup.actions);
    if (error)
        return -error;
    error = posix_spawnattr_init(&setup.attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&setup.actions);
        return -error;
    }

    pid_t pid = -1;
    int result = set_up(&setup, options);
    if (result == 0)
        result =
            -posix_spawnp(&pid, options->path, &setup.actions, &setup.attributes, options->argv,
                          options->environment ? options->environment : environ);

    for (unsigned i = 0; i < setup.copy_count; i++)
        close(setup.copies[i]);
    posix_spawnattr_destroy(&setup.attributes);
    posix_spawn_file_actions_destroy(&setup.actions);
    return result < 0 ? result : pid;
}

pid_t os_spawn_child(const char *const *command, const int *fds, unsigned fd_count)
{
    struct os_fd_pass passes[4];
    if (fd_count > sizeof(passes) / sizeof(passes[0]))
        return -EINVAL;
    for (unsigned i = 0; i < fd_count; i++)
        passes[i] = (struct os_fd_pass){.parent_fd = fds[i], .child_fd = OS_CHILD_FD + (int)i};
    return os_spawn(&(struct os_spawn_options){.path = command[0],
                                               .argv = (char *const *)command,
                                               .fds = passes,
                                               .fd_count = fd_count,
                                               .own_group = true});
}

size_t os_count_descriptors(void)
{
    DIR *folder = opendir(os_native_descriptors);
    size_t count = 0;
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count > 3 ? count - 3 : 0; // two folders, and its own
}
