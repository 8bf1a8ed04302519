"""What vk.xml (and venus.xml, in the same notation) says: types, commands, constants, and who requires them."""
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

APIS = ('vulkan', 'vulkanbase')


@dataclass
class Member:
    """A struct member, union member or command parameter."""
    name: str
    type: str
    const: bool = False
    pointers: int = 0
    dims: List[str] = field(default_factory=list)  # numbers or names of API constants
    bits: int = 0  # width of a bit field
    len: List[str] = field(default_factory=list)  # one expression per pointer level; altlen where there is one
    optional: bool = False
    optional_elements: bool = False  # of an array: each may be null
    never_null: bool = False  # of a handle or handles, whatever the rest says
    counted: bool = False  # of an array: it is there if its counter says so, whatever the rest says
    noautovalidity: bool = False
    selector: Optional[str] = None
    selection: List[str] = field(default_factory=list)
    stride: Optional[str] = None
    values: Optional[str] = None
    object_type: Optional[str] = None  # of a number that is a handle: which member says of what type
    limittype: Optional[str] = None  # of a property: which way is better
    declaration: str = ''  # C text, without a trailing semicolon


@dataclass
class Type:
    name: str
    category: str  # struct, union, handle, enum, bitmask, basetype, funcpointer, external, …
    alias: Optional[str] = None
    members: List[Member] = field(default_factory=list)
    extends: List[str] = field(default_factory=list)
    base: Optional[str] = None  # what a basetype or bitmask is a typedef of
    bits: Optional[str] = None  # of a bitmask: the enum that names its bits
    dispatchable: bool = False
    bitwidth: int = 32
    private: bool = False

    @property
    def stype(self):
        if self.category == 'struct' and self.members and self.members[0].name == 'sType':
            return self.members[0].values
        return None


@dataclass
class Command:
    name: str
    result: str
    params: List[Member]
    private: bool = False
    errors: Tuple[str, ...] = ()

    @property
    def destroys(self):
        """Does what it is given go? vk.xml does not mark it; the specification's names of commands do."""
        return self.name.startswith(('vkDestroy', 'vkFree'))


@dataclass
class Require:
    depends: str
    types: List[str]
    commands: List[str]


@dataclass
class Extension:
    name: str
    number: int
    spec: int
    requires: List[Require]
    promoted: Optional[str] = None


@dataclass
class Format:
    name: str
    block_bytes: int
    block_extent: Tuple[int, int, int]
    components: Dict[str, int]  # bits of the first of each name: R, G, B, A, D, S
    planes: List[Tuple[str, int, int]]  # compatible format, divisors of width and height


def _allowed(element, attribute='api'):
    api = element.get(attribute)
    return api is None or any(a in APIS for a in api.split(','))


def _split(text):
    return [part.strip() for part in text.split(',')] if text else []


class Registry:
    def __init__(self):
        self.types: Dict[str, Type] = {}
        self.commands: Dict[str, Command] = {}
        self.command_aliases: Dict[str, str] = {}
        self.values: Dict[str, int] = {}  # enumerants and API constants
        self.value_aliases: Dict[str, str] = {}
        self.groups: Dict[str, Dict[str, int]] = {}  # enumerants by enum, without aliases
        self.extensions: Dict[str, Extension] = {}
        self.formats: Dict[str, Format] = {}
        self.features: Dict[str, List[Require]] = {}
        self.feature_numbers: Dict[str, str] = {}
        self.header_version = 0
        self.api_version = (1, 0)

    # ---- names ----

    def type_name(self, name):
        """The name without aliases: the newest one, under which the registry describes the type."""
        seen = set()
        while name in self.types and self.types[name].alias and name not in seen:
            seen.add(name)
            name = self.types[name].alias
        return name

    def type(self, name) -> Optional[Type]:
        return self.types.get(self.type_name(name))

    def command_name(self, name):
        return self.command_aliases.get(name, name)

    def value(self, text) -> int:
        """Value of an enumerant, an API constant or a number."""
        text = str(text).strip()
        if re.fullmatch(r'-?\d+', text):
            return int(text)
        seen = 0
        while text in self.value_aliases and seen < 8:
            text = self.value_aliases[text]
            seen += 1
        return self.values[text]

    # ---- reading ----

    def read(self, path, private=False):
        root = ElementTree.parse(path).getroot()
        for element in root.findall('types/type'):
            if _allowed(element):
                self._type(element, private)
        for element in root.findall('enums'):
            self._enums(element)
        for element in root.findall('commands/command'):
            if _allowed(element):
                self._command(element, private)
        for name in [n for n, target in self.command_aliases.items() if target in self.command_aliases]:
            while self.command_aliases[name] in self.command_aliases:
                self.command_aliases[name] = self.command_aliases[self.command_aliases[name]]
        for element in root.findall('formats/format'):
            self._format(element)
        if not private:
            for element in root.findall('feature'):
                if _allowed(element):
                    self._feature(element)
            for element in root.findall('extensions/extension'):
                self._extension(element)
        return root

    def _format(self, element):
        components = {}
        for component in element.findall('component'):
            bits = component.get('bits')
            components.setdefault(component.get('name'), int(bits) if bits.isdigit() else 0)  # some are "compressed"
        width, height, depth = (int(n) for n in element.get('blockExtent', '1,1,1').split(','))
        self.formats[element.get('name')] = Format(
            element.get('name'), int(element.get('blockSize')), (width, height, depth), components,
            [(p.get('compatible'), int(p.get('widthDivisor')), int(p.get('heightDivisor')))
             for p in element.findall('plane')])

    def _type(self, element, private):
        name = element.get('name') or element.findtext('name')
        if not name:
            return
        category = element.get('category', 'external')
        if name == 'VK_HEADER_VERSION':
            self.header_version = int(re.search(r'(\d+)\s*$', ''.join(element.itertext())).group(1))
        if name == 'VK_HEADER_VERSION_COMPLETE':
            numbers = re.search(r'\(\s*\w+,\s*(\d+),\s*(\d+)', ''.join(element.itertext()))
            self.api_version = (int(numbers.group(1)), int(numbers.group(2)))
        if category in ('define', 'include'):
            return
        declared = Type(name, category, alias=element.get('alias'), private=private)
        text = ''.join(element.itertext())
        if category in ('struct', 'union'):
            declared.members = [self._member(m) for m in element.findall('member') if _allowed(m)]
            declared.extends = _split(element.get('structextends'))
        elif category == 'handle' and not declared.alias:
            declared.dispatchable = 'NON_DISPATCHABLE' not in text
        elif category == 'bitmask' and not declared.alias:
            declared.base = element.findtext('type')
            declared.bits = element.get('requires') or element.get('bitvalues')
            if declared.base == 'VkFlags64':
                declared.bitwidth = 64
        elif category == 'basetype':
            declared.base = element.findtext('type')
            if '*' in text or 'struct' in text:
                declared.category = 'external'
        self.types[name] = declared

    def _member(self, element) -> Member:
        text = ''
        for node in [element]:
            text += node.text or ''
            for child in node:
                if child.tag != 'comment':
                    text += ''.join(child.itertext())
                text += child.tail or ''
        text = re.sub(r'\s+', ' ', text).strip()
        name = element.findtext('name')
        before, after = re.match(r'(.*?)\b%s\b\s*(.*)$' % re.escape(name), text).groups()
        bits = re.match(r':\s*(\d+)', after)
        optional = _split(element.get('optional'))
        return Member(
            name=name,
            type=element.findtext('type'),
            const=before.startswith('const '),
            pointers=before.count('*'),
            dims=re.findall(r'\[(\w+)\]', after),
            bits=int(bits.group(1)) if bits else 0,
            len=_split(element.get('altlen') or element.get('len')),
            optional=bool(optional) and optional[0] == 'true',
            optional_elements=len(optional) > 1 and optional[1] == 'true',
            noautovalidity=element.get('noautovalidity') == 'true',
            selector=element.get('selector'),
            selection=_split(element.get('selection')),
            stride=element.get('stride'),
            values=element.get('values'),
            object_type=element.get('objecttype'),
            limittype=element.get('limittype'),
            declaration=text)

    def _enums(self, element):
        name = element.get('name')
        if element.get('bitwidth') and name in self.types:
            self.types[name].bitwidth = int(element.get('bitwidth'))
        for item in element.findall('enum'):
            self._enum(item, None, name)

    def _enum(self, item, extension_number, group=None):
        if not _allowed(item):
            return
        name = item.get('name')
        self._number(item, name, extension_number)
        if group and name in self.values:
            self.groups.setdefault(group, {})[name] = self.values[name]

    def _number(self, item, name, extension_number):
        if item.get('alias'):
            self.value_aliases[name] = item.get('alias')
        elif item.get('bitpos') is not None:
            self.values[name] = 1 << int(item.get('bitpos'))
        elif item.get('offset') is not None:
            number = int(item.get('extnumber') or extension_number)
            value = 1000000000 + (number - 1) * 1000 + int(item.get('offset'))
            self.values[name] = -value if item.get('dir') == '-' else value
        elif item.get('value') is not None:
            text = item.get('value')
            if re.fullmatch(r'-?\d+', text):
                self.values[name] = int(text)
            elif re.fullmatch(r'0x[0-9a-fA-F]+', text):
                self.values[name] = int(text, 16)

    def _command(self, element, private):
        if element.get('alias'):
            self.command_aliases[element.get('name')] = element.get('alias')
            return
        name = element.findtext('proto/name')
        params = [self._member(p) for p in element.findall('param') if _allowed(p)]
        self.commands[name] = Command(name, element.findtext('proto/type'), params, private,
                                      tuple((element.get('errorcodes') or '').split(',')))

    def _require(self, element, extension_number) -> Require:
        for item in element.findall('enum'):
            if item.get('extends'):
                self._enum(item, extension_number, item.get('extends'))
        depends = [element.get(a) for a in ('depends', 'feature', 'extension') if element.get(a)]
        return Require('+'.join('(%s)' % d for d in depends),
                       [t.get('name') for t in element.findall('type')],
                       [c.get('name') for c in element.findall('command')])

    def _feature(self, element):
        name = element.get('name')
        self.features[name] = [self._require(r, None) for r in element.findall('require') if _allowed(r)]
        self.feature_numbers[name] = element.get('number')

    def _extension(self, element):
        number = int(element.get('number'))
        supported = (element.get('supported') or '').split(',')
        requires = [self._require(r, number) for r in element.findall('require') if _allowed(r)]
        if not any(s in APIS for s in supported):
            return
        spec = 0
        for item in element.findall('require/enum'):
            if item.get('name', '').endswith('_SPEC_VERSION') and (item.get('value') or '').isdigit():
                spec = max(spec, int(item.get('value')))
        self.extensions[element.get('name')] = Extension(
            element.get('name'), number, spec, requires, element.get('promotedto'))


def depends_satisfied(expression, names) -> bool:
    """Evaluates a `depends` attribute: names joined by + (and) and , (or), with parentheses."""
    if not expression:
        return True
    tokens = re.findall(r'[()+,]|[\w:]+', expression)
    position = 0

    def primary():
        nonlocal position
        token = tokens[position]
        position += 1
        if token == '(':
            result = alternatives()
            position += 1
            return result
        return token.split('::')[0] in names

    def conjunction():
        nonlocal position
        result = primary()
        while position < len(tokens) and tokens[position] == '+':
            position += 1
            result = primary() and result
        return result

    def alternatives():
        nonlocal position
        result = conjunction()
        while position < len(tokens) and tokens[position] == ',':
            position += 1
            result = conjunction() or result
        return result

    return alternatives()
