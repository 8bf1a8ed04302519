"""What the generator refuses, and says why: registries of a few lines, each with something that the tables cannot say."""
import argparse
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

REGISTRY = '''<registry>
<types>
<type category="define">#define <name>VK_HEADER_VERSION</name> 300</type>
<type category="define">#define <name>VK_HEADER_VERSION_COMPLETE</name> VK_MAKE_API_VERSION(0, 1, 4, VK_HEADER_VERSION)</type>
<type category="handle">VK_DEFINE_HANDLE(<name>VkDevice</name>)</type>
<type category="handle">VK_DEFINE_NON_DISPATCHABLE_HANDLE(<name>VkBuffer</name>)</type>
<type category="enum" name="VkObjectType"/>
%(types)s
</types>
<enums name="API Constants"><enum name="VK_TRUE" value="1"/></enums>
<commands>
<command><proto><type>void</type> <name>vkThing</name></proto>
<param><type>VkDevice</type> <name>device</name></param>%(params)s</command>
</commands>
<feature api="vulkan" name="VK_VERSION_1_0" number="1.0"><require>
<type name="VkDevice"/><type name="VkBuffer"/><type name="VkObjectType"/><type name="VkInner"/><type name="VkOuter"/><type name="VkChoice"/>
<command name="vkThing"/></require></feature>
</registry>'''
VENUS = '''<venus><vocabulary version="1.4.300" core="1.4"/><block/><numbers><command name="vkThing" number="1"/></numbers></venus>'''


def lowered(types, params):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in (('vk.xml', REGISTRY % dict(types=types, params=params)), ('venus.xml', VENUS)):
            paths.append(os.path.join(folder, name))
            with open(paths[-1], 'w') as file:
                file.write(text)
        model = generate.load(*paths)
        assert 'vkThing' in model.commands, 'the registry of the test is wrong: vkThing cannot cross'
        return lower.Lowering(model, Layouts(model))


def struct(name, *members):
    return '<type category="struct" name="%s">%s</type>' % (name, ''.join('<member%s</member>' % m for m in members))


def member(type_name, name, attributes='', stars='', const='const '):
    return '%s>%s<type>%s</type>%s <name>%s</name>' % (attributes, const if stars else '', type_name, stars, name)


def param(*arguments, **named):
    return '<param%s</param>' % member(*arguments, **named)


OUTER = param('VkOuter', 'pInfo', '', '*')


class Refused(unittest.TestCase):
    def refuse(self, text, types, params):
        with self.assertRaises(lower.CannotLower) as caught:
            lowered(types, params)
        self.assertIn(text, str(caught.exception))

    def test_what_is_plain_is_lowered(self):
        made = lowered(struct('VkOuter', member('uint32_t', 'first'), member('uint32_t', 'second')), OUTER)
        ops = made.requests['vkThing'].ops
        self.assertEqual([op.code for op in ops], ['HANDLE', 'POINTER_COPY'])
        self.assertEqual([f.name for op in ops for f in op.fields], ['device', 'pInfo'])

    def test_names_survive_merging(self):
        made = lowered('', param('uint32_t', 'a') + param('uint32_t', 'b'))
        copy = made.requests['vkThing'].ops[-1]
        self.assertEqual((copy.code, copy.a, [(f.name, f.offset) for f in copy.fields]), ('COPY', 8, [('a', 8), ('b', 12)]))

    def test_pointers_to_handles(self):
        self.refuse('pBuffer: pointers to VkBuffer are not handled', '', param('VkBuffer', 'pBuffer', '', '*'))

    def test_pointers_to_bytes(self):
        self.refuse('pByte: pointers to uint8_t are not handled', '', param('uint8_t', 'pByte', '', '*'))

    def test_lengths_that_are_no_known_expression(self):
        self.refuse('length expression not handled: count * 3', '',
                    param('uint32_t', 'count') + param('uint32_t', 'pValues', ' len="count * 3"', '*'))

    def test_strings_that_are_written(self):
        self.refuse('pName: output strings are not handled', '',
                    param('char', 'pName', ' len="null-terminated"', '*', const=''))

    def test_handles_in_disguise(self):
        self.refuse('VkOuter: object is a handle in disguise',
                    struct('VkOuter', member('VkObjectType', 'type'), member('uint64_t', 'object', ' objecttype="type"')), OUTER)

    def test_a_selector_behind_its_union(self):
        choice = '<type category="union" name="VkChoice"><member selection="0"><type>uint32_t</type> <name>a</name></member></type>'
        self.refuse('VkChoice: selector follows its union', choice +
                    struct('VkOuter', member('VkChoice', 'choice', ' selector="kind"'), member('uint32_t', 'kind')), OUTER)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('protocol', help='the folder of the generator')
    sys.path.insert(0, parser.parse_args().protocol)
    import generate  # noqa: E402
    import lower  # noqa: E402
    from layout import Layouts  # noqa: E402
    unittest.main(argv=sys.argv[:1])
