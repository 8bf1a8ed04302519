// The guest's driver of the GPU over PCI: finding the device, its addresses, its queue, ranges of
// the aperture. A device that is made up stands behind the hooks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/pci/gpu.h"

enum { GPU = 1 << 8 | 3 << 3, SIBLING = 1 << 3 | 1, BRIDGE = 1 << 3, PLACES = 512 };

// Configuration spaces by place. Base addresses answer to being written with ones.
static uint32_t spaces[PLACES][64];
static uint64_t sizes[6]; // of the GPU's base addresses

static uint32_t config_read(void *context, pci_place place, uint32_t offset)
{
    assert_true(offset < 256 && offset % 4 == 0);
    return place < PLACES && spaces[place][0] ? spaces[place][offset / 4] : ~0u;
}

static void config_write(void *context, pci_place place, uint32_t offset, uint32_t value)
{
    assert_true(place < PLACES && spaces[place][0]);
    if (place == GPU && offset >= 0x10 && offset < 0x28) {
        uint32_t index = (offset - 0x10) / 4, kind = spaces[GPU][offset / 4] & 15;
        bool upper = index && (spaces[GPU][offset / 4 - 1] & 6) == 4 && sizes[index - 1];
        uint64_t mask = ~((upper ? sizes[index - 1] : sizes[index]) - 1);
        value = upper ? value & (uint32_t)(mask >> 32) : (value & (uint32_t)mask & ~15u) | kind;
        if (!upper && !sizes[index])
            value = 0;
    }
    spaces[place][offset / 4] = value;
}

static void *dma_allocate(void *context, uint64_t size)
{
    void *memory = aligned_alloc(4096, size);
    return memory ? memset(memory, 0, size) : NULL;
}

static void dma_free(void *context, void *memory, uint64_t size)
{
    free(memory);
}

static uint64_t dma_address(void *context, const void *memory)
{
    return (uintptr_t)memory;
}

static const struct pci_hooks hooks = {
    .config_read = config_read,
    .config_write = config_write,
    .dma_allocate = dma_allocate,
    .dma_free = dma_free,
    .dma_address = dma_address,
};

// A capability of virtio's at `offset`; returns where the next may be.
static uint32_t capability(uint32_t offset, uint32_t next, uint32_t kind, uint32_t bar, uint32_t id,
                           uint32_t start, uint64_t size)
{
    uint32_t *words = spaces[GPU] + offset / 4;
    words[0] = 9 | next << 8 | 16 << 16 | kind << 24;
    words[1] = bar | id << 8;
    words[2] = start;
    words[3] = (uint32_t)size;
    words[4] = kind == 2 ? 4 : 0; // the multiplier, or the upper half of the start
    words[5] = (uint32_t)(size >> 32);
    return offset + 24;
}

enum { COMMON = 1, NOTIFY, ISR, CONFIG, SHARED = 8 };

// A bridge of two functions, and behind it the GPU, as QEMU describes it.
static int set_up(void **state)
{
    memset(spaces, 0, sizeof(spaces));
    memset(sizes, 0, sizeof(sizes));
    spaces[0][0] = 0x29c08086;
    spaces[BRIDGE][0] = 0x000c1b36;
    spaces[BRIDGE][3] = 0x810000; // several functions, a bridge
    spaces[BRIDGE][6] = 0x010100; // to bus 1
    spaces[SIBLING][0] = 0x000c1b36;
    spaces[SIBLING][3] = 0x010000;
    spaces[SIBLING][6] = 0; // to nowhere: the firmware has not been here
    spaces[GPU][0] = 0x10501af4;
    spaces[GPU][1] = 0x100000; // has capabilities
    spaces[GPU][4] = 0xfebd0000;
    spaces[GPU][6] = 0xfe00000c;
    spaces[GPU][7] = 0x2;
    spaces[GPU][8] = 0x0000000c;
    spaces[GPU][9] = 0xfc;
    spaces[GPU][13] = 0x40;
    uint32_t at = capability(0x40, 0x58, COMMON, 2, 0, 0, 0x1000);
    at = capability(at, 0x70, NOTIFY, 2, 0, 0x3000, 0x1000);
    at = capability(at, 0x88, CONFIG, 2, 0, 0x2000, 0x1000);
    at = capability(at, 0xa0, SHARED, 4, 7, 0, 4096); // of another id
    capability(at, 0, SHARED, 4, 1, 0x10000, 8ull << 30);
    return 0;
}

static void it_is_found_behind_a_bridge(void **state)
{
    pci_place place;
    assert_int_equal(pci_find(&hooks, 0x1af4, 0x1050, &place), 0);
    assert_int_equal(place, GPU);
    assert_int_equal(pci_find(&hooks, 0x1af4, 0x1051, &place), GUEST_ERROR_UNSUPPORTED);
    // A bridge that leads back to its own bus is not followed for ever.
    spaces[BRIDGE][6] = 0;
    assert_int_equal(pci_find(&hooks, 0x1af4, 0x1050, &place), GUEST_ERROR_UNSUPPORTED);
}

static void its_parts_are_where_it_says(void **state)
{
    struct pci_virtio virtio;
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), 0);
    assert_int_equal(virtio.common.address, 0x2fe000000);
    assert_int_equal(virtio.notify.address, 0x2fe003000);
    assert_int_equal(virtio.config.address, 0x2fe002000);
    assert_int_equal(virtio.notify_multiplier, 4);
    assert_int_equal(virtio.isr.size, 0);
    assert_int_equal(virtio.shared.address, 0xfc00010000);
    assert_int_equal(virtio.shared.size, 8ull << 30);
    assert_int_equal(spaces[GPU][1] & 0xffff, 6); // its memory and bus mastering are on
}

static void a_device_without_its_parts_is_none(void **state)
{
    struct pci_virtio virtio;
    spaces[GPU][6] = 0xc; // nobody gave it an address
    spaces[GPU][7] = 0;
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    set_up(NULL);
    capability(0x58, 0x40, NOTIFY, 2, 0, 0x3000, 0x1000); // a list in a circle
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    set_up(NULL);
    spaces[GPU][1] = 0; // no list
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
}

// What a device says of itself is not followed out of configuration space, out of the address
// space, or out of what it has.
static void its_parts_must_make_sense(void **state)
{
    struct pci_virtio virtio;
    for (uint32_t kind = COMMON; kind <= SHARED; kind++) {
        set_up(NULL);
        spaces[GPU][0x88 / 4] = 9 | 0xf4 << 8; // the third leads to the end of the space
        spaces[GPU][0xf4 / 4] = 9 | 0xf4 << 8 | kind << 24;
        pci_virtio_open(&hooks, GPU, 1, &virtio);
        assert_int_equal(virtio.shared.size, 0);
    }
    set_up(NULL);
    spaces[GPU][0x34 / 4] = 0x10; // capabilities in the header
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    set_up(NULL);
    capability(0x40, 0x58, COMMON, 2, 0, 0, 32); // too small
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    capability(0x40, 0x58, COMMON, 2, 0, 1, 0x1000); // cannot be read by words
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    capability(0x40, 0x58, COMMON, 6, 0, 0, 0x1000); // no such base address
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), GUEST_ERROR_LOST);
    set_up(NULL);
    spaces[GPU][9] = 0xffffffff; // beyond the end of all addresses
    capability(0xa0, 0, SHARED, 4, 1, 0x10000, 1ull << 32);
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), 0);
    assert_int_equal(virtio.shared.size, 0);
    set_up(NULL);
    capability(0xa0, 0, SHARED, 4, 1, 0x10000, UINT64_MAX);
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), 0);
    assert_int_equal(virtio.shared.size, 0);
    set_up(NULL);
    capability(0xa0, 0, SHARED, 4, 1, 0x10010, 1 << 20); // no page begins there
    assert_int_equal(pci_virtio_open(&hooks, GPU, 1, &virtio), 0);
    assert_int_equal(virtio.shared.size, 0);
}

static uint32_t looked;

// Every place is a bridge of eight functions, to another bus each.
static uint32_t maze_read(void *context, pci_place place, uint32_t offset)
{
    looked++;
    return offset == 0 ? 0x000c1b36 : offset == 0xc ? 0x810000 : (place * 7 % 256) << 8;
}

static void every_bus_is_looked_at_once(void **state)
{
    struct pci_hooks maze = hooks;
    pci_place place;
    maze.config_read = maze_read;
    looked = 0;
    assert_int_equal(pci_find(&maze, 0x1af4, 0x1050, &place), GUEST_ERROR_UNSUPPORTED);
    assert_in_range(looked, 256, 3 * 256 * 256);
}

static void without_firmware_it_gets_addresses(void **state)
{
    struct pci_range low = {0x10001000, 0x100000}, high = {0x8000000000, 1ull << 36};
    spaces[GPU][4] = 0;
    spaces[GPU][6] = spaces[GPU][8] = 0xc;
    spaces[GPU][7] = spaces[GPU][9] = 0;
    sizes[0] = 0x4000;
    sizes[2] = 0x4000;
    sizes[4] = 8ull << 30;
    assert_int_equal(pci_assign(&hooks, GPU, &low, &high), 0);
    assert_int_equal(spaces[GPU][4], 0x10004000);
    assert_int_equal(spaces[GPU][6], 0x0000000c);
    assert_int_equal(spaces[GPU][7], 0x80);
    assert_int_equal(spaces[GPU][8], 0x0000000c);
    assert_int_equal(spaces[GPU][9], 0x82); // aligned to its size
    assert_int_equal(high.address, 0x8400000000);
    assert_int_equal(high.size, (1ull << 36) - (16ull << 30));
    assert_int_equal(low.address, 0x10008000);
    high.size = 8ull << 30;
    high.address += 1;
    assert_int_equal(pci_assign(&hooks, GPU, &low, &high), GUEST_ERROR_MEMORY);
}

static void ranges_of_the_aperture_are_given_out_once(void **state)
{
    static struct pci_gpu gpu;
    uint64_t offsets[4], offset;
    gpu = (struct pci_gpu){.virtio.shared.size = 64 << 10};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pci_gpu_take_range(&gpu, 16 << 10, &offsets[i]), 0);
        assert_int_equal(offsets[i], i * (16 << 10));
    }
    assert_int_equal(pci_gpu_take_range(&gpu, 4096, &offset), GUEST_ERROR_MEMORY);
    pci_gpu_give_range(&gpu, offsets[1]);
    assert_int_equal(pci_gpu_take_range(&gpu, 32 << 10, &offset), GUEST_ERROR_MEMORY);
    assert_int_equal(pci_gpu_take_range(&gpu, 4096, &offset), 0);
    assert_int_equal(offset, offsets[1]);
    assert_int_equal(pci_gpu_take_range(&gpu, 12 << 10, &offset), 0);
    assert_int_equal(offset, offsets[1] + 4096);
    pci_gpu_give_range(&gpu, 12345); // nobody's
    assert_int_equal(gpu.range_count, 5);
    assert_int_equal(pci_gpu_take_range(&gpu, UINT64_MAX, &offset), GUEST_ERROR_MEMORY);
    gpu = (struct pci_gpu){.virtio.shared.size = 1 << 30};
    for (unsigned i = 0; i < PCI_GPU_RANGES; i++)
        assert_int_equal(pci_gpu_take_range(&gpu, 4096, &offset), 0);
    assert_int_equal(pci_gpu_take_range(&gpu, 4096, &offset), GUEST_ERROR_MEMORY);
}

// What the device writes: that it is done with a descriptor.
struct used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[];
};

static void answer(struct used *used, uint16_t size, uint32_t id, uint32_t length)
{
    used->ring[used->index % size].id = id;
    used->ring[used->index % size].length = length;
    used->index++;
}

static void answers_come_in_any_order(void **state)
{
    static struct pci_queue queue;
    uint64_t addresses[3];
    uint16_t doorbell = 99;
    assert_int_equal(pci_queue_create(&queue, &hooks, 0, 3), GUEST_ERROR_UNSUPPORTED);
    assert_int_equal(pci_queue_create(&queue, &hooks, 0, 256), 0);
    queue.doorbell = &doorbell;
    pci_queue_addresses(&queue, addresses);
    const uint16_t *available = (const uint16_t *)(uintptr_t)addresses[1];
    struct used *used = (struct used *)(uintptr_t)addresses[2];
    // Around the rings some times, with all slots taken.
    for (unsigned round = 0; round < 20; round++) {
        uint16_t heads[PCI_QUEUE_SLOTS];
        for (int i = 0; i < PCI_QUEUE_SLOTS; i++) {
            int slot = pci_queue_take(&queue);
            assert_true(slot >= 0);
            pci_queue_send(&queue, slot, 24, round % 2 ? 0x1000 : 0, round % 2 ? 100 : 0, 24);
            assert_int_equal(doorbell, 0);
            heads[slot] = available[2 + (uint16_t)(available[1] - 1) % queue.size];
        }
        assert_int_equal(available[1], (round + 1) * PCI_QUEUE_SLOTS);
        assert_true(pci_queue_take(&queue) < 0);
        for (int i = PCI_QUEUE_SLOTS - 1; i >= 0; i--) {
            answer(used, queue.size, heads[i], 24 + (uint32_t)i);
            pci_queue_poll(&queue);
            assert_true(queue.slots[i].answered);
            assert_int_equal(queue.slots[i].written, 24 + i);
            assert_true(i == 0 || !queue.slots[i - 1].answered);
        }
        for (int i = 0; i < PCI_QUEUE_SLOTS; i++)
            pci_queue_release(&queue, i);
    }
    // A device that answers what nobody has asked.
    int slot = pci_queue_take(&queue);
    answer(used, queue.size, 3 * 5, 24);
    answer(used, queue.size, 0x80000000, 24);
    pci_queue_poll(&queue);
    assert_false(queue.slots[slot].answered);
    assert_false(queue.slots[5].busy);
    // One that says it has answered more than was ever under way; the next answer is seen again.
    memset(used->ring, 0xff, sizeof(used->ring[0]) * queue.size);
    used->index = (uint16_t)(used->index + 40000);
    pci_queue_poll(&queue);
    assert_false(queue.slots[slot].answered);
    answer(used, queue.size, (uint32_t)slot * 3, 24);
    pci_queue_poll(&queue);
    assert_true(queue.slots[slot].answered);
    pci_queue_destroy(&queue);
}

static uint64_t no_time(void *context)
{
    return 0;
}

static void no_pause(void *context, uint32_t round)
{
}

static void a_cursor_is_placed_without_an_answer(void **state)
{
    static struct pci_gpu gpu;
    static uint8_t common[64];
    const struct guest_system system = {.now = no_time, .relax = no_pause};
    struct pci_hooks with_system = hooks;
    const struct pci_cursor cursor = {.output = 2, .x = 30, .y = 40};
    const struct pci_picture small = {.width = 32, .height = 32};
    uint64_t addresses[3];
    uint16_t doorbell = 99;
    with_system.system = &system;
    gpu = (struct pci_gpu){.hooks = &with_system, .common = common};
    assert_int_equal(pci_cursor_move(&gpu, &cursor), GUEST_ERROR_UNSUPPORTED); // no such queue
    assert_int_equal(pci_queue_create(&gpu.cursors, &with_system, 1, 64), 0);
    gpu.cursors.doorbell = &doorbell;
    pci_queue_addresses(&gpu.cursors, addresses);
    struct used *used = (struct used *)(uintptr_t)addresses[2];
    assert_int_equal(pci_cursor_show(&gpu, &small, &cursor), GUEST_ERROR_REFUSED);
    assert_int_equal(pci_cursor_move(&gpu, &cursor), 0);
    assert_int_equal(doorbell, 1);
    const uint32_t *request = (const uint32_t *)pci_queue_slot(&gpu.cursors, 0);
    assert_int_equal(request[0], 0x301);
    assert_int_equal(request[6], 2);
    assert_int_equal(request[7], 30);
    assert_int_equal(request[8], 40);
    assert_int_equal(pci_cursor_show(&gpu, NULL, &cursor), 0);
    assert_int_equal(*(const uint32_t *)pci_queue_slot(&gpu.cursors, 1), 0x300);
    // What the device has read is free, in any order; nothing else is.
    answer(used, gpu.cursors.size, 3, 0);
    for (unsigned i = 0; i < PCI_QUEUE_SLOTS - 1; i++)
        assert_int_equal(pci_cursor_move(&gpu, &cursor), 0);
    assert_true(gpu.cursors.slots[0].busy && gpu.cursors.slots[1].busy);
    // A device that reads no more does not hold the program up for ever.
    common[20] = 64;
    assert_int_equal(pci_cursor_move(&gpu, &cursor), GUEST_ERROR_LOST);
    pci_queue_destroy(&gpu.cursors);
}

static uint8_t registers[0x4000];

static void *map(void *context, uint64_t address, uint64_t size, bool cached)
{
    assert_true(address >= 0x2fe000000 && address + size <= 0x2fe000000 + sizeof(registers));
    return registers + (address - 0x2fe000000);
}

static void unmap(void *context, void *mapping, uint64_t size)
{
}

static struct {
    struct pci_gpu gpu;
    uint32_t type, length; // what it answers with
    uint8_t fill;
} talker;

// A device that answers in a pause of the driver.
static void talk(void *context, uint32_t round)
{
    uint64_t addresses[3];
    uint8_t *slot = pci_queue_slot(&talker.gpu.queue, 0) + PCI_SLOT_ANSWER;
    pci_queue_addresses(&talker.gpu.queue, addresses);
    memset(slot, talker.fill, 200);
    memcpy(slot, &talker.type, 4);
    answer((struct used *)(uintptr_t)addresses[2], talker.gpu.queue.size, 0, talker.length);
}

static void answers_of_wrong_lengths_are_no_answers(void **state)
{
    static uint8_t common[64];
    static uint16_t doorbell;
    const struct guest_system system = {.now = no_time, .relax = talk};
    struct pci_hooks with_system = hooks;
    uint8_t request[24] = {0}, got[40];
    with_system.system = &system;
    talker.gpu = (struct pci_gpu){.hooks = &with_system, .common = common, .patience_ns = 1};
    assert_int_equal(pci_queue_create(&talker.gpu.queue, &with_system, 0, 64), 0);
    talker.gpu.queue.doorbell = &doorbell;
    talker.type = GPU_RESP_OK_NODATA;
    talker.fill = 0x5a;
    for (talker.length = 0; talker.length < 24; talker.length += 4)
        assert_int_equal(pci_gpu_ask(&talker.gpu, request, 24, NULL, 0), GUEST_ERROR_REFUSED);
    memset(got, 1, sizeof(got));
    talker.length = UINT32_MAX;
    assert_int_equal(pci_gpu_ask(&talker.gpu, request, 24, got, 32), 0);
    assert_int_equal(got[31], 0x5a);
    assert_int_equal(got[32], 1);
    talker.type = 0xffffffff;
    assert_int_equal(pci_gpu_ask(&talker.gpu, request, 24, NULL, 0), GUEST_ERROR_REFUSED);
    pci_queue_destroy(&talker.gpu.queue);
}

// Memory in place of registers: what was written there last is seen.
static void it_is_opened_with_both_of_its_queues(void **state)
{
    static struct pci_gpu gpu;
    const struct guest_system system = {.now = no_time, .relax = no_pause};
    struct pci_hooks with_system = hooks;
    uint64_t addresses[3], told;
    with_system.system = &system;
    with_system.map = map;
    with_system.unmap = unmap;
    registers[4] = 1;   // features: VERSION_1 in the second word
    registers[24] = 64; // descriptors of a queue
    assert_int_equal(pci_gpu_open(&gpu, &with_system), 0);
    assert_int_equal(registers[22], 1); // the second one was told last
    assert_int_equal(registers[28], 1);
    pci_queue_addresses(&gpu.cursors, addresses);
    memcpy(&told, registers + 32, 8);
    assert_int_equal(told, addresses[0]);
    assert_int_equal(gpu.queue.index, 0);
    assert_int_equal(gpu.cursors.index, 1);
    assert_true(gpu.queue.memory && gpu.cursors.memory && gpu.queue.memory != gpu.cursors.memory);
    pci_gpu_close(&gpu);
    assert_null(gpu.cursors.memory);
    // It may say that its doorbell lies elsewhere, that blobs begin anywhere, that it has capsets
    // without end.
    registers[4] = 1 | 1 << GPU_F_BLOB_ALIGNMENT;
    memset(registers + 0x200c, 0xff, 4);
    set_up(NULL);
    assert_int_equal(pci_gpu_open(&gpu, &with_system), 0);
    assert_int_equal(gpu.alignment, 4096);
    assert_in_range(gpu.capset_count, 1, 64);
    pci_gpu_close(&gpu);
    registers[0x2011] = 0x21; // 0x2100
    set_up(NULL);
    assert_int_equal(pci_gpu_open(&gpu, &with_system), 0);
    assert_int_equal(gpu.alignment, 4096);
    pci_gpu_close(&gpu);
    registers[30] = registers[31] = 0xff;
    set_up(NULL);
    assert_int_equal(pci_gpu_open(&gpu, &with_system), GUEST_ERROR_LOST);
    assert_null(gpu.queue.memory);
}

static void *allocate(void *context, size_t size)
{
    return calloc(1, size);
}

static void release(void *context, void *memory)
{
    free(memory);
}

// A wait for a fence, a look at a time, sees that the device has broken down.
static void a_broken_device_ends_waits(void **state)
{
    static struct pci_gpu gpu;
    static uint8_t common[64];
    static uint16_t doorbell;
    const struct guest_system system = {
        .now = no_time, .relax = no_pause, .allocate = allocate, .release = release};
    struct pci_hooks with_system = hooks;
    uint64_t fence;
    with_system.system = &system;
    gpu = (struct pci_gpu){.hooks = &with_system, .common = common};
    assert_int_equal(pci_queue_create(&gpu.queue, &with_system, 0, 64), 0);
    gpu.queue.doorbell = &doorbell;
    struct guest_transport *transport = pci_transport_create(&gpu);
    assert_non_null(transport);
    assert_int_equal(transport->calls->submit(transport, NULL, 0, 1, &fence), 0);
    assert_int_equal(transport->calls->fence_wait(transport, fence, 0), GUEST_ERROR_TIMEOUT);
    common[20] = 64;
    assert_int_equal(transport->calls->fence_wait(transport, fence, 0), GUEST_ERROR_LOST);
    transport->calls->close(transport);
    pci_queue_destroy(&gpu.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_found_behind_a_bridge, set_up),
        cmocka_unit_test_setup(its_parts_are_where_it_says, set_up),
        cmocka_unit_test_setup(a_device_without_its_parts_is_none, set_up),
        cmocka_unit_test_setup(its_parts_must_make_sense, set_up),
        cmocka_unit_test(every_bus_is_looked_at_once),
        cmocka_unit_test_setup(without_firmware_it_gets_addresses, set_up),
        cmocka_unit_test(ranges_of_the_aperture_are_given_out_once),
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test_setup(it_is_opened_with_both_of_its_queues, set_up),
        cmocka_unit_test(answers_of_wrong_lengths_are_no_answers),
        cmocka_unit_test(a_broken_device_ends_waits),
        cmocka_unit_test_setup(a_cursor_is_placed_without_an_answer, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
