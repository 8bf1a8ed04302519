// The clipboard's protocol: a guest's agent is played, which speaks in bytes as spice-vdagent does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/utf8.h"

enum {
    MONITORS = 2,
    CLIPBOARD = 4,
    CAPABILITIES = 6,
    GRAB = 7,
    REQUEST = 8,
    RELEASE = 9,
    MAX_CLIPBOARD = 14,
    TEXT = 1,
    PNG = 2,
    SIZES = 1 << 1,
    BY_DEMAND = 1 << 5,
    SELECTION = 1 << 6,
    MAX = 1 << 10,
};

struct guest {
    struct agent *agent;
    uint8_t heard[3 << 20]; // without the headers of chunks
    size_t size, at;
    char text[AGENT_MAX_TEXT + 1];
    size_t text_size;
    unsigned texts;
};

static uint32_t get(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void put(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static void on_send(void *data, const uint8_t *bytes, size_t size)
{
    struct guest *guest = data;
    while (size) {
        assert_true(size > 8);
        uint32_t part = get(bytes + 4);
        assert_int_equal(get(bytes), 1);
        assert_true(part && part <= 2048 && part <= size - 8);
        memcpy(guest->heard + guest->size, bytes + 8, part);
        guest->size += part;
        bytes += 8 + part;
        size -= 8 + part;
    }
}

static void on_text(void *data, const char *text, size_t size)
{
    struct guest *guest = data;
    assert_true(size && size <= AGENT_MAX_TEXT);
    memcpy(guest->text, text, size);
    guest->text[size] = 0;
    guest->text_size = size;
    guest->texts++;
}

// The next message that the guest hears: its body. Nothing was heard: fails.
static const uint8_t *hear(struct guest *guest, uint32_t type, uint32_t size)
{
    const uint8_t *message = guest->heard + guest->at;
    assert_true(guest->size - guest->at >= 20);
    assert_int_equal(get(message), 1);
    assert_int_equal(get(message + 4), type);
    assert_int_equal(get(message + 16), size);
    guest->at += 20 + size;
    assert_true(guest->at <= guest->size);
    return message + 20;
}

static void hears_nothing(const struct guest *guest)
{
    assert_int_equal(guest->at, guest->size);
}

// In chunks of `chunk` bytes, that arrive `piece` bytes at a time.
static void tell_so(struct guest *guest, uint32_t type, const void *body, uint32_t size,
                    uint32_t chunk, size_t piece)
{
    uint8_t *message = calloc(1, 20 + size), *all = calloc(9, 20 + size);
    size_t used = 0;
    put(message, 1);
    put(message + 4, type);
    put(message + 16, size);
    if (size)
        memcpy(message + 20, body, size);
    for (uint32_t done = 0; done < 20 + size; done += chunk) {
        uint32_t part = 20 + size - done < chunk ? 20 + size - done : chunk;
        put(all + used, 1);
        put(all + used + 4, part);
        memcpy(all + used + 8, message + done, part);
        used += 8 + part;
    }
    for (size_t done = 0; done < used; done += piece)
        agent_receive(guest->agent, all + done, used - done < piece ? used - done : piece);
    free(message);
    free(all);
}

static void tell(struct guest *guest, uint32_t type, const void *body, uint32_t size)
{
    tell_so(guest, type, body, size, 2048, SIZE_MAX);
}

// One or two numbers behind the clipboard's, if `selection` says that there is one.
static void tell_words(struct guest *guest, uint32_t type, bool selection, uint32_t first)
{
    uint8_t body[8] = {0};
    put(body + 4, first);
    tell(guest, type, selection ? body : body + 4, selection ? 8 : 4);
}

static void introduce(struct guest *guest, uint32_t capabilities)
{
    uint8_t body[8];
    put(body, 1);
    put(body + 4, capabilities);
    tell(guest, CAPABILITIES, body, sizeof(body));
    const uint8_t *answer = hear(guest, CAPABILITIES, 8);
    assert_int_equal(get(answer), 0);
    assert_int_equal(get(answer + 4) & (BY_DEMAND | SELECTION), BY_DEMAND | SELECTION);
    if (capabilities & MAX)
        assert_int_equal(get(hear(guest, MAX_CLIPBOARD, 4)), AGENT_MAX_TEXT);
}

static int set_up(void **state)
{
    static const struct agent_callbacks callbacks = {.send = on_send, .text = on_text};
    struct guest *guest = calloc(1, sizeof(*guest));
    guest->agent = agent_create(&callbacks, guest);
    assert_int_equal(get(hear(guest, CAPABILITIES, 8)), 1);
    *state = guest;
    return 0;
}

static int tear_down(void **state)
{
    struct guest *guest = *state;
    agent_destroy(guest->agent);
    free(guest);
    return 0;
}

static void give(struct guest *guest, const char *text, size_t size)
{
    uint8_t *body = calloc(1, 8 + size);
    put(body + 4, TEXT);
    memcpy(body + 8, text, size);
    tell(guest, CLIPBOARD, body, (uint32_t)(8 + size));
    free(body);
}

static void what_the_guest_copies_comes_here(void **state)
{
    struct guest *guest = *state;
    introduce(guest, BY_DEMAND | SELECTION | MAX);
    tell_words(guest, GRAB, true, TEXT);
    const uint8_t *asked = hear(guest, REQUEST, 8);
    assert_int_equal(asked[0], 0);
    assert_int_equal(get(asked + 4), TEXT);
    give(guest, "caf\xc3\xa9\n", 6);
    assert_string_equal(guest->text, "caf\xc3\xa9\n");
    hears_nothing(guest);
    // Only what was asked for.
    give(guest, "more", 4);
    assert_int_equal(guest->texts, 1);
    // Some end texts by a NUL.
    tell_words(guest, GRAB, true, TEXT);
    give(guest, "word", 5);
    assert_int_equal(guest->text_size, 4);
}

static void what_the_host_copies_comes_there_when_it_is_asked_for(void **state)
{
    struct guest *guest = *state;
    agent_offer(guest->agent, "early", 5);
    hears_nothing(guest);
    introduce(guest, BY_DEMAND | SELECTION);
    assert_int_equal(get(hear(guest, GRAB, 8) + 4), TEXT);
    agent_offer(guest->agent, "later", 5);
    assert_int_equal(get(hear(guest, GRAB, 8) + 4), TEXT);
    for (int i = 0; i < 2; i++) {
        tell_words(guest, REQUEST, true, TEXT);
        const uint8_t *body = hear(guest, CLIPBOARD, 8 + 5);
        assert_int_equal(get(body + 4), TEXT);
        assert_memory_equal(body + 8, "later", 5);
    }
    // It has no pictures; and no text any more, when the guest has a newer one.
    tell_words(guest, REQUEST, true, PNG);
    assert_int_equal(get(hear(guest, CLIPBOARD, 8) + 4), 0);
    tell_words(guest, GRAB, true, PNG);
    tell_words(guest, REQUEST, true, TEXT);
    assert_int_equal(get(hear(guest, CLIPBOARD, 8) + 4), 0);
    hears_nothing(guest);
}

static void an_agent_that_starts_again_is_told_again(void **state)
{
    struct guest *guest = *state;
    agent_offer(guest->agent, "text", 4);
    introduce(guest, BY_DEMAND | SELECTION);
    hear(guest, GRAB, 8);
    introduce(guest, BY_DEMAND | SELECTION);
    hear(guest, GRAB, 8);
    hears_nothing(guest);
}

static void an_old_agent_knows_one_clipboard(void **state)
{
    struct guest *guest = *state;
    introduce(guest, BY_DEMAND);
    tell_words(guest, GRAB, false, TEXT);
    assert_int_equal(get(hear(guest, REQUEST, 4)), TEXT);
    tell(guest, CLIPBOARD, "\1\0\0\0old", 7);
    assert_string_equal(guest->text, "old");
    agent_offer(guest->agent, "new", 3);
    hear(guest, GRAB, 4);
    tell_words(guest, REQUEST, false, TEXT);
    assert_memory_equal(hear(guest, CLIPBOARD, 4 + 3) + 4, "new", 3);
}

static void the_middle_button_has_its_own(void **state)
{
    struct guest *guest = *state;
    introduce(guest, BY_DEMAND | SELECTION);
    tell(guest, GRAB, "\1\0\0\0\1\0\0\0", 8);
    tell(guest, REQUEST, "\1\0\0\0\1\0\0\0", 8);
    hears_nothing(guest);
}

static void hears_a_size(struct guest *guest, uint32_t width, uint32_t height)
{
    const uint8_t *body = hear(guest, MONITORS, 28);
    const uint32_t words[] = {1, 0, height, width, 32, 0, 0};
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(get(body + 4 * i), words[i]);
}

static void the_screen_gets_the_size_of_the_window(void **state)
{
    struct guest *guest = *state;
    agent_resize(guest->agent, 1100, 720); // before there is an agent
    hears_nothing(guest);
    introduce(guest, BY_DEMAND | SIZES);
    hears_a_size(guest, 1100, 720);
    agent_resize(guest->agent, 640, 480);
    hears_a_size(guest, 640, 480);
    introduce(guest, BY_DEMAND); // one that cannot
    agent_resize(guest->agent, 800, 600);
    hears_nothing(guest);
}

static void texts_of_every_size_in_pieces_of_every_size(void **state)
{
    static const size_t sizes[] = {1, 2019, 2020, 2021, 2047, 2048, 2049, 70000, AGENT_MAX_TEXT};
    struct guest *guest = *state;
    introduce(guest, BY_DEMAND | SELECTION);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        size_t size = sizes[i];
        uint8_t *body = calloc(1, 8 + size);
        put(body + 4, TEXT);
        for (size_t k = 0; k < size; k++)
            body[8 + k] = (uint8_t)('a' + k % 26);
        tell_words(guest, GRAB, true, TEXT);
        hear(guest, REQUEST, 8);
        tell_so(guest, CLIPBOARD, body, (uint32_t)(8 + size), i % 2 ? 2048 : 77, i % 3 ? 4096 : 13);
        assert_int_equal(guest->text_size, size);
        assert_memory_equal(guest->text, body + 8, size);

        guest->size = guest->at = 0;
        agent_offer(guest->agent, (char *)body + 8, size);
        hear(guest, GRAB, 8);
        tell_words(guest, REQUEST, true, TEXT);
        assert_memory_equal(hear(guest, CLIPBOARD, (uint32_t)(8 + size)) + 8, body + 8, size);
        hears_nothing(guest);
        free(body);
    }
}

static void what_is_no_text_is_left_out(void **state)
{
    struct guest *guest = *state;
    introduce(guest, BY_DEMAND | SELECTION);
    static const struct {
        const char *text;
        size_t size;
    } none[] = {{"", 0}, {"a\0b", 3}, {"\xff", 1}, {"\xc3", 1}};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        tell_words(guest, GRAB, true, TEXT);
        hear(guest, REQUEST, 8);
        give(guest, none[i].text, none[i].size);
        agent_offer(guest->agent, none[i].text, none[i].size);
    }
    char *long_text = malloc(AGENT_MAX_TEXT + 9);
    memset(long_text, 'x', AGENT_MAX_TEXT + 9);
    tell_words(guest, GRAB, true, TEXT);
    hear(guest, REQUEST, 8);
    give(guest, long_text, AGENT_MAX_TEXT + 1);
    agent_offer(guest->agent, long_text, AGENT_MAX_TEXT + 1);
    free(long_text);
    assert_int_equal(guest->texts, 0);
    hears_nothing(guest);
    // And what comes next is understood.
    tell_words(guest, GRAB, true, TEXT);
    hear(guest, REQUEST, 8);
    give(guest, "good", 4);
    assert_string_equal(guest->text, "good");
}

static void messages_of_others_are_skipped(void **state)
{
    struct guest *guest = *state;
    static uint8_t other[5000];
    // A chunk for another port, whose bytes look like a message.
    uint8_t chunk[8 + 20] = {2, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, GRAB};
    agent_receive(guest->agent, chunk, sizeof(chunk));
    tell(guest, RELEASE, other, 4);
    tell(guest, 99, other, sizeof(other));
    tell(guest, CAPABILITIES, other, 3);
    tell(guest, GRAB, NULL, 0);
    tell(guest, REQUEST, other, 2);
    assert_int_equal(get(hear(guest, CLIPBOARD, 4)), 0);
    introduce(guest, BY_DEMAND | SELECTION);
    tell(guest, GRAB, NULL, 0);
    tell(guest, REQUEST, other, 3);
    tell(guest, CLIPBOARD, other, 5);
    // Of a length that nobody can send, of which little comes.
    uint8_t head[28] = {1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, CLIPBOARD};
    put(head + 24, UINT32_MAX);
    agent_receive(guest->agent, head, sizeof(head));
    agent_receive(guest->agent, other, sizeof(other));
    hears_nothing(guest);
}

static void utf8(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        bool good;
    } texts[] = {
        {"", 0, true},
        {"plain\n\t", 7, true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, true},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\0", 1, false},
        {"\x80", 1, false},             // goes on without a beginning
        {"\xc1\xbf", 2, false},         // longer than need be
        {"\xe0\x9f\xbf", 3, false},     // likewise
        {"\xf0\x8f\xbf\xbf", 4, false}, // likewise
        {"\xed\xa0\x80", 3, false},     // half of a pair
        {"\xf4\x90\x80\x80", 4, false}, // beyond the last
        {"\xf5\x80\x80\x80", 4, false},
        {"\xe2\x82", 2, false}, // cut off
        {"\xe2\x82x", 3, false},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(utf8_is_text(texts[i].text, texts[i].size), texts[i].good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_the_guest_copies_comes_here),
        TEST(what_the_host_copies_comes_there_when_it_is_asked_for),
        TEST(an_agent_that_starts_again_is_told_again),
        TEST(an_old_agent_knows_one_clipboard),
        TEST(the_middle_button_has_its_own),
        TEST(the_screen_gets_the_size_of_the_window),
        TEST(texts_of_every_size_in_pieces_of_every_size),
        TEST(what_is_no_text_is_left_out),
        TEST(messages_of_others_are_skipped),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
