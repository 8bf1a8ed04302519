#include "cli/machine/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"

// Takes the number before `end` off the text. False: it is no port.
static bool take_port(const char *text, size_t length, uint16_t *port)
{
    char digits[8];
    uint64_t number;
    if (length >= sizeof(digits) || strspn(text, "0123456789") < length)
        return false;
    memcpy(digits, text, length);
    digits[length] = 0;
    bool good = option_size(digits, UINT16_MAX, &number) && number;
    *port = good ? (uint16_t)number : 0;
    return good;
}

bool cli_forward_parse(struct cli_forward *forward, const char *text)
{
    const char *last = strrchr(text, ':'), *first = last;
    bool good = last && take_port(last + 1, strlen(last + 1), &forward->guest);
    while (good && first > text && first[-1] != ':')
        first--;
    good = good && take_port(first, (size_t)(last - first), &forward->host);
    strcpy(forward->address, "127.0.0.1");
    if (good && first > text) {
        struct in_addr address;
        size_t length = (size_t)(first - text) - 1;
        good = length < sizeof(forward->address);
        if (good) {
            memcpy(forward->address, text, length);
            forward->address[length] = 0;
            good = inet_pton(AF_INET, forward->address, &address) == 1;
        }
    }
    if (!good)
        log_error("run: --forward is [ADDRESS:]PORT:PORT, the host's and the guest's, like "
                  "2222:22, not '%s'",
                  text);
    return good;
}

bool cli_forward_check(const struct cli_forward *forward)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(forward->host)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0), error = 0;
    inet_pton(AF_INET, forward->address, &address.sin_addr);
    if (fd < 0)
        return true;                                             // QEMU will find out
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)); // as QEMU does
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        error = errno;
    close(fd);
    if (!error)
        return true;
    log_error("run: --forward: port %u of %s cannot be had: %s", forward->host, forward->address,
              strerror(error));
    return false;
}

const char *cli_forward_text(const struct cli_forward *forward, char text[CLI_FORWARD_SIZE])
{
    snprintf(text, CLI_FORWARD_SIZE, ",hostfwd=tcp:%s:%u-:%u", forward->address, forward->host,
             forward->guest);
    return text;
}
