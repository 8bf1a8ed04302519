#include "cli/option/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_arguments_add(struct cli_arguments *arguments, const char *format, ...)
{
    if (arguments->count + 2 > arguments->capacity) {
        size_t capacity = arguments->capacity ? 2 * arguments->capacity : 64;
        char **items = realloc(arguments->items, capacity * sizeof(*items));
        if (!items) {
            arguments->failed = true;
            return;
        }
        arguments->items = items;
        arguments->capacity = capacity;
    }
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *item = length < 0 ? NULL : malloc((size_t)length + 1);
    if (item)
        vsnprintf(item, (size_t)length + 1, format, again);
    va_end(again);
    va_end(list);
    if (!item) {
        arguments->failed = true;
        return;
    }
    arguments->items[arguments->count++] = item;
    arguments->items[arguments->count] = NULL;
}

void cli_arguments_free(struct cli_arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        free(arguments->items[i]);
    free(arguments->items);
    *arguments = (struct cli_arguments){0};
}

char *cli_option_value(const char *text)
{
    char *value = malloc(2 * strlen(text) + 1), *to = value;
    if (!value)
        return NULL;
    for (; *text; text++) {
        *to++ = *text;
        if (*text == ',') // for QEMU, two commas are one that does not end the value
            *to++ = ',';
    }
    *to = 0;
    return value;
}

static void print_for_shell(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    if (*text && strspn(text, plain) == strlen(text)) {
        fputs(text, stdout);
        return;
    }
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
    putchar('\'');
}

static void print_for_xml(const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", stdout);
            break;
        case '<':
            fputs("&lt;", stdout);
            break;
        case '\'':
            fputs("&apos;", stdout);
            break;
        case '\n': // as it is, it would be read as a space
            fputs("&#10;", stdout);
            break;
        default:
            putchar(*text);
        }
    }
}

void cli_arguments_print(const struct cli_arguments *arguments, enum cli_arguments_format format)
{
    for (size_t i = 0; i < arguments->count; i++) {
        const char *text = arguments->items[i];
        switch (format) {
        case CLI_FORMAT_SHELL:
            if (i)
                fputs(text[0] == '-' ? " \\\n" : " ", stdout);
            print_for_shell(text);
            break;
        case CLI_FORMAT_LINES:
            puts(text);
            break;
        case CLI_FORMAT_LIBVIRT:
            fputs("  <qemu:arg value='", stdout);
            print_for_xml(text);
            fputs("'/>\n", stdout);
            break;
        }
    }
    if (format == CLI_FORMAT_SHELL && arguments->count)
        putchar('\n');
}
