// The clipboard that guest and host share: the serial port of the guest's spice-vdagent.
//
// Thread: the loop's.
#ifndef CLI_MACHINE_CLIPBOARD_H
#define CLI_MACHINE_CLIPBOARD_H

#include <stddef.h>

#include "cli/option/arguments.h"

struct cli_clipboard;
struct os_loop;

enum { CLI_CLIPBOARD_FD = 63 }; // in QEMU: the port's other end

// `copied`: the guest's person has copied a text, as of agent/agent.h.
// Owns: takes `fd`. Errors: NULL: out of memory, and `fd` is closed.
struct cli_clipboard *
cli_clipboard_create(struct os_loop *loop, int fd,
                     void (*copied)(void *data, const char *text, size_t size), void *data);
void cli_clipboard_destroy(struct cli_clipboard *clipboard);
// The host's person has copied a text. NULL: nobody listens.
void cli_clipboard_offer(struct cli_clipboard *clipboard, const char *text, size_t size);
// The port, as QEMU makes it.
void cli_clipboard_add(struct cli_arguments *arguments);

#endif
