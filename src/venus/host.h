// The host's Vulkan loader or driver library, found at run time. Loaded once per worker, before a
// guest is served.
#ifndef VENUS_HOST_H
#define VENUS_HOST_H

#include "venus/probe.h"

struct venus_host {
    void *library;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    PFN_vkCreateInstance create_instance;
    uint32_t api_version; // what the loader offers, at most what the codec knows
    bool portable;
    bool lists_portability; // VK_KHR_portability_enumeration: drivers that lack something are shown
                            // only to those who ask
    VkInstance keep; // keeps the driver libraries loaded until the guest makes its own instance
    struct venus_probe *probes; // of all devices, made before a guest waits for them; owned
    uint32_t probe_count;
};

// Completes a probe that has been identified, if its device is a known one.
bool venus_host_recall(const struct venus_host *host, struct venus_probe *probe);

// False: `error` says in one line what is missing and what to do. What was loaded stays loaded
// until the process ends.
bool venus_host_load(struct venus_host *host, bool portable, char *error, size_t error_size);
// Frees what is owned; call it after venus_host_load, whatever that returned.
void venus_host_finish(struct venus_host *host);

// An instance without layers and extensions (but those that the host needs to show all its
// drivers). `application` may be NULL; its apiVersion is replaced by the host's. Any thread.
VkResult venus_host_create_instance(const struct venus_host *host,
                                    const VkApplicationInfo *application, VkInstance *instance);

#endif
