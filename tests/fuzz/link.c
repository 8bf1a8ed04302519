// Bytes and descriptors from a hostile other end of a link.
//
// Input: pieces. Each begins with a byte: low 6 bits + 1 are the number of bytes that follow and
// are sent at once, bit 6 adds a descriptor, bit 7 two more.
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "../scarce/scarce.h"
#include "../unit/short.h"
#include "link/link.h"
#include "os/os.h"
#include "os/socket.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

static unsigned touch(const struct link_message *message)
{
    unsigned sum = message->type;
    for (uint32_t i = 0; i < message->size; i++)
        sum += message->payload[i];
    for (unsigned i = 0; i < message->fd_count; i++)
        sum += (unsigned)message->fds[i];
    return sum;
}

static bool receive(struct link *link, struct link_message *message)
{
    int error;
    SCARCE(error = link_receive(link, message));
    return !error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned total = 0;
    int pair[2];
    if (os_socket_pair(pair))
        abort();
    struct link *link = new_link(pair[1], false);
    os_socket_set_nonblocking(pair[0], true);
    scarce_begin_for(data, size);
    for (size_t at = 0; at < size;) {
        uint8_t head = data[at++];
        size_t length = (head & 63u) + 1;
        if (length > size - at)
            length = size - at;
        unsigned fd_count = (head >> 6 & 1u) + (head >> 7) * 2;
        int fds[3] = {pair[0], pair[0], pair[0]};
        if (length)
            os_socket_send(pair[0], data + at, length, fds, fd_count);
        at += length;
        struct link_message message;
        while (receive(link, &message)) {
            total += touch(&message);
            if (message.fd_count && (message.type & 1))
                close(link_take_fd(link, 0));
        }
    }
    scarce_end();
    link_destroy(link);
    close(pair[0]);
    return total == 0xfeedbeef ? -1 : 0; // every byte that was touched counts
}
