// hesper --version [--verbose]
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "venus/profile.h"

#ifndef HESPER_BUILD
#define HESPER_BUILD "unknown"
#endif

static void print_vulkan(const char *what, uint32_t version)
{
    printf("%s%u.%u.%u", what, VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
           VK_API_VERSION_PATCH(version));
}

int cli_version(bool verbose)
{
    puts("hesper " HESPER_VERSION);
    if (!verbose)
        return CLI_OK;
    uint32_t extensions;
    wire_extensions(&extensions);
    print_vulkan("registry: Vulkan ", VK_HEADER_VERSION_COMPLETE);
    print_vulkan("\nvocabulary: Vulkan ", wire_vk_xml_version());
    printf(", %u extensions, VK_MESA_venus_protocol %d\n", extensions, WIRE_PROTOCOL_SPEC);
    printf("host profiles: native, portable, moltenvk (%s), kosmickrisp (%s)\n",
           venus_profile_find("moltenvk")->of, venus_profile_find("kosmickrisp")->of);
    puts("build: " HESPER_BUILD);
#ifdef __VERSION__
    puts("compiler: " __VERSION__);
#endif
    printf("pages: %ld bytes\n", sysconf(_SC_PAGESIZE));
    return CLI_OK;
}
