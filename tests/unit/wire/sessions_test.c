// Six recorded sessions of Mesa 25.0.7, 26.1.6 and 26.2.6: what went over the socket, the ring up
// to its tail, the streams it refers to, and the replies. tests/data/venus/captures.tar.xz,
// unpacked.
#include "visiting.h"

struct session {
    const char *folder;
    uint8_t *pool, *streams; // resources 2 and 3; streams may be NULL
    size_t pool_size, streams_size;
    struct arena arena;
    size_t reply_offset, reply_size; // set by vkSetReplyCommandStreamMESA
    int commands, replies;
};

static const char *root;
static const char *const folders[] = {"t2507", "t2616", "t2626", "u2507", "u2616", "u2626"};

static uint8_t *read_part(const char *folder, const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fclose(file);
    return read_file(path, size);
}

static void check_truncated(struct session *session, const uint8_t *command, size_t size)
{
    for (size_t cut = 0; cut < size; cut++) {
        if (cut > 256 && cut + 64 < size && cut % 61)
            continue; // somewhere in a blob
        uint8_t *copy = exact_copy(command, cut);
        struct wire_decoder decoder = {
            .cursor = copy, .end = copy + cut, .arena = &session->arena, .reply_capacity = 1 << 20};
        struct wire_call call;
        assert_false(wire_decode(&decoder, &call));
        assert_non_null(decoder.reason);
        free(copy);
    }
}

static void check_reply(struct session *session, struct wire_call *call)
{
    assert_true(session->reply_offset + session->reply_size <= session->pool_size);
    size_t size = session->reply_size;
    uint8_t *reply = exact_copy(session->pool + session->reply_offset, size), *out = malloc(size);
    struct wire_decoder decoder = {.cursor = reply, .end = reply + size, .arena = &session->arena};
    if (!wire_decode_reply(&decoder, call))
        fail_msg("%s: reply of %s: %s", session->folder, call->info->name, decoder.reason);
    assert_ptr_equal(decoder.cursor, decoder.end);
    assert_int_equal(wire_measure_reply(call), size);
    visit(wire_visit_reply, call);
    struct wire_encoder encoder = {out, out + size};
    assert_true(wire_encode_reply(&encoder, call));
    assert_ptr_equal(encoder.cursor, encoder.end);
    assert_same(call->info->name, out, reply, size);
    session->replies++;
    free(reply), free(out);
}

static void play(struct session *session, const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(data, size), *out = malloc(size);
    const uint8_t *cursor = copy;
    while (cursor < copy + size) {
        struct wire_decoder decoder = {.cursor = cursor,
                                       .end = copy + size,
                                       .arena = &session->arena,
                                       .reply_capacity = session->reply_size};
        struct wire_call call;
        if (!wire_decode(&decoder, &call))
            fail_msg("%s: %s at %zu: %s", session->folder, call.info ? call.info->name : "?",
                     (size_t)(decoder.cursor - copy), decoder.reason);
        size_t length = (size_t)(decoder.cursor - cursor);
        assert_int_equal(wire_measure_request(&call), length);
        visit(wire_visit_request, &call);
        struct wire_encoder encoder = {out, out + length};
        assert_true(wire_encode_request(&encoder, &call));
        assert_ptr_equal(encoder.cursor, encoder.end);
        assert_same(call.info->name, out, cursor, length);
        session->commands++;
        if (call.number == WIRE_vkSetReplyCommandStreamMESA) {
            struct wire_args_vkSetReplyCommandStreamMESA *args = call.args;
            session->reply_offset = args->pStream->offset;
            session->reply_size = args->pStream->size;
        }
        if (call.number == WIRE_vkExecuteCommandStreamsMESA) {
            struct wire_args_vkExecuteCommandStreamsMESA *args = call.args;
            size_t ranges[8][2];
            assert_true(args->streamCount <= 8);
            assert_non_null(session->streams);
            for (uint32_t i = 0; i < args->streamCount; i++) {
                assert_int_equal(args->pStreams[i].resourceId, 3);
                size_t offset = args->pStreams[i].offset, bytes = args->pStreams[i].size;
                assert_true(offset + bytes <= session->streams_size);
                ranges[i][0] = offset;
                ranges[i][1] = bytes;
            }
            uint32_t count = args->streamCount;
            for (uint32_t i = 0; i < count; i++) // resets the arena that args lie in
                play(session, session->streams + ranges[i][0], ranges[i][1]);
        } else if (call.flags & WIRE_FLAG_REPLY) {
            check_reply(session, &call);
        }
        check_truncated(session, cursor, length);
        cursor += length;
        arena_reset(&session->arena);
    }
    free(copy), free(out);
}

static uint32_t word(const uint8_t *data, size_t index)
{
    uint32_t v;
    memcpy(&v, data + index * 4, 4);
    return v;
}

// Records: u32 size, then a SUBMIT_CMD2 payload: batch count, headers of 6 or 8 words, commands.
static void play_submits(struct session *session, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t bytes = word(data + at, 0);
        const uint8_t *payload = data + at + 4;
        assert_int_equal(word(payload, 0), 1);
        size_t offset = word(payload, 2) * 4, length = word(payload, 3) * 4;
        assert_true(offset + length <= bytes);
        play(session, payload + offset, length);
        at += 4 + bytes;
    }
}

static void test_session(void **state)
{
    struct session session = {.folder = *state};
    arena_init(&session.arena, 16 << 20);
    size_t size = 0;
    uint8_t *submits = read_part(session.folder, "submits.bin", &size);
    assert_non_null(submits);
    play_submits(&session, submits, size);
    assert_true(session.commands >= 2);
    free(submits);

    session.pool = read_part(session.folder, "res2_1048576_id0.bin", &session.pool_size);
    session.streams = read_part(session.folder, "res3_8388608_id0.bin", &session.streams_size);
    uint8_t *ring = read_part(session.folder, "res1_131268_id0.bin", &size);
    assert_non_null(ring);
    assert_non_null(session.pool);
    play(&session, ring + 192, word(ring, 16));
    assert_true(session.commands >= 39);
    assert_true(session.replies >= 18);
    free(ring), free(session.pool), free(session.streams);
    arena_finish(&session.arena);
}

int main(int argc, char **argv)
{
    root = argv[1];
    struct CMUnitTest tests[sizeof(folders) / sizeof(folders[0])];
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        tests[i] = (struct CMUnitTest){folders[i], test_session, NULL, NULL, (void *)folders[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
