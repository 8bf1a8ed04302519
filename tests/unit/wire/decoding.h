// For tests that decode streams written by hand: one decoder, set up anew for each test.
#ifndef TESTS_WIRE_DECODING_H
#define TESTS_WIRE_DECODING_H

#include "support.h"

static struct arena arena;
static struct wire_decoder decoder;
static struct wire_call call;

static inline int reset(void **state)
{
    arena_init(&arena, 1 << 20);
    memset(&decoder, 0, sizeof(decoder));
    decoder.reply_capacity = UINT64_MAX;
    return 0;
}

static inline int finish(void **state)
{
    arena_finish(&arena);
    return 0;
}

static uint8_t *last_copy;

static inline bool decode(const struct stream *stream)
{
    free(last_copy);
    uint8_t *copy = last_copy = exact_copy(stream->data, stream->size);
    decoder.cursor = copy;
    decoder.end = copy + stream->size;
    decoder.arena = &arena;
    return wire_decode(&decoder, &call);
}

#define ACCEPT(stream)                                                                             \
    do {                                                                                           \
        if (!decode(stream))                                                                       \
            fail_msg("refused: %s", decoder.reason);                                               \
        assert_ptr_equal(decoder.cursor, decoder.end);                                             \
    } while (0)

#define REFUSE(stream, why)                                                                        \
    do {                                                                                           \
        assert_false(decode(stream));                                                              \
        assert_string_equal(decoder.reason, why);                                                  \
    } while (0)

#define ID(type, id) ((type)(uintptr_t)(id))
#define PRESENT(stream) put64(stream, 1)
#define NONE(stream) put64(stream, 0)

static int resolved;
static enum wire_handle resolved_types[8];

static inline bool resolve(void *context, enum wire_handle type, uint64_t id, uint64_t *handle,
                           const char **reason)
{
    assert_int_not_equal(id, 0);
    if (id == 666) {
        *reason = "no such object";
        return false;
    }
    resolved_types[resolved++] = type;
    *handle = id + 1000;
    return true;
}

static inline void use_resolve(void)
{
    decoder.resolve = resolve;
    resolved = 0;
}

static inline void put_features_query(struct stream *s, int32_t stype, const int32_t *chain)
{
    put_command(s, WIRE_vkGetPhysicalDeviceFeatures2, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, (uint32_t)stype);
    for (; *chain; chain++) {
        PRESENT(s);
        put32(s, (uint32_t)*chain);
    }
    NONE(s);
}

static inline int finish_all(void **state)
{
    free(last_copy);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, finish)

#endif
