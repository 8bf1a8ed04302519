// Refused system calls, as the device process hears of them. The kernel holds the caller until it
// is answered; the worker itself has no part in that, since an answer might as well allow the call.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "os/sandbox.h"

static const char *const names[] = {
#include "os/linux_calls.inc"
};

int os_sandbox_next_refusal(int refusals, char *name, size_t size)
{
    // The kernel may know more fields than we do.
    union {
        struct seccomp_notif call;
        char room[512];
    } asked;
    union {
        struct seccomp_notif_resp answer;
        char room[512];
    } said;
    memset(&asked, 0, sizeof(asked));
    memset(&said, 0, sizeof(said));
    if (ioctl(refusals, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
        return -errno;
    int number = asked.call.data.nr;
    said.answer.id = asked.call.id;
    said.answer.error = -EPERM;
    ioctl(refusals, SECCOMP_IOCTL_NOTIF_SEND, &said); // the caller may have gone
    if (number >= 0 && (size_t)number < sizeof(names) / sizeof(names[0]) && names[number])
        snprintf(name, size, "%s", names[number]);
    else
        snprintf(name, size, "number %d", number);
    return number >= 0 ? number : -EINVAL;
}
