// hesper doctor: checks every layer from the host's driver to the guest, and names the one that
// fails.
#include "cli/doctor/checks.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "venus/profile.h"

static const char usage[] =
    "usage: hesper doctor [OPTIONS]\n"
    "\n"
    "Checks what guests need from this machine, one line a check, and says what to do if it is\n"
    "missing. Drivers are tried out in processes of their own. Exit status 1 if something does\n"
    "not work, or something needed is missing.\n"
    "\n";

static int conclude(struct doctor *doctor)
{
    if (doctor->json) {
        json_close(&doctor->out, ']');
        json_number(&doctor->out, "good", doctor->good);
        json_number(&doctor->out, "notes", doctor->notes);
        json_number(&doctor->out, "bad", doctor->bad);
        json_close(&doctor->out, '}');
        if (doctor->out.failed)
            log_error("out of memory");
        else
            puts(doctor->out.text);
        bool failed = doctor->out.failed;
        json_finish(&doctor->out);
        if (failed)
            return CLI_FAILED;
    } else if (doctor->bad) {
        printf("%u of %u checks failed\n", doctor->bad, doctor->good + doctor->notes + doctor->bad);
    }
    return doctor->bad ? CLI_FAILED : CLI_OK;
}

static void begin(struct doctor *doctor)
{
    setlocale(LC_CTYPE, "");
    doctor->plain = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (!doctor->json)
        return;
    json_open(&doctor->out, NULL, '{');
    json_string(&doctor->out, "hesper", HESPER_VERSION);
    json_open(&doctor->out, "checks", '[');
}

struct asked {
    struct doctor doctor;
    const char *guest; // NULL: no guest; "": the one that runs
};

static bool take_as(const char *label, const char *text, void *to)
{
    if (venus_profile_find(text))
        return cli_take_profile(label, text, to);
    log_error("%s: --as is %s, not '%s'", label, venus_profile_names(), text);
    return false;
}

static const struct option_row rows[] = {
    {"guest", "[=PATH]",
     "checks a running virtual machine, by its control socket (--control of 'hesper serve'); that "
     "of 'hesper run' is found",
     OPTION_TEXT(struct asked, guest)},
    {"as", "PROFILE", "what guests would get on such a host: portable, moltenvk, kosmickrisp",
     OPTION_TAKE(struct asked, doctor.host, take_as)},
    {"host-profile", "PROFILE", NULL, OPTION_TAKE(struct asked, doctor.host, cli_take_profile)},
    {"gpu", "NAME|N", "checks only this device", OPTION_TEXT(struct asked, doctor.host.gpu)},
    {"sandbox", "KIND", "as for 'hesper run': strict, default or off",
     OPTION_TAKE(struct asked, doctor.host, cli_take_sandbox)},
    {"qemu", "PROGRAM", "[qemu-system-MACHINE in PATH]", OPTION_TEXT(struct asked, doctor.qemu)},
    {"json", NULL, "the same for programs", OPTION_FLAG(struct asked, doctor.json)},
    {0},
};

int cli_doctor(int argc, char **argv)
{
    struct asked asked = {.guest = NULL};
    struct doctor *doctor = &asked.doctor;
    const struct options options = {
        .program = "hesper doctor", .usage = usage, .tables = {{rows, &asked}}};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (asked.guest && !*asked.guest && first + 1 == argc) // "--guest PATH"
        asked.guest = argv[first++];
    if (first < argc) {
        log_error("doctor: '%s' is no option; see 'hesper doctor --help'", argv[first]);
        return CLI_USAGE;
    }
    cli_host_apply(&doctor->host);
    begin(doctor);
    if (asked.guest) {
        doctor_guest(doctor, *asked.guest ? asked.guest : NULL);
    } else {
        doctor_host(doctor);
        doctor_driver(doctor);
        doctor_qemu(doctor);
        doctor_displays(doctor);
    }
    return conclude(doctor);
}
