#include "cli/machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/machine/disk.h"
#include "cli/machine/firmware.h"
#include "cli/machine/iso.h"
#include "cli/machine/sound.h"
#include "cli/qemu/monitor.h"

void cli_machine_init(struct cli_machine *machine)
{
    *machine =
        (struct cli_machine){.net = "user", .serial = "stdio", .memory = 2ull << 30, .cpus = 2};
}

static bool readable(const char *option, const char *path)
{
    struct stat status;
    if (!path)
        return true;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        errno = EISDIR;
    else if (access(path, R_OK) == 0)
        return true;
    log_error("run: --%s: cannot read '%s': %s", option, path, strerror(errno));
    return false;
}

bool cli_machine_check(struct cli_machine *machine)
{
    for (unsigned i = 0; i < machine->disk_count; i++)
        if (!cli_disk_check(machine->disks[i]))
            return false;
    if (machine->iso && !cli_iso_get(machine->iso, &machine->iso_file))
        return false;
    if (machine->iso)
        machine->cdrom = machine->iso_file;
    if (!readable(machine->iso ? "iso" : "cdrom", machine->cdrom) ||
        !readable("kernel", machine->kernel) || !readable("initrd", machine->initrd))
        return false;
    for (unsigned i = 0; i < machine->forward_count; i++)
        if (!cli_forward_check(&machine->forwards[i]))
            return false;
    for (unsigned i = 0; i < machine->usb_count; i++)
        if (!cli_usb_check(&machine->usb[i]))
            return false;
    return cli_shares_check(&machine->shares);
}

bool cli_machine_make_disks(const struct cli_machine *machine)
{
    bool good = true;
    for (unsigned i = 0; good && i < machine->disk_count; i++)
        good = cli_disk_make(machine->disks[i]);
    return good;
}

// ---- the CPU --------------------------------------------------------------

static bool cpu_has_virtualization(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0)
        found = !strncmp(line, "flags", 5) && (strstr(line, " vmx") || strstr(line, " svm"));
    free(line);
    if (file)
        fclose(file);
    return found;
}

// Nested hosts may have a /dev/kvm that opens and yet runs no stock kernel: there the CPU lacks the
// flag.
static const char *choose_accelerator(const struct cli_qemu *qemu)
{
    struct utsname name;
    if (qemu->foreign) {
        log_warning("the guest's CPU is emulated, which is slow: it is of another kind (%s) than "
                    "this machine's",
                    qemu->machine);
        return "tcg";
    }
    if (uname(&name) == 0 && !strcmp(name.sysname, "Darwin"))
        return "hvf";
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        log_warning("the guest's CPU is emulated, which is slow: /dev/kvm: %s", strerror(errno));
        return "tcg";
    }
    close(kvm);
    if (strcmp(qemu->machine, "x86_64") || cpu_has_virtualization())
        return "kvm";
    log_warning("the guest's CPU is emulated, which is slow: this machine's CPU shows neither vmx "
                "nor svm, so KVM cannot be trusted here (--accel kvm tries)");
    return "tcg";
}

static void add_cpu(const struct cli_machine *machine, const struct cli_qemu *qemu,
                    struct cli_arguments *arguments)
{
    const char *accelerator =
        machine->accelerator ? machine->accelerator : choose_accelerator(qemu);
    bool emulated = !strcmp(accelerator, "tcg");
    cli_arguments_add(arguments, "-accel");
    cli_arguments_add(arguments, "%s%s", accelerator, emulated ? ",thread=multi" : "");
    cli_arguments_add(arguments, "-cpu");
    cli_arguments_add(arguments, "%s", emulated ? "max" : "host");
    cli_arguments_add(arguments, "-smp");
    cli_arguments_add(arguments, "%u", machine->cpus);
}

// ---- what it boots --------------------------------------------------------

static void add_cdrom(const char *file, struct cli_arguments *arguments)
{
    char *value = cli_option_value(file);
    if (value) {
        cli_arguments_add(arguments, "-drive");
        cli_arguments_add(arguments, "if=none,id=cd0,media=cdrom,readonly=on,format=raw,file=%s",
                          value);
        cli_arguments_add(arguments, "-device");
        cli_arguments_add(arguments, "virtio-scsi-pci");
        cli_arguments_add(arguments, "-device");
        cli_arguments_add(arguments, "scsi-cd,drive=cd0");
    } else {
        arguments->failed = true;
    }
    free(value);
}

// QEMU's own firmware, a BIOS, and boot loaders of its kind know no virtio display. Where QEMU says
// that there is no other, they speak on the serial console.
static const char *machine_type(const struct cli_machine *machine, const struct cli_qemu *qemu)
{
    if (strcmp(qemu->machine, "x86_64"))
        return "virt";
    return machine->firmware || machine->kernel ? "q35" : "q35,graphics=off";
}

// Beside the first disk that may be written to; NULL after false: out of memory.
static bool firmware_place(const struct cli_machine *machine, char **place)
{
    *place = NULL;
    for (unsigned i = 0; i < machine->disk_count && !*place; i++) {
        bool read_only;
        *place = cli_disk_file(machine->disks[i], &read_only);
        if (!*place)
            return false;
        if (read_only) {
            free(*place);
            *place = NULL;
        }
    }
    return true;
}

static bool add_firmware(const struct cli_machine *machine, const struct cli_qemu *qemu,
                         struct cli_arguments *arguments)
{
    bool pc = !strcmp(qemu->machine, "x86_64");
    char *place;
    if (!machine->firmware && (pc || machine->kernel))
        return true; // QEMU's own; or none is needed
    if (!firmware_place(machine, &place)) {
        arguments->failed = true;
        return true;
    }
    bool good =
        cli_firmware_add(arguments, qemu, machine->firmware ? machine->firmware : "uefi", place);
    free(place);
    return good;
}

static void add_kernel(const struct cli_machine *machine, const struct cli_qemu *qemu,
                       struct cli_arguments *arguments)
{
    if (!machine->kernel)
        return;
    cli_arguments_add(arguments, "-kernel");
    cli_arguments_add(arguments, "%s", machine->kernel);
    if (machine->initrd) {
        cli_arguments_add(arguments, "-initrd");
        cli_arguments_add(arguments, "%s", machine->initrd);
    }
    cli_arguments_add(arguments, "-append");
    cli_arguments_add(arguments, "console=%s %s",
                      strcmp(qemu->machine, "x86_64") ? "ttyAMA0" : "ttyS0",
                      machine->append ? machine->append : "");
}

static void add_network(const struct cli_machine *machine, struct cli_arguments *arguments)
{
    char forwards[CLI_MAX_FORWARDS * CLI_FORWARD_SIZE] = "", forward[CLI_FORWARD_SIZE];
    if (!strcmp(machine->net, "none"))
        return;
    for (unsigned i = 0; i < machine->forward_count; i++)
        strcat(forwards, cli_forward_text(&machine->forwards[i], forward));
    cli_arguments_add(arguments, "-netdev");
    cli_arguments_add(arguments, "user,id=net0%s%s", machine->net + strlen("user"), forwards);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtio-net-pci,netdev=net0,romfile=");
}

bool cli_machine_has_agent(const struct cli_machine *machine)
{
    for (char **rest = machine->rest; rest && *rest; rest++)
        if (strstr(*rest, "org.qemu.guest_agent"))
            return true;
    return false;
}

// In a slot of its own: those that QEMU gives away by itself stay what they were. The bus is not
// named, for -machine pc after -- has another.
static void add_agent(const struct cli_machine *machine, struct cli_arguments *arguments)
{
    if (machine->agent_fd < 0)
        return;
    cli_arguments_add(arguments, "-chardev");
    cli_arguments_add(arguments, "socket,id=" CLI_MONITOR_AGENT "-socket,fd=%d", machine->agent_fd);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtio-serial-pci,id=" CLI_MONITOR_AGENT "-bus,addr=0x1c");
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments,
                      "virtserialport,id=" CLI_MONITOR_AGENT ",bus=" CLI_MONITOR_AGENT
                      "-bus.0,chardev=" CLI_MONITOR_AGENT "-socket,name=org.qemu.guest_agent.0");
}

// UEFI of machines without a PC's keyboard hears USB's only.
static bool needs_usb_keyboard(const struct cli_machine *machine, const struct cli_qemu *qemu)
{
    return machine->firmware && machine->seat && cli_seat_has_keyboard(machine->seat) &&
           strcmp(qemu->machine, "x86_64");
}

bool cli_machine_arguments(const struct cli_machine *machine, const struct cli_qemu *qemu,
                           bool portable, const struct cli_gpu_address *gpu,
                           struct cli_arguments *arguments)
{
    cli_arguments_add(arguments, "%s", qemu->path);
    cli_arguments_add(arguments, "-nodefaults");
    cli_arguments_add(arguments, "-machine");
    cli_arguments_add(arguments, "%s", machine_type(machine, qemu));
    char *name = cli_option_value(machine->name);
    if (!name)
        arguments->failed = true;
    cli_arguments_add(arguments, "-name");
    cli_arguments_add(arguments, "guest=%s", name ? name : "");
    free(name);
    cli_arguments_add(arguments, "-display");
    cli_arguments_add(arguments, "none");
    cli_arguments_add(arguments, "-vga");
    cli_arguments_add(arguments, "none");
    // Should this process be killed, the machine has no GPU any more and would end later and worse.
    if (qemu->major >= 11) { // what is older lacks it
        cli_arguments_add(arguments, "-run-with");
        cli_arguments_add(arguments, "exit-with-parent=on");
    }
    add_cpu(machine, qemu, arguments);
    cli_qemu_add_memory(arguments, machine->memory, portable);
    if (!add_firmware(machine, qemu, arguments))
        return false;
    add_kernel(machine, qemu, arguments);
    if (!cli_guest_add(&machine->guest, &machine->shares, arguments))
        return false;
    for (unsigned i = 0; i < machine->disk_count; i++)
        cli_disk_add(machine->disks[i], arguments);
    if (machine->cdrom)
        add_cdrom(machine->cdrom, arguments);
    cli_arguments_add(arguments, "-serial");
    cli_arguments_add(arguments, "%s", machine->serial);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtio-rng-pci");
    add_network(machine, arguments);
    cli_shares_add_arguments(&machine->shares, arguments);
    cli_usb_add(machine->usb, machine->usb_count, needs_usb_keyboard(machine, qemu), arguments);
    if (machine->clipboard)
        cli_clipboard_add(arguments, NULL, NULL, 0);
    if (machine->sound && !cli_sound_add(machine->sound, qemu, arguments))
        return false;
    cli_arguments_add(arguments, "-chardev");
    cli_arguments_add(arguments, "socket,id=hesper-monitor,fd=%d", machine->monitor_fd);
    cli_arguments_add(arguments, "-qmp");
    cli_arguments_add(arguments, "chardev:hesper-monitor");
    cli_qemu_add_gpu(arguments, qemu, gpu);
    if (machine->seat)
        cli_seat_add_arguments(machine->seat, arguments, NULL, NULL, 0);
    add_agent(machine, arguments);
    for (char **rest = machine->rest; rest && *rest; rest++)
        cli_arguments_add(arguments, "%s", *rest);
    if (arguments->failed)
        log_error("out of memory");
    return !arguments->failed;
}
