#include "gpu/capset.h"

#include "gpu/device.h"
#include "wire/capset.h"

bool gpu_offers_venus(const struct gpu_device *device)
{
    return device->options.venus &&
           (device->options.page_size <= 4096 || device->features & 1u << GPU_F_BLOB_ALIGNMENT);
}

// Why there is no Vulkan under an older guest on a host with large pages: said once.
static void say_alignment(struct gpu_device *device)
{
    if (device->told_alignment || !device->options.venus)
        return;
    device->told_alignment = true;
    log_warning("no Vulkan for this guest: its virtio-gpu driver does not align memory to this "
                "host's pages of %u KiB, and could map hardly any; the guest needs Linux 7.2 and "
                "Mesa 26.2.4 or newer",
                device->options.page_size / 1024);
}

// The driver reads num_capsets before it takes features, so a capset that is withheld still needs
// an entry. Its id is one that no driver knows; an id of 0 would make Linux wait five seconds.
struct gpu_outcome gpu_get_capset_info(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t index = request->body.get_capset_info.index;
    if (index)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "no capset with index %u", index);
    struct gpu_capset_info info = {.id = GPU_CAPSET_VENUS, .max_size = WIRE_CAPSET_SIZE};
    if (!gpu_offers_venus(device)) {
        say_alignment(device);
        info = (struct gpu_capset_info){.id = GPU_CAPSET_NOBODYS};
    }
    return gpu_respond(device, request, GPU_RESP_OK_CAPSET_INFO, &info, sizeof(info));
}

struct gpu_outcome gpu_get_capset(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_get_capset *body = &request->body.get_capset;
    if (body->id != GPU_CAPSET_VENUS || body->version || !gpu_offers_venus(device))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "no capset %u of version %u",
                          body->id, body->version);
    uint8_t capset[WIRE_CAPSET_SIZE];
    device->journal.capset_reads++;
    wire_capset(capset);
    return gpu_respond(device, request, GPU_RESP_OK_CAPSET, capset, sizeof(capset));
}
