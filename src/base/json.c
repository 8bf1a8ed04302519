#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

// ---- writing --------------------------------------------------------------

static void put(struct json_writer *writer, const char *text, size_t length)
{
    if (writer->failed)
        return;
    if (writer->length + length + 1 > writer->capacity) {
        size_t capacity = 2 * (writer->length + length) + 256;
        char *larger = realloc(writer->text, capacity);
        if (!larger) {
            writer->failed = true;
            return;
        }
        writer->text = larger;
        writer->capacity = capacity;
    }
    memcpy(writer->text + writer->length, text, length);
    writer->length += length;
    writer->text[writer->length] = 0;
}

static void put_text(struct json_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

// Bytes of the UTF-8 sequence at `text`, 0 if it is none.
static unsigned sequence(const unsigned char *text)
{
    unsigned length = text[0] < 0x80                       ? 1
                      : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
                      : (text[0] & 0xf0) == 0xe0           ? 3
                      : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                           : 0;
    for (unsigned i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool outside = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return length > 2 && (overlong || outside) ? 0 : length;
}

static void put_string(struct json_writer *writer, const char *text)
{
    put(writer, "\"", 1);
    while (*text) {
        unsigned length = sequence((const unsigned char *)text);
        char escaped[8];
        if (!length)
            put_text(writer, "\\ufffd");
        else if (*text == '"' || *text == '\\')
            put(writer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\%c", *text));
        else if ((unsigned char)*text < 0x20)
            put(writer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", *text));
        else
            put(writer, text, length);
        text += length ? length : 1;
    }
    put(writer, "\"", 1);
}

// What stands in front of a value.
static void begin(struct json_writer *writer, const char *key)
{
    char last = writer->length ? writer->text[writer->length - 1] : '{';
    if (last != '{' && last != '[')
        put(writer, ",", 1);
    if (key) {
        put_string(writer, key);
        put(writer, ":", 1);
    }
}

void json_open(struct json_writer *writer, const char *key, char bracket)
{
    begin(writer, key);
    put(writer, &bracket, 1);
}

void json_close(struct json_writer *writer, char bracket)
{
    put(writer, &bracket, 1);
}

void json_string(struct json_writer *writer, const char *key, const char *value)
{
    begin(writer, key);
    if (value)
        put_string(writer, value);
    else
        put_text(writer, "null");
}

void json_number(struct json_writer *writer, const char *key, int64_t value)
{
    char text[24];
    begin(writer, key);
    put(writer, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

void json_bool(struct json_writer *writer, const char *key, bool value)
{
    begin(writer, key);
    put_text(writer, value ? "true" : "false");
}

void json_finish(struct json_writer *writer)
{
    free(writer->text);
    *writer = (struct json_writer){0};
}

// ---- reading --------------------------------------------------------------

// Each returns where the thing ends, NULL if it is not there or broken. `end` is the text's.

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    if (at >= end || *at != '"')
        return NULL;
    for (at++; at < end && *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\')
            continue;
        if (++at >= end || !strchr("\"\\/bfnrtu", *at) || !*at)
            return NULL;
        if (*at == 'u') {
            for (int i = 0; i < 4; i++) {
                if (++at >= end || !*at || !strchr("0123456789abcdefABCDEF", *at))
                    return NULL;
            }
        }
    }
    return at < end ? at + 1 : NULL;
}

static const char *skip_number(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at && strchr("+-.0123456789eE", *at))
        at++;
    return at > start && (*start == '-' || (*start >= '0' && *start <= '9')) ? at : NULL;
}

static const char *skip_value(const char *at, const char *end, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    if (at >= end || depth > MAX_DEPTH)
        return NULL;
    if (*at == '"')
        return skip_string(at, end);
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && !memcmp(at, words[i], length))
            return at + length;
    }
    if (*at != '{' && *at != '[')
        return skip_number(at, end);

    char close = *at == '{' ? '}' : ']';
    at = skip_space(at + 1, end);
    if (at < end && *at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            at = skip_string(at, end);
            at = at ? skip_space(at, end) : end;
            if (at >= end || *at != ':')
                return NULL;
            at = skip_space(at + 1, end);
        }
        at = skip_value(at, end, depth + 1);
        if (!at)
            return NULL;
        at = skip_space(at, end);
        if (at >= end || (*at != ',' && *at != close))
            return NULL;
        if (*at == close)
            return at + 1;
        at = skip_space(at + 1, end);
    }
}

bool json_parse(const char *text, size_t length, struct json *value)
{
    const char *end = text + length, *at = skip_space(text, end);
    const char *behind = skip_value(at, end, 0);
    *value = (struct json){0};
    if (!behind || skip_space(behind, end) != end)
        return false;
    *value = (struct json){at, behind};
    return true;
}

bool json_is(struct json value, char first)
{
    if (!value.at)
        return false;
    if (first == '0')
        return *value.at == '-' || (*value.at >= '0' && *value.at <= '9');
    return *value.at == first;
}

bool json_member(struct json object, const char *key, struct json *value)
{
    size_t length = strlen(key);
    *value = (struct json){0};
    if (!json_is(object, '{'))
        return false;
    const char *end = object.end, *at = skip_space(object.at + 1, end);
    while (*at == '"') {
        const char *name = at + 1;
        at = skip_string(at, end);
        bool found = (size_t)(at - 1 - name) == length && !memcmp(name, key, length);
        at = skip_space(skip_space(at, end) + 1, end); // behind the colon
        const char *behind = skip_value(at, end, 0);
        if (found) {
            *value = (struct json){at, behind};
            return true;
        }
        at = skip_space(behind, end);
        at = skip_space(at + 1, end); // behind the comma, or the end
        if (at >= end)
            break;
    }
    return false;
}

bool json_next(struct json array, struct json *item)
{
    if (!json_is(array, '['))
        return false;
    const char *at = skip_space(item->at ? item->end : array.at + 1, array.end);
    if (item->at && *at == ',')
        at = skip_space(at + 1, array.end);
    if (*at == ']')
        return false;
    *item = (struct json){at, skip_value(at, array.end, 0)};
    return true;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

bool json_copy(struct json value, char *text, size_t size)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    if (!json_is(value, '"') || (size_t)(value.end - value.at) - 1 > size)
        return false;
    for (const char *at = value.at + 1; at < value.end - 1; at++) {
        unsigned code;
        if (*at != '\\') {
            *text++ = *at;
        } else if (*++at == 'u') {
            char digits[5] = {at[1], at[2], at[3], at[4], 0};
            code = (unsigned)strtoul(digits, NULL, 16);
            if (!code)
                return false;
            text = put_utf8(text, code); // never longer than its escape
            at += 4;
        } else {
            const char *letter = strchr(letters, *at);
            *text++ = letter ? meanings[letter - letters] : *at;
        }
    }
    *text = 0;
    return true;
}

bool json_integer(struct json value, int64_t *number)
{
    char text[24] = {0}, *behind;
    size_t length = (size_t)(value.end - value.at);
    if (!json_is(value, '0') || length >= sizeof(text))
        return false;
    memcpy(text, value.at, length);
    *number = strtoll(text, &behind, 10);
    return !*behind;
}

bool json_get_text(struct json object, const char *key, char *text, size_t size)
{
    struct json value;
    bool good = json_member(object, key, &value) && json_copy(value, text, size);
    if (!good)
        text[0] = 0;
    return good;
}

int64_t json_get_number(struct json object, const char *key)
{
    struct json value;
    int64_t number = 0;
    return json_member(object, key, &value) && json_integer(value, &number) ? number : 0;
}

bool json_get_bool(struct json object, const char *key)
{
    struct json value;
    return json_member(object, key, &value) && json_is(value, 't');
}
