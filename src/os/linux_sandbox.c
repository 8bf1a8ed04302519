#include "os/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/linux_filter.h"
#include "os/linux_landlock.h"
#include "os/linux_namespaces.h"

// Root has them, and so has a program that was given some. `kept` is a set of bits.
static void drop_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct few[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, few) < 0)
        return;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        few[i].effective &= i ? 0 : kept;
        few[i].permitted &= i ? 0 : kept;
        few[i].inheritable = 0;
    }
    syscall(SYS_capset, &header, few);
}

// The desktop on which root opens a window may be another user's: its socket and its key.
#define OF_ANOTHER_DESKTOP (1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH)

// Sanitizers start processes to report, and to look for leaks.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

int os_sandbox_enter(const struct os_sandbox_options *options, char *summary, size_t summary_size)
{
    if (options->refusals)
        *options->refusals = -1;
    if (options->kind == OS_SANDBOX_OFF) {
        snprintf(summary, summary_size, "off");
        return 0;
    }
    bool server = options->kind == OS_SANDBOX_SERVER;
    bool desktop = options->kind == OS_SANDBOX_DESKTOP;
    if (server && SANITIZED)
        return -ENOTSUP;
    struct rlimit none = {0, 0};
    bool no_core = !server && setrlimit(RLIMIT_CORE, &none) == 0;
    bool no_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    enum os_namespaces namespaces = server || desktop ? OS_NAMESPACES_NONE : os_namespaces_enter();
    int abi = no_privileges ? os_landlock_enter(options) : 0;
    // A folder may be another user's, and root may write to it.
    if (desktop)
        drop_capabilities(OF_ANOTHER_DESKTOP);
    else if (!options->writable || namespaces == OS_NAMESPACES_OF_USER)
        drop_capabilities(0);
    bool strict = (server || options->kind == OS_SANDBOX_STRICT) && no_privileges &&
                  os_seccomp_enter_strict(server, options->refusals) == 0;
    bool calls = strict ||
                 (no_privileges && !server && !desktop && os_seccomp_enter(options->refusals) == 0);

    char landlock[32] = "no landlock";
    if (abi)
        snprintf(landlock, sizeof(landlock), "landlock %d", abi);
    snprintf(summary, summary_size, "%s%s%s%s%s", landlock,
             strict  ? ", seccomp (strict)"
             : calls ? ", seccomp"
                     : "",
             namespaces ? ", namespaces" : "", no_privileges ? ", no-new-privs" : "",
             no_core ? ", no-core" : "");
    return no_core || no_privileges || abi ? 0 : -ENOTSUP;
}

void os_sandbox_close(enum os_sandbox kind)
{
    if (kind == OS_SANDBOX_DEFAULT) // strict: it is so already
        os_seccomp_close();
    if (kind == OS_SANDBOX_DESKTOP && !SANITIZED) {
        drop_capabilities(0);
        os_seccomp_enter_desktop();
    }
}
