#include <errno.h>
#include <fcntl.h>
#include <rfb/rfb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "display/vnc/options.h"

char *vnc_read_password(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        log_error("cannot read the password file %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    char text[256];
    ssize_t size = 0;
    const char *problem = NULL;
    if (!S_ISREG(status.st_mode) || (status.st_uid != getuid() && status.st_uid != 0))
        problem = "is not a file of yours";
    else if (status.st_mode & 077)
        problem = "can be read by others: chmod 600 it";
    else if ((size = read(fd, text, sizeof(text) - 1)) < 0)
        problem = strerror(errno);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    text[strcspn(text, "\r\n")] = 0;
    if (!problem && !*text)
        problem = "has an empty first line";
    if (problem)
        log_error("the password file %s %s", path, problem);
    char *password = problem ? NULL : strdup(text);
    memset(text, 0, sizeof(text));
    return password;
}

void vnc_password_sow(void)
{
    // The library seeds them from the time and the process's number when it makes the first one.
    // That one is made here and thrown away, so that our seed counts for the others.
    unsigned char none[CHALLENGESIZE];
    unsigned seed = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    rfbRandomBytes(none);
    if (fd >= 0 && read(fd, &seed, sizeof(seed)) == sizeof(seed))
        srandom(seed);
    if (fd >= 0)
        close(fd);
}
