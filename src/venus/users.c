// Commands that use what a device owns, while another ring may destroy the device.
#include "os/clock.h"
#include "venus/call.h"
#include "venus/device.h"

#define NAP_NS 100000

struct entry {
    struct venus_device *device;
    const struct venus_object *object;
    bool ok;
};

// Under the table's lock: what is in the table has a device that is in the table.
static void enter(void *data, struct venus_object *object)
{
    struct entry *entry = data;
    entry->ok = object == entry->object && object->device == entry->device;
    if (entry->ok)
        atomic_fetch_add(&entry->device->users, 1);
}

bool venus_device_enter(struct venus_call *call, struct venus_object *object, enum wire_handle type)
{
    struct entry entry = {.device = call->device, .object = object};
    venus_object_visit(&call->context->objects, type, atomic_load(&object->id), enter, &entry);
    return entry.ok || venus_fail(call, "the object is destroyed meanwhile, on another ring");
}

void venus_device_leave(struct venus_device *device)
{
    atomic_fetch_sub(&device->users, 1);
}

// The device is out of the table: nobody enters any more. Whoever is in there is so against the
// rules of Vulkan, and none of its waits outlives the context.
void venus_device_wait_for_users(const struct venus_device *device)
{
    while (atomic_load(&device->users))
        os_sleep_ns(NAP_NS);
}
