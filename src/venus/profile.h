// What a guest may see of a host's devices besides what the codec knows: tables of things taken
// away.
//
// A profile is data. Queries and vkCreateDevice use the same tables, so what is not shown can't be
// used either.
#ifndef VENUS_PROFILE_H
#define VENUS_PROFILE_H

#include "wire/wire.h"

// One VkBool32 of a feature structure. Core features are members of VkPhysicalDeviceFeatures2.
struct venus_profile_feature {
    VkStructureType type;
    uint16_t offset;
    const char *name; // for log lines
};

// A limit is lowered to `most` if the host's is higher. Core limits are members of
// VkPhysicalDeviceProperties2.
struct venus_profile_limit {
    VkStructureType type;
    uint16_t offset;
    enum venus_limit_kind { VENUS_LIMIT_U32, VENUS_LIMIT_FLOAT } kind;
    double most;
};

struct venus_profile {
    const char *name;
    const char *const *extensions; // device extensions that the host's driver may show, if it has
                                   // them; ended by NULL; NULL: all
    const struct venus_profile_feature *features; // ended by type 0
    const struct venus_profile_limit *limits;     // ended by type 0; NULL: none
    VkQueueFlags queue_flags;                     // that no queue family has
};

// Static; never NULL. `sparse`: the driver can bind shared pages to sparse resources.
const struct venus_profile *venus_profile_get(bool portable, bool sparse);

// Of the host's: those that Hesper carries out itself (docs/emulation.md) are not asked for here.
bool venus_profile_hides_extension(const struct venus_profile *profile, const char *name);

// `features` is an output of the driver with its chain.
void venus_profile_filter_features(const struct venus_profile *profile,
                                   VkPhysicalDeviceFeatures2 *features);
// A feature that is on in `core` (may be NULL) or in the chain behind `root` although the profile
// lacks it: its name, else NULL.
const char *venus_profile_refuses(const struct venus_profile *profile,
                                  const VkPhysicalDeviceFeatures *core, const void *root);

// `properties` is an output of the driver with its chain.
void venus_profile_filter_limits(const struct venus_profile *profile,
                                 VkPhysicalDeviceProperties2 *properties);

#endif
