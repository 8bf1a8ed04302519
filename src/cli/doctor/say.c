#include "cli/doctor/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void doctor_say(struct doctor *doctor, enum doctor_result result, const char *check,
                const char *remedy, const char *format, ...)
{
    static const char *const marks[] = {"\u2713", "\u2013", "\u2717"};
    static const char *const plain_marks[] = {"ok  ", "note", "FAIL"};
    static const char *const words[] = {"good", "note", "bad"};
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    unsigned *counts[] = {&doctor->good, &doctor->notes, &doctor->bad};
    ++*counts[result];
    for (char *at = text; (at = strpbrk(at, "\r\n\t"));)
        *at = ' '; // one line, whatever a driver calls itself
    if (doctor->json) {
        json_open(&doctor->out, NULL, '{');
        json_string(&doctor->out, "check", check);
        json_string(&doctor->out, "result", words[result]);
        json_string(&doctor->out, "text", text);
        if (remedy)
            json_string(&doctor->out, "remedy", remedy);
        json_close(&doctor->out, '}');
        return;
    }
    printf("%s %-10s %s\n", (doctor->plain ? plain_marks : marks)[result], check, text);
    if (remedy)
        printf("%*s%s %s\n", doctor->plain ? 16 : 13, "", doctor->plain ? "->" : "\u2192", remedy);
    fflush(stdout);
}
