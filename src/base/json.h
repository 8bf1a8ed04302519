// JSON (RFC 8259), small: a writer into memory, and a reader that looks up values in text.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- writing --------------------------------------------------------------

// {0} is empty. Out of memory is remembered: look at `failed` once, at the end. The text is ended
// by NUL when there is any.
struct json_writer {
    char *text;
    size_t length, capacity;
    bool failed;
};
void json_finish(struct json_writer *writer); // frees

// `key` is the member's name, NULL inside an array and at the top. `bracket` is '{' or '['; each is
// closed by json_close, in reverse order.
void json_open(struct json_writer *writer, const char *key, char bracket);
void json_close(struct json_writer *writer, char bracket); // '}' or ']'
// NULL becomes null. What is no UTF-8 becomes U+FFFD.
void json_string(struct json_writer *writer, const char *key, const char *value);
void json_number(struct json_writer *writer, const char *key, int64_t value);
void json_bool(struct json_writer *writer, const char *key, bool value);

// ---- reading --------------------------------------------------------------

// A value inside a text that must outlive it. {0} is no value: every function below answers false.
struct json {
    const char *at, *end;
};

// The only value of a text; false if the text is not JSON, or nested more than 32 deep.
bool json_parse(const char *text, size_t length, struct json *value);
// Of an object; false: no such member. The first one counts.
bool json_member(struct json object, const char *key, struct json *value);
// Of an array: the first for {0}, then the one behind *item.
bool json_next(struct json array, struct json *item);
bool json_is(struct json value, char first); // '{', '[', '"', 't', 'f', 'n'; '0': a number
// Copies a string; false if it is none, holds a NUL or does not fit.
bool json_copy(struct json value, char *text, size_t size);
// An integer; false if it is none.
bool json_integer(struct json value, int64_t *number);

#endif
