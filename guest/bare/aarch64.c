// QEMU's arm64 machine "virt", entered without firmware.
#include <string.h>

#include "guest/bare/machine.h"
#include "guest/bare/print.h"
#include "guest/pci/pci.h"

// Where virt has what.
#define SERIAL ((volatile uint32_t *)0x09000000)  // PL011
#define BUTTONS ((volatile uint32_t *)0x09030000) // PL061
#define DEVICE_TREE ((const uint8_t *)0x40000000) // the start of memory
#define PCI_CONFIGURATION 0x4010000000ull         // 256 buses
#define PCI_LOW ((struct pci_range){0x10000000, 0x2eff0000})
#define PCI_HIGH ((struct pci_range){0x8000000000, 0x8000000000})

// ---- the serial line ------------------------------------------------------

enum { SERIAL_FLAGS = 0x18 / 4, SERIAL_FULL = 1 << 5 };

void machine_put(char letter)
{
    if (letter == '\n')
        machine_put('\r');
    while (SERIAL[SERIAL_FLAGS] & SERIAL_FULL)
        ;
    SERIAL[0] = (uint8_t)letter;
}

// ---- power and time -------------------------------------------------------

enum { RISING = 0x40c / 4, RAISED = 0x414 / 4, POWER_BUTTON = 1 << 3 };

bool machine_power_button(void)
{
    return BUTTONS[RAISED] & POWER_BUTTON;
}

void machine_power_off(void)
{
    register uint64_t function __asm__("x0") = 0x84000008; // PSCI's SYSTEM_OFF
    __asm__ volatile("hvc #0" : "+r"(function) : : "memory");
    for (;;)
        __asm__ volatile("wfi");
}

uint64_t machine_now_ns(void)
{
    uint64_t now, hertz;
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(now));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
    return now / hertz * 1000000000 + now % hertz * 1000000000 / hertz;
}

void machine_relax(void)
{
    __asm__ volatile("yield");
}

// ---- physical memory ------------------------------------------------------

enum { TABLE = 3, BLOCK = 0x401, CACHED = 0x304 };
#define NOT_EXECUTABLE 0x0060000000000000ull

extern uint64_t arm_tables[512];

void *machine_map_physical(void *context, uint64_t address, uint64_t size, bool cached)
{
    if (address + size <= 2ull << 30)
        return (void *)(uintptr_t)address;
    void *mapping = machine_map(arm_tables, address, size, TABLE,
                                BLOCK | NOT_EXECUTABLE | (cached ? CACHED : 0));
    __asm__ volatile("dsb ish; isb" : : : "memory");
    return mapping;
}

// ---- PCI ------------------------------------------------------------------

static volatile uint32_t *config_register(pci_place place, uint32_t offset)
{
    return (volatile uint32_t *)(PCI_CONFIGURATION + ((uint64_t)place << 12) + offset);
}

uint32_t machine_config_read(void *context, pci_place place, uint32_t offset)
{
    return *config_register(place, offset);
}

void machine_config_write(void *context, pci_place place, uint32_t offset, uint32_t value)
{
    *config_register(place, offset) = value;
}

// No firmware has given the device its addresses.
static void assign_addresses(void)
{
    const struct pci_hooks *hooks = machine_pci();
    struct pci_range low = PCI_LOW, high = PCI_HIGH;
    pci_place place;
    machine_map_physical(NULL, PCI_CONFIGURATION, 256 << 20, false);
    if (!pci_find(hooks, PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 16, &place) &&
        pci_assign(hooks, place, &low, &high))
        print("no room for the device's addresses\n");
}

// ---- exceptions and the start ---------------------------------------------

void machine_trap(uint64_t syndrome, uint64_t where, uint64_t address);
void machine_start(void);

void machine_trap(uint64_t syndrome, uint64_t where, uint64_t address)
{
    print("exception %p at %p, address %p\n", syndrome, where, address);
    machine_power_off();
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// The property "bootargs" of the device tree, which only /chosen has.
const char *machine_command_line(void)
{
    enum { BEGIN_NODE = 1, END_NODE, PROPERTY, NOTHING };
    if (big_endian(DEVICE_TREE) != 0xd00dfeed)
        return "";
    const uint8_t *at = DEVICE_TREE + big_endian(DEVICE_TREE + 8);
    const char *names = (const char *)DEVICE_TREE + big_endian(DEVICE_TREE + 12);
    for (;;) {
        uint32_t token = big_endian(at);
        at += 4;
        if (token == BEGIN_NODE) {
            at += (strlen((const char *)at) + 4) & ~(size_t)3;
        } else if (token == PROPERTY) {
            const char *value = (const char *)at + 8;
            if (!strcmp(names + big_endian(at + 4), "bootargs"))
                return value;
            at += 8 + ((big_endian(at) + 3) & ~3u);
        } else if (token != END_NODE && token != NOTHING) {
            return "";
        }
    }
}

void machine_start(void)
{
    BUTTONS[RISING] = POWER_BUTTON;
    assign_addresses();
    bare_main();
}
