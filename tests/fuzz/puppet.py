#!/usr/bin/env python3
"""Writes the functions of the fuzzers' driver: puppet.py VK_XML VENUS_XML OUT.c.

Each puts its arguments into the structure that the codec has for the command and hands it to puppet.c, which looks at
all that is in it and makes up results. So the driver has every command that Hesper may call."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../protocol'))

from driver import DriverWriter  # noqa: E402
from generate import load  # noqa: E402
from tables import BANNER, upper_name  # noqa: E402


class PuppetWriter:
    def __init__(self, model):
        self.model, self.registry = model, model.registry
        driver = DriverWriter(model)
        self.names = [n for n in driver.instance + driver.device if n in model.commands]

    def function(self, name):
        command = self.registry.commands[name]
        out = ['static VKAPI_ATTR %s VKAPI_CALL puppet_%s(%s)\n{' % (
            command.result, name, ', '.join(p.declaration for p in command.params))]
        out.append('    struct wire_args_%s args = {0};' % name)
        for p in command.params:
            if p.dims:
                out.append('    memcpy(args.%s, %s, sizeof(args.%s));' % ((p.name,) * 3))
            else:
                out.append('    args.%s = %s;' % (p.name, p.name))
        outputs = [p for p in command.params if self.model.is_output(p)]
        made = [p for p in outputs if self.model.is_handle(p.type) and name != 'vkEnumeratePhysicalDevices']
        for p in made:
            out += self.for_each(p, 'VK_NULL_HANDLE')
        counts = [p for p in outputs if any(p.name in q.len for q in command.params)]
        keep = counts[0].name if counts else 'NULL'
        out.append('    const int32_t result = puppet_call(WIRE_%s, &args, %s);' % (name, keep))
        for p in made:
            kind = upper_name(self.registry.type_name(p.type))
            out += self.for_each(p, '(%s)(uintptr_t)puppet_made(WIRE_HANDLE_%s, result)' % (p.type, kind))
        for p in counts:
            array = next(q.name for q in outputs if p.name in q.len)
            out.append('    if (%s)\n        *%s = (%s)puppet_count(%s ? *%s : 5);' % (p.name, p.name, p.type, array, p.name))
        out += self.gone(name, command)
        if command.result == 'VkResult':
            out.append('    return (VkResult)result;')
        elif command.result != 'void':
            out += ['    (void)result;', '    return (%s)puppet_random();' % command.result]
        else:
            out.append('    (void)result;')
        return '\n'.join(out + ['}\n'])

    def for_each(self, param, value):
        count = param.len[0] if param.len else '1'
        return ['    for (uint32_t i = 0; %s && i < %s; i++)' % (param.name, count),
                '        %s[i] = %s;' % (param.name, value)]

    def gone(self, name, command):
        if not command.destroys:
            return []
        handles = [p for p in command.params if self.model.is_handle(p.type)]
        param = handles[-1]
        kind = upper_name(self.registry.type_name(param.type))
        if param.pointers:
            return ['    for (uint32_t i = 0; %s && i < %s; i++)' % (param.name, param.len[0]),
                    '        puppet_gone(WIRE_HANDLE_%s, (uint64_t)(uintptr_t)%s[i]);' % (kind, param.name)]
        return ['    puppet_gone(WIRE_HANDLE_%s, (uint64_t)(uintptr_t)%s);' % (kind, param.name)]

    def text(self):
        out = [BANNER, '#include "puppet.h"\n\n#include <string.h>\n']
        out += [self.function(name) for name in self.names]
        out.append('const struct puppet_function puppet_functions[] = {')
        for name in self.names:
            aliases = [a for a, target in self.registry.command_aliases.items() if target == name]
            out += ['    {"%s", (PFN_vkVoidFunction)puppet_%s},' % (n, name) for n in [name] + aliases]
        out.append('    {NULL, NULL},\n};')
        return '\n'.join(out) + '\n'


if __name__ == '__main__':
    xml, venus, path = sys.argv[1:]
    with open(path, 'w') as file:
        file.write(PuppetWriter(load(xml, venus)).text())
