#include "puppet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/venus/fake_driver.h"
#include "wire/names.h"

struct puppet puppet;

// A handle: MARK, its type, its number. The number is a place in `records`.
#define MARK 0x00f0000000000000ull
#define MAX_RECORDS (1u << 16)

static struct record {
    uint8_t type;         // enum wire_handle; 0: it is gone
    const uint8_t *pages; // of memory: what was imported
    uint64_t size;
} records[MAX_RECORDS];
static atomic_uint record_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of records

static _Thread_local volatile uint64_t seen; // what was read counts

static __attribute__((noreturn)) void fault(const char *what, const char *where, uint64_t value)
{
    fprintf(stderr, "puppet: %s: %s: 0x%llx\n", where, what, (unsigned long long)value);
    abort();
}

void puppet_reset(uint64_t seed)
{
    memset(records, 0, atomic_load(&record_count) * sizeof(*records));
    atomic_store(&record_count, 1);
    atomic_store(&puppet.random, seed);
    atomic_store(&puppet.calls, 0);
}

uint64_t puppet_random(void)
{
    uint64_t x =
        atomic_fetch_add_explicit(&puppet.random, 0x9e3779b97f4a7c15ull, memory_order_relaxed);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

uint64_t puppet_count(uint64_t most)
{
    return most ? puppet_random() % (most < 16 ? most + 1 : 16) : 0;
}

// ---- handles --------------------------------------------------------------

// The others go with their device or pool.
static bool must_be_destroyed(enum wire_handle type)
{
    return type != WIRE_HANDLE_QUEUE && type != WIRE_HANDLE_COMMAND_BUFFER &&
           type != WIRE_HANDLE_DESCRIPTOR_SET;
}

uint64_t puppet_made(enum wire_handle type, int32_t result)
{
    if (result < 0)
        return 0;
    unsigned number = atomic_fetch_add(&record_count, 1);
    if (number >= MAX_RECORDS) {
        atomic_store(&record_count, MAX_RECORDS);
        return MARK | (uint64_t)type << 32; // not looked at any more
    }
    pthread_mutex_lock(&lock);
    records[number] = (struct record){.type = (uint8_t)type};
    pthread_mutex_unlock(&lock);
    return MARK | (uint64_t)type << 32 | number;
}

static void check_handle(const char *where, enum wire_handle type, uint64_t handle)
{
    uint32_t number = (uint32_t)handle;
    if (!handle || !puppet.strict)
        return;
    // Physical devices are those of fake_driver.c.
    if (handle >> 48 == 0 && handle < 0x10000)
        return;
    if (handle >> 40 != MARK >> 40 || number >= MAX_RECORDS)
        fault("no handle of mine", where, handle);
    if ((uint8_t)(handle >> 32) != type)
        fault("a handle of another type", where, handle);
    pthread_mutex_lock(&lock);
    bool dead = number && records[number].type != type;
    pthread_mutex_unlock(&lock);
    if (dead)
        fault("a handle that is gone", where, handle);
}

void puppet_gone(enum wire_handle type, uint64_t handle)
{
    uint32_t number = (uint32_t)handle;
    if (!handle || !number || number >= MAX_RECORDS || handle >> 40 != MARK >> 40)
        return;
    pthread_mutex_lock(&lock);
    struct record record = records[number];
    records[number].type = 0;
    records[number].pages = NULL;
    pthread_mutex_unlock(&lock);
    // The driver may use what it imported until now.
    if (record.pages)
        seen += record.pages[0] + record.pages[record.size - 1];
    (void)type;
}

void puppet_expect_nothing_left(void)
{
    for (unsigned i = 1; i < atomic_load(&record_count) && i < MAX_RECORDS; i++) {
        if (records[i].type && must_be_destroyed(records[i].type))
            fault("nobody destroys it", wire_handle_name(records[i].type), i);
    }
}

// ---- arguments ------------------------------------------------------------

static void look_at(void *data, const struct wire_item *item)
{
    const char *command = data;
    if (item->storage || !item->data)
        return;
    const uint8_t *bytes = item->data;
    uint64_t size = item->count * (item->size ? item->size : 1);
    if (item->kind == WIRE_KIND_HANDLE) {
        for (uint64_t i = 0; i < item->count; i++) {
            uint64_t handle;
            memcpy(&handle, bytes + i * 8, 8);
            check_handle(item->name ? item->name : command, item->type, handle);
        }
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i<size; i += size> 4096 ? size / 64 : 1)
        sum += bytes[i];
    if (size)
        sum += bytes[size - 1];
    seen += sum;
}

static uint64_t enter(void *data, const struct wire_group *group)
{
    (void)data, (void)group;
    return UINT64_MAX;
}

static void leave(void *data, const struct wire_group *group)
{
    (void)data, (void)group;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

// A real driver knows how many there are, and says no number that is none.
static bool is_count(const char *name)
{
    return name && (ends_with(name, "Count") || ends_with(name, "ize"));
}

static void fill(void *data, const struct wire_item *item)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)item->data;
    if (!bytes || item->data == data || item->kind == WIRE_KIND_HANDLE || is_count(item->name))
        return;
    uint64_t size = item->count * (item->size ? item->size : 1);
    for (uint64_t i = 0; i<size; i += size> 4096 ? size / 16 : 8) {
        uint64_t value = puppet_random();
        if (item->kind == WIRE_KIND_BOOL)
            value &= 0x100000001ull;
        else if (value & 1)
            value &= 0x0000000f0000000full;
        memcpy(bytes + i, &value, size - i < 8 ? size - i : 8);
    }
}

static int32_t make_up_result(enum wire_command command)
{
    uint64_t r = puppet_random();
    if (command == WIRE_vkWaitForFences || command == WIRE_vkWaitSemaphores)
        return r % 4 ? VK_SUCCESS : VK_TIMEOUT;
    if (command == WIRE_vkGetFenceStatus || command == WIRE_vkGetQueryPoolResults)
        return r % 3 ? VK_SUCCESS : VK_NOT_READY;
    if (command == WIRE_vkGetEventStatus)
        return r % 2 ? VK_EVENT_SET : VK_EVENT_RESET;
    if (!puppet.failures || r % puppet.failures)
        return VK_SUCCESS;
    const char *name = wire_command_info(command)->name;
    if (r & 1 << 20 && (!strncmp(name, "vkEnumerate", 11) || !strncmp(name, "vkGet", 5)))
        return VK_INCOMPLETE;
    if (r & 1 << 20 && ends_with(name, "Pipelines"))
        return VK_PIPELINE_COMPILE_REQUIRED;
    static const int32_t results[] = {
        VK_ERROR_OUT_OF_HOST_MEMORY,   VK_ERROR_OUT_OF_DEVICE_MEMORY,
        VK_ERROR_DEVICE_LOST,          VK_ERROR_INITIALIZATION_FAILED,
        VK_ERROR_FRAGMENTED_POOL,      VK_ERROR_OUT_OF_POOL_MEMORY,
        VK_ERROR_FORMAT_NOT_SUPPORTED, VK_ERROR_UNKNOWN,
    };
    return results[puppet_random() % (sizeof(results) / sizeof(results[0]))];
}

int32_t puppet_call(enum wire_command command, void *args, const void *keep)
{
    const struct wire_command_info *info = wire_command_info(command);
    const struct wire_call call = {.info = info, .number = command, .args = args};
    const struct wire_visitor looker = {
        .data = (void *)(uintptr_t)info->name, .item = look_at, .enter = enter, .leave = leave};
    const struct wire_visitor filler = {
        .data = (void *)(uintptr_t)keep, .item = fill, .enter = enter, .leave = leave};
    atomic_fetch_add_explicit(&puppet.calls, 1, memory_order_relaxed);
    wire_visit_request(&call, &looker);
    wire_visit_reply(&call, &filler);
    return make_up_result(command);
}

// ---- what the codec does not say ------------------------------------------

static PFN_vkVoidFunction find(const char *name)
{
    for (const struct puppet_function *at = puppet_functions; at->name; at++) {
        if (!strcmp(at->name, name))
            return at->function;
    }
    return NULL;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    (void)device, (void)layer;
    uint32_t all;
    const struct wire_extension *extensions = wire_extensions(&all);
    uint32_t have = 0, room = properties ? *count : 0;
    for (uint32_t i = 0; i <= all; i++) {
        const char *name = i < all ? extensions[i].name : "VK_EXT_external_memory_host";
        if (i < all && (!strcmp(name, "VK_EXT_external_memory_host") ||
                        (!puppet.portability && !strcmp(name, "VK_KHR_portability_subset")) ||
                        (puppet.few_extensions && i % 2)))
            continue;
        if (have < room) {
            properties[have] = (VkExtensionProperties){.specVersion = 1};
            snprintf(properties[have].extensionName, sizeof(properties[have].extensionName), "%s",
                     name);
        }
        have++;
    }
    *count = properties && room < have ? room : have;
    return properties && room < have ? VK_INCOMPLETE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_host_pointer(VkDevice device,
                                                       VkExternalMemoryHandleTypeFlagBits type,
                                                       const void *pointer,
                                                       VkMemoryHostPointerPropertiesEXT *properties)
{
    (void)device, (void)type;
    seen += *(const uint8_t *)pointer;
    properties->memoryTypeBits = 0x6;
    return VK_SUCCESS;
}

// Imported pages must stay until the memory goes.
static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device,
                                                      const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkDeviceMemory *memory)
{
    VkResult result =
        ((PFN_vkAllocateMemory)find("vkAllocateMemory"))(device, info, callbacks, memory);
    const VkImportMemoryHostPointerInfoEXT *import =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT);
    uint32_t number = (uint32_t)(uintptr_t)*memory;
    if (result >= 0 && import && number && number < MAX_RECORDS) {
        pthread_mutex_lock(&lock);
        records[number].pages = import->pHostPointer;
        records[number].size = info->allocationSize;
        pthread_mutex_unlock(&lock);
    }
    return result;
}

static PFN_vkGetInstanceProcAddr fake_get_proc;

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice device, const char *name);

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_proc(VkInstance instance, const char *name)
{
    static const struct puppet_function own[] = {
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_extensions},
        {"vkGetMemoryHostPointerPropertiesEXT", (PFN_vkVoidFunction)get_host_pointer},
        {"vkAllocateMemory", (PFN_vkVoidFunction)allocate_memory},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device_proc},
    };
    // What a physical device is and can do: made-up numbers would be of no use to anybody.
    static const char *const sober[] = {
        "vkEnumeratePhysicalDevices",
        "vkEnumeratePhysicalDeviceGroups",
        "vkGetPhysicalDeviceProperties",
        "vkGetPhysicalDeviceProperties2",
        "vkGetPhysicalDeviceFeatures",
        "vkGetPhysicalDeviceFeatures2",
        "vkGetPhysicalDeviceQueueFamilyProperties",
        "vkGetPhysicalDeviceMemoryProperties",
        "vkGetPhysicalDeviceFormatProperties2",
        "vkGetPhysicalDeviceImageFormatProperties2",
        "vkGetPhysicalDeviceExternalBufferProperties",
    };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (!strcmp(own[i].name, name))
            return own[i].function;
    }
    for (size_t i = 0; i < sizeof(sober) / sizeof(sober[0]); i++) {
        if (!strcmp(sober[i], name))
            return fake_get_proc(instance, name);
    }
    PFN_vkVoidFunction function = find(name);
    return function ? function : fake_get_proc(instance, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice device, const char *name)
{
    (void)device;
    return get_proc(NULL, name);
}

void puppet_host(struct venus_host *host)
{
    fake_reset();
    fake.portability = puppet.portability;
    fake.on_cpu = puppet.on_cpu;
    fake_host(host);
    fake_get_proc = host->get_instance_proc_addr;
    host->get_instance_proc_addr = get_proc;
}
