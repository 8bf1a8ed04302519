#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { MAX_ROWS = 64, HELP_COLUMN = 27, LAST_COLUMN = 100, FIRST_VALUE = 256 };

static const struct option_row help_row = {"help", NULL, "", .letter = 'h'};

// All rows of a command, the same row at the same index everywhere.
struct known {
    const struct option_row *rows[MAX_ROWS];
    char *objects[MAX_ROWS];
    struct option options[MAX_ROWS + 1];
    char letters[2 * MAX_ROWS + 3];
    unsigned count;
};

bool option_value_may_miss(const struct option_row *row)
{
    return row->value && !strncmp(row->value, "[=", 2);
}

static void know(struct known *known, const struct option_row *row, void *object)
{
    char letters[] = {row->letter, row->value ? ':' : 0, 0};
    if (known->count == MAX_ROWS)
        return;
    if (row->letter)
        strcat(known->letters, letters);
    known->rows[known->count] = row;
    known->objects[known->count] = object;
    known->options[known->count] =
        (struct option){.name = row->name,
                        .has_arg = option_value_may_miss(row) ? optional_argument
                                   : row->value               ? required_argument
                                                              : no_argument,
                        .val = FIRST_VALUE + (int)known->count};
    known->count++;
}

static void know_all(struct known *known, const struct options *options)
{
    // ':' has getopt_long tell a value that is missing from an option that is unknown.
    *known = (struct known){.letters = ":"};
    if (options->in_order)
        strcpy(known->letters, "+:");
    for (unsigned i = 0; options->tables[i].rows; i++)
        for (const struct option_row *row = options->tables[i].rows; row->name; row++)
            know(known, row, options->tables[i].object);
    know(known, &help_row, NULL);
}

const struct option_row *options_find(const struct options *options, const char *name)
{
    for (unsigned i = 0; options->tables[i].rows; i++)
        for (const struct option_row *row = options->tables[i].rows; row->name; row++)
            if (!strcmp(row->name, name))
                return row;
    return NULL;
}

// ---- --help ---------------------------------------------------------------

static void print_row(const struct option_row *row)
{
    char letter[8] = "";
    if (row->letter && row != &help_row)
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    int column =
        printf("  %s--%s%s%s", letter, row->name,
               row->value && !option_value_may_miss(row) ? " " : "", row->value ? row->value : "");
    bool next_line = column >= HELP_COLUMN;
    for (const char *word = row->help; *word; word += *word != 0) {
        int length = (int)strcspn(word, " \n");
        if (next_line || (column > HELP_COLUMN && column + 1 + length > LAST_COLUMN)) {
            putchar('\n');
            column = 0;
        }
        column +=
            printf("%*s%.*s", column < HELP_COLUMN ? HELP_COLUMN - column : 1, "", length, word);
        word += length;
        next_line = *word == '\n';
    }
    putchar('\n');
}

static void print_help(const struct options *options, const struct known *known)
{
    fputs(options->usage, stdout);
    for (unsigned i = 0; i < known->count; i++)
        if (known->rows[i]->help)
            print_row(known->rows[i]);
}

// ---- values ---------------------------------------------------------------

bool option_size(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || errno || text[0] == '-')
        return false;
    unsigned shift = 0;
    if (*end && !end[1]) {
        static const char units[] = "kmgt";
        const char *unit = strchr(units, *end | 0x20);
        if (!unit)
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    } else if (*end) {
        return false;
    }
    if (number > most >> shift)
        return false;
    *value = number << shift;
    return true;
}

int option_choice(const char *label, const char *option, const char *const *names, const char *text)
{
    char list[256] = "";
    for (int i = 0; names[i]; i++) {
        if (!strcmp(text, names[i]))
            return i;
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s'%s'",
                 !i             ? ""
                 : names[i + 1] ? ", "
                                : " or ",
                 names[i]);
    }
    log_error("%s: --%s is %s, not '%s'", label, option, list, text);
    return -1;
}

static bool take_number(const char *label, const struct option_row *row, const char *text, void *to)
{
    uint64_t number;
    if (option_size(text, row->most, &number) && number >= row->least) {
        memcpy(to, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return true;
    }
    if (row->least == 1 && row->most == UINT32_MAX / 2)
        log_error("%s: --%s is a positive number, not '%s'", label, row->name, text);
    else
        log_error("%s: --%s is a number from %u to %u, not '%s'", label, row->name, row->least,
                  row->most, text);
    return false;
}

static bool take(const char *label, const struct option_row *row, const char *text, void *to)
{
    int choice = 0;
    switch (row->kind) {
    case OPTION_TEXTS:
        *(const char **)to = text ? text : "";
        break;
    case OPTION_FLAGS:
        *(bool *)to = row->most;
        break;
    case OPTION_COUNTS:
        ++*(unsigned *)to;
        break;
    case OPTION_NUMBERS:
        return take_number(label, row, text, to);
    case OPTION_CHOICES:
        choice = option_choice(label, row->name, row->choices, text);
        if (choice >= 0)
            memcpy(to, &choice, sizeof(choice));
        break;
    case OPTION_TAKEN:
        return row->take(label, text, to);
    }
    return choice >= 0;
}

// ---- a command line -------------------------------------------------------

static void complain(const struct options *options, const char *label, int result, char **argv)
{
    const char *option = argv[optind - 1];
    char letter[3] = {'-', (char)optopt, 0};
    // A letter is maybe one of several. What getopt_long says of a known name is its value.
    if (optopt && optopt < FIRST_VALUE && strncmp(option, "--", 2))
        option = letter;
    if (result == ':')
        log_error("%s: option '%s' needs a value; see '%s --help'", label, option,
                  options->program);
    else
        log_error("%s: unknown option '%s'; see '%s --help'", label, option, options->program);
}

static const struct option_row *row_of(const struct known *known, int result, unsigned *index)
{
    for (*index = 0; *index < known->count; ++*index)
        if (result == FIRST_VALUE + (int)*index || result == known->rows[*index]->letter)
            return known->rows[*index];
    return NULL;
}

int options_read(const struct options *options, int argc, char **argv)
{
    struct known known;
    const char *space = strchr(options->program, ' ');
    const char *label = space ? space + 1 : options->program;
    int result;
    know_all(&known, options);
    opterr = 0;
    while ((result = getopt_long(argc, argv, known.letters, known.options, NULL)) != -1) {
        unsigned index;
        const struct option_row *row = row_of(&known, result, &index);
        if (options->before)
            options->before(options->data, optind - 1);
        if (!row) {
            complain(options, label, result, argv);
            return -1;
        }
        if (row == &help_row) {
            print_help(options, &known);
            return 0;
        }
        if (!take(label, row, optarg, known.objects[index] + row->at))
            return -1;
    }
    return optind;
}
