// A video of what a guest's screen shows, encoded by the program ffmpeg.
#ifndef IMAGE_RECORD_H
#define IMAGE_RECORD_H

#include <stdint.h>

struct record_options {
    const char *file; // its name's end says which kind
    uint32_t output;  // of the guest's screens
    uint32_t seconds; // 0: until it is told to end
    uint32_t rate;    // pictures in a second, at most
};

// Records until a signal, the machine's end or so many seconds.
// Owns: takes over `fd`, the socket to the device process.
// Returns the exit status; a line says what was recorded, or why nothing was.
int record(int fd, const struct record_options *options);

#endif
