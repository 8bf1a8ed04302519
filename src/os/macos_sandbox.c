// Seatbelt, by the call that everybody uses and Apple calls deprecated: so it is looked up, and its
// absence is no error. Never run.
#include "os/sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

typedef int sandbox_init_function(const char *profile, uint64_t flags, char **error);
typedef void sandbox_free_error_function(char *error);

// What linux_sandbox.c allows, in Seatbelt's words: reading, devices, Mach services (Metal compiles
// its shaders in another process), temporary files and caches, all of which lie in /var/folders.
static const char profile[] = "(version 1)"
                              "(allow default)"
                              "(deny process-exec*)"
                              "(deny process-fork)"
                              "(deny network-outbound (remote ip \"*:*\"))"
                              "(deny network-bind (local ip \"*:*\"))"
                              "(deny file-write*)"
                              "(allow file-write*"
                              " (subpath \"/private/var/folders\")"
                              " (subpath \"/private/tmp\")"
                              " (subpath \"/private/var/tmp\")"
                              " (subpath \"/dev\"))";

int os_sandbox_enter(const struct os_sandbox_options *options, char *summary, size_t summary_size)
{
    if (options->refusals)
        *options->refusals = -1;
    if (options->kind == OS_SANDBOX_OFF) {
        snprintf(summary, summary_size, "off");
        return 0;
    }
    if (options->writable || options->kind == OS_SANDBOX_DESKTOP ||
        options->kind == OS_SANDBOX_SERVER) { // the profile knows no folder of a person
        snprintf(summary, summary_size, "no sandbox");
        return 0;
    }
    struct rlimit none = {0, 0};
    bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
    sandbox_init_function *enter =
        (sandbox_init_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "sandbox_init");
    char *error = NULL;
    bool entered = enter && enter(profile, 0, &error) == 0;
    snprintf(summary, summary_size, "%s%s%s%s", entered ? "seatbelt" : "no sandbox",
             !entered && error ? ": " : "", !entered && error ? error : "",
             no_core ? ", no-core" : "");
    sandbox_free_error_function *forget =
        (sandbox_free_error_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "sandbox_free_error");
    if (error && forget)
        forget(error);
    return entered || no_core ? 0 : -ENOTSUP;
}

void os_sandbox_close(enum os_sandbox kind)
{
}

int os_sandbox_next_refusal(int refusals, char *name, size_t size)
{
    return -ENOSYS;
}
