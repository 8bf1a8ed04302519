// The first program for Redox: tries the hooks, and says what the device has. Never run: README.md.
#include <stdio.h>

#include "guest/pci/gpu.h"
#include "guest/redox/hooks.h"

int main(void)
{
    static struct pci_gpu gpu;
    struct guest_info info;
    const struct pci_hooks *hooks = redox_hooks();
    if (!hooks) {
        perror("hesper-probe: a scheme cannot be opened");
        return 1;
    }
    if (pci_selftest(hooks))
        return 1; // it has said why
    if (pci_gpu_open(&gpu, hooks) || pci_gpu_outputs(&gpu, &info)) {
        fprintf(stderr, "hesper-probe: the device does not answer\n");
        return 1;
    }
    printf("hesper-probe: all hooks work; output 0 has %u x %u pixels\n", info.outputs[0].width,
           info.outputs[0].height);
    pci_gpu_close(&gpu);
    return 0;
}
