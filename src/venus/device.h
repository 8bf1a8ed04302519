// Instances, physical devices and devices: the objects with function tables of the host's driver.
//
// Thread: any, once they are in the object table.
#ifndef VENUS_DEVICE_H
#define VENUS_DEVICE_H

#include "venus/context.h"
#include "venus/import.h"
#include "venus/older.h"
#include "venus_driver.h" // generated

struct venus_profile;

struct venus_instance {
    struct venus_object base;
    const struct venus_host *host;
    struct venus_instance_driver vk;
    // Usable with every device: what the loader offers, at most what the codec knows.
    uint32_t api_version;
    pthread_mutex_t enumeration_lock; // around the first enumeration and the binding of ids
    atomic_bool enumerated;
    struct venus_physical_device **physical_devices; // as the guest counts them; the array is owned
    uint32_t physical_device_count;                  // at most 64
    // A bit for each: the guest has given it an id, so that it is a child in the table. The others
    // are owned here.
    uint64_t named;
};

struct venus_physical_device {
    struct venus_object base;
    struct venus_instance *instance;
    const struct venus_profile *profile;
    VkPhysicalDeviceProperties properties; // of the host, apiVersion capped
    // Valid after venus_physical_device_load: memory as the guest sees it; what struct venus_probe
    // has of the same name.
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t importable_types;
    uint64_t import_alignment;
    venus_import_handle import_handle;
    const char *import_refused;
    bool no_lod_bias; // the driver's portability subset lacks samplerMipLodBias
    bool null_descriptor_is_ours;
    uint32_t queue_family_count;
    VkQueueFamilyProperties *queue_families; // owned
    VkExtensionProperties *extensions;       // as the guest sees them; owned
    uint32_t extension_count;
    VkExtensionProperties *host_extensions; // all of them; owned
    uint32_t host_extension_count;
};

struct venus_device {
    struct venus_object base;
    struct venus_device_driver vk;
    struct venus_physical_device *physical_device;
    struct venus_context *context;
    atomic_uint users;          // commands that venus_device_enter let in
    atomic_bool lost;           // venus/loss.h
    atomic_bool has_fences;     // the guest has made a fence of it
    atomic_bool has_timelines;  // a submission was to signal a timeline semaphore
    struct venus_queue *queues; // all that were created with the device, linked by next_of_device
    struct venus_feedback *feedback;     // owned
    struct venus_null_descriptor *nulls; // owned; NULL: the host's own, or not asked for
};

// Finds out all that a guest may know of it: base.handle, instance and profile are set.
// NULL, or why guests cannot use it (static). Forget it in either case.
const char *venus_physical_device_load(struct venus_physical_device *physical_device);
// Takes host visibility from the types that a guest cannot map: not importable, or not coherent.
void venus_memory_types_hide(VkPhysicalDeviceMemoryProperties *memory, uint32_t importable);
// Which memory a heap is of.
enum link_memory venus_heap_memory(const struct venus_physical_device *physical_device,
                                   uint32_t heap);
// Bytes that drivers say this process has taken of the memory of cards; 0: they do not say. The
// instance must stay meanwhile.
uint64_t venus_card_usage(const struct venus_instance *instance);
// Frees what venus_physical_device_load has found out.
void venus_physical_device_forget(struct venus_physical_device *physical_device);

// Keeps the device of a command, with all that it owns, until venus_device_leave: another ring that
// destroys it meanwhile waits. `object` is what the command goes on with: the device, or one of its
// objects, which is still there then.
// Errors: false: the object is gone; the reason is set.
bool venus_device_enter(struct venus_call *call, struct venus_object *object,
                        enum wire_handle type);
void venus_device_leave(struct venus_device *device);
// For whoever has taken the device out of the table. All three in users.c.
void venus_device_wait_for_users(const struct venus_device *device);

// The end of an object that was taken out of the table (or never came into it) and of all below it,
// which goes first. In release.c.
void venus_release(struct venus_context *context, struct venus_object *object);

#endif
