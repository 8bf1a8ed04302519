// What the codec's tests share: files, exact copies, and a writer of streams by hand.
#ifndef TESTS_WIRE_SUPPORT_H
#define TESTS_WIRE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/guest.h"

static inline uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "can't open %s\n", path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    if (fread(data, 1, *size, file) != *size)
        exit(1);
    fclose(file);
    return data;
}

// A heap block of just that size: the address sanitizer sees a read beyond it.
static inline uint8_t *exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    return size ? copy : copy;
}

static inline void assert_same(const char *what, const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            fail_msg("%s: byte %zu of %zu is %02x, should be %02x", what, i, size, a[i], b[i]);
    }
}

// A stream under construction.
struct stream {
    uint8_t data[4096];
    size_t size;
};

static inline void put32(struct stream *stream, uint32_t v)
{
    memcpy(stream->data + stream->size, &v, 4);
    stream->size += 4;
}

static inline void put64(struct stream *stream, uint64_t v)
{
    memcpy(stream->data + stream->size, &v, 8);
    stream->size += 8;
}

static inline void put_string(struct stream *stream, const char *text)
{
    size_t size = strlen(text) + 1;
    put64(stream, size);
    memset(stream->data + stream->size, 0, size + 3);
    memcpy(stream->data + stream->size, text, size);
    stream->size += (size + 3) & ~(size_t)3;
}

static inline void put_command(struct stream *stream, uint32_t number, uint32_t flags)
{
    put32(stream, number);
    put32(stream, flags);
}

#endif
