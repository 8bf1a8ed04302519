// JSON (RFC 8259), small: a writer into memory, and a reader that looks up values in text.
//
// Thread: one at a time for a writer; any for the reader.
// Owns: a writer has its text until json_finish; a value points into a text of the caller.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- writing --------------------------------------------------------------

// {0} is empty. A lack of memory is remembered: look at `failed` once, at the end. If there is any
// text, NUL ends it.
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

// A value inside a text that must outlive it. {0} is no value: every function below says false.
struct json {
    const char *at, *end;
};

// The only value of a text; false if the text is not JSON, or nested more than 32 deep.
bool json_parse(const char *text, size_t length, struct json *value);
// A member of an object; false: there is none of that name. If there are more, the first counts.
bool json_member(struct json object, const char *key, struct json *value);
// The item of an array behind *item; the first if *item is {0}. False: there is none.
bool json_next(struct json array, struct json *item);
bool json_is(struct json value, char first); // '{', '[', '"', 't', 'f', 'n'; '0': a number
// Copies a string; false if the value is none, holds a NUL or does not fit.
bool json_copy(struct json value, char *text, size_t size);
// False if the value is no integer.
bool json_integer(struct json value, int64_t *number);

// A member's value; "", 0 or false if it is no such value, or there is none.
bool json_get_text(struct json object, const char *key, char *text, size_t size); // false: ""
int64_t json_get_number(struct json object, const char *key);
bool json_get_bool(struct json object, const char *key);

#endif
