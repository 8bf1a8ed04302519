// A host driver for unit tests: two devices, of which only the first can serve guests. Remembers
// what it was asked.
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include "venus/context.h"
#include "venus/device.h"

struct fake_driver {
    // What it claims.
    bool imports_images;                          // images can be bound to imported host memory
    bool portability;                             // lists VK_KHR_portability_subset
    bool on_cpu;                                  // is lavapipe
    bool own_modifiers;                           // fills modifier lists itself
    PFN_vkVoidFunction (*more)(const char *name); // a test's own, instead; or NULL
    uint32_t host_types;                          // memory types that take host pointers
    uint32_t refused_types; // of these, the ones whose import fails all the same

    bool unheard; // of the guest: it does not wait for the results of fake_call

    // What it was asked last.
    char extensions[32][64]; // of vkCreateDevice
    uint32_t extension_count;
    bool had_portability_features;
    VkImageCreateInfo image;
    VkExternalMemoryHandleTypeFlags image_handles, buffer_handles; // 0: not chained
    bool image_had_modifier;
    uint32_t source_family, target_family; // of the last barrier of each command
    unsigned devices_alive, devices_created, images_alive, instances_alive;
    VkHostImageCopyFlagsEXT copy_flags;
    unsigned copies;
};

// The one that the functions below work on. Unit tests have one thread.
extern struct fake_driver fake;

// All as a driver that can do everything; nothing asked yet.
void fake_reset(void);
void fake_host(struct venus_host *host);

// A context with this driver, without rings: commands are carried out by calling their handlers.
struct fake_context {
    struct venus_context context;
    int device_end; // of its link: what it says is read by nobody
    struct venus_host host;
    struct venus_stream stream;
};
void fake_context_init(struct fake_context *fake, bool portable);
void fake_context_finish(struct fake_context *fake);

// Carries out a command whose handle arguments `args` are resolved as the decoder would: objects[0]
// is dispatched on. False: the stream is broken; *reason (may be NULL) says why.
bool fake_call(struct fake_context *fake, uint32_t command, void *args,
               struct venus_object *const *objects, unsigned object_count, const char **reason);

struct venus_object *fake_find(struct fake_context *fake, uint64_t id);

// An instance with id 1, its device with id 2, a VkDevice with id 3 and `extensions`.
void fake_instance(struct fake_context *fake);
struct venus_object *fake_physical_device(struct fake_context *fake);
VkResult fake_device(struct fake_context *fake, const char *const *extensions, uint32_t count,
                     const void *chain);

#endif
