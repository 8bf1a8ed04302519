"""The wire rules of the Venus protocol, applied to the registry: which types and commands there are, and for each the list of
items that cross, in wire order. Nothing here knows about C or about tables."""
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from registry import Extension, Member, Registry, Type, depends_satisfied

SCALARS = {  # C type: width on the wire inside an array
    'int8_t': 1, 'uint8_t': 1, 'char': 1, 'int16_t': 2, 'uint16_t': 2, 'int32_t': 4, 'uint32_t': 4, 'float': 4,
    'int64_t': 8, 'uint64_t': 8, 'double': 8, 'size_t': 8,
}

FULL, PARTIAL, PRESENCE = 'full', 'partial', 'presence'


@dataclass
class Item:
    """One member or parameter on the wire."""
    member: Member
    kind: str  # value, pointer, array, static, absent
    type: str  # canonical name; 'blob' for void with a length
    form: str  # FULL, PARTIAL (handles and structs: what a skeleton keeps), PRESENCE (presence or count only)
    lens: List[str] = field(default_factory=list)
    optional: bool = False

    @property
    def name(self):
        return self.member.name

    def text(self) -> str:
        """For comparison with the oracle (tests/unit/wire/oracle.py)."""
        if self.kind == 'absent':
            return '%s: absent-pointer(u64 0)' % self.name
        form = {FULL: '', PARTIAL: ' {partial}', PRESENCE: ' {presence-or-count only}'}[self.form]
        if self.kind == 'value':
            selector = ' selector=' + self.member.selector if self.member.selector else ''
            return '%s: value %s%s%s' % (self.name, self.type, form, selector)
        if self.kind == 'static':
            return '%s: static-array %s [%s]%s' % (self.name, self.type, self.lens[0], form)
        if self.kind == 'pointer':
            return '%s: pointer %s%s%s' % (self.name, self.type, form, '' if self.optional else ' (must be present)')
        return '%s: array %s [%s]%s%s' % (self.name, self.type, ' ; '.join(self.lens), form,
                                          ' (may be empty)' if self.optional else '')


@dataclass
class ChainPair:
    parent: str
    child: str


class Unencodable(Exception):
    pass


class Model:
    def __init__(self, registry: Registry, venus):
        """`venus`: root element of venus.xml, already read into `registry` for its types and commands."""
        self.registry = registry
        self.venus = venus
        self.numbers: Dict[str, int] = {}
        self.aliases: Dict[str, List[str]] = {}
        self.blocked = {e.get('name') for e in venus.find('block')}
        self.special = {(e.get('of'), e.get('name')): e for e in venus.findall('special/member')}
        for (owner, name), element in self.special.items():
            found = registry.type(owner)
            for member in [m for m in (found.members if found else []) if m.name == name]:
                member.counted = element.get('counted') == 'true'
                member.optional_elements |= element.get('null') == 'true'
                member.never_null |= element.get('null') == 'false'
        # Structures whose enumerants are looked at, for drivers index tables with them.
        self.checked = {registry.type_name(e.get('of')) for e in venus.findall('checks/enumerants')}
        self.unchecked = {'VkStructureType', *(e.get('of') for e in venus.findall('checks/any'))}
        self._vocabulary()
        self._encodable: Dict[str, Optional[str]] = {}
        self.children = self._chains()
        self.commands = self._commands()

    # ---- vocabulary ----

    def _vocabulary(self):
        registry, venus = self.registry, self.venus
        vocabulary = venus.find('vocabulary')
        self.vocabulary_version = tuple(int(n) for n in vocabulary.get('version').split('.'))
        core = tuple(int(n) for n in vocabulary.get('core').split('.'))
        features = [f for f, n in registry.feature_numbers.items() if tuple(int(x) for x in n.split('.')) <= core]
        self.extensions: List[Extension] = []
        for element in venus.findall('extensions/extension'):
            known = registry.extensions.get(element.get('name'))
            if known:
                if known.number != int(element.get('number')):
                    raise SystemExit('%s: number %d in vk.xml, %s in venus.xml' %
                                     (known.name, known.number, element.get('number')))
                self.extensions.append(Extension(known.name, known.number, min(known.spec, int(element.get('spec'))),
                                                 known.requires, known.promoted))
        names = set(features) | {e.name for e in self.extensions}
        self.type_names, command_names = set(), set()
        for requires in [registry.features[f] for f in features] + [e.requires for e in self.extensions]:
            for require in requires:
                if depends_satisfied(require.depends, names):
                    self.type_names.update(registry.type_name(t) for t in require.types)
                    command_names.update(registry.command_name(c) for c in require.commands)
        self.type_names.update(t.name for t in registry.types.values() if t.private)
        command_names.update(c.name for c in registry.commands.values() if c.private)
        self.command_names = command_names
        for element in venus.findall('numbers/command'):
            number = int(element.get('number'))
            for name in [element.get('name')] + (element.get('alias') or '').split(','):
                canonical = registry.command_name(name)
                if name and canonical in registry.commands:
                    if self.numbers.setdefault(canonical, number) != number:
                        raise SystemExit('%s has two numbers in venus.xml' % canonical)
                    if name != canonical:
                        self.aliases.setdefault(canonical, []).append(name)

    def _commands(self):
        """Commands that may cross, by number."""
        found = {}
        for name in self.command_names:
            if name in self.numbers and name not in self.blocked:
                try:
                    self.request(name)
                    self.reply(name)
                except Unencodable:
                    continue
                found[name] = self.numbers[name]
        # What a spec version of our own adds comes whole or not at all.
        for require in self.venus.findall('private/extension/require'):
            names = [c.get('name') for c in require.findall('command')]
            if not all(name in found for name in names):
                for name in names:
                    found.pop(name, None)
        return dict(sorted(found.items(), key=lambda pair: pair[1]))

    def spec_of_protocol(self) -> int:
        """Highest spec version of VK_MESA_venus_protocol all of whose types and commands are there."""
        spec = 0
        for require in self.venus.findall('private/extension[@name="VK_MESA_venus_protocol"]/require'):
            for item in require:
                if item.tag == 'command' and item.get('name') not in self.commands:
                    return spec
                if item.tag == 'type' and not self.encodable(item.get('name')):
                    return spec
            spec = int(require.get('spec'))
        return spec

    # ---- types ----

    def resolved(self, name) -> str:
        """Canonical name; bitmasks become what they are a typedef of."""
        found = self.registry.type(name)
        if found is None:
            return name
        if found.category == 'bitmask':
            return found.base
        return found.name

    def width(self, name) -> Optional[int]:
        """Bytes of a scalar in an array on the wire, which is its size in C too; None if it is not a scalar."""
        if name in SCALARS:
            return SCALARS[name]
        found = self.registry.type(name)
        if found is None:
            return None
        if found.category == 'enum':
            return 8 if found.bitwidth == 64 else 4
        if found.category in ('bitmask', 'basetype') and found.base:
            return self.width(found.base)
        return None

    def is_handle(self, name):
        found = self.registry.type(name)
        return found is not None and found.category == 'handle'

    def kind(self, item: 'Item') -> tuple:
        """What a person would call the values of an item: a name of enum wire_kind, and the type that says more."""
        if item.kind == 'absent':
            return 'ABSENT', ''
        return ('BYTES', '') if item.type == 'blob' else self.kind_of(item.member.type)

    def kind_of(self, name) -> tuple:
        found = self.registry.type(name)
        if found is not None and found.category == 'bitmask':
            return 'FLAGS', found.bits or ''
        if found is not None and found.category == 'enum':
            return 'FLAGS' if re.search(r'FlagBits\d*[A-Z]*$', found.name) else 'ENUM', found.name
        if found is not None and found.category == 'handle':
            return 'HANDLE', found.name
        if self.aggregate(name):
            return 'STRUCT', self.aggregate(name).name
        named = {'char': 'CHAR', 'float': 'FLOAT', 'double': 'FLOAT', 'VkBool32': 'BOOL', 'VkDeviceAddress': 'ADDRESS'}
        return named.get(name, 'SIGNED' if name.startswith('int') else 'UNSIGNED'), ''

    def aggregate(self, name) -> Optional[Type]:
        found = self.registry.type(name)
        return found if found is not None and found.category in ('struct', 'union') else None

    def constant(self, text) -> Optional[int]:
        """Value of a length made of numbers and API constants only."""
        product = 1
        for factor in text.split('*'):
            try:
                product *= self.registry.value(factor)
            except KeyError:
                return None
        return product

    def checked_enum(self, owner, member: Member) -> Optional[str]:
        """The enum whose values alone the member may have; vk.xml says where that is told in words instead."""
        if owner not in self.checked or member.noautovalidity or member.pointers or member.dims:
            return None
        kind, of = self.kind_of(member.type)
        return of if kind == 'ENUM' and of not in self.unchecked else None

    def checked_enums(self) -> set:
        return {self.checked_enum(owner, m) for owner in self.checked for m in self.registry.type(owner).members} - {None}

    def encodable(self, name) -> bool:
        """Can a value of the type cross?"""
        name = self.resolved(name)
        if name not in self._encodable:
            self._encodable[name] = False  # a type that contains itself can't
            self._encodable[name] = self._is_encodable(name)
        return self._encodable[name]

    def _is_encodable(self, name):
        if name in self.blocked:
            return False
        if self.width(name):
            return True
        found = self.registry.type(name)
        if found is None or (not found.private and found.name not in self.type_names):
            return False
        if found.category == 'handle':
            return True
        if found.category not in ('struct', 'union') or found.name in ('VkBaseInStructure', 'VkBaseOutStructure'):
            return False
        try:
            if found.category == 'union':
                return bool(self.arms(found.name, None))
            self.members(found.name, FULL)
        except Unencodable:
            return False
        return True

    # ---- items ----

    def _item(self, member: Member, owner: str, form: str) -> Optional[Item]:
        """How the member crosses in FULL form, or as part of a skeleton (None: not at all)."""
        type_name = self.resolved(member.type)
        if member.bits:
            raise Unencodable(owner)
        if member.dims:
            if len(member.dims) > 1 or member.pointers or not self.encodable(type_name):
                raise Unencodable(owner)
            return self._formed(Item(member, 'static', type_name, FULL, [member.dims[0]]), form)
        if not member.pointers:
            if not self.encodable(type_name):
                raise Unencodable(owner)
            return self._formed(Item(member, 'value', type_name, FULL), form)
        special = self.special.get((owner, member.name))
        lens = special.get('len').split(',') if special is not None and special.get('len') else list(member.len)
        if type_name == 'void' and lens:
            type_name = 'blob'
        if type_name != 'blob' and not self.encodable(type_name) or lens and len(lens) < member.pointers \
                and type_name != 'blob' or not lens and member.pointers > 1:
            if member.optional:
                return Item(member, 'absent', type_name, FULL)
            raise Unencodable(owner)
        if lens:
            return self._formed(Item(member, 'array', type_name, FULL, lens, member.optional or member.noautovalidity), form)
        return self._formed(Item(member, 'pointer', type_name, FULL, [], member.optional), form)

    def _formed(self, item: Item, form: str) -> Optional[Item]:
        if form == FULL:
            return item
        kept = item.type != 'blob' and (self.is_handle(item.type) or
                                        self.aggregate(item.type) is not None and
                                        self.aggregate(item.type).category == 'struct')
        if kept:
            item.form = PARTIAL
        elif item.kind in ('pointer', 'array'):
            item.form = PRESENCE
        else:
            return None
        return item

    def members(self, name, form) -> List[Item]:
        """Items of a struct without sType and pNext."""
        struct = self.registry.type(name)
        lengths = {}
        own = {m.name for m in struct.members}
        for m in struct.members:
            if m.len and not m.dims:
                for word in re.findall(r'[A-Za-z_]\w*', m.len[0]):
                    if word in own:
                        lengths[word] = m
        ordered = self._lengths_first(struct.members[2:] if struct.stype else struct.members)
        items = []
        for m in ordered:
            item = self._item(m, struct.name, FULL if m.name in lengths else form)
            if item:
                items.append(item)
        return items

    @staticmethod
    def _lengths_first(members: List[Member]) -> List[Member]:
        """A length that follows its array is moved in front of it."""
        ordered = list(members)
        for m in members:
            if not m.len or m.dims:
                continue
            for other in members:
                if other.name == m.len[0] and ordered.index(other) > ordered.index(m):
                    ordered.remove(other)
                    ordered.insert(ordered.index(m), other)
        return ordered

    def arms(self, name, selector_type) -> List[tuple]:
        """(tag, item) per choice of a union; without a selector tags count from 0."""
        union = self.registry.type(name)
        found = []
        for index, m in enumerate(union.members):
            try:
                item = self._item(m, union.name, FULL)
            except Unencodable:
                if m.pointers:
                    item = Item(m, 'absent', m.type, FULL)
                else:
                    continue
            if m.selection:
                for selection in m.selection:
                    try:
                        found.append((self.registry.value(selection), item, selection))
                    except KeyError:
                        pass
            else:
                found.append((index, item, None))
        return found

    # ---- commands ----

    def is_output(self, param: Member) -> bool:
        return param.pointers > 0 and not param.const

    def is_in_out(self, command, param: Member) -> bool:
        if not self.is_output(param):
            return False
        special = self.special.get((command.name, param.name))
        if special is not None and special.get('inout'):
            return True
        return any(param.name in p.len for p in command.params)

    def request(self, name) -> List[Item]:
        command = self.registry.commands[name]
        if self.resolved(command.result) != 'void' and not self.width(self.resolved(command.result)):
            raise Unencodable(name)
        items = []
        for param in command.params:
            form = PARTIAL if self.is_output(param) and not self.is_in_out(command, param) else FULL
            items.append(self._item(param, name, form))
        return items

    def reply(self, name) -> List[Item]:
        command = self.registry.commands[name]
        return [self._item(p, name, FULL) for p in command.params if self.is_output(p)]

    # ---- chains ----

    def _chains(self) -> Dict[str, List[str]]:
        """Children that may be chained to each struct, sorted by sType."""
        children: Dict[str, List[str]] = {}
        for name in self.type_names:
            child = self.registry.type(name)
            if child is None or child.category != 'struct' or not child.stype or not self.encodable(name):
                continue
            for parent in child.extends:
                parent = self.registry.type_name(parent)
                if self.encodable(parent) and child.name not in children.setdefault(parent, []):
                    children[parent].append(child.name)
        for names in children.values():
            names.sort(key=self.stype_value)
        return children

    def stype_value(self, name) -> int:
        return self.registry.value(self.registry.type(name).stype)
