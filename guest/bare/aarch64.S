// From QEMU's entry into an ELF file (EL1, no MMU) to C. The first 2 GiB are mapped here, address by address: devices, and
// memory from 1 GiB on; the rest is mapped when it is asked for (aarch64.c).
    .section .text.entry, "ax"
    .globl entry
entry:
    ldr x0, =stack_top
    mov sp, x0
    mov x0, #(3 << 20)          // floating point and vectors
    msr cpacr_el1, x0
    ldr x0, =exceptions
    msr vbar_el1, x0
    ldr x0, =arm_tables
    msr ttbr0_el1, x0
    mov x0, #0xff00             // kinds of memory: 0: registers of devices, 1: cached
    msr mair_el1, x0
    ldr x0, =0x500803510        // 48 bits of address, tables in cached memory, pages of 4 KiB
    msr tcr_el1, x0
    dsb sy
    isb
    mrs x0, sctlr_el1
    mov x1, #0x1005             // MMU, caches
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb
    bl machine_start
1:  wfi
    b 1b

    .balign 2048
exceptions:
    .rept 16
    .balign 128
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    b machine_trap
    .endr

    .data
    .balign 4096
    .globl arm_tables
arm_tables:
    .quad pointers + 3
    .skip 4096 - 8
pointers:
    .quad 0x0060000000000401    // registers, not executable
    .quad 0x0000000040000705    // cached
    .skip 4096 - 16

    .bss
    .balign 16
    .skip 64 * 1024
stack_top:

    .section .note.GNU-stack, "", %progbits
