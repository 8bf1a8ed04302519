#include "cli/machine/greeting.h"

#include <string.h>

enum { SSH_PORT = 22 };

static const char *reachable(const char *address)
{
    return strcmp(address, "0.0.0.0") ? address : "127.0.0.1";
}

static void forwards(FILE *to, const struct cli_machine *machine)
{
    for (unsigned i = 0; i < machine->forward_count; i++) {
        const struct cli_forward *forward = &machine->forwards[i];
        const char *address = reachable(forward->address);
        if (forward->guest == SSH_PORT)
            fprintf(to, "hesper:   ssh -p %u %s%s\n", forward->host,
                    machine->guest.ssh_key ? "root@" : "", address);
        else
            fprintf(to, "hesper:   its port %u is %s:%u here\n", forward->guest, address,
                    forward->host);
    }
}

static void shares(FILE *to, const struct cli_shares *shares)
{
    for (unsigned i = 0; i < shares->count; i++) {
        const struct cli_share *share = &shares->list[i];
        fprintf(to, "hesper:   its /mnt/%s is %s (without systemd: mount -t %s %s /mnt/%s)\n",
                share->name, share->folder,
                shares->program ? "virtiofs" : "9p -o trans=virtio,msize=1048576", share->name,
                share->name);
    }
}

void cli_greeting(FILE *to, const struct cli_machine *machine, const char *gpu)
{
    fprintf(to, "hesper: the guest is up");
    if (gpu)
        fprintf(to, "; its GPU is %s", gpu[0] ? gpu : "this machine's");
    if (gpu && machine->guest.gl)
        fprintf(to, ", also for OpenGL if it has systemd (--guest-gl)");
    fputc('\n', to);
    forwards(to, machine);
    shares(to, &machine->shares);
    fprintf(to, "hesper:   Ctrl-C here, or hesper stop '%s', presses its power button\n",
            machine->name);
}
