// The clipboard that guest and host share: the serial port of the guest's spice-vdagent.
//
// Thread: the loop's.
#ifndef CLI_MACHINE_CLIPBOARD_H
#define CLI_MACHINE_CLIPBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "cli/option/arguments.h"

struct cli_clipboard;
struct os_loop;

enum { CLI_CLIPBOARD_FD = 63 }; // in QEMU: the port's other end

// `copied`: the guest's person has copied a text, as of agent/agent.h.
// Owns: takes `fd`. Errors: NULL: out of memory, and `fd` is closed.
struct cli_clipboard *
cli_clipboard_create(struct os_loop *loop, int fd,
                     void (*copied)(void *data, const char *text, size_t size), void *data);
// The same for a QEMU that somebody else starts: it may connect to PATH.clipboard, and the next
// when it has gone. Errors: NULL after a log line.
struct cli_clipboard *
cli_clipboard_listen(struct os_loop *loop, const char *path,
                     void (*copied)(void *data, const char *text, size_t size), void *data);
// PATH.clipboard.
const char *cli_clipboard_socket(const struct cli_clipboard *clipboard);
void cli_clipboard_destroy(struct cli_clipboard *clipboard);
// The host's person has copied a text. NULL: nobody listens.
void cli_clipboard_offer(struct cli_clipboard *clipboard, const char *text, size_t size);
// The host's person has resized the window. NULL: nobody listens.
void cli_clipboard_resize(struct cli_clipboard *clipboard, uint32_t width, uint32_t height);
// The port, as QEMU makes it; `path` as of cli_clipboard_listen, NULL: the descriptor. `bus`,
// `slot`: of its device, as in struct cli_gpu_address.
void cli_clipboard_add(struct cli_arguments *arguments, const char *path, const char *bus,
                       unsigned slot);

#endif
