// From QEMU's PVH entry (32 bits, no paging, EBX: what the machine is) to C in 64 bits. The first 4 GiB are
// mapped here, address by address; the rest is mapped when it is asked for (x86_64.c).
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              // sizes of name and value; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad entry

    .section .text.entry, "ax"
    .code32
    .globl entry
entry:
    cli
    cld
    movl $stack_top, %esp

    // Four page directories of 2 MiB pages.
    movl $first_directories, %edi
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x83, %eax             // present, writable, large
    movl %eax, (%edi,%ecx,8)
    incl %ecx
    cmpl $2048, %ecx
    jne 1b
    movl $first_directories + 3, %eax
    xorl %ecx, %ecx
2:  movl %eax, x86_pointers(,%ecx,8)
    addl $4096, %eax
    incl %ecx
    cmpl $4, %ecx
    jne 2b
    movl $x86_pointers + 3, x86_tables

    movl %cr4, %eax
    orl $0x620, %eax            // PAE, SSE and its exceptions
    movl %eax, %cr4
    movl $x86_tables, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      // EFER: long mode
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    andl $~0x4, %eax            // no emulation of SSE
    orl $0x80000003, %eax       // paging, protection, MP
    movl %eax, %cr0
    lgdt descriptor_pointer
    ljmp $8, $long_mode

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl $stack_top, %esp
    movl %ebx, %edi
    call machine_start
3:  hlt
    jmp 3b

// Exceptions: the call says which. The processor has pushed a code, for some of them, and where it was.
    .balign 16
    .globl x86_exceptions
x86_exceptions:
    .rept 32
    .balign 16
    call x86_trap
    .endr

x86_trap:
    popq %rdi                   // behind the call
    popq %rsi                   // the code, or where
    popq %rdx                   // where, or the code segment
    andq $-16, %rsp
    call machine_trap
4:  hlt
    jmp 4b

    .section .rodata
    .balign 8
descriptors:
    .quad 0
    .quad 0x00af9b000000ffff    // code, 64 bits
    .quad 0x00cf93000000ffff    // data
descriptor_pointer:
    .word descriptor_pointer - descriptors - 1
    .long descriptors

    .bss
    .balign 4096
    .globl x86_tables, x86_pointers
x86_tables:
    .skip 4096
x86_pointers:
    .skip 4096
first_directories:
    .skip 4 * 4096
    .skip 64 * 1024
stack_top:

    .section .note.GNU-stack, "", @progbits
