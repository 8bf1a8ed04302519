// What hesper doctor checks of Vulkan: the loader, each driver, each device, and what guests get.
// Nothing is loaded here: workers report (cli/device/driver.h).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device/driver.h"
#include "cli/doctor/checks.h"
#include "os/library.h"
#include "os/shm.h"
#include "venus/discovery.h"
#include "venus/profile.h"

#define ENOUGH_FOR_A_DMA_BUF (1ull << 30)

// ---- devices --------------------------------------------------------------

// Joins the strings of an array. Returns their number.
static unsigned join(struct json array, const char *separator, char *buffer, size_t size)
{
    unsigned count = 0;
    char item[160];
    *buffer = 0;
    for (struct json at = {0}; json_next(array, &at);) {
        size_t used = strlen(buffer);
        if (json_copy(at, item, sizeof(item)))
            snprintf(buffer + used, size - used, "%s%s", count++ ? separator : "", item);
    }
    return count;
}

static void check_guest_view(struct doctor *doctor, struct json device)
{
    char vulkan[32], names[600], feature[80], wanted_by[120];
    struct json list;
    json_get_text(device, "vulkan", vulkan, sizeof(vulkan));
    json_member(device, "memory", &list);
    unsigned mappable = join(list, "; ", names, sizeof(names));
    doctor_say(doctor, DOCTOR_GOOD, "guest", NULL,
               "gets Vulkan %s, %lld extensions, %u of %lld memory types to map: %s", vulkan,
               (long long)json_get_number(device, "extensions"), mappable,
               (long long)json_get_number(device, "memory_types"), names);
    json_member(device, "lacks", &list);
    for (struct json at = {0}; json_next(list, &at);) {
        json_get_text(at, "feature", feature, sizeof(feature));
        json_get_text(at, "wanted_by", wanted_by, sizeof(wanted_by));
        doctor_say(doctor, DOCTOR_NOTE, "guest", NULL, "goes without %s, which is for %s", feature,
                   wanted_by);
    }
    json_member(device, "portability", &list);
    if (join(list, ", ", names, sizeof(names)))
        doctor_say(doctor, DOCTOR_NOTE, "subset", NULL,
                   "the driver lacks parts of Vulkan that no guest expects to be missing: %s",
                   names);
}

// The kernel makes no larger dma-bufs than it was told to.
static void check_dma_bufs(struct doctor *doctor)
{
    uint64_t limit = os_shm_dma_buf_limit();
    if (limit && limit < ENOUGH_FOR_A_DMA_BUF)
        doctor_say(doctor, DOCTOR_NOTE, "dma-buf",
                   "as root: echo 4096 >/sys/module/udmabuf/parameters/size_limit_mb (for good: "
                   "options udmabuf size_limit_mb=4096, in /etc/modprobe.d/udmabuf.conf)",
                   "what a guest maps may have %llu MiB at most, each allocation",
                   (unsigned long long)(limit >> 20));
}

static void check_device(struct doctor *doctor, struct json device, bool others)
{
    char name[256], refused[240];
    bool dma_bufs = json_get_bool(device, "dma_bufs");
    json_get_text(device, "name", name, sizeof(name));
    if (json_get_text(device, "refused", refused, sizeof(refused))) {
        // What is the matter with /dev/udmabuf comes with its remedy.
        bool told = others || strstr(refused, "/dev/udmabuf");
        doctor_say(doctor, others ? DOCTOR_NOTE : DOCTOR_BAD, "device",
                   told ? NULL : "a newer driver, or another device",
                   "%lld: %s is not for guests: %s", (long long)json_get_number(device, "number"),
                   name, refused);
        return;
    }
    doctor_say(
        doctor, DOCTOR_GOOD, "device", NULL,
        "%lld: %s; takes shared memory%s in %lld of %lld memory types, aligned to %lld bytes",
        (long long)json_get_number(device, "number"), name, dma_bufs ? " as dma-bufs" : "",
        (long long)json_get_number(device, "importable_types"),
        (long long)json_get_number(device, "memory_types"),
        (long long)json_get_number(device, "import_alignment"));
    if (dma_bufs)
        check_dma_bufs(doctor);
    check_guest_view(doctor, device);
}

static void check_devices(struct doctor *doctor, const struct cli_report *report)
{
    struct json devices, item;
    char sandbox[200];
    json_member(report->root, "devices", &devices);
    if (doctor->host.profile && strcmp(doctor->host.profile, "native"))
        doctor_say(doctor, DOCTOR_NOTE, "profile", NULL, "as on %s",
                   venus_profile_find(doctor->host.profile)->of);
    for (item = (struct json){0}; json_next(devices, &item);)
        check_device(doctor, item, report->usable);
    if (json_get_text(report->root, "sandbox", sandbox, sizeof(sandbox)) && strcmp(sandbox, "off"))
        doctor_say(doctor, DOCTOR_GOOD, "sandbox", NULL, "%s", sandbox);
    else
        doctor_say(doctor, DOCTOR_NOTE, "sandbox", NULL,
                   "none: a guest that takes over its worker can do what this user can");
}

// ---- drivers --------------------------------------------------------------

// Drivers whose hardware is not in this machine: distributions install them all.
struct idle {
    char names[600];
    unsigned count;
};

static void add_idle(struct idle *idle, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t used = strlen(idle->names);
    snprintf(idle->names + used, sizeof(idle->names) - used, "%s%s", idle->count++ ? ", " : "",
             slash ? slash + 1 : path);
}

// Checks one driver. True: guests can use it.
static bool check_driver(struct doctor *doctor, const struct venus_candidate *candidate,
                         struct idle *idle)
{
    const char *path = strchr(candidate->name, ':') + 1;
    if (candidate->broken[0]) {
        doctor_say(doctor, DOCTOR_BAD, "driver", "repair or remove the file", "%s: %s", path,
                   candidate->broken);
        return false;
    }
    struct cli_report report;
    struct cli_host any = doctor->host;
    any.gpu = NULL;
    cli_driver_report(&any, candidate->name, &report);
    bool usable = report.usable;
    if (usable)
        doctor_say(doctor, DOCTOR_GOOD, "driver", NULL, "%s", path);
    else if (cli_report_no_device(&report))
        add_idle(idle, path);
    else if (report.root.at)
        doctor_say(doctor, DOCTOR_BAD, "driver", NULL, "%s: %s", path, report.error);
    else
        doctor_say(doctor, DOCTOR_BAD, "driver",
                   "reinstall or update it, or leave it out (VK_DRIVER_FILES names those to use)",
                   "%s: %s", path, report.error);
    cli_report_finish(&report);
    return usable;
}

static void check_loader(struct doctor *doctor, const struct cli_report *report, bool others)
{
    char vulkan[32];
    if (json_get_text(report->root, "vulkan", vulkan, sizeof(vulkan)))
        doctor_say(doctor, DOCTOR_GOOD, "loader", NULL, "Vulkan %s", vulkan);
    else if (cli_report_no_loader(report))
        doctor_say(doctor, others ? DOCTOR_NOTE : DOCTOR_BAD, "loader", os_vulkan_loader_hint(),
                   "there is none (%s)%s", os_vulkan_library_names()[0],
                   others ? "; a driver is used without" : "");
    else if (cli_report_no_device(report))
        doctor_say(doctor, others ? DOCTOR_NOTE : DOCTOR_BAD, "loader", os_vulkan_driver_hint(),
                   "finds no driver with a device");
    else if (!strncmp(report->error, "--gpu", 5))
        doctor_say(doctor, DOCTOR_BAD, "device", NULL, "%s", report->error);
    else
        doctor_say(doctor, others ? DOCTOR_NOTE : DOCTOR_BAD, "loader", NULL,
                   "with all its drivers together %s", report->error);
}

void doctor_driver(struct doctor *doctor)
{
    struct venus_candidates *candidates = venus_candidates_find();
    struct cli_host others = doctor->host;
    struct cli_report report;
    struct idle idle = {.count = 0};
    struct json devices;
    if (!candidates) {
        doctor_say(doctor, DOCTOR_BAD, "driver", NULL, "out of memory");
        return;
    }
    cli_driver_report(&doctor->host, "loader", &report);
    for (unsigned i = 0; i < candidates->count; i++) {
        const struct venus_candidate *candidate = &candidates->items[i];
        if (others.driver[0] && candidates->items[0].chosen && !candidate->chosen)
            break; // a person has chosen others, which work
        if (check_driver(doctor, candidate, &idle))
            cli_driver_take(&others, candidate);
    }
    if (idle.count)
        doctor_say(doctor, DOCTOR_NOTE, "driver", NULL, "no device here for %s", idle.names);
    check_loader(doctor, &report, others.driver[0]);
    if (!report.usable && others.driver[0]) { // what `hesper run` does then
        cli_report_finish(&report);
        cli_driver_report(&others, others.driver, &report);
        doctor_say(doctor, DOCTOR_NOTE, "driver", NULL, "used is %s", others.driver);
    }
    if (json_member(report.root, "devices", &devices))
        check_devices(doctor, &report);
    else if (!candidates->count && cli_report_no_loader(&report))
        doctor_say(doctor, DOCTOR_BAD, "driver", os_vulkan_driver_hint(), "there is none");
    cli_report_finish(&report);
    free(candidates);
}
