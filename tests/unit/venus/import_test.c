// Memory on a driver that takes no address of a file's pages: it gets dma-bufs of them, made by a
// stand-in for /dev/udmabuf (tests/programs/udmabuf.c), which is linked in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/format.h"
#include "venus/memory.h"

static struct fake_context f;

// The driver, and what it was asked.
static struct {
    bool lists_pointers, lists_dma_bufs, takes_pointers, refuses_allocations;
    VkExternalMemoryFeatureFlags features; // of a buffer, of dma-bufs only
    unsigned pointers, dma_bufs;           // imports that were tried
    ino_t last;                            // the file of the last dma-buf taken
    VkDeviceSize last_size;
} driver;

static unsigned open_files(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

// ---- the driver -----------------------------------------------------------

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    static const char *const names[] = {"VK_EXT_external_memory_host", "VK_KHR_external_memory_fd",
                                        "VK_EXT_external_memory_dma_buf"};
    const bool listed[] = {driver.lists_pointers, driver.lists_dma_bufs, driver.lists_dma_bufs};
    uint32_t have = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (listed[i] && properties)
            snprintf(properties[have].extensionName, VK_MAX_EXTENSION_NAME_SIZE, "%s", names[i]);
        have += listed[i];
    }
    *count = have;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device,
                                                  VkPhysicalDeviceProperties2 *properties)
{
    properties->properties.apiVersion = VK_API_VERSION_1_3;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fd_types(VkDevice device,
                                                   VkExternalMemoryHandleTypeFlagBits type, int fd,
                                                   VkMemoryFdPropertiesKHR *properties)
{
    assert_int_equal(type, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    properties->memoryTypeBits = 0xa;
    return VK_SUCCESS;
}

// As some do: all that is said here is refused when it comes to it.
static VKAPI_ATTR VkResult VKAPI_CALL
get_pointer_types(VkDevice device, VkExternalMemoryHandleTypeFlagBits type, const void *pointer,
                  VkMemoryHostPointerPropertiesEXT *properties)
{
    properties->memoryTypeBits = 0x6;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *a,
                                               VkDeviceMemory *memory)
{
    const VkImportMemoryFdInfoKHR *file =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
    const bool pointer =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT);
    driver.pointers += pointer;
    if (pointer && !driver.takes_pointers)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    driver.dma_bufs += !!file;
    if (driver.refuses_allocations)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (file) {
        struct stat stat;
        assert_int_equal(fstat(file->fd, &stat), 0);
        driver.last = stat.st_ino;
        driver.last_size = info->allocationSize;
        close(file->fd); // it is the driver's now
    }
    *memory = (VkDeviceMemory)0x4000;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL
get_buffer_properties(VkPhysicalDevice device, const VkPhysicalDeviceExternalBufferInfo *info,
                      VkExternalBufferProperties *properties)
{
    if (info->handleType == VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT)
        properties->externalMemoryProperties.externalMemoryFeatures = driver.features;
}

static PFN_vkVoidFunction commands(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_extensions},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)get_properties2},
        {"vkGetPhysicalDeviceExternalBufferProperties", (PFN_vkVoidFunction)get_buffer_properties},
        {"vkGetMemoryHostPointerPropertiesEXT", (PFN_vkVoidFunction)get_pointer_types},
        {"vkGetMemoryFdPropertiesKHR", (PFN_vkVoidFunction)get_fd_types},
        {"vkAllocateMemory", (PFN_vkVoidFunction)allocate},
    };
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].function;
    }
    return NULL;
}

static int set_up(void **state)
{
    fake_reset();
    fake.more = commands;
    driver = (typeof(driver)){.lists_pointers = true, .lists_dma_bufs = true};
    unsetenv("UDMABUF_ERRNO");
    fake_context_init(&f, false);
    f.context.pages = venus_pages_pool_create();
    f.context.own_files = true;
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    venus_pages_pool_destroy(f.context.pages);
    assert_int_equal(fake.devices_alive, 0);
    return 0;
}

// ---- the probe ------------------------------------------------------------

static void probe(struct venus_probe *found)
{
    struct venus_instance_driver vk;
    venus_instance_driver_load(&vk, f.host.get_instance_proc_addr, NULL);
    venus_probe_device(&vk, (VkPhysicalDevice)0x1001, found);
}

static void refused(const char *error, const char *why)
{
    struct venus_probe found;
    if (error)
        setenv("UDMABUF_ERRNO", error, 1);
    probe(&found);
    assert_int_equal(found.importable_types, 0);
    assert_non_null(found.refused);
    assert_non_null(strstr(found.refused, why));
}

// These come first: the device is opened once.
static void a_closed_device_is_told(void **state)
{
    char number[8];
    snprintf(number, sizeof(number), "%d", EACCES);
    refused(number, "closed to this user");
    fake_instance(&f);
    assert_null(fake_physical_device(&f)); // and guests do not see it
}

static void a_missing_device_is_told(void **state)
{
    char number[8];
    snprintf(number, sizeof(number), "%d", ENOENT);
    refused(number, "load the kernel's module udmabuf");
}

static void a_driver_with_neither_way_is_told(void **state)
{
    driver.lists_dma_bufs = driver.lists_pointers = false;
    refused(NULL, "lacks VK_EXT_external_memory_host");
}

static void a_driver_that_refuses_both_is_told(void **state)
{
    driver.refuses_allocations = true;
    unsigned files = open_files();
    refused(NULL, "neither by address nor as dma-bufs");
    assert_true(driver.dma_bufs > 0);
    assert_true(open_files() <= files + 1); // the device stays open
}

static void addresses_come_first(void **state)
{
    struct venus_probe found;
    driver.takes_pointers = true;
    probe(&found);
    assert_int_equal(found.import_handle, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);
    assert_int_equal(found.importable_types, 0x6);
    assert_int_equal(driver.dma_bufs, 0);
}

static void dma_bufs_where_addresses_are_refused(void **state)
{
    struct venus_probe found;
    for (int lists = 0; lists < 2; lists++) {
        driver.lists_pointers = lists;
        probe(&found);
        assert_null(found.refused);
        assert_int_equal(found.import_handle, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
        assert_int_equal(found.importable_types, 0xa);
        assert_int_equal(found.import_alignment, os_page_size());
    }
}

// ---- a guest's memory -----------------------------------------------------

static VkResult allocate_with(const void *next, VkDeviceSize size)
{
    struct venus_object *device = fake_find(&f, 3);
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = next,
                                       .allocationSize = size,
                                       .memoryTypeIndex = 1};
    VkDeviceMemory id = (VkDeviceMemory)4;
    struct wire_args_vkAllocateMemory args = {.pAllocateInfo = &info, .pMemory = &id};
    device->device = (struct venus_device *)device;
    assert_true(fake_call(&f, WIRE_vkAllocateMemory, &args, &device, 1, NULL));
    return args.ret;
}

static VkResult allocate_for_guest(VkDeviceSize size)
{
    return allocate_with(NULL, size);
}

static void memory_is_the_guests_file(void **state)
{
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    assert_int_equal(fake.extension_count, 2);
    assert_string_equal(fake.extensions[0], "VK_KHR_external_memory_fd");
    assert_string_equal(fake.extensions[1], "VK_EXT_external_memory_dma_buf");
    unsigned files = open_files();
    assert_int_equal(allocate_for_guest(100), VK_SUCCESS);
    struct venus_memory *memory = (struct venus_memory *)fake_find(&f, 4);
    struct stat stat;
    assert_int_equal(fstat(memory->pages->fd, &stat), 0);
    assert_int_equal(driver.last, stat.st_ino);
    assert_int_equal(driver.last_size, memory->pages->size);
    assert_int_equal(open_files(), files + 1); // the memory's own
}

static void nothing_is_left_of_a_refused_allocation(void **state)
{
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    unsigned files = open_files();
    driver.refuses_allocations = true;
    struct link_ledger ledger = {.memory[LINK_MEMORY_HOST].room = 1 << 20};
    f.context.ledger.page = &ledger;
    assert_int_equal(allocate_for_guest(100), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    f.context.ledger.page = NULL;
    assert_int_equal(open_files(), files);
    assert_int_equal(ledger.holds[LINK_HOLDS_PAGES], 0);
    assert_int_equal(ledger.memory[LINK_MEMORY_HOST].room, 1 << 20);
}

static void an_import_lies_in_the_pages_of_its_resource(void **state)
{
    const uint32_t page = os_page_size();
    struct venus_pages *pages;
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    assert_true(venus_resource_table_init(&f.context.resources, f.context.pages, 8));
    assert_int_equal(venus_pages_alloc(f.context.pages, 2 * page, page, VENUS_PAGES_SHARED, &pages),
                     0);
    assert_true(venus_resource_attach(&f.context.resources, 7, LINK_RESOURCE_MEMORY, pages));
    VkImportMemoryResourceInfoMESA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA, .resourceId = 7};
    driver.last_size = 0;
    assert_int_equal(allocate_with(&import, 0), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    assert_int_equal(allocate_with(&import, 2 * page + 1), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    // The pages of others may end where the driver's units do not.
    pages->size = 2 * page - 1;
    assert_int_equal(allocate_with(&import, page + 1), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    pages->size = 2 * page;
    assert_int_equal(driver.last_size, 0);
    assert_int_equal(allocate_with(&import, page + 1), VK_SUCCESS);
    assert_int_equal(driver.last_size, 2 * page);
    venus_resource_table_finish(&f.context.resources);
}

static void buffers_are_asked_about_as_dma_bufs(void **state)
{
    fake_instance(&f);
    const struct venus_physical_device *device = (void *)fake_physical_device(&f);
    assert_false(venus_host_imports_buffer(device, 0, 0, NULL));
    driver.features = VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    assert_true(venus_host_imports_buffer(device, 0, 0, NULL));
    driver.features |= VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT;
    assert_false(venus_host_imports_buffer(device, 0, 0, NULL));
}

int main(void)
{
    os_init(&(struct os_options){0});
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_closed_device_is_told),
        TEST(a_missing_device_is_told),
        TEST(a_driver_with_neither_way_is_told),
        TEST(a_driver_that_refuses_both_is_told),
        TEST(addresses_come_first),
        TEST(dma_bufs_where_addresses_are_refused),
        TEST(memory_is_the_guests_file),
        TEST(nothing_is_left_of_a_refused_allocation),
        TEST(an_import_lies_in_the_pages_of_its_resource),
        TEST(buffers_are_asked_about_as_dma_bufs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
