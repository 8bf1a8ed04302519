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

// The head of each: a program's handle points to it.
struct guest_handle {
    struct guest_object object;
    struct guest_instance *instance;
};

struct guest_physical_device {
    struct guest_handle handle;
};

struct guest_instance {
    struct guest_handle handle;
    const struct guest_system *system;
    struct guest_transport *transport;
    struct guest_ring ring;
    uint32_t physical_device_count;
    struct guest_physical_device physical_devices[GUEST_MAX_PHYSICAL_DEVICES];
    uint64_t timelines; // bits of those that a queue has
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

// A new object of `size` bytes, which begins with a struct guest_handle. NULL: no memory.
void *guest_new(struct guest_instance *instance, size_t size);
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

void guest_lock(const struct guest_instance *instance);
void guest_unlock(const struct guest_instance *instance);

// Sends a command for a dispatchable object. If it cannot be sent or answered, args stay as they
// are: give args->ret a value that says so.
void guest_call(const void *dispatchable, enum wire_command command, void *args, bool reply);

// Ids for handles that a command is going to make, and none for those it did not make.
void guest_name(uint32_t count, void *handles);
void guest_unname(uint32_t count, void *handles);

// Waits by asking: `round` as for the system's relax. False: `deadline` has passed.
uint64_t guest_deadline(const struct guest_instance *instance, uint64_t nanoseconds);
bool guest_pause(const struct guest_instance *instance, uint32_t *round, uint64_t deadline);

#endif
