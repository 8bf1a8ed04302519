"""C layouts (LP64) of what crosses. The generated C asserts every size and offset that is used."""
from dataclasses import dataclass
from typing import Dict

from model import Model, Unencodable


@dataclass
class Layout:
    size: int
    align: int
    offsets: Dict[str, int]


class Layouts:
    def __init__(self, model: Model):
        self.model = model
        self._structs: Dict[str, Layout] = {}

    def of_type(self, name):
        """(size, alignment) of a value."""
        width = self.model.width(name)
        if width:
            return width, width
        if self.model.is_handle(name):
            return 8, 8
        if self.model.aggregate(name):
            layout = self.of_struct(name)
            return layout.size, layout.align
        raise Unencodable(name)

    def of_member(self, member):
        if member.pointers:
            return 8, 8
        size, align = self.of_type(member.type)
        for dim in member.dims:
            size *= self.model.constant(dim)
        return size, align

    def of_members(self, members, union=False) -> Layout:
        offset, align, size, offsets = 0, 1, 0, {}
        for member in members:
            member_size, member_align = self.of_member(member)
            offset = 0 if union else (offset + member_align - 1) // member_align * member_align
            offsets[member.name] = offset
            offset += member_size
            size, align = max(size, offset), max(align, member_align)
        return Layout((size + align - 1) // align * align, align, offsets)

    def of_struct(self, name) -> Layout:
        found = self.model.registry.type(name)
        if found.name not in self._structs:
            self._structs[found.name] = self.of_members(found.members, found.category == 'union')
        return self._structs[found.name]
