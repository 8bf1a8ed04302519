"""Writes venus_driver.h, venus_driver.c (function tables of the host's driver) and venus_thunks.c (default handlers)."""
from model import Model
from tables import BANNER, upper_name


class DriverWriter:
    def __init__(self, model: Model):
        self.model, self.registry = model, model.registry
        names = [n for n in self.registry.commands if n in model.command_names and not self.registry.commands[n].private]
        for element in model.venus.findall('driver/command'):
            name = self.registry.command_name(element.get('name'))
            if name in self.registry.commands and name not in names:
                names.append(name)
        self.aliases = {n: [a for a, target in self.registry.command_aliases.items() if target == n] for n in names}
        self.instance, self.device = [], []
        for name in names:
            first = self.registry.commands[name].params[0]
            kind = self.registry.type_name(first.type) if not first.pointers else None
            if name in ('vkGetInstanceProcAddr', 'vkGetDeviceProcAddr'):
                continue
            if kind in ('VkInstance', 'VkPhysicalDevice'):
                self.instance.append(name)
            elif kind in ('VkDevice', 'VkQueue', 'VkCommandBuffer'):
                self.device.append(name)
        self.instance.append('vkGetDeviceProcAddr')
        self.ranges = {self.registry.command_name(e.get('command')): e for e in model.venus.findall('checks/range')}
        self.extents = {e.get('command'): e.get('is') for e in model.venus.findall('checks/extent')}
        self.core = {self.registry.command_name(c) for requires in self.registry.features.values() for r in requires for c in r.commands}

    def header(self) -> str:
        out = [BANNER, '''// Function tables of the host's driver. A member is NULL if the driver lacks the command under any of its names.
#ifndef VENUS_DRIVER_H
#define VENUS_DRIVER_H

#include "wire/wire.h"
''']
        for kind, names in (('instance', self.instance), ('device', self.device)):
            out.append('struct venus_%s_driver {' % kind)
            out += ['    PFN_%s %s;' % (n, n[2:]) for n in names]
            out.append('};\n')
        out.append('''void venus_instance_driver_load(struct venus_instance_driver *driver, PFN_vkGetInstanceProcAddr get, VkInstance instance);
void venus_device_driver_load(struct venus_device_driver *driver, PFN_vkGetDeviceProcAddr get, VkDevice device);

// Destroys an object of the device, whatever its type; types that are not destroyed one by one are ignored.
void venus_driver_destroy(const struct venus_device_driver *driver, VkDevice device, enum wire_handle type, uint64_t handle);

// The wire's type of handle for Vulkan's; WIRE_HANDLE_NONE where no such object crosses.
enum wire_handle venus_handle_of(VkObjectType type);

#endif''')
        return '\n'.join(out) + '\n'

    def source(self) -> str:
        out = [BANNER, '#include "venus_driver.h"\n']
        for kind, names, getter, handle in (('instance', self.instance, 'PFN_vkGetInstanceProcAddr', 'VkInstance'),
                                            ('device', self.device, 'PFN_vkGetDeviceProcAddr', 'VkDevice')):
            out.append('// Names in the order of the members; those tried next begin with +.')
            out.append('static const char *const %s_names[] = {' % kind)
            for name in names:
                out.append('    ' + ' '.join(['"%s",' % name] + ['"+%s",' % a for a in self.aliases.get(name, [])]))
            out.append('};\n')
            out.append('''void venus_%(kind)s_driver_load(struct venus_%(kind)s_driver *driver, %(getter)s get, %(handle)s object)
{
    PFN_vkVoidFunction *members = (PFN_vkVoidFunction *)driver;
    size_t count = 0;
    for (size_t i = 0; i < sizeof(%(kind)s_names) / sizeof(%(kind)s_names[0]); i++) {
        const char *name = %(kind)s_names[i];
        if (*name != '+')
            members[count++] = get(object, name);
        else if (!members[count - 1])
            members[count - 1] = get(object, name + 1);
    }
}
''' % dict(kind=kind, getter=getter, handle=handle))
            out.append('_Static_assert(sizeof(struct venus_%s_driver) == %d * sizeof(PFN_vkVoidFunction), "");\n' %
                       (kind, len(names)))
        out.append('''void venus_driver_destroy(const struct venus_device_driver *driver, VkDevice device, enum wire_handle type, uint64_t handle)
{
    if (!handle)
        return;
    switch (type) {''')
        seen = set()
        for name in self.device:
            params = self.registry.commands[name].params
            if not (name.startswith('vkDestroy') or name == 'vkFreeMemory') or len(params) != 3 or \
                    not self.model.is_handle(params[1].type) or params[1].pointers:
                continue
            kind = self.registry.type_name(params[1].type)
            if kind in seen or kind not in self.model.type_names:
                continue
            seen.add(kind)
            out.append('    case WIRE_HANDLE_%s:' % upper_name(kind))
            out.append('        if (driver->%s)' % name[2:])
            out.append('            driver->%s(device, (%s)(uintptr_t)handle, NULL);' % (name[2:], kind))
            out.append('        break;')
        out.append('    default:\n        break;\n    }\n}\n')
        out.append('enum wire_handle venus_handle_of(VkObjectType type)\n{\n    switch (type) {')
        for kind in sorted(n for n in self.model.type_names if self.model.is_handle(n)):
            if 'VK_OBJECT_TYPE_' + upper_name(kind) in self.registry.values:
                out.append('    case VK_OBJECT_TYPE_%s:\n        return WIRE_HANDLE_%s;' % ((upper_name(kind),) * 2))
        out.append('    default:\n        return WIRE_HANDLE_NONE;\n    }\n}')
        return '\n'.join(out) + '\n'

    # ---- thunks ----

    def _holds_handles(self, name):
        """Is it a struct with handles, which a driver fills in with its own?"""
        found = self.model.aggregate(name)
        return found is not None and any(self.model.is_handle(m.type) or self._holds_handles(m.type) for m in found.members
                                         if m.type != name)

    def thunk(self, name):
        """C text of the default handler; None where the signature does not say enough to write one. src/venus may lay a
        handler of its own over any of them."""
        command, model = self.registry.commands[name], self.model
        if command.private or name not in self.instance + self.device or name.startswith('vkFree'):
            return None
        params = command.params
        table = 'call->instance->vk' if name in self.instance else 'call->device->vk'
        function = '%s.%s' % (table, name[2:])
        if any(p.object_type for p in params):
            return None  # a handle in disguise
        if self.registry.type_name(params[0].type) == 'VkQueue':
            return None  # the driver's queue has a lock, and the guest's submissions a fence of ours
        outputs = [p for p in params if model.is_output(p)]
        if any(self._holds_handles(p.type) for p in outputs):
            return None
        handles = [p for p in outputs if model.is_handle(p.type)]
        body = ['    struct wire_args_%s *args = data;' % name,
                '    if (!%s)' % function, '        return venus_unsupported(call);']

        body += self._checks(name)

        def invoke(replaced=None):
            given = [(replaced or {}).get(p.name, 'args->' + p.name) for p in params]
            result = 'args->ret = ' if command.result != 'void' else ''
            return '%s%s(%s);' % (result, function, ', '.join(given))

        if handles:
            if not name.startswith('vkCreate') or handles != outputs or len(outputs) != 1 or name in self.instance:
                return None
            out = handles[0]
            kind = self.registry.type_name(out.type)
            if out.len:
                count = 'args->' + out.len[0]
                body += [
                    '    uint32_t count = %s;' % count,
                    '    %s *handles = venus_scratch(call, sizeof(*handles) * (count ? count : 1));' % out.type,
                    '    if (!handles)', '        return venus_fail(call, "out of memory");',
                    '    ' + invoke({out.name: 'handles'}),
                    '    return add_all(call, WIRE_HANDLE_%s, count, args->%s, handles);' % (upper_name(kind), out.name)]
            else:
                extent = self.extents.get(name)
                body += [
                    '    %s handle = VK_NULL_HANDLE;' % out.type,
                    '    ' + invoke({out.name: '&handle'}),
                    '    if (args->ret < 0)', '        return true;',
                    '    return venus_add(call, WIRE_HANDLE_%s, (uint64_t)(uintptr_t)*args->%s, (uint64_t)(uintptr_t)handle)%s;' %
                    (upper_name(kind), out.name,
                     ' &&\n        venus_set_extent(call, (uint64_t)(uintptr_t)*args->%s, args->%s)' % (out.name, extent) if extent else '')]
        elif name.startswith('vkDestroy'):
            target = [p for p in params if model.is_handle(p.type)][-1]
            if target is params[0]:
                return None
            kind = self.registry.type_name(target.type)
            body += [
                '    uint64_t handle;',
                '    if (!venus_take(call, WIRE_HANDLE_%s, (uint64_t)(uintptr_t)args->%s, &handle))' % (upper_name(kind), target.name),
                '        return false;',
                '    if (handle)',
                '        ' + invoke({target.name: '(%s)(uintptr_t)handle' % target.type}),
                '    return true;']
        else:
            body += ['    ' + invoke(), '    return true;']
        return 'static bool thunk_%s(struct venus_call *call, void *data)\n{\n%s\n}\n' % (name, '\n'.join(body))

    def _checks(self, name):
        """C text that refuses what drivers do not look at."""
        out = []
        if name in self.instance and name not in self.core:
            # Of an extension: what a driver without it does is not told anywhere.
            owners = [e.name for e in self.model.extensions
                      if any(self.registry.command_name(c) == name for r in e.requires for c in r.commands)]
            has = ' && '.join('!venus_extension_of_host(device, "%s")' % owner for owner in owners)
            out += ['    const struct venus_physical_device *device = (const struct venus_physical_device *)call->self;',
                    '    if (%s)' % has, '        return venus_unsupported(call);']
        check = self.ranges.get(name)
        if check is not None:
            first = check.get('first')
            count = check.get('count', '1')
            count = count if count.isdigit() else 'args->' + count
            if check.get('of'):
                most = 'venus_extent(call, WIRE_HANDLE_%s)' % upper_name(check.get('of'))
            else:
                most = 'call->device->physical_device->properties.limits.%s' % check.get('limit')
            out += ['    if (!venus_in_range(args->%s, %s, %s))' % (first, count, most),
                    '        return venus_fail(call, "%s is out of range");' % first]
        points = {'vkCmdDraw': 'GRAPHICS', 'vkCmdDispatch': 'COMPUTE', 'vkCmdTraceRays': 'RAY_TRACING'}
        for prefix, point in points.items():
            if name.startswith(prefix):
                # Nothing to draw with, as where the pipeline never came to be: drivers follow a null pointer.
                out += ['    if (!venus_bound(call, VENUS_LACKS_%s))' % point, '        return true;']
        return out

    # ---- shapes ----

    def _error(self, command):
        """What a command answers that cannot be carried out because of an object that never came to be."""
        errors = ['VK_ERROR_OUT_OF_DEVICE_MEMORY', 'VK_ERROR_OUT_OF_HOST_MEMORY']
        if command.name.startswith(('vkQueue', 'vkWait')):
            errors.insert(0, 'VK_ERROR_DEVICE_LOST')
        return next((error for error in errors if error in command.errors), 'VK_ERROR_UNKNOWN')

    def _made(self, name, command):
        """Initializers for the handles that a command of a device makes."""
        handles = [p for p in command.params if self.model.is_output(p) and self.model.is_handle(p.type)]
        kind = self.registry.type_name(command.params[0].type) if command.params else None
        if not handles or kind != 'VkDevice' or not name.startswith(('vkCreate', 'vkAllocate')):
            return []
        made = ['.made = WIRE_HANDLE_%s' % upper_name(self.registry.type_name(handles[0].type)),
                '.ids = offsetof(struct wire_args_%s, %s)' % (name, handles[0].name)]
        if handles[0].len:
            outer, _, inner = handles[0].len[0].partition('->')
            made.append('.count = offsetof(struct wire_args_%s, %s)' % (name, outer))
            if inner:
                info = next(p for p in command.params if p.name == outer)
                made.append('.inner = offsetof(%s, %s)' % (info.type, inner))
        return made

    def shapes(self) -> str:
        """What src/venus/failed.c must know of each command."""
        out = ['const struct venus_shape venus_shapes[WIRE_COMMAND_COUNT] = {']
        points = {'vkCmdDraw': 'GRAPHICS', 'vkCmdDispatch': 'COMPUTE', 'vkCmdTraceRays': 'RAY_TRACING'}
        for name in self.model.commands:
            command = self.registry.commands[name]
            shape = self._made(name, command)
            if self.model.resolved(command.result) == 'VkResult':
                shape += ['.result = offsetof(struct wire_args_%s, ret)' % name, '.error = %s' % self._error(command)]
            shape += ['.pipeline = VENUS_LACKS_%s' % point for prefix, point in points.items() if name.startswith(prefix)]
            if shape:
                out.append('    [WIRE_%s] = {%s},' % (name, ', '.join(shape)))
        return '\n'.join(out + ['};'])

    def thunks(self) -> str:
        out = [BANNER, '''#include "venus/device.h"
#include "venus/extensions.h"
#include "venus/extent.h"
#include "venus/failed.h"

// Gives every pipeline (or what else is created in batches) to the object table; those that failed become id 0.
static bool add_all(struct venus_call *call, enum wire_handle type, uint32_t count, void *ids, const void *handles)
{
    uint64_t *id = ids;
    const uint64_t *handle = handles;
    for (uint32_t i = 0; i < count; i++) {
        if (!handle[i]) {
            venus_failed_add(call, &call->device->base, type, id[i]);
            id[i] = 0;
        } else if (!venus_add(call, type, id[i], handle[i])) {
            while (++i < count)
                venus_driver_destroy(&call->device->vk, venus_device_handle(call->device), type, handle[i]);
            return false;
        }
    }
    return true;
}
''']
        table = ['const venus_handler venus_thunks[WIRE_COMMAND_COUNT] = {']
        for name in self.model.commands:
            text = self.thunk(name)
            if text:
                out.append(text)
                table.append('    [WIRE_%s] = thunk_%s,' % (name, name))
        table.append('};\nconst uint32_t venus_thunk_count = WIRE_COMMAND_COUNT;')
        return '\n'.join(out + table + ['', self.shapes()]) + '\n'
