// Vulkan with no operating system: the machine's GPU is found, and used.
#include "guest/bare/machine.h"
#include "guest/bare/print.h"
#include "guest/pci/gpu.h"

static struct pci_gpu gpu;

static void show_outputs(void)
{
    struct guest_info info;
    int error = pci_gpu_outputs(&gpu, &info);
    if (error) {
        print("display info: error %d\n", (int64_t)error);
        return;
    }
    print("aperture: %u MiB at 0x%p\n", gpu.virtio.shared.size >> 20, gpu.virtio.shared.address);
    for (uint64_t i = 0; i < info.output_count; i++)
        print("output %u: %u x %u\n", i, (uint64_t)info.outputs[i].width,
              (uint64_t)info.outputs[i].height);
}

void bare_main(void)
{
    print("hesper bare: %s\n", machine_command_line());
    int error = pci_selftest(machine_pci());
    if (!error)
        print("all hooks work\n");
    error = pci_gpu_open(&gpu, machine_pci());
    if (error)
        print("no virtio-gpu: error %d\n", (int64_t)error);
    else {
        print("virtio-gpu at %p, features %p\n", (uint64_t)gpu.virtio.place,
              (uint64_t)gpu.features);
        show_outputs();
        pci_gpu_close(&gpu);
    }
    machine_power_off();
}
