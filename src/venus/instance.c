// The one instance of a context.
#include <stdlib.h>

#include "base/log.h"
#include "venus/device.h"

// Only what is private to Venus: windows are the guest's own business, and it needs nothing else of
// an instance.
static const char *const instance_extensions[] = {"VK_EXT_command_serialization",
                                                  "VK_MESA_venus_protocol"};
#define INSTANCE_EXTENSION_COUNT (sizeof(instance_extensions) / sizeof(instance_extensions[0]))

static bool enumerate_version(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumerateInstanceVersion *args = data;
    *args->pApiVersion = call->context->host->api_version;
    args->ret = VK_SUCCESS;
    return true;
}

static bool enumerate_extensions(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumerateInstanceExtensionProperties *args = data;
    if (args->pLayerName)
        return venus_fail(call, "there are no layers");
    args->ret = VK_SUCCESS;
    if (!args->pProperties) {
        *args->pPropertyCount = INSTANCE_EXTENSION_COUNT;
        return true;
    }
    if (*args->pPropertyCount < INSTANCE_EXTENSION_COUNT)
        args->ret = VK_INCOMPLETE;
    else
        *args->pPropertyCount = INSTANCE_EXTENSION_COUNT;
    for (uint32_t i = 0; i < *args->pPropertyCount; i++) {
        const struct wire_extension *extension = wire_find_extension(instance_extensions[i]);
        strncpy(args->pProperties[i].extensionName, instance_extensions[i],
                VK_MAX_EXTENSION_NAME_SIZE - 1);
        args->pProperties[i].specVersion = extension ? extension->spec_version : 0;
    }
    return true;
}

static bool enumerate_layers(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumerateInstanceLayerProperties *args = data;
    *args->pPropertyCount = 0;
    args->ret = VK_SUCCESS;
    return true;
}

static VkResult check(const VkInstanceCreateInfo *info)
{
    if (info->enabledLayerCount)
        return VK_ERROR_LAYER_NOT_PRESENT;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        bool known = false;
        for (size_t j = 0; j < INSTANCE_EXTENSION_COUNT; j++)
            known |= strcmp(info->ppEnabledExtensionNames[i], instance_extensions[j]) == 0;
        if (!known)
            return VK_ERROR_EXTENSION_NOT_PRESENT;
    }
    return VK_SUCCESS;
}

static void release(struct venus_context *context, struct venus_object *object)
{
    struct venus_instance *instance = (struct venus_instance *)object;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        if (!(instance->named & (1ull << i)))
            venus_release(context, &instance->physical_devices[i]->base);
    }
    free(instance->physical_devices);
    pthread_mutex_destroy(&instance->enumeration_lock);
    instance->vk.DestroyInstance((VkInstance)(uintptr_t)object->handle, NULL);
    // Not another ring's that was there first.
    atomic_compare_exchange_strong(&context->instance, &(struct venus_instance *){instance}, NULL);
    venus_object_free(&context->objects, object);
}

static const struct venus_class instance_class = {.size = sizeof(struct venus_instance),
                                                  .release = release};

static bool create(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateInstance *args = data;
    struct venus_context *context = call->context;
    if (atomic_load(&context->instance))
        return venus_fail(call, "the context has its instance already");
    args->ret = check(args->pCreateInfo);
    if (args->ret != VK_SUCCESS)
        return true;

    struct venus_instance *instance =
        venus_object_alloc(&context->objects, &instance_class, WIRE_HANDLE_INSTANCE);
    if (!instance) {
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return true;
    }
    VkInstance handle = VK_NULL_HANDLE;
    args->ret =
        venus_host_create_instance(context->host, args->pCreateInfo->pApplicationInfo, &handle);
    if (args->ret != VK_SUCCESS) {
        log_warning("the host's vkCreateInstance failed with VkResult %d", args->ret);
        venus_object_free(&context->objects, &instance->base);
        return true;
    }
    if (args->pCreateInfo->pApplicationInfo)
        venus_ledger_set_engine(&context->ledger, args->pCreateInfo->pApplicationInfo->pEngineName);
    venus_instance_driver_load(&instance->vk, context->host->get_instance_proc_addr, handle);
    instance->base.handle = (uintptr_t)handle;
    instance->host = context->host;
    instance->api_version = context->host->api_version;
    pthread_mutex_init(&instance->enumeration_lock, NULL);
    if (!venus_object_insert(&context->objects, &instance->base,
                             (uint64_t)(uintptr_t)*args->pInstance)) {
        venus_release(context, &instance->base);
        return venus_fail(call, "the id of the new instance is 0 or in use");
    }
    // Another ring may have been creating one at the same time.
    if (!atomic_compare_exchange_strong(&context->instance, &(struct venus_instance *){NULL},
                                        instance)) {
        struct venus_object *root = venus_object_remove(&context->objects, WIRE_HANDLE_INSTANCE,
                                                        atomic_load(&instance->base.id));
        if (root)
            venus_release(context, root);
        return venus_fail(call, "the context has its instance already");
    }
    return true;
}

static bool destroy(struct venus_call *call, void *data)
{
    const struct wire_args_vkDestroyInstance *args = data;
    if (!args->instance)
        return true;
    struct venus_object *root = venus_object_remove(&call->context->objects, WIRE_HANDLE_INSTANCE,
                                                    (uintptr_t)args->instance);
    if (!root)
        return venus_fail(call, "no instance has this id");
    venus_release(call->context, root);
    return true;
}

const struct venus_handler_entry venus_instance_handlers[] = {
    {WIRE_vkEnumerateInstanceVersion, enumerate_version},
    {WIRE_vkEnumerateInstanceExtensionProperties, enumerate_extensions},
    {WIRE_vkEnumerateInstanceLayerProperties, enumerate_layers},
    {WIRE_vkCreateInstance, create},
    {WIRE_vkDestroyInstance, destroy},
    {0},
};
