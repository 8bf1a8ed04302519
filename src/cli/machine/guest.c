#include "cli/machine/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/machine/share.h"

enum { MAX_KEYS = 16384 }; // bytes

const char *const cli_guest_gl[] = {"off", "zink", NULL};

// Lines of tmpfiles.d(5). The texts lie in /run and go with the machine; what stays on the guest's
// disk are links to them, which lead nowhere when it starts without them. Files that a person has
// put there stay as they are.
static const char gl_files[] =
    "f /run/hesper/drirc 0644 root root - "
    "<driconf><device driver=\"loader\" kernel_driver=\"virtio_gpu\"><application name=\"all\">"
    "<option name=\"dri_driver\" value=\"zink\"/></application></device></driconf>\n"
    "L /etc/drirc - - - - /run/hesper/drirc\n"
    "f /run/hesper/xorg.conf 0644 root root - "
    "Section \"ServerFlags\"\\n    Option \"Debug\" \"dmabuf_capable\"\\nEndSection\\n\n"
    "L /etc/X11/xorg.conf.d/10-hesper.conf - - - - /run/hesper/xorg.conf\n";

static void add_credential(struct cli_arguments *arguments, const char *name, const char *text)
{
    char *value = cli_option_value(text);
    if (!value) {
        arguments->failed = true;
        return;
    }
    cli_arguments_add(arguments, "-fw_cfg");
    cli_arguments_add(arguments, "name=opt/io.systemd.credentials/%s,string=%s", name, value);
    free(value);
}

static bool read_keys(const char *path, char keys[MAX_KEYS])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, keys, MAX_KEYS);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (size < 0) {
        log_error("--ssh-key: cannot read '%s': %s", path, strerror(error));
        return false;
    }
    bool text = size > 0 && size < MAX_KEYS && !memchr(keys, 0, (size_t)size);
    keys[text ? size : 0] = 0;
    if (text && !strstr(keys, "PRIVATE KEY"))
        return true;
    log_error("--ssh-key: '%s' does not hold public keys; ssh-keygen writes them to a file "
              "that ends in .pub",
              path);
    return false;
}

bool cli_guest_add(const struct cli_guest *guest, const struct cli_shares *shares,
                   struct cli_arguments *arguments)
{
    char keys[MAX_KEYS];
    if (guest->ssh_key && !read_keys(guest->ssh_key, keys))
        return false;
    if (guest->gl)
        add_credential(arguments, "tmpfiles.extra", gl_files);
    if (guest->ssh_key)
        add_credential(arguments, "ssh.authorized_keys.root", keys);
    char *lines = cli_shares_fstab(shares);
    if (lines)
        add_credential(arguments, "fstab.extra", lines);
    else if (shares->count)
        arguments->failed = true;
    free(lines);
    return true;
}
