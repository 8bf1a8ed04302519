"""From items on the wire to programs: lists of ops over C memory, as src/wire/table.h defines them."""
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from layout import Layout, Layouts
from model import FULL, PARTIAL, PRESENCE, Item, Model
from registry import Member


class CannotLower(SystemExit):
    """The registry has something that the tables can not say. The message says what, for whoever adds to them."""


@dataclass
class Field:
    """What a person calls a place in a C object. Only for those who print (names.py); decoding does without."""
    name: str
    offset: int
    kind: str  # one of enum wire_kind
    type: str = ''  # of a struct, enum, bitmask or handle
    size: int = 0  # bytes of a scalar
    flags: Tuple[str, ...] = ()


@dataclass(eq=False)
class Op:
    code: str
    offset: int = 0
    a: object = 0
    b: object = 0
    flags: Tuple[str, ...] = ()
    least: int = 0  # wire bytes at least
    fields: List[Field] = field(default_factory=list)  # in order; what is nested stands between ENTER and LEAVE


@dataclass
class Scope:
    """Where the items of a struct or command lie, and who their neighbours are."""
    offsets: Dict[str, int]
    members: Sequence[Member]


@dataclass(eq=False)
class Program:
    name: str
    ops: List[Op] = field(default_factory=list)
    size: int = 0  # of the C object
    align: int = 4
    index: int = 0
    full: Optional['Program'] = None  # of a partial program: what the reply will hold
    type: str = ''  # of a struct or union standing alone

    @property
    def least(self):
        return sum(op.least for op in self.ops)

    @property
    def blittable(self):
        """The bytes on the wire are the C object."""
        return len(self.ops) == 1 and self.ops[0].code == 'COPY' and self.ops[0].a == self.size


def padded(size):
    return (size + 3) & ~3


class Lowering:
    def __init__(self, model: Model, layouts: Layouts):
        self.model, self.layouts = model, layouts
        self.programs: Dict[Tuple[str, str], Program] = {}
        self.order: List[Program] = []
        self.lengths: List[tuple] = []
        self.unions: List[tuple] = []  # (name, [(tag, program)])
        self._union_index: Dict[tuple, int] = {}
        self.structs: List[str] = []  # those with sType, in the order of their indices
        self.partial_chains = set()
        self.enums: List[str] = []  # those whose values are looked at
        self.requests: Dict[str, Program] = {}
        self.replies: Dict[str, Program] = {}
        self.args: Dict[str, Layout] = {}
        self.used = set()  # types whose layout the tables rely on
        self._of_kind = {'absent': self._absent, 'value': self._value, 'pointer': self._pointer, 'array': self._array,
                         'static': self._static}
        for name in model.commands:
            self._command(name)
        self._close_chains()

    # ---- programs ----

    def program(self, name, form) -> Program:
        """Of a struct or union, standing alone."""
        name = self.model.registry.type_name(name)
        key = (name, form)
        if key not in self.programs:
            size, align = self.layouts.of_type(name)
            program = self.programs[key] = Program('%s %s' % (name, form), size=size, align=align, type=name)
            self.order.append(program)
            program.ops = self.merged(self.aggregate(name, form, 0))
            if form == PARTIAL:
                program.full = self.program(name, FULL)
        return self.programs[key]

    def aggregate(self, name, form, base) -> List[Op]:
        found = self.model.aggregate(name)
        self.used.add(found.name)
        layout = self.layouts.of_struct(found.name)
        if found.category == 'union':
            return [self._union(found.name, None, base, None)]
        ops = []
        if found.stype:
            if found.name not in self.structs:
                self.structs.append(found.name)
            if form == PARTIAL:
                self.partial_chains.add(found.name)
            ops.append(Op('STRUCT', base, self.structs.index(found.name), 0,
                          ('PARTIAL',) if form == PARTIAL else (), least=12))
        disguised = next((m.name for m in found.members if m.object_type), None)
        if disguised:
            raise CannotLower('%s: %s is a handle in disguise, which nothing resolves' % (found.name, disguised))
        scope = Scope({n: base + o for n, o in layout.offsets.items()}, found.members)
        for item in self.model.members(found.name, form):
            ops += self.item(item, scope)
            enum = self.model.checked_enum(found.name, item.member)
            if enum and form == FULL:
                ops.append(Op('ENUM', scope.offsets[item.name], self.enum(enum)))
        return ops

    def enum(self, name) -> int:
        if name not in self.enums:
            self.enums.append(name)
        return self.enums.index(name)

    @staticmethod
    def merged(ops: List[Op]) -> List[Op]:
        """Neighbours in both worlds become one copy; what is looked at has come before."""
        out: List[Op] = []
        for op in sorted(ops, key=lambda op: op.code == 'ENUM'):
            last = out[-1] if out else None
            if op.code == 'COPY' and last and last.code == 'COPY' and last.offset + last.a == op.offset:
                last.a += op.a
                last.least += op.least
                last.fields += op.fields
            else:
                out.append(op)
        return out

    def item(self, item: Item, scope: Scope) -> List[Op]:
        offset = scope.offsets[item.name]
        ops = self._of_kind[item.kind](item, offset, scope)
        self._describe(item, offset, ops)
        return ops

    def _describe(self, item: Item, offset, ops: List[Op]):
        """Gives the ops of an item the fields that they move."""
        model, name = self.model, item.name
        what = model.aggregate(item.type)
        if item.kind == 'value' and what and what.category == 'struct':
            if ops:  # its members have been described
                ops[0].fields.insert(0, Field(name, offset, 'ENTER', what.name))
                ops[-1].fields.append(Field(name, offset, 'LEAVE'))
            return
        kind, of = model.kind(item)
        size = model.width(item.type) or (8 if model.is_handle(item.type) else 0)
        plain = item.kind == 'value' and not what
        ops[0].fields.append(Field(name, offset, kind, of, size, () if plain else ('MAIN',)))

    # ---- one item ----

    @staticmethod
    def _optional(item):
        return ('OPTIONAL',) if item.optional else ()

    @staticmethod
    def _absent(item, offset, scope):
        return [Op('ABSENT', offset, least=8)]

    def _value(self, item, offset, scope):
        model = self.model
        width = model.width(item.type)
        if width:
            code = {1: 'NARROW8', 2: 'NARROW16'}.get(width)
            return [Op(code, offset, least=4)] if code else [Op('COPY', offset, width, least=width)]
        if model.is_handle(item.type):
            if item.form == PARTIAL:
                return [Op('COPY', offset, 8, least=8)]
            required = item.member.never_null or not (item.member.optional or item.member.noautovalidity)
            return [Op('OBJECT' if required else 'HANDLE', offset, self.handle(item.type), least=8)]
        if model.aggregate(item.type).category == 'union':
            return [self._union(item.type, item.member.selector, offset, scope)]
        return self.aggregate(item.type, item.form, offset)

    def _union(self, name, selector, offset, scope):
        key = (name, selector)
        if key not in self._union_index:
            arms = []
            self._union_index[key] = len(self.unions)
            self.unions.append((name, arms))
            size, align = self.layouts.of_type(name)
            self.used.add(name)
            layout = self.layouts.of_struct(name)
            made = {}
            for tag, item, _ in self.model.arms(name, selector):
                if item.name not in made:
                    program = Program('%s.%s' % (name, item.name), size=size, align=align)
                    self.order.append(program)
                    program.ops = self.merged(self.item(item, Scope(layout.offsets, [])))
                    made[item.name] = program
                arms.append((tag, made[item.name]))
            arms.sort(key=lambda arm: arm[0])
        index = self._union_index[key]
        least = 4 + min(program.least for _, program in self.unions[index][1])
        if selector:
            if scope.offsets[selector] > offset:
                raise CannotLower('%s: selector follows its union' % name)
            return Op('SELECT', offset, index, scope.offsets[selector], least=least)
        return Op('UNION', offset, index, least=least)

    def _pointer(self, item, offset, scope):
        optional = self._optional(item)
        least = 8
        if item.form == PRESENCE:
            return [Op('POINTER_OUT', offset, self.layouts.of_type(item.type)[0], flags=optional, least=least)]
        if self.model.aggregate(item.type):
            program = self.program(item.type, item.form)
            least += 0 if item.optional else program.least
            if not program.ops:
                return [Op('POINTER_OUT', offset, program.size, flags=optional, least=least)]
            if program.blittable:
                return [Op('POINTER_COPY', offset, program.size, flags=optional, least=least)]
            return [Op('POINTER', offset, program, flags=optional, least=least)]
        width = self.layouts.of_type(item.type)[0]
        if width < 4 or self.model.is_handle(item.type) and item.form == FULL and item.member.const:
            raise CannotLower('%s: pointers to %s are not handled' % (item.name, item.type))
        least += 0 if item.optional else width
        return [Op('POINTER_COPY', offset, width, flags=optional, least=least)]

    def _array(self, item, offset, scope):
        optional = () if item.member.counted else self._optional(item)
        writable = () if item.member.const else ('WRITABLE',)
        if item.lens[-1] == 'null-terminated':
            if item.form != FULL:
                raise CannotLower('%s: output strings are not handled' % item.name)
            if len(item.lens) == 1:
                return [Op('STRING', offset, flags=optional, least=8)]
            return [Op('ARRAY_STRING', offset, 0, self.length(item.lens[0], scope), optional, 8)]
        length = self.length(item.lens[0], scope)
        if item.type == 'blob':
            size, align = 1, 1
        else:
            size, align = self.layouts.of_type(item.type)
        wide = ('ALIGN8',) if align == 8 else ()
        if item.form == PRESENCE:
            return [Op('ARRAY_OUT', offset, size, length, optional, 8)]
        program = self.program(item.type, item.form) if item.type != 'blob' and self.model.aggregate(item.type) else None
        if len(item.lens) == 2:
            if item.lens[1] == '1':
                return [Op('ARRAY_POINTER', offset, program, length, optional, 8)]
            if program and not program.blittable:
                raise CannotLower('%s: arrays of arrays of %s are not handled' % (item.name, item.type))
            inner = self.length(item.lens[1], scope, fresh=True)
            outer = self.length(item.lens[0], scope, fresh=True, before=inner)
            return [Op('ARRAY_ARRAY', offset, size, outer, optional + wide, 8)]
        if program:
            if not program.ops:
                return [Op('ARRAY_OUT', offset, program, length, optional + ('PROGRAM',), 8)]
            if program.blittable:
                return [Op('ARRAY_COPY', offset, size, length, optional + writable + wide, 8)]
            return [Op('ARRAY', offset, program, length, optional, 8)]
        if self.model.is_handle(item.type) and item.form == FULL:
            nullable = item.member.optional_elements or item.member.noautovalidity
            required = () if nullable and not item.member.never_null else ('REQUIRED',)
            return [Op('ARRAY_HANDLE', offset, self.handle(item.type), length, optional + required, 8)]
        return [Op('ARRAY_COPY', offset, size, length, optional + writable + wide, 8)]

    def _static(self, item, offset, scope):
        count = self.model.constant(item.lens[0])
        if self.model.aggregate(item.type):
            program = self.program(item.type, item.form)
            if program.ops:
                return [Op('STATIC', offset, program, count, least=8 + count * program.least)]
            return [Op('STATIC_OUT', offset, 0, count, least=8)]
        size = self.layouts.of_type(item.type)[0]
        if self.model.is_handle(item.type) and item.form == FULL:
            return [Op('STATIC_HANDLE', offset, self.handle(item.type), count, least=8 + 8 * count)]
        return [Op('STATIC_COPY', offset, size * count, count, least=8 + padded(size * count))]

    # ---- lengths ----

    def length(self, text, scope, fresh=False, before=None) -> int:
        """Index of the length expression; members: the struct's or command's."""
        entry = self._length(text, scope)
        if before is not None:  # an outer length stands right in front of the inner one
            self.lengths.insert(before, entry)
            self._shift(before)
            return before
        if fresh or entry not in self.lengths:
            self.lengths.append(entry)
            return len(self.lengths) - 1
        return self.lengths.index(entry)

    def _shift(self, before):
        # Nothing emitted so far refers to the inner length, which was the last.
        assert before == len(self.lengths) - 2

    def _length(self, text, scope):
        offsets, by_name = scope.offsets, {m.name: m for m in scope.members}

        def wide(member):
            return '64' if self.model.width(member.type) == 8 else '32'

        constant = self.model.constant(text)
        if constant is not None:
            return ('CONSTANT', constant, 0, 0)
        if text in by_name:
            member = by_name[text]
            if member.pointers:
                return ('DEREF' + wide(member), offsets[text], 0, 0)
            return ('MEMBER' + wide(member), offsets[text], 0, 0)
        match = re.fullmatch(r'(\w+) / 4', text)
        if match and wide(by_name[match.group(1)]) == '64':
            return ('QUARTER64', offsets[match.group(1)], 0, 0)
        match = re.fullmatch(r'\((\w+) \+ 31\) / 32', text)
        if match:
            return ('BITS32', offsets[match.group(1)], 0, 0)
        match = re.fullmatch(r'(\w+)->(\w+)', text)
        if match:
            target = by_name[match.group(1)].type
            return ('FOLLOW32', offsets[match.group(1)], self.layouts.of_struct(target).offsets[match.group(2)], 0)
        match = re.fullmatch(r'(\w+)\[i\]\.(\w+)', text)
        if match:
            layout = self.layouts.of_struct(by_name[match.group(1)].type)
            return ('INDEX32', offsets[match.group(1)], layout.offsets[match.group(2)], layout.size)
        raise CannotLower('length expression not handled: ' + text)

    def handle(self, name):
        return self.model.registry.type_name(name)

    # ---- commands ----

    def _command(self, name):
        command = self.model.registry.commands[name]
        fields = list(command.params)
        result = self.model.resolved(command.result)
        if result != 'void':
            fields.append(Member('ret', command.result))
        layout = self.args[name] = self.layouts.of_members(fields)
        scope, ops = Scope(layout.offsets, command.params), []
        for item in self.model.request(name):
            moved = self.item(item, scope)
            if item.form != FULL and not self.model.is_handle(item.type):
                moved[0].fields[-1].flags += ('OUTPUT',)
            ops += moved
        self._raw_ids(command, ops)
        if command.params and self.model.is_handle(command.params[0].type) and not command.params[0].pointers:
            ops[0].code = 'HANDLE'
            ops[0].flags += ('NONNULL',)
        for param in command.params:
            if param.stride:
                element = next(i for i in self.model.request(name) if i.name == param.name)
                size = self.layouts.of_type(element.type)[0]
                ops.append(Op('SET32', layout.offsets[param.stride], size))
        self.requests[name] = Program(name, self.merged(ops), layout.size)
        ops = []
        if result != 'void':
            width = self.model.width(result)
            ops.append(Op('COPY', layout.offsets['ret'], width, least=width))
            kind, of = self.model.kind_of(command.result)
            ops[0].fields.append(Field('ret', layout.offsets['ret'], kind, of, width))
        for item in self.model.reply(name):
            moved = self.item(item, scope)
            if self.model.is_handle(item.type):
                moved[0].fields[-1].flags += ('OUTPUT',)  # the request has named them
            ops += moved
        # The return value comes first on the wire but last in the args: never merged with what follows.
        self.replies[name] = Program(name, ops, layout.size)

    def _raw_ids(self, command, ops):
        """The last handle or handles of vkDestroy* and vkFree* stay ids: the object table wants them."""
        if not command.destroys:
            return
        for op in reversed(ops):
            if op.code in ('HANDLE', 'OBJECT'):
                op.a = None
                return
            if op.code == 'ARRAY_HANDLE':
                op.code, op.a, op.flags = 'ARRAY_COPY', 8, ('ALIGN8',)  # mandatory, whatever vk.xml says
                return

    # ---- chains ----

    def _close_chains(self):
        """Programs of everything that may be chained, until nothing new turns up."""
        done = set()
        while True:
            todo = [(s, form) for s in self.structs for form in (FULL, PARTIAL)
                    if (form == FULL or s in self.partial_chains) and (s, form) not in done]
            if not todo:
                break
            for struct, form in todo:
                done.add((struct, form))
                for child in self.model.children.get(struct, []):
                    self.program(child, form)

    def emitted(self) -> List[Program]:
        """Programs that some op, arm or chain refers to; indices are set. Index 0 is none."""
        seen, todo = set(), list(self.requests.values()) + list(self.replies.values())

        def reach(program):
            if program not in seen:
                seen.add(program)
                todo.append(program)

        while todo:
            program = todo.pop()
            for op in program.ops:
                if isinstance(op.a, Program):
                    reach(op.a)
                if op.code in ('UNION', 'SELECT'):
                    for _, arm in self.unions[op.a][1]:
                        reach(arm)
                if op.code == 'STRUCT':
                    for child in self.model.children.get(self.structs[op.a], []):
                        reach(self.program(child, PARTIAL if 'PARTIAL' in op.flags else FULL))
        reached = [p for p in self.order if p in seen]
        for index, program in enumerate(reached):
            program.index = index + 1
        return reached
