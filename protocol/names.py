"""Writes wire_names.c: what persons call all that crosses. Only tools that print are linked with it."""
from lower import Field, Lowering
from model import Model
from tables import BANNER, TableWriter, handle_types


class Pool:
    """Texts, one after the other, each ended by NUL."""

    def __init__(self):
        self.offsets, self.size = {}, 0
        self.add('')

    def add(self, text) -> int:
        if text not in self.offsets:
            self.offsets[text] = self.size
            self.size += len(text) + 1
        return self.offsets[text]

    def lines(self):
        return ['    "%s\\0"' % text for text in self.offsets]


class NamesWriter:
    def __init__(self, model: Model, lowering: Lowering, tables: TableWriter):
        self.model, self.lowering, self.tables = model, lowering, tables
        self.pool = Pool()
        self.handles = ['NONE'] + handle_types(model)
        self.enums = ['']  # 0: one without names
        self.shapes = ['']
        self.fields = []  # text lines

    def index(self, known, name):
        if name not in known:
            known.append(name)
        return known.index(name)

    def type_of(self, field: Field) -> int:
        if field.kind in ('ENTER', 'STRUCT'):
            return self.index(self.shapes, field.type)
        if field.kind in ('ENUM', 'FLAGS'):
            return self.index(self.enums, field.type)
        return self.handles.index(field.type) if field.kind == 'HANDLE' else 0

    def emit(self, fields) -> int:
        """Index of the first."""
        first = len(self.fields)
        for f in fields:
            flags = '|'.join('WIRE_FIELD_' + flag for flag in f.flags) or '0'
            self.fields.append('    {%d, %d, %d, WIRE_KIND_%s, %d, %s}, // %s' % (
                self.pool.add(f.name), f.offset, self.type_of(f), f.kind, f.size, flags, f.name))
        return first

    def text(self) -> str:
        starts = [self.emit(fields) for fields in self.tables.op_fields] + [len(self.fields)]
        programs = [0] + [self.index(self.shapes, p.type) for p in self.tables.programs]
        shapes = self.rows_of_shapes()
        enums, enumerants = self.rows_of_enums()
        handles = [self.pool.add('' if h == 'NONE' else h) for h in self.handles]
        out = [BANNER, '#include "wire/name_table.h"\n']
        for declaration, rows in (
                ('char wire_name_pool[]', self.pool.lines()),
                ('struct wire_field wire_fields[]', self.fields),
                ('uint16_t wire_op_fields[]', ['    %d,' % n for n in starts]),
                ('uint16_t wire_program_shape[]', ['    %d,' % n for n in programs]),
                ('struct wire_shape wire_shapes[]', shapes),
                ('struct wire_enum wire_enums[]', enums),
                ('struct wire_enumerant wire_enumerants[]', enumerants),
                ('uint32_t wire_handle_names[WIRE_HANDLE_COUNT]', ['    %d,' % n for n in handles])):
            brackets = ('', ';') if 'pool' in declaration else ('{', '};')
            out += ['const %s = %s' % (declaration, brackets[0])] + rows + [brackets[1] + '\n']
        return '\n'.join(out)

    def rows_of_shapes(self):
        """Fields of those that are copied as they are; others have ops, and these have fields."""
        copied = {p.type: p.ops[0].fields for p in self.lowering.order if p.type and p.blittable}
        rows, at = [], 0
        while at < len(self.shapes):  # fields may name more of them
            name = self.shapes[at]
            fields = copied.get(name, [])
            rows.append('    {%d, %d, %d}, // %s' % (self.pool.add(name), self.emit(fields) if fields else 0, len(fields), name))
            at += 1
        return rows

    def rows_of_enums(self):
        rows, enumerants = [], []
        for name in self.enums:
            values = {}
            for enumerant, value in self.model.registry.groups.get(name, {}).items():
                values.setdefault(value - (1 << 64) if value >= 1 << 63 else value, enumerant)
            rows.append('    {%d, %d}, // %s' % (len(enumerants), len(values), name))
            enumerants += ['    {INT64_C(%d) - 1, %d}, // %s' % (value + 1, self.pool.add(text), text)
                           for value, text in sorted(values.items())]
        return rows, enumerants


def write_names_c(model: Model, lowering: Lowering, tables: TableWriter) -> str:
    return NamesWriter(model, lowering, tables).text()
