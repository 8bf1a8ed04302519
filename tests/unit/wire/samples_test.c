// Every command, every structure that may be chained: what samples.py wrote from the protocol's
// rules is decoded and encoded again to the same bytes, requests and replies.
#include "visiting.h"

static uint8_t *samples;
static size_t samples_size;

// The next record of the file; NULL at its end.
static const uint8_t *next(size_t *at, size_t *size)
{
    if (*at == samples_size)
        return NULL;
    uint32_t bytes;
    memcpy(&bytes, samples + *at, sizeof(bytes));
    const uint8_t *data = samples + *at + sizeof(bytes);
    *at += sizeof(bytes) + bytes;
    assert_true(*at <= samples_size);
    *size = bytes;
    return data;
}

// Replies are as the rules say, too: nothing of the request but its counts is needed to read them.
static void test_same_bytes(void **state)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    bool seen[WIRE_COMMAND_COUNT] = {false};
    size_t at = 0, request_size, reply_size;
    const uint8_t *request;
    while ((request = next(&at, &request_size))) {
        const uint8_t *reply = next(&at, &reply_size);
        uint8_t *copy = exact_copy(request, request_size), *out = malloc(request_size + 1);
        struct wire_decoder decoder = {.cursor = copy,
                                       .end = copy + request_size,
                                       .arena = &arena,
                                       .reply_capacity = reply_size * 64 + 4096};
        struct wire_call call;
        if (!wire_decode(&decoder, &call))
            fail_msg("%s: %s at %zu of %zu", call.info ? call.info->name : "?", decoder.reason,
                     (size_t)(decoder.cursor - copy), request_size);
        if (decoder.cursor != decoder.end)
            fail_msg("%s: decoded %zu of %zu bytes", call.info->name,
                     (size_t)(decoder.cursor - copy), request_size);
        assert_int_equal(wire_measure_request(&call), request_size);
        visit(wire_visit_request, &call);
        struct wire_encoder encoder = {out, out + request_size};
        if (!wire_encode_request(&encoder, &call) || encoder.cursor != encoder.end)
            fail_msg("%s: encoded to another size", call.info->name);
        assert_same(call.info->name, out, request, request_size);
        seen[call.number] = true;

        uint8_t *reply_copy = exact_copy(reply, reply_size), *reply_out = malloc(reply_size + 1);
        struct wire_decoder guest = {
            .cursor = reply_copy, .end = reply_copy + reply_size, .arena = &arena};
        if (!wire_decode_reply(&guest, &call))
            fail_msg("reply of %s: %s at %zu of %zu", call.info->name, guest.reason,
                     (size_t)(guest.cursor - reply_copy), reply_size);
        assert_ptr_equal(guest.cursor, guest.end);
        assert_int_equal(wire_measure_reply(&call), reply_size);
        visit(wire_visit_reply, &call);
        struct wire_encoder answer = {reply_out, reply_out + reply_size};
        if (!wire_encode_reply(&answer, &call) || answer.cursor != answer.end)
            fail_msg("reply of %s: encoded to another size", call.info->name);
        assert_same(call.info->name, reply_out, reply, reply_size);
        // One byte less, and it is refused instead of written beyond.
        uint8_t *tight = malloc(reply_size - 4);
        struct wire_encoder small = {tight, tight + reply_size - 4};
        assert_false(wire_encode_reply(&small, &call));
        free(tight);
        free(copy), free(out), free(reply_copy), free(reply_out);
        arena_reset(&arena);
    }
    for (uint32_t i = 0; i < WIRE_COMMAND_COUNT; i++)
        assert_int_equal(seen[i], wire_command_info(i) != NULL);
    arena_finish(&arena);
}

// A guest's driver has the reply written into the structures that it was called with, and encodes
// what the codec of the renderer would.
static void test_in_place(void **state)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    size_t at = 0, request_size, reply_size;
    const uint8_t *request;
    int refused = 0, whole = 0;
    while ((request = next(&at, &request_size))) {
        const uint8_t *reply = next(&at, &reply_size);
        uint8_t *copy = exact_copy(request, request_size), *out = malloc(reply_size);
        uint8_t *reply_copy = exact_copy(reply, reply_size);
        // Decoding a request gives what the caller of a driver has: room for outputs.
        struct wire_decoder decoder = {.cursor = copy,
                                       .end = copy + request_size,
                                       .arena = &arena,
                                       .reply_capacity = reply_size * 64 + 4096};
        struct wire_call call;
        assert_true(wire_decode(&decoder, &call));
        struct wire_filler filler = {reply_copy, reply_copy + reply_size, NULL};
        bool filled = wire_fill_reply(&filler, &call);
        // Many a sample's reply has other structures in a chain than its request. Those are read
        // once more, over what they say themselves.
        if (!filled || wire_measure_reply(&call) != reply_size) {
            refused++;
            assert_true(wire_decode_reply(&(struct wire_decoder){.cursor = reply_copy,
                                                                 .end = reply_copy + reply_size,
                                                                 .arena = &arena},
                                          &call));
            filler = (struct wire_filler){reply, reply + reply_size, NULL};
            filled = wire_fill_reply(&filler, &call);
        } else {
            whole++;
        }
        if (!filled)
            fail_msg("reply of %s: %s, %zu bytes before its end", call.info->name, filler.reason,
                     (size_t)(filler.end - filler.cursor));
        assert_ptr_equal(filler.cursor, filler.end);
        struct wire_encoder answer = {out, out + reply_size};
        if (!wire_encode_reply(&answer, &call) || answer.cursor != answer.end)
            fail_msg("reply of %s: encoded to another size", call.info->name);
        assert_same(call.info->name, out, reply, reply_size);
        for (size_t cut = 0; cut < reply_size; cut += cut + 64 < reply_size ? 4 : 1) {
            uint8_t *part = exact_copy(reply, cut);
            struct wire_filler short_one = {part, part + cut, NULL};
            assert_false(wire_fill_reply(&short_one, &call));
            assert_non_null(short_one.reason);
            free(part);
        }
        free(copy), free(out), free(reply_copy);
        arena_reset(&arena);
    }
    assert_true(whole > refused);
    arena_finish(&arena);
}

// Wherever a command is cut off, decoding fails and says so, without reading on.
static void test_truncation(void **state)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    size_t at = 0, size, ignored;
    const uint8_t *request;
    for (int n = 0; (request = next(&at, &size)); n++) {
        next(&at, &ignored);
        if (n % 4)
            continue;
        for (size_t cut = 0; cut < size; cut += cut + 64 < size ? 4 : 1) {
            uint8_t *copy = exact_copy(request, cut);
            struct wire_decoder decoder = {
                .cursor = copy, .end = copy + cut, .arena = &arena, .reply_capacity = UINT64_MAX};
            struct wire_call call;
            assert_false(wire_decode(&decoder, &call));
            assert_non_null(decoder.reason);
            assert_true(decoder.cursor >= copy && decoder.cursor <= decoder.end);
            arena_reset(&arena);
            free(copy);
        }
    }
    arena_finish(&arena);
}

// Any word may hold anything.
static void test_mutation(void **state)
{
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0xffffffff};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    uint64_t random = 1;
    size_t at = 0, size, ignored;
    const uint8_t *request;
    for (int n = 0; (request = next(&at, &size)); n++) {
        next(&at, &ignored);
        for (size_t word = 0; word < size; word += 4) {
            if (size > 512 && (random = random * 6364136223846793005u + 1) >> 60)
                continue; // a sixteenth of a long one
            uint8_t *copy = exact_copy(request, size);
            memcpy(copy + word, &values[(n + word / 4) % 5], 4);
            struct wire_decoder decoder = {
                .cursor = copy, .end = copy + size, .arena = &arena, .reply_capacity = 1 << 16};
            struct wire_call call;
            if (wire_decode(&decoder, &call)) { // what came out can be encoded: no pointer is wild
                uint8_t *out = malloc(1 << 17);
                struct wire_encoder encoder = {out, out + (1 << 17)};
                wire_encode_reply(&encoder, &call);
                encoder.cursor = out;
                wire_encode_request(&encoder, &call);
                free(out);
            } else {
                assert_non_null(decoder.reason);
            }
            arena_reset(&arena);
            free(copy);
        }
    }
    arena_finish(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_mutation),
    };
    samples = read_file(argv[1], &samples_size);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(samples);
    return failed;
}
