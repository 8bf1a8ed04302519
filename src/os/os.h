// Choices that hold for the whole process: which primitives src/os uses and how large a page is.
// The only mutable globals of Hesper besides the log level: written once by os_init, before any
// thread starts.
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

// Also has this process ignore SIGPIPE: that a reader went away is an error code here (notifiers
// are pipes, and writing to those has no flag for it). Children start with the default again.
void os_init(const struct os_options *options);
bool os_is_portable(void);
// Page size in bytes that shared memory ranges must respect (real or pretended).
size_t os_page_size(void);

// Raises the soft limit of open files to the hard one. Returns the limit now in force.
size_t os_raise_file_limit(void);

// Absolute path of the running executable.
// Errors: -errno; -ENAMETOOLONG if it does not fit.
int os_self_path(char *buffer, size_t size);

#endif
