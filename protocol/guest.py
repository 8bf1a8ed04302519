"""Writes guest_vulkan.h and guest_vulkan.c: the entry points of the guest kit (guest/vulkan), and the table of their names."""
from model import Model
from tables import BANNER

# Written by hand in guest/vulkan: they make or end objects that have a structure, or never cross.
BY_HAND = '''
vkCreateInstance vkDestroyInstance vkEnumerateInstanceVersion vkEnumerateInstanceExtensionProperties
vkEnumerateInstanceLayerProperties vkEnumerateDeviceLayerProperties vkEnumerateDeviceExtensionProperties
vkEnumeratePhysicalDevices vkEnumeratePhysicalDeviceGroups vkGetInstanceProcAddr vkGetDeviceProcAddr
vkGetPhysicalDeviceToolProperties
vkCreateDevice vkDestroyDevice vkGetDeviceQueue vkGetDeviceQueue2 vkQueueWaitIdle vkDeviceWaitIdle
vkAllocateMemory vkFreeMemory vkMapMemory vkUnmapMemory vkMapMemory2 vkUnmapMemory2 vkFlushMappedMemoryRanges
vkInvalidateMappedMemoryRanges
vkAllocateCommandBuffers vkFreeCommandBuffers vkDestroyCommandPool
vkCreateDescriptorUpdateTemplate vkDestroyDescriptorUpdateTemplate vkUpdateDescriptorSetWithTemplate
vkCmdPushDescriptorSetWithTemplate vkCreateQueryPool
vkDestroySurfaceKHR vkGetPhysicalDeviceSurfaceSupportKHR vkGetPhysicalDeviceSurfaceCapabilitiesKHR
vkGetPhysicalDeviceSurfaceFormatsKHR vkGetPhysicalDeviceSurfacePresentModesKHR
vkGetPhysicalDeviceDisplayPropertiesKHR vkGetPhysicalDeviceDisplayPlanePropertiesKHR vkGetDisplayPlaneSupportedDisplaysKHR
vkGetDisplayModePropertiesKHR vkCreateDisplayModeKHR vkGetDisplayPlaneCapabilitiesKHR vkCreateDisplayPlaneSurfaceKHR
vkCreateSwapchainKHR vkDestroySwapchainKHR vkGetSwapchainImagesKHR vkAcquireNextImageKHR vkAcquireNextImage2KHR
vkQueuePresentKHR
'''.split()

# Their plain form is generated, as guest_plain_NAME; what a program calls is written by hand and uses that.
WRAPPED = '''
vkGetPhysicalDeviceProperties vkGetPhysicalDeviceProperties2
vkCreateBuffer vkCreateImage vkCreateFramebuffer vkCreateGraphicsPipelines vkBeginCommandBuffer
vkUpdateDescriptorSets vkCmdPushDescriptorSet
vkWaitForFences vkWaitSemaphores vkGetQueryPoolResults
vkSetPrivateData vkGetPrivateData
vkCmdDrawMultiEXT vkCmdDrawMultiIndexedEXT
vkCmdPipelineBarrier vkCmdPipelineBarrier2 vkCreateRenderPass vkCreateRenderPass2
'''.split()

LEVELS = {'VkInstance': 'INSTANCE', 'VkPhysicalDevice': 'PHYSICAL_DEVICE', 'VkDevice': 'DEVICE', 'VkQueue': 'DEVICE',
          'VkCommandBuffer': 'DEVICE'}


class GuestWriter:
    def __init__(self, model: Model):
        self.model, self.registry = model, model.registry
        known = [n for n in self.registry.commands if not self.registry.commands[n].private]
        self.by_hand = [n for n in BY_HAND if n in known]
        self.wrapped = [n for n in WRAPPED if n in model.commands]
        generated = [n for n in model.commands if n in known and n not in BY_HAND and self._can(n)]
        self.generated = generated
        self.names = sorted(set(generated) | set(self.by_hand))

    def _can(self, name):
        """Ids are chosen for handles that lie in a place of their own, or in an array of as many as a parameter says."""
        command = self.registry.commands[name]
        outputs = [p for p in command.params if self.model.is_output(p)]
        if any(self.model.is_handle(p.type) and self._dispatchable(p.type) for p in outputs):
            raise SystemExit('%s makes objects that have a structure: write it by hand (guest.py)' % name)
        return True

    def _dispatchable(self, name):
        found = self.registry.type(name)
        return found.dispatchable or found.name == 'VkDeviceMemory'

    def level(self, name):
        params = self.registry.commands[name].params
        return LEVELS.get(self.registry.type_name(params[0].type), 'GLOBAL') if params and not params[0].pointers else 'GLOBAL'

    def prototype(self, name, function):
        command = self.registry.commands[name]
        return 'VKAPI_ATTR %s VKAPI_CALL %s(%s)' % (command.result, function, ', '.join(p.declaration for p in command.params))

    def body(self, name):
        command, model = self.registry.commands[name], self.model
        function = 'guest_plain_' + name if name in self.wrapped else name
        first = command.params[0].name
        outputs = [p for p in command.params if model.is_output(p)]
        handles = [p for p in outputs if model.is_handle(p.type)]
        is_result = model.resolved(command.result) == 'VkResult'
        fields = ['.%s = %s' % (p.name, p.name) for p in command.params if not p.dims and p.type != 'VkAllocationCallbacks']
        if is_result:
            fields.append('.ret = VK_ERROR_DEVICE_LOST')
        lines = ['    struct wire_args_%s args = {%s};' % (name, ', '.join(fields))]
        lines += ['    memcpy(args.%s, %s, sizeof(args.%s));' % (p.name, p.name, p.name) for p in command.params if p.dims]
        lines += ['    guest_name(%s, %s);' % (self.count(p), p.name) for p in handles]
        reply = 'true' if outputs or command.result != 'void' else 'false'
        if command.params[0].type == 'VkPhysicalDevice':
            lines.append('    guest_ask(%s, WIRE_%s, &args);' % (first, name))
        elif command.params[0].type == 'VkCommandBuffer' and reply == 'false':
            lines.append('    guest_record(%s, WIRE_%s, &args);' % (first, name))
        else:
            lines.append('    guest_call(%s, WIRE_%s, &args, %s);' % (first, name, reply))
        for p in handles:
            if not p.len or '->' in p.len[0]:  # all or nothing
                lines += ['    if (args.ret < 0)', '        guest_unname(%s, %s);' % (self.count(p), p.name)]
            else:
                lines += ['    if (args.ret == VK_ERROR_DEVICE_LOST)', '        guest_unname(%s, %s);' % (self.count(p), p.name)]
        if command.result != 'void':
            lines.append('    return args.ret;')
        return '%s\n{\n%s\n}\n' % (self.prototype(name, function), '\n'.join(lines))

    @staticmethod
    def count(param):
        return param.len[0] if param.len else '1'

    def header(self) -> str:
        out = [BANNER, '''// Entry points of the guest kit that wrap generated ones, and the table of names.
#ifndef GUEST_VULKAN_H
#define GUEST_VULKAN_H

#include "wire/wire.h"

enum guest_level { GUEST_LEVEL_GLOBAL, GUEST_LEVEL_INSTANCE, GUEST_LEVEL_PHYSICAL_DEVICE, GUEST_LEVEL_DEVICE };

struct guest_entry {
    const char *name;
    PFN_vkVoidFunction function;
    enum guest_level level;
};
extern const struct guest_entry guest_entries[]; // sorted by name
extern const uint32_t guest_entry_count;
''']
        out += [self.prototype(n, 'guest_plain_' + n) + ';' for n in self.wrapped]
        return '\n'.join(out + ['\n#endif']) + '\n'

    def source(self) -> str:
        out = [BANNER, '''#include "guest_vulkan.h"
#include "guest/vulkan/objects.h"
''']
        out += [self.body(n) for n in self.generated]
        out.append('const struct guest_entry guest_entries[] = {')
        names = {n: n for n in self.names}
        for alias, target in self.registry.command_aliases.items():
            if target in names:
                names[alias] = target
        for name in sorted(names):
            out.append('    {"%s", (PFN_vkVoidFunction)%s, GUEST_LEVEL_%s},' % (name, names[name], self.level(names[name])))
        out.append('};\nconst uint32_t guest_entry_count = %d;' % len(names))
        return '\n'.join(out) + '\n'
