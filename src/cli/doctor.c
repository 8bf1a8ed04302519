// hesper doctor: checks every layer from the host's driver to the guest, and names the one that
// fails.
#include "cli/doctor/checks.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/option/values.h"

static const char usage[] =
    "usage: hesper doctor [OPTIONS]\n"
    "\n"
    "Checks what guests need from this machine, one line a check, and says what to do if it is\n"
    "missing. Drivers are tried out in processes of their own. Exit status 1 if something does "
    "not\n"
    "work, or something needed is missing.\n"
    "\n"
    "  --guest[=PATH]           checks a running virtual machine, by its control socket "
    "(--control\n"
    "                           of 'hesper serve'); that of 'hesper run' is found\n"
    "  --as PROFILE             what guests would get on such a host: portable, moltenvk, "
    "kosmickrisp\n"
    "  --gpu NAME|N             checks only this device\n"
    "  --sandbox KIND           as for 'hesper run': strict, default or off\n"
    "  --qemu PROGRAM           [qemu-system-MACHINE in PATH]\n"
    "  --json                   the same for programs\n"
    "  --help\n";

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

int cli_doctor(int argc, char **argv)
{
    enum { GUEST = 256, AS, GPU, QEMU, SANDBOX, JSON, HELP };
    static const struct option options[] = {
        {"guest", optional_argument, NULL, GUEST},
        {"as", required_argument, NULL, AS},
        {"host-profile", required_argument, NULL, AS},
        {"gpu", required_argument, NULL, GPU},
        {"qemu", required_argument, NULL, QEMU},
        {"sandbox", required_argument, NULL, SANDBOX},
        {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    struct doctor doctor = {0};
    const char *path = NULL;
    bool guest = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case GUEST:
            guest = true;
            path = optarg;
            break;
        case AS:
            if (!cli_parse_profile(optarg, &doctor.host))
                return CLI_USAGE;
            break;
        case GPU:
            doctor.host.gpu = optarg;
            break;
        case QEMU:
            doctor.qemu = optarg;
            break;
        case SANDBOX:
            if (!cli_parse_sandbox(optarg, &doctor.host))
                return CLI_USAGE;
            break;
        case JSON:
            doctor.json = true;
            break;
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return CLI_OK;
        default:
            return cli_bad_option("doctor", option, argv);
        }
    }
    if (guest && !path && optind + 1 == argc) // "--guest PATH"
        path = argv[optind++];
    if (optind < argc) {
        log_error("doctor: '%s' is no option; see 'hesper doctor --help'", argv[optind]);
        return CLI_USAGE;
    }
    cli_host_apply(&doctor.host);
    begin(&doctor);
    if (guest) {
        doctor_guest(&doctor, path);
    } else {
        doctor_host(&doctor);
        doctor_driver(&doctor);
        doctor_qemu(&doctor);
        doctor_displays(&doctor);
    }
    return conclude(&doctor);
}
