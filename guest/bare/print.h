// Words for a person, on the serial line.
#ifndef BARE_PRINT_H
#define BARE_PRINT_H

// Knows %s, %c, %u and %d (64 bits, so cast), and %p (a 64-bit number in hexadecimal digits).
// Arguments of numbers must be 64 bits wide.
void print(const char *format, ...);

#endif
