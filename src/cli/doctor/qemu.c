// What hesper doctor checks of QEMU and of the programs that show a guest's screen.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "cli/qemu/qemu.h"
#include "os/os.h"
#include "venus/profile.h"

static const char newer_qemu[] = "install QEMU 11.1 or newer (Debian 13: qemu-system from "
                                 "trixie-backports), or name one with --qemu";
static const char other_qemu[] = "take a QEMU that was configured with --enable-vhost-user, which "
                                 "distributions' are, or name one with --qemu";
// Homebrew's own has no vhost-user: QEMU leaves it out on a Mac unless it is asked for.
static const char mac_qemu[] = "brew install hesper/local/hesper-qemu: the same QEMU with "
                               "vhost-user (docs/macos.md), or name one with --qemu";

enum { OUTPUT = 64 << 10 };

static bool ran(int status)
{
    return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The first line that is not empty, without our own "hesper: error: ".
static const char *first_line(char *output)
{
    static const char own[] = "hesper: error: ";
    char *line = strstr(output, own);
    line = line ? line + strlen(own) : output + strspn(output, "\r\n");
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static bool is_darwin(void)
{
    struct utsname name;
    return uname(&name) == 0 && !strcmp(name.sysname, "Darwin");
}

// On a Mac, or asked about one.
static bool is_mac(const struct doctor *doctor)
{
    const struct venus_profile *as =
        doctor->host.profile ? venus_profile_find(doctor->host.profile) : NULL;
    return is_darwin() || (as && as->portable);
}

// ---- the CPU --------------------------------------------------------------

// On macOS only programs whose signature says so may use the hypervisor.
static void check_signature(struct doctor *doctor, const char *program, char *output)
{
    char path[4096], *which[] = {"/usr/bin/which", (char *)program, NULL};
    if (!ran(cli_capture(which, path, sizeof(path))))
        return;
    path[strcspn(path, "\n")] = 0;
    char *codesign[] = {"/usr/bin/codesign", "-d", "--entitlements", "-", "--xml", path, NULL};
    int status = cli_capture(codesign, output, OUTPUT);
    if (strstr(output, "com.apple.security.hypervisor"))
        doctor_say(doctor, DOCTOR_GOOD, "signature", NULL, "QEMU may use the hypervisor");
    else
        doctor_say(doctor, DOCTOR_BAD, "signature",
                   "sign it with an entitlements file that has com.apple.security.hypervisor: "
                   "codesign -s - --entitlements FILE --force QEMU (docs/macos.md)",
                   "%s %s", path,
                   ran(status) ? "lacks the entitlement com.apple.security.hypervisor"
                               : "is not signed");
}

static void check_hvf(struct doctor *doctor, const char *program, char *output)
{
    char *sysctl[] = {"/usr/sbin/sysctl", "-n", "kern.hv_support", NULL};
    if (!ran(cli_capture(sysctl, output, OUTPUT)) || output[0] != '1')
        doctor_say(doctor, DOCTOR_NOTE, "cpu", NULL,
                   "emulated, which is slow: this Mac has no hypervisor (kern.hv_support)");
    else
        check_signature(doctor, program, output);
}

static bool cpu_can_virtualize(void)
{
    char *cat[] = {"cat", "/proc/cpuinfo", NULL}, *output = malloc(OUTPUT);
    bool can = output && ran(cli_capture(cat, output, OUTPUT)) &&
               (strstr(output, " vmx") || strstr(output, " svm") || !strstr(output, "flags"));
    free(output);
    return can;
}

static void check_kvm(struct doctor *doctor)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0 && errno == EACCES)
        doctor_say(doctor, DOCTOR_NOTE, "cpu", "add yourself to the group kvm",
                   "emulated, which is slow: /dev/kvm: %s", strerror(errno));
    else if (kvm < 0)
        doctor_say(doctor, DOCTOR_NOTE, "cpu",
                   "load the module kvm_intel or kvm_amd; switch virtualization on in the firmware",
                   "emulated, which is slow: /dev/kvm: %s", strerror(errno));
    else if (!cpu_can_virtualize())
        doctor_say(doctor, DOCTOR_NOTE, "cpu", NULL,
                   "emulated, which is slow: the CPU shows neither vmx nor svm");
    else
        doctor_say(doctor, DOCTOR_GOOD, "cpu", NULL, "KVM");
    if (kvm >= 0)
        close(kvm);
}

static void check_accelerator(struct doctor *doctor, const char *program, char *output)
{
    const char *wanted = is_darwin() ? "hvf" : "kvm";
    char *list[] = {(char *)program, "-accel", "help", NULL};
    if (!ran(cli_capture(list, output, OUTPUT)) || !strstr(output, wanted))
        doctor_say(doctor, DOCTOR_NOTE, "cpu", NULL,
                   "emulated, which is slow: this QEMU was built without %s", wanted);
    else if (is_darwin())
        check_hvf(doctor, program, output);
    else
        check_kvm(doctor);
}

// ---- the program ----------------------------------------------------------

static bool check_version(struct doctor *doctor, const char *program, char *output,
                          bool *for_vhost_user)
{
    char *argv[] = {(char *)program, "--version", NULL};
    int status = cli_capture(argv, output, OUTPUT);
    const char *version = strstr(output, "version ");
    unsigned major, minor;
    if (status == -ENOENT) {
        doctor_say(doctor, DOCTOR_NOTE, "qemu", is_mac(doctor) ? mac_qemu : newer_qemu,
                   "there is no %s, which 'hesper run' needs", program);
        return false;
    }
    if (!ran(status) || !version || sscanf(version, "version %u.%u", &major, &minor) != 2) {
        doctor_say(doctor, DOCTOR_BAD, "qemu", is_mac(doctor) ? mac_qemu : newer_qemu,
                   "%s does not run: %s", program,
                   status < 0 ? strerror(-status) : first_line(output));
        return false;
    }
    if (major < 10 || (major == 10 && minor < 1) ||
        (is_mac(doctor) && (major == 10 || (major == 11 && minor < 1)))) {
        doctor_say(doctor, DOCTOR_BAD, "qemu", is_mac(doctor) ? mac_qemu : newer_qemu,
                   "%s is version %u.%u: it cannot share host memory with a guest", program, major,
                   minor);
        return false;
    }
    doctor_say(doctor, DOCTOR_GOOD, "qemu", NULL, "%s, version %u.%u", program, major, minor);
    *for_vhost_user = major > 11 || (major == 11 && minor >= 1);
    return true;
}

// A guest gets its GPU by one of two devices.
static void check_device(struct doctor *doctor, const char *program, char *output,
                         bool for_vhost_user)
{
    static const char device[] = "vhost-user-test-device-pci";
    char *argv[] = {(char *)program, "-device", "help", NULL};
    bool listed = ran(cli_capture(argv, output, OUTPUT));
    bool vfio_user = listed && !is_mac(doctor) && strstr(output, "\"vfio-user-pci\"");
    if (vfio_user)
        doctor_say(doctor, DOCTOR_GOOD, "vfio-user", NULL,
                   "QEMU has vfio-user-pci: firmware is on the screen with --front vfio-user");
    if (!for_vhost_user && vfio_user)
        doctor_say(doctor, DOCTOR_NOTE, "vhost-user", NULL,
                   "QEMU is too old for it (11.1 or newer); vfio-user is taken, which was not "
                   "tried with this version");
    else if (!for_vhost_user)
        doctor_say(doctor, DOCTOR_BAD, "vhost-user", newer_qemu,
                   "QEMU is too old for it (11.1 or newer), and it has no vfio-user-pci either");
    else if (listed && strstr(output, device))
        doctor_say(doctor, DOCTOR_GOOD, "vhost-user", NULL, "QEMU has %s", device);
    else
        doctor_say(doctor, DOCTOR_BAD, "vhost-user", is_mac(doctor) ? mac_qemu : other_qemu,
                   "this QEMU was built without %s, by which a guest gets its GPU", device);
}

// Asks QEMU as `hesper run` does.
static void check_placer(struct doctor *doctor, const char *program, char *output)
{
    char self[4096];
    char *argv[] = {self,       "qemu-args", "--socket", "/nowhere", "--qemu", (char *)program,
                    "--format", "lines",     NULL};
    if (os_self_path(self, sizeof(self)))
        return;
    int status = cli_capture(argv, output, OUTPUT);
    if (!ran(status))
        doctor_say(doctor, DOCTOR_BAD, "placer", NULL, "%s", first_line(output));
    else if (strstr(output, "\n-plugin\n"))
        doctor_say(doctor, DOCTOR_GOOD, "placer", NULL, "QEMU takes it as a plugin");
    else if (strstr(output, "LD_PRELOAD="))
        doctor_say(doctor, DOCTOR_GOOD, "placer", NULL,
                   "it is preloaded: this QEMU was built without plugins");
    else
        doctor_say(doctor, DOCTOR_BAD, "placer", "reinstall hesper",
                   "hesper-placer.so is not installed beside hesper: guests can map only some "
                   "hundred ranges, slowly");
}

void doctor_qemu(struct doctor *doctor)
{
    char usual[4096], *output = malloc(OUTPUT);
    const char *program = doctor->qemu ? doctor->qemu : cli_qemu_usual(usual);
    bool for_vhost_user;
    if (output && check_version(doctor, program, output, &for_vhost_user)) {
        check_device(doctor, program, output, for_vhost_user);
        check_placer(doctor, program, output);
        check_accelerator(doctor, program, output);
    }
    free(output);
}

// ---- screens --------------------------------------------------------------

void doctor_displays(struct doctor *doctor)
{
    static const struct {
        const char *program, *what;
    } displays[] = {{"hesper-window", "in a window"},
                    {"hesper-vnc", "by VNC and in a browser"},
                    {"hesper-image", "as pictures"}};
    char self[4000], path[4096], output[2048];
    if (os_self_path(self, sizeof(self)) || !strrchr(self, '/'))
        return;
    *strrchr(self, '/') = 0;
    for (size_t i = 0; i < sizeof(displays) / sizeof(displays[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", self, displays[i].program);
        char *argv[] = {path, "--help", NULL};
        int status = access(path, X_OK) < 0 ? -errno : cli_capture(argv, output, sizeof(output));
        if (ran(status))
            doctor_say(doctor, DOCTOR_GOOD, "display", NULL, "%s (%s)", displays[i].what,
                       displays[i].program);
        else if (status < 0)
            doctor_say(doctor, DOCTOR_NOTE, "display", NULL,
                       "none %s: %s is not installed, or hesper was built without it",
                       displays[i].what, displays[i].program);
        else
            doctor_say(doctor, DOCTOR_BAD, "display", "install the library",
                       "none %s: %s does not start: %s", displays[i].what, displays[i].program,
                       first_line(output));
    }
}
