// Choices that hold for the whole process: which primitives src/os uses and how large a page is.
//
// Thread: os_init before any other thread starts; the rest from any.
#ifndef OS_OS_H
#define OS_OS_H

#include <stdbool.h>
#include <stddef.h>

struct os_options {
    // Use only what POSIX has (shm_open, pipes, poll), also where the platform has better: the code
    // paths that macOS runs.
    bool portable;
    // Pretend that pages have this many bytes (power of two, multiple of the real size); 0: the
    // real size.
    size_t page_size;
};

// Also has this process ignore signals that tell of an error which a call reports as well: SIGPIPE
// (a notifier may be a pipe, and writing to one has no flag for it), SIGXFSZ (a file or shared
// memory larger than RLIMIT_FSIZE is EFBIG) and SIGXCPU. Limits are the user's, and another process
// of the user may change ours. Children start with the default again.
void os_init(const struct os_options *options);
bool os_is_portable(void);
// Page size in bytes that shared memory ranges must respect (real or pretended).
size_t os_page_size(void);

// Raises the soft limit of open files to the hard one. Returns the limit now in force.
size_t os_raise_file_limit(void);

// The limit of open files as it is now.
size_t os_file_limit(void);

// Absolute path of the running executable.
// Errors: -errno; -ENAMETOOLONG if it does not fit.
int os_self_path(char *buffer, size_t size);

#endif
