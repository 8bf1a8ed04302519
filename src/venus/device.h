// Instances, physical devices and devices: the objects with driver tables.
#ifndef VENUS_DEVICE_H
#define VENUS_DEVICE_H

#include "venus/context.h"
#include "venus_driver.h" // generated

struct venus_instance {
    struct venus_object base;
    struct venus_instance_driver vk;
    uint32_t api_version; // usable: what guest asked, raised to 1.1, at most what the host has
    VkPhysicalDevice *host_physical_devices; // in the order shown to the guest; owned
    uint32_t physical_device_count;
};

struct venus_physical_device {
    struct venus_object base;
    struct venus_instance *instance;
    VkPhysicalDeviceProperties properties; // of the host, apiVersion capped
    VkPhysicalDeviceMemoryProperties memory; // as the guest sees it
    uint32_t importable_types; // bits of memory types into which host pages can be imported; valid after venus_physical_device_probe
    uint64_t import_alignment; // bytes: page size or minImportedHostPointerAlignment, whichever is larger
    atomic_bool probed;
    pthread_mutex_t probe_lock;
    uint32_t queue_family_count;
    VkQueueFamilyProperties *queue_families; // owned
    VkExtensionProperties *extensions; // as the guest sees them; owned
    uint32_t extension_count;
    VkExtensionProperties *host_extensions; // after the host profile took its part away; owned
    uint32_t host_extension_count;
};

// Which of our own extensions stand in for the host's on a device (design §6).
struct venus_emulation {
    bool external_memory; // external_memory_fd, _dma_buf, LINEAR modifiers, queue_family_foreign are ours
    bool sync_fd;         // SYNC_FD semaphores and fences are ours
};

struct venus_device {
    struct venus_object base;
    struct venus_device_driver vk;
    struct venus_physical_device *physical_device;
    struct venus_queue *queues; // all that were created with the device, linked by next_of_device
    struct venus_emulation emulation;
};

static inline VkDevice venus_device_handle(const struct venus_device *device)
{
    return (VkDevice)(uintptr_t)device->base.handle;
}

// Finds out importable_types and import_alignment and from them the memory properties that the guest sees. Idempotent, thread-safe.
// Creates and destroys a device of the host.
void venus_physical_device_probe(struct venus_physical_device *physical_device);
bool venus_physical_device_has_extension(const struct venus_physical_device *physical_device, const char *name); // host's, by profile
// Releases what an object that was taken out of the table owns besides its host handle (called by teardown and vkDestroy*).
void venus_instance_release(struct venus_context *context, struct venus_instance *instance);
void venus_device_release(struct venus_context *context, struct venus_device *device);
void venus_physical_device_release(struct venus_physical_device *physical_device);

// Teardown of a removed subtree of objects, children first; waits for the device to be idle once if there is one. object.c's
// lists are consumed. In release.c.
void venus_release_tree(struct venus_context *context, struct venus_object *root);

#endif
