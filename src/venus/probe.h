// Which memory types of a device of the host take our shared pages, and in which way, found out by
// trying.
#ifndef VENUS_PROBE_H
#define VENUS_PROBE_H

#include "venus/import.h"
#include "venus_driver.h" // generated

struct venus_probe {
    uint8_t device_uuid[VK_UUID_SIZE],
        driver_uuid[VK_UUID_SIZE]; // the same in every instance of this process
    uint32_t importable_types;     // bits of memory types; 0: the device is of no use
    uint64_t import_alignment;     // bytes, for address and size: a page or
                                   // minImportedHostPointerAlignment, whichever is larger
    // HOST_ALLOCATION if some coherent type takes pages by their address, else DMA_BUF if one does.
    venus_import_handle import_handle;
    const char *refused; // why no coherent type takes them, for persons; static; NULL: one does, or
                         // nothing more is known
};

// Identifies the device: fills the UUIDs only.
void venus_probe_identify(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                          struct venus_probe *probe);
// Fills all of it. Creates and destroys a device, which takes a driver 10 to 100 ms. Any thread.
void venus_probe_device(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                        struct venus_probe *probe);

#endif
