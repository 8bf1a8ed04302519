// The memory of a graphics card and that of the machine: what a guest is shown of both, and what
// its allocations are counted as.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <string.h>

#include "fake_driver.h"
#include "venus/memory.h"

enum { CARD, SYSTEM }; // heaps
#define MIB ((uint64_t)1 << 20)

static struct fake_context f;
static struct link_ledger page;
static atomic_bool nobody_answers;
static bool portable;
static unsigned allocations;

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties *properties)
{
    *properties = (VkPhysicalDeviceProperties){.apiVersion = VK_API_VERSION_1_3,
                                               .deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
                                               .deviceName = "card"};
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice device,
                                             VkPhysicalDeviceMemoryProperties *memory)
{
    *memory = (VkPhysicalDeviceMemoryProperties){.memoryTypeCount = 2, .memoryHeapCount = 2};
    memory->memoryHeaps[CARD] =
        (VkMemoryHeap){.size = 800 * MIB, .flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    memory->memoryHeaps[SYSTEM].size = 900 * MIB;
    memory->memoryTypes[0] = (VkMemoryType){VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, CARD};
    memory->memoryTypes[1] = (VkMemoryType){
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, SYSTEM};
}

static VKAPI_ATTR void VKAPI_CALL get_memory2(VkPhysicalDevice device,
                                              VkPhysicalDeviceMemoryProperties2 *memory)
{
    get_memory(device, &memory->memoryProperties);
    VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget =
        venus_chain_find(memory, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
    for (uint32_t i = 0; i < 2; i++) {
        budget->heapBudget[i] = 700 * MIB;
        budget->heapUsage[i] = 77 * MIB;
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device,
                                                      const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkDeviceMemory *memory)
{
    allocations++;
    *memory = (VkDeviceMemory)(uintptr_t)0x77;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *callbacks)
{
    allocations--;
}

static PFN_vkVoidFunction more(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } all[] = {
        {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)get_properties},
        {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)get_memory},
        {"vkGetPhysicalDeviceMemoryProperties2", (PFN_vkVoidFunction)get_memory2},
        {"vkAllocateMemory", (PFN_vkVoidFunction)allocate_memory},
        {"vkFreeMemory", (PFN_vkVoidFunction)free_memory},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!strcmp(all[i].name, name))
            return all[i].function;
    return NULL;
}

static int set_up(void **state)
{
    fake_reset();
    fake.host_types = 2;
    fake.more = more;
    fake_context_init(&f, portable);
    page =
        (struct link_ledger){.memory[LINK_MEMORY_HOST] = {.room = 10 * MIB, .ceiling = 300 * MIB},
                             .memory[LINK_MEMORY_CARD] = {.room = 20 * MIB, .ceiling = 400 * MIB}};
    nobody_answers = true;
    f.context.ledger.page = &page;
    f.context.ledger.link = f.context.link;
    f.context.ledger.stopping = &nobody_answers;
    f.context.max_memory[LINK_MEMORY_HOST] = 500 * MIB;
    f.context.max_memory[LINK_MEMORY_CARD] = 600 * MIB;
    fake_instance(&f);
    allocations = 0;
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    (void)state;
    return 0;
}

static void heaps_are_no_larger_than_the_share(void **state)
{
    struct wire_args_vkGetPhysicalDeviceMemoryProperties args = {
        .pMemoryProperties = &(VkPhysicalDeviceMemoryProperties){.memoryHeapCount = 0}};
    struct venus_object *device = fake_physical_device(&f);
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceMemoryProperties, &args, &device, 1, NULL));
    assert_int_equal(args.pMemoryProperties->memoryHeaps[CARD].size, 600 * MIB);
    assert_int_equal(args.pMemoryProperties->memoryHeaps[SYSTEM].size, 500 * MIB);
}

static void budgets_are_what_the_context_may_come_to_hold(void **state)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    struct wire_args_vkGetPhysicalDeviceMemoryProperties2 args = {.pMemoryProperties = &memory};
    struct venus_object *device = fake_physical_device(&f);
    assert_true(venus_ledger_take(&f.context.ledger, LINK_HOLDS_PAGES, 3 * MIB));
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceMemoryProperties2, &args, &device, 1, NULL));
    assert_int_equal(budget.heapBudget[CARD], 400 * MIB);
    assert_int_equal(budget.heapUsage[CARD], 77 * MIB); // the driver knows
    assert_int_equal(budget.heapBudget[SYSTEM], 300 * MIB);
    assert_int_equal(budget.heapUsage[SYSTEM], 3 * MIB);
    assert_int_equal(memory.memoryProperties.memoryHeaps[CARD].size, 600 * MIB);
    // Never more than the driver says.
    page.memory[LINK_MEMORY_CARD].ceiling = UINT64_MAX;
    f.context.max_memory[LINK_MEMORY_CARD] = 0;
    assert_true(fake_call(&f, WIRE_vkGetPhysicalDeviceMemoryProperties2, &args, &device, 1, NULL));
    assert_int_equal(budget.heapBudget[CARD], 600 * MIB);
    venus_ledger_give(&f.context.ledger, LINK_HOLDS_PAGES, 3 * MIB);
}

static VkResult allocate(uint64_t id, uint64_t size)
{
    VkDeviceMemory memory = (VkDeviceMemory)(uintptr_t)id;
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = size};
    struct wire_args_vkAllocateMemory args = {.pAllocateInfo = &info, .pMemory = &memory};
    struct venus_object *device = fake_find(&f, 3);
    assert_true(fake_call(&f, WIRE_vkAllocateMemory, &args, &device, 1, NULL));
    return args.ret;
}

static void memory_of_the_card_is_counted_apart(void **state)
{
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    assert_int_equal(allocate(10, 15 * MIB), VK_SUCCESS);
    assert_int_equal(page.holds[LINK_HOLDS_CARD], 15 * MIB);
    assert_int_equal(page.memory[LINK_MEMORY_CARD].room, 5 * MIB);
    assert_int_equal(page.memory[LINK_MEMORY_HOST].room, 10 * MIB);
    assert_int_equal(allocate(11, 6 * MIB), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(allocations, 1); // the driver was not asked
    struct wire_args_vkFreeMemory args = {.memory = (VkDeviceMemory)(uintptr_t)10};
    struct venus_object *device = fake_find(&f, 3);
    assert_true(fake_call(&f, WIRE_vkFreeMemory, &args, &device, 1, NULL));
    assert_int_equal(allocations, 0);
    assert_int_equal(page.holds[LINK_HOLDS_CARD], 0);
    assert_int_equal(page.memory[LINK_MEMORY_CARD].room, 20 * MIB);
}

int main(int argc, char **argv)
{
    portable = argc > 1 && !strcmp(argv[1], "portable");
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(heaps_are_no_larger_than_the_share),
        CASE(budgets_are_what_the_context_may_come_to_hold),
        CASE(memory_of_the_card_is_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
