#!/usr/bin/env python3
"""Writes random but valid requests, each with a reply that fits, for every command: input of test_samples.

Follows the wire rules straight from the generator's model (whose every item the oracle test compares with the protocol's
documentation), knowing nothing of programs, ops and C layouts: what those get wrong shows as a difference."""
import argparse
import functools
import os
import random
import re
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../protocol'))

import generate  # noqa: E402
from layout import Layouts  # noqa: E402
from model import FULL, PARTIAL, PRESENCE  # noqa: E402

VARIABLE = re.compile(r'[A-Za-z_]\w*')


class Writer:
    """One request and its reply. `env` maps the names of a struct's or command's members to what was written for them:
    numbers, the env of a structure, a list of those."""

    def __init__(self, model, rng, uncovered):
        self.model, self.rng, self.uncovered = model, rng, uncovered
        self.layouts = Layouts(model)
        # Members that measure an array outside of their structure.
        self.followed = {n for c in model.commands for item in model.request(c) for e in item.lens
                         for n in re.findall(r'(?:->|\]\.)(\w+)', e)}
        self.checked = model.checked_enums()
        self.written = {e.get('name'): int(e.get('written')) for e in model.venus.findall('special/union')}

    def u32(self, value):
        self.out += struct.pack('<I', value & 0xffffffff)

    def u64(self, value):
        self.out += struct.pack('<Q', value & 0xffffffffffffffff)

    def padded(self, data):
        self.out += data + bytes(-len(data) % 4)

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    # ---- values ----

    def scalar(self, width, value=None):
        if value is None:
            value = self.rng.getrandbits(8 * width)
        if width == 8:
            self.u64(value)
        else:
            self.u32(value)
        return value

    def enumerant(self, name):
        """Of an enum whose values are looked at."""
        return self.rng.choice(sorted(self.model.registry.groups[name].values()))

    def handle(self, null_allowed=True):
        value = 0 if null_allowed and self.chance(20) else self.rng.randrange(1, 1 << 64)
        self.u64(value)
        return value

    def fresh_count(self, limit=4):
        return self.rng.randrange(limit)

    def value(self, item, members, env, limits):
        """A member in place; `limits`: counters of output arrays that must not grow in a reply."""
        model, name = self.model, item.name
        width = model.width(item.type)
        if width:
            value = None
            if name in limits:
                value = limits[name]
            elif self.is_length(name, members):
                value = self.length_value(name, members)
            if item.type in self.checked:
                value = self.enumerant(item.type)
            selected = next((m for m in members if m.selector == name), None)
            if selected:
                value = self.rng.choice(model.arms(model.resolved(selected.type), name))[0]
            env[name] = self.scalar(width, value)
        elif model.is_handle(item.type):
            env[name] = self.handle()
        elif model.aggregate(item.type).category == 'union':
            self.union(item, env)
        else:
            env[name] = self.struct(item.type, item.form)

    def union(self, item, env):
        arms = self.model.arms(item.type, item.member.selector)
        if item.member.selector:
            tag = env[item.member.selector]
        else:
            tag = self.written.get(item.type, 0)
        self.u32(tag)
        chosen = next(i for t, i, _ in arms if t == tag)
        self.item(chosen, [], {}, {})

    def is_length(self, name, members):
        return name in self.followed or any(name in VARIABLE.findall(expression) for m in members if not m.dims for expression in m.len)

    def length_value(self, name, members):
        expression = next((e for m in members if not m.dims for e in m.len if name in VARIABLE.findall(e)), name)
        if '/ 4' in expression:
            return 4 * self.fresh_count()
        if '/ 32' in expression:
            return self.rng.choice((1, 2, 4, 8, 16, 32, 64))
        return self.fresh_count()

    def length(self, expression, env, i=0):
        constant = self.model.constant(expression)
        if constant is not None:
            return constant
        match = re.fullmatch(r'(\w+) / 4', expression)
        if match:
            return env[match.group(1)] // 4
        match = re.fullmatch(r'\((\w+) \+ 31\) / 32', expression)
        if match:
            return (env[match.group(1)] + 31) // 32
        match = re.fullmatch(r'(\w+)->(\w+)', expression)
        if match:
            return env[match.group(1)][match.group(2)] if env[match.group(1)] else 0
        match = re.fullmatch(r'(\w+)\[i\]\.(\w+)', expression)
        if match:
            return env[match.group(1)][i][match.group(2)]
        return env[expression] or 0

    # ---- items ----

    def item(self, item, members, env, limits, present=None):
        """present: None to choose whether an optional pointer is there, else as given."""
        if item.kind == 'absent':
            self.u64(0)
        elif item.kind == 'value':
            self.value(item, members, env, limits)
        elif item.kind == 'static':
            self.static(item)
        elif item.kind == 'pointer':
            self.pointer(item, members, env, limits, present)
        else:
            self.array(item, env, present)

    def static(self, item):
        count = self.model.constant(item.lens[0])
        self.u64(count)
        width = self.model.width(item.type)
        if width:
            self.padded(self.rng.randbytes(width * count))
        else:
            for _ in range(count):
                self.element(item)

    def element(self, item):
        if self.model.is_handle(item.type):
            return self.handle()
        if self.model.aggregate(item.type).category == 'union':
            return self.union(item, {})
        return self.struct(item.type, item.form)

    def pointer(self, item, members, env, limits, present):
        if present is None:
            present = not item.optional or self.chance(60)
        self.u64(1 if present else 0)
        env[item.name] = None
        if not present or item.form == PRESENCE:
            return
        if self.model.width(item.type):
            self.value(item, members, env, limits)
        else:
            env[item.name] = self.element(item) or {}

    def array(self, item, env, present):
        if item.lens == ['null-terminated']:
            if item.optional and self.chance(40):
                self.u64(0)
            else:
                self.string()
            return
        count = self.length(item.lens[0], env)
        if present is None:
            present = not item.optional or item.member.counted or self.chance(70)
        if not present:
            count = 0
        self.u64(count)
        env[item.name] = None if not count else []
        if item.form == PRESENCE:
            return
        for_bytes = 1 if item.type == 'blob' else self.model.width(item.type)
        if len(item.lens) == 2 and item.lens[1] == 'null-terminated':
            for _ in range(count):
                self.string()
        elif len(item.lens) == 2 and item.lens[1] != '1':
            for i in range(count):
                inner = self.length(item.lens[1], env, i)
                self.u64(inner)
                if for_bytes:
                    self.padded(self.rng.randbytes(inner * for_bytes))
                else:
                    for _ in range(inner):
                        self.element(item)
        elif for_bytes:
            self.padded(self.rng.randbytes(count * for_bytes))
        else:
            for _ in range(count):
                if len(item.lens) == 2:
                    self.u64(1)
                element = self.element(item)
                if isinstance(element, dict):
                    env[item.name].append(element)

    def string(self):
        text = bytes(self.rng.randrange(97, 123) for _ in range(self.rng.randrange(7))) + b'\0'
        self.u64(len(text))
        self.padded(text)

    # ---- structures ----

    def struct(self, name, form):
        struct = self.model.aggregate(name)
        env = {}
        self.depth += 1
        if struct.stype:
            self.u32(self.model.stype_value(struct.name))
            children = list(self.model.children.get(struct.name, []))
            missing = [c for c in children if (struct.name, c, form) in self.uncovered]
            if self.depth > 3 or not missing and not self.chance(30):
                chosen = []
            else:
                chosen = self.rng.sample(missing or children, min(len(missing or children), self.rng.randrange(1, 40)))
            for child in chosen:
                self.uncovered.discard((struct.name, child, form))
                self.u64(1)
                self.u32(self.model.stype_value(child))
            self.u64(0)
            for child in reversed(chosen):
                self.body(child, form, {})
        self.body(name, form, env)
        self.depth -= 1
        return env

    def body(self, name, form, env):
        members = self.model.aggregate(name).members
        for item in self.model.members(name, form):
            self.item(item, members, env, {})

    # ---- commands ----

    def request(self, name):
        model, command = self.model, self.model.registry.commands[name]
        self.out, self.depth = bytearray(), 0
        self.u32(model.numbers[name])
        self.u32(1)
        env, given = {}, {}
        raw = name.startswith(('vkFree', 'vkDestroy'))
        for index, item in enumerate(model.request(name)):
            before = len(self.out)
            stride = next((p for p in command.params if p.stride == item.name), None)
            if index == 0 and model.is_handle(item.type) and item.kind == 'value':
                self.handle(null_allowed=False)
            elif stride:
                env[item.name] = self.scalar(4, self.layouts.of_type(stride.type)[0])
            else:
                self.item(item, command.params, env, {},
                          True if raw and item.kind == 'array' and model.is_handle(item.type) else None)
            given[item.name] = any(self.out[before:before + 8]) if item.kind in ('pointer', 'array') else None
        return bytes(self.out), env, given

    def reply(self, name, env, given):
        """Fits the request: an array that was NULL stays so, counters do not grow."""
        model, command = self.model, self.model.registry.commands[name]
        self.out = bytearray()
        self.u32(model.numbers[name])
        result = model.resolved(command.result)
        if result != 'void':
            self.scalar(model.width(result))
        items = model.reply(name)
        limits = {n: self.rng.randrange(env[n] + 1) if isinstance(env.get(n), int) else 0
                  for n in (i.name for i in items) if self.is_length(n, command.params)}
        new = dict(env)
        for item in items:
            self.item(item, command.params, new, limits, bool(given[item.name]))
        return bytes(self.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--xml', required=True)
    parser.add_argument('--venus', required=True)
    parser.add_argument('--out', required=True, help='file: u32 size, bytes of a request, u32 size, bytes of its reply, and so on')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--each', type=int, default=24, help='samples per command')
    options = parser.parse_args()
    model = generate.load(options.xml, options.venus)
    for slow in ('members', 'request', 'reply', 'arms', 'width', 'is_handle', 'aggregate', 'constant', 'stype_value'):
        setattr(model, slow, functools.lru_cache(None)(getattr(model, slow)))
    rng = random.Random(options.seed)
    pairs = {(p, c, form) for p, children in model.children.items() for c in children for form in (FULL, PARTIAL)}
    uncovered = set(pairs)
    writer = Writer(model, rng, uncovered)
    with open(options.out, 'wb') as file:
        for name in model.commands:
            for _ in range(options.each):
                request, env, given = writer.request(name)
                reply = writer.reply(name, env, given)
                for data in (request, reply):
                    file.write(struct.pack('<I', len(data)) + data)
    never = {(p, c) for p, c, form in pairs} - {(p, c) for p, c, form in pairs - uncovered}
    if never:
        raise SystemExit('%d chain pairs that no sample has, as %s' % (len(never), min(never)))


if __name__ == '__main__':
    main()
