// The host's Vulkan loader or driver library, found at run time. Loaded once per worker, before a guest is served.
#ifndef VENUS_HOST_H
#define VENUS_HOST_H

#include "wire/wire.h"

struct venus_host {
    void *library;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    uint32_t api_version; // what the loader offers
    bool portable;
};

// False: `error` says in one line what is missing and what to do.
bool venus_host_load(struct venus_host *host, bool portable, char *error, size_t error_size);

#endif
