// The objects of the guest kit that need a structure, and what the entry points share. Handles of
// every other type are ids that the guest chose.
//
// Thread: as Vulkan says; lists are under the lock of the system.
#ifndef GUEST_OBJECTS_H
#define GUEST_OBJECTS_H

#include <string.h>

#include "guest/ring.h"
#include "guest_vulkan.h"

#define GUEST_MAX_PHYSICAL_DEVICES 16
#define GUEST_WAITS 4

// A context on the host. If it is lost, its devices are, and the instance goes on with another one.
struct guest_context {
    const struct guest_system *system;
    struct guest_transport *transport;
    struct guest_ring ring;
    uint64_t timelines;          // bits of those that a queue has
    uint32_t devices;            // that live in it
    uint64_t waits[GUEST_WAITS]; // how long the last ones took, under the lock
    uint32_t wait_count;
    struct guest_context *former; // the one before it, which is lost and may still have devices
};

// The head of each: a program's handle points to it.
struct guest_handle {
    struct guest_object object;
    struct guest_context *context;
};

struct guest_physical_device {
    struct guest_handle handle;
    struct guest_instance *instance;
};

struct guest_instance {
    struct guest_handle handle; // its context is the newest
    bool renewing;              // some thread makes another one
    VkApplicationInfo application;
    char names[2][64]; // of the application and its engine
    uint32_t physical_device_count;
    struct guest_physical_device physical_devices[GUEST_MAX_PHYSICAL_DEVICES];
};

struct guest_device {
    struct guest_handle handle;
    struct guest_physical_device *physical_device;
    struct guest_queue *queues;
    struct guest_command_buffer *command_buffers;
    VkPhysicalDeviceMemoryProperties memory;
};

struct guest_queue {
    struct guest_handle handle;
    struct guest_device *device;
    struct guest_queue *next;
    VkDeviceQueueCreateFlags flags;
    uint32_t family, index;
    uint32_t timeline; // 0: none was left
};

struct guest_command_buffer {
    struct guest_handle handle;
    struct guest_command_buffer *next;
    VkCommandPool pool;
    VkCommandBufferLevel level;
};

struct guest_memory {
    struct guest_handle handle;
    uint64_t size;
    bool mappable;
    struct guest_blob blob; // once it was mapped
};

// ---- what entry points use ------------------------------------------------

struct guest_object guest_new_object(void);
// A new object of `size` bytes, which begins with a struct guest_handle. NULL: no memory.
void *guest_new(struct guest_context *context, size_t size);
void guest_delete(struct guest_handle *handle); // NULL is fine

// Memory that is needed for the time of a call. Small needs take none.
struct guest_scratch {
    const struct guest_system *system;
    void *taken;
    _Alignas(16) uint8_t bytes[1024];
};
void *guest_scratch_take(struct guest_scratch *scratch, const void *dispatchable, size_t size);
void guest_scratch_give(struct guest_scratch *scratch);

static inline struct guest_handle *guest_handle_of(const void *dispatchable)
{
    return (struct guest_handle *)(uintptr_t)dispatchable;
}

static inline uint64_t guest_id_of(const void *dispatchable)
{
    return dispatchable ? guest_handle_of(dispatchable)->object.id : 0;
}

void guest_lock(const struct guest_context *context);
void guest_unlock(const struct guest_context *context);

// Sees to it that the instance has another context than this one, if it is lost. False: it is not
// lost, or there is no other.
bool guest_renew(struct guest_instance *instance, struct guest_context *lost);

// Sends a command for a dispatchable object. If it cannot be sent or answered, args stay as they
// are: give args->ret a value that says so.
void guest_call(const void *dispatchable, enum wire_command command, void *args, bool reply);

// The same for a command that is recorded: it may travel with those that follow.
void guest_record(VkCommandBuffer command_buffer, enum wire_command command, void *args);

// The same for a question to a physical device: if its context is lost, another one answers.
void guest_ask(VkPhysicalDevice physical_device, enum wire_command command, void *args);

// Ids for handles that a command is going to make, and none for those it did not make.
void guest_name(uint32_t count, void *handles);
void guest_unname(uint32_t count, void *handles);

// A wait that asks, and asks again.
struct guest_wait {
    uint64_t nanoseconds; // for so long; the rest is zero at first
    uint64_t began, usual;
    uint32_t looks, skipped; // skipped: the look before which it paused by what is usual
};
// Between two looks. False: the time has passed.
bool guest_pause(const struct guest_context *context, struct guest_wait *wait);
// It was successful, so that later waits go by how long it took.
void guest_waited(struct guest_context *context, const struct guest_wait *wait);

#endif
