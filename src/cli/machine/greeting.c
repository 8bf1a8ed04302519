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

void cli_greeting(FILE *to, const struct cli_machine *machine, const char *gpu, const char *front)
{
    fprintf(to, "hesper: the guest is up");
    if (gpu)
        fprintf(to, "; its GPU is %s", gpu[0] ? gpu : "this machine's");
    if (gpu && machine->guest.gl)
        fprintf(to, ", also for OpenGL if it has systemd (--guest-gl)");
    fputc('\n', to);
    if (gpu)
        fprintf(to, "hesper:   no program draws by it yet; the first that does is told of here\n");
    fprintf(to, "hesper:   %s\n", front);
    forwards(to, machine);
    shares(to, &machine->shares);
    fprintf(to, "hesper:   Ctrl-C here, or hesper stop '%s', presses its power button\n",
            machine->name);
}

void cli_greeting_add(struct cli_greeting_programs *programs, const char *name, const char *engine)
{
    char program[140], *text = programs->text;
    bool says = engine[0] && strcmp(engine, name) != 0;
    snprintf(program, sizeof(program), "%s%s%s", name[0] ? name : "one without a name",
             says ? " by " : "", says ? engine : "");
    size_t length = strlen(text), more = strlen(program);
    for (const char *at = text; (at = strstr(at, program)); at++) {
        bool begins = at == text || at[-1] == ' ';
        if (begins && (!at[more] || at[more] == ','))
            return;
    }
    if (length + more + 3 < sizeof(programs->text))
        snprintf(text + length, sizeof(programs->text) - length, "%s%s", length ? ", " : "",
                 program);
}

void cli_greeting_drawing(FILE *to, bool screen, const struct cli_greeting_programs *programs)
{
    fprintf(to, "hesper: the guest's screen is drawn by its %s; programs that use the GPU: %s\n",
            screen ? "GPU" : "CPU", programs->text);
}
