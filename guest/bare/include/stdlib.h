// What memory.c has of the C library's header.
#ifndef BARE_STDLIB_H
#define BARE_STDLIB_H

#include <stddef.h>

void *malloc(size_t size);
void free(void *memory);

#endif
