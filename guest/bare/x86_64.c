// QEMU's q35, as SeaBIOS has left it and its PVH loader enters it.
#include "guest/bare/machine.h"

#include <string.h>

#include "guest/bare/print.h"

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// ---- the serial line ------------------------------------------------------

enum { SERIAL = 0x3f8, SERIAL_STATUS = SERIAL + 5, SERIAL_EMPTY = 0x20 };

void machine_put(char letter)
{
    if (letter == '\n')
        machine_put('\r');
    while (!(in8(SERIAL_STATUS) & SERIAL_EMPTY))
        ;
    out8(SERIAL, (uint8_t)letter);
}

// ---- power and time: the registers of ACPI's fixed hardware ---------------

enum {
    PM_STATUS = 0x600,
    PM_ENABLE = 0x602,
    PM_CONTROL = 0x604,
    PM_TIMER = 0x608, // 24 bits, 3579545 Hz
    POWER_BUTTON = 1 << 8,
    SLEEP_ENABLE = 1 << 13, // with type 0, which is S5 here
    TIMER_HZ = 3579545,
};

bool machine_power_button(void)
{
    return in16(PM_STATUS) & POWER_BUTTON;
}

void machine_power_off(void)
{
    out16(PM_CONTROL, SLEEP_ENABLE);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static uint64_t ticks_per_ms;

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void measure_ticks(void)
{
    const uint32_t wanted = TIMER_HZ / 200; // 5 ms
    uint32_t began = in32(PM_TIMER), passed;
    uint64_t first = ticks();
    do
        passed = (in32(PM_TIMER) - began) & 0xffffff;
    while (passed < wanted);
    ticks_per_ms = (ticks() - first) * TIMER_HZ / 1000 / passed;
    if (!ticks_per_ms)
        ticks_per_ms = 1;
}

uint64_t machine_now_ns(void)
{
    uint64_t now = ticks();
    return now / ticks_per_ms * 1000000 + now % ticks_per_ms * 1000000 / ticks_per_ms;
}

void machine_relax(void)
{
    __asm__ volatile("pause");
}

// ---- physical memory ------------------------------------------------------

enum { PRESENT = 1, WRITABLE = 2, UNCACHED = 16, LARGE = 128 };

extern uint64_t x86_tables[512];

// What is below 4 GiB is there already, and its caching is what the firmware's ranges say.
void *machine_map_physical(void *context, uint64_t address, uint64_t size, bool cached)
{
    return machine_map(x86_tables, address, size, PRESENT | WRITABLE,
                       PRESENT | WRITABLE | LARGE | (cached ? 0 : UNCACHED));
}

// ---- PCI ------------------------------------------------------------------

enum { PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc };
#define PCI_ENABLE 0x80000000u

uint32_t machine_config_read(void *context, pci_place place, uint32_t offset)
{
    out32(PCI_ADDRESS, PCI_ENABLE | place << 8 | offset);
    return in32(PCI_DATA);
}

void machine_config_write(void *context, pci_place place, uint32_t offset, uint32_t value)
{
    out32(PCI_ADDRESS, PCI_ENABLE | place << 8 | offset);
    out32(PCI_DATA, value);
}

// ---- exceptions and the start ---------------------------------------------

struct gate {
    uint16_t low, selector, type, middle;
    uint32_t high, zero;
};
enum { EXCEPTIONS = 32, EXCEPTION_SIZE = 16, INTERRUPT_GATE = 0x8e00, CODE = 8 };

extern const uint8_t x86_exceptions[EXCEPTIONS * EXCEPTION_SIZE];
void machine_trap(uintptr_t behind, uint64_t first, uint64_t second);
void machine_start(uint32_t start_info);

void machine_trap(uintptr_t behind, uint64_t first, uint64_t second)
{
    uint64_t address, number = (behind - (uintptr_t)x86_exceptions) / EXCEPTION_SIZE;
    __asm__ volatile("movq %%cr2, %0" : "=r"(address));
    print("exception %u: %p, %p; address %p\n", number, first, second, address);
    machine_power_off();
}

static void set_exceptions(void)
{
    static struct gate gates[EXCEPTIONS];
    for (unsigned i = 0; i < EXCEPTIONS; i++) {
        uintptr_t handler = (uintptr_t)x86_exceptions + i * EXCEPTION_SIZE;
        gates[i] = (struct gate){
            (uint16_t)handler,         CODE, INTERRUPT_GATE, (uint16_t)(handler >> 16),
            (uint32_t)(handler >> 32), 0};
    }
    struct __attribute__((packed)) {
        uint16_t limit;
        const void *base;
    } pointer = {sizeof(gates) - 1, gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

// The beginning of Xen's struct hvm_start_info.
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line;
};

static const char *command_line = "";

const char *machine_command_line(void)
{
    return command_line;
}

void machine_start(uint32_t start_info)
{
    const struct start_info *info = (const void *)(uintptr_t)start_info;
    set_exceptions();
    if (info && info->magic == 0x336ec578 && info->command_line)
        command_line = (const char *)(uintptr_t)info->command_line;
    out16(PM_ENABLE, POWER_BUTTON);
    measure_ticks();
    bare_main();
}
