// The host's Vulkan loader or driver library, found at run time. Loaded once per worker, before a
// guest is served.
//
// Thread: the worker's first one, but where another is named.
#ifndef VENUS_HOST_H
#define VENUS_HOST_H

#include "venus/probe.h"

enum { VENUS_MAX_HOST_DEVICES = 64 };

struct venus_host_options {
    const char *driver; // as venus/discovery.h names them; NULL: "loader"
    const char *gpu;    // shows guests only the device with this number, or with this in its name;
                        // NULL: all
};

struct venus_host {
    void *library;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    PFN_vkCreateInstance create_instance;
    uint32_t api_version;   // what the loader offers, at most what the codec knows
    bool lists_portability; // VK_KHR_portability_enumeration: drivers that lack something are shown
                            // only to those who ask
    VkInstance keep; // keeps the driver libraries loaded until the guest makes its own instance
    struct venus_probe *probes; // of the devices that are shown, made before a guest waits for
    uint32_t probe_count;       // them; owned
    bool chose;                 // the guest sees only one device:
    uint32_t chosen;      // this one, as the loader counts them, which every instance does alike
    uint64_t card_memory; // bytes that the largest card of those shown has of its own; 0: none has
    char devices[256];    // those that are shown, for persons: "Apple M1 (MoltenVK 1.4.2)"
};

// Completes a probe that has been identified, if its device is a known one.
bool venus_host_recall(const struct venus_host *host, struct venus_probe *probe);

// Does a guest see the device with this number? Thread: any.
static inline bool venus_host_shows(const struct venus_host *host, uint32_t index)
{
    return !host->chose || host->chosen == index;
}

// What was loaded stays loaded until the process ends.
// Errors: false: `error` says in one line what is missing and what to do.
bool venus_host_load(struct venus_host *host, const struct venus_host_options *options, char *error,
                     size_t error_size);
// Frees what is owned; call it after venus_host_load, whatever that returned.
void venus_host_finish(struct venus_host *host);

// An instance without layers and extensions (but those that the host needs to show all its
// drivers). `application` may be NULL; its apiVersion is replaced by the host's.
// Thread: any.
VkResult venus_host_create_instance(const struct venus_host *host,
                                    const VkApplicationInfo *application, VkInstance *instance);

// "Apple M1 (MoltenVK 1.4.2)"
void venus_host_device_name(const struct venus_instance_driver *vk, VkPhysicalDevice device,
                            char *text, size_t size);

#endif
