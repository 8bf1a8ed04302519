#include "guest/bare/print.h"

#include <stdarg.h>
#include <stdint.h>

#include "guest/bare/machine.h"

static void put_number(uint64_t number, unsigned base)
{
    char digits[64];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (count)
        machine_put(digits[--count]);
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            machine_put(*format);
            continue;
        }
        format++;
        if (*format == 's') {
            for (const char *text = va_arg(arguments, const char *); *text; text++)
                machine_put(*text);
        } else if (*format == 'c') {
            machine_put((char)va_arg(arguments, int));
        } else if (*format == 'd') {
            int64_t number = va_arg(arguments, int64_t);
            if (number < 0)
                machine_put('-');
            put_number(number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
        } else {
            put_number(va_arg(arguments, uint64_t), *format == 'u' ? 10 : 16);
        }
    }
    va_end(arguments);
}
