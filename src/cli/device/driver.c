#include "cli/device/driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "cli/qemu/qemu.h"
#include "venus/discovery.h"
#include "venus/report.h"

enum { OUTPUT_SIZE = 256 << 10 };

// ---- one driver -----------------------------------------------------------

// The last line that a driver wrote before it ended says best why it did.
static void last_line(const char *output, char *line, size_t size)
{
    size_t length = strlen(output);
    while (length && output[length - 1] == '\n')
        length--;
    size_t start = length;
    while (start && output[start - 1] != '\n')
        start--;
    snprintf(line, size, "%.*s", (int)(length - start), output + start);
}

// The driver has devices, and guests can use none of them. Says why of the first.
static void explain_refusal(struct cli_report *report)
{
    struct json devices, device = {0};
    char name[256] = "its device", refused[200] = "there is none";
    json_member(report->root, "devices", &devices);
    if (json_next(devices, &device)) {
        json_get_text(device, "name", name, sizeof(name));
        json_get_text(device, "refused", refused, sizeof(refused));
    }
    snprintf(report->error, sizeof(report->error), "%s is not for guests: %s", name, refused);
}

static void explain(struct cli_report *report, int status)
{
    char line[200];
    if (json_get_text(report->root, "error", report->error, sizeof(report->error)))
        return;
    if (report->root.at) {
        explain_refusal(report);
        return;
    }
    last_line(report->output, line, sizeof(line));
    if (status < 0)
        snprintf(report->error, sizeof(report->error), "it cannot be tried out: %s",
                 strerror(-status));
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        snprintf(report->error, sizeof(report->error), "it does not answer");
    else if (WIFSIGNALED(status))
        snprintf(report->error, sizeof(report->error), "it ended its process by a signal (%s)%s%s",
                 strsignal(WTERMSIG(status)), line[0] ? ": " : "", line);
    else
        snprintf(report->error, sizeof(report->error), "it ended its process with status %d%s%s",
                 WEXITSTATUS(status), line[0] ? ": " : "", line);
}

void cli_driver_report(const struct cli_host *host, const char *driver, struct cli_report *report)
{
    struct cli_host wanted = *host;
    struct cli_worker_command command;
    *report = (struct cli_report){.output = malloc(OUTPUT_SIZE)};
    snprintf(wanted.driver, sizeof(wanted.driver), "%s", driver);
    if (!report->output || !cli_worker_command(&command, &wanted)) {
        snprintf(report->error, sizeof(report->error), "it cannot be tried out");
        return;
    }
    const char **end = command.arguments;
    while (*end)
        end++;
    *end++ = "--report";
    *end = NULL;
    int status = cli_capture((char *const *)command.arguments, report->output, OUTPUT_SIZE);
    for (const char *at = report->output; (at = strstr(at, "\n" VENUS_REPORT_MARK));) {
        at += strlen("\n" VENUS_REPORT_MARK);
        if (!json_parse(at, strcspn(at, "\n"), &report->root))
            report->root = (struct json){0};
    }
    report->usable = report->root.at && status >= 0 && WIFEXITED(status) && !WEXITSTATUS(status);
    if (!report->usable)
        explain(report, status);
}

bool cli_report_no_device(const struct cli_report *report)
{
    return strstr(report->error, "no driver with a device") != NULL;
}

bool cli_report_no_loader(const struct cli_report *report)
{
    return strstr(report->error, "no Vulkan on this machine") != NULL;
}

void cli_report_finish(struct cli_report *report)
{
    free(report->output);
    *report = (struct cli_report){0};
}

// ---- choosing -------------------------------------------------------------

// Tries the loader with the environment as it is. `why` gets the reason if that does not work.
static bool try_loader(struct cli_host *host, char *why, size_t why_size)
{
    struct cli_report report;
    cli_driver_report(host, "loader", &report);
    bool usable = report.usable;
    if (usable)
        strcpy(host->driver, "loader");
    snprintf(why, why_size, "%s", report.error);
    cli_report_finish(&report);
    return usable;
}

void cli_driver_take(struct cli_host *host, const struct venus_candidate *candidate)
{
    size_t used = strlen(host->driver);
    if (!used)
        snprintf(host->driver, sizeof(host->driver), "%s", candidate->name);
    else if (!strncmp(candidate->name, "manifest:", 9) && !strncmp(host->driver, "manifest:", 9) &&
             used + strlen(candidate->name) < sizeof(host->driver))
        snprintf(host->driver + used, sizeof(host->driver) - used, ":%s", candidate->name + 9);
}

// What was tried in vain, for one line at the end.
struct refused {
    char text[1200];
    size_t used;
    char gpu[600]; // what a driver said that lacks the device that --gpu asks for
};

static void refuse(struct refused *refused, const char *path, const char *why)
{
    if (refused->used < sizeof(refused->text))
        refused->used +=
            (size_t)snprintf(refused->text + refused->used, sizeof(refused->text) - refused->used,
                             "; of no use is %s: %s", path, why);
}

// Tries each candidate that the environment names (`chosen`), or each of the others.
static void try_each(struct cli_host *host, const struct venus_candidates *candidates, bool chosen,
                     struct refused *refused)
{
    struct cli_host alone = *host; // because host->driver grows meanwhile
    for (unsigned i = 0; i < candidates->count; i++) {
        const struct venus_candidate *candidate = &candidates->items[i];
        const char *path = strchr(candidate->name, ':') + 1;
        struct cli_report report;
        if (candidate->chosen != chosen)
            continue;
        if (candidate->broken[0]) {
            refuse(refused, path, candidate->broken);
            continue;
        }
        cli_driver_report(&alone, candidate->name, &report);
        if (report.usable)
            cli_driver_take(host, candidate);
        else if (!strncmp(report.error, "--gpu:", 6))
            snprintf(refused->gpu, sizeof(refused->gpu), "%s", report.error);
        else if (!cli_report_no_device(&report))
            refuse(refused, path, report.error);
        cli_report_finish(&report);
    }
}

static bool named(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static bool choose(struct cli_host *host, const struct venus_candidates *candidates)
{
    char why[600], rest[600];
    struct refused refused = {.text = ""};
    // A second try may succeed, and says why if it does not.
    if (try_loader(host, why, sizeof(why)))
        return true;
    // The loader fails with this environment. Maybe only one of its drivers is to blame.
    try_each(host, candidates, true, &refused);
    bool strayed = !host->driver[0] && (named("VK_DRIVER_FILES") || named("VK_ICD_FILENAMES"));
    if (strayed) {
        unsetenv("VK_DRIVER_FILES");
        unsetenv("VK_ICD_FILENAMES");
        try_loader(host, rest, sizeof(rest));
    }
    if (!host->driver[0])
        try_each(host, candidates, false, &refused);
    if (host->driver[0] && (strayed || refused.text[0]))
        log_warning("the host's Vulkan driver is %s%s%s", host->driver,
                    strayed ? ", not what the environment names" : "", refused.text);
    else if (host->driver[0]) // a Mac without a loader is as it should be
        log_info("the host's Vulkan driver is %s", host->driver);
    else if (refused.gpu[0] && strncmp(why, "--gpu:", 6))
        log_error("%s%s", refused.gpu, refused.text);
    else
        log_error("%s%s%s", strncmp(why, "it ", 3) ? "" : "no Vulkan driver works: ", why,
                  refused.text);
    return host->driver[0];
}

bool cli_driver_choose(struct cli_host *host, int status)
{
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) != VENUS_WORKER_NO_DRIVER)
        return false; // the worker has said why
    if (host->driver[0] || status == -1) {
        log_error("the worker did not start: %s",
                  status == -1 ? "it could not be run"
                  : WIFSIGNALED(status)
                      ? strsignal(WTERMSIG(status))
                      : "its driver has no device, or needs what the sandbox refuses "
                        "(try --sandbox=off)");
        return false;
    }
    struct venus_candidates *candidates = venus_candidates_find();
    bool chose = candidates && choose(host, candidates);
    if (!candidates)
        log_error("out of memory");
    free(candidates);
    return chose;
}
