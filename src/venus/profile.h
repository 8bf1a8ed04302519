// What a guest may see of a host's devices besides what the codec knows: tables of things taken
// away.
//
// A profile is data. Queries and vkCreateDevice use the same tables, so that what is not shown
// cannot be used either.
//
// Thread: any.
#ifndef VENUS_PROFILE_H
#define VENUS_PROFILE_H

#include "wire/wire.h"

// One VkBool32 of a feature structure. Core features are members of VkPhysicalDeviceFeatures2.
struct venus_profile_feature {
    VkStructureType type;
    uint16_t offset;
    const char *name; // for log lines
};

// A limit is lowered to `most` if the host's is higher; `least`: raised to it if the host's is
// lower (alignments). Flags and booleans keep what is in both. Core limits are members of
// VkPhysicalDeviceProperties2.
struct venus_profile_limit {
    VkStructureType type;
    uint16_t offset;
    enum venus_limit_kind {
        VENUS_LIMIT_U32,
        VENUS_LIMIT_FLOAT,
        VENUS_LIMIT_I32,
        VENUS_LIMIT_U64,
        VENUS_LIMIT_FLAGS,
        VENUS_LIMIT_BOOL,
    } kind;
    double most;
    bool least;
};

struct venus_profile {
    const char *name;              // as --host-profile has it
    const char *of;                // what it describes; NULL: this host
    bool portable;                 // src/os is to use only what POSIX has
    uint32_t api_version;          // at most; 0: the host's
    const char *const *extensions; // device extensions that the host's driver may show, if it has
                                   // them; ended by NULL; NULL: all
    const struct venus_profile_feature *features; // ended by type 0
    const struct venus_profile_limit *limits;     // ended by type 0; NULL: none
    const char *const *lacking; // features of full Vulkan that its portability subset lacks and no
                                // guest can be told of; ended by NULL; NULL: none
    VkQueueFlags queue_flags;   // that no queue family has
    VkMemoryPropertyFlags memory_types[4]; // a type of the host keeps what the most similar of
    uint32_t memory_type_count;            // these has; 0: everything
};

// Static. "native", "portable", "moltenvk", "kosmickrisp"; NULL: no such profile.
const struct venus_profile *venus_profile_find(const char *name);
// Names for messages: "native, portable, moltenvk or kosmickrisp". Static.
const char *venus_profile_names(void);
// The same for a driver that cannot bind shared pages to sparse resources.
const struct venus_profile *venus_profile_dense(const struct venus_profile *profile);

// Do guests see sparse resources, if the host has them? All of their features, or none.
static inline bool venus_profile_has_sparse(const struct venus_profile *profile)
{
    return !(profile->queue_flags & VK_QUEUE_SPARSE_BINDING_BIT);
}

// Is an extension of the host's driver hidden? Those that Hesper carries out itself are not asked
// for here (docs/emulation.md).
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
void venus_profile_filter_memory(const struct venus_profile *profile,
                                 VkPhysicalDeviceMemoryProperties *memory);

#endif
