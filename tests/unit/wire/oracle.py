#!/usr/bin/env python3
"""Compares the generator's model with the protocol's documentation (tests/data/venus/*.csv): what crosses, under which number,
every request and reply, every structure in full and as a skeleton, every union, every pair of a chain, and the capset.

The documentation is of release 1.4.343; vk.xml is usually newer. Any difference is an error unless it is listed below with
its reason; so is a listed one that is gone."""
import argparse
import csv
import os
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../../protocol'))
DATA = os.path.join(HERE, '../../data/venus')

import generate  # noqa: E402
from model import FULL, PARTIAL  # noqa: E402

# Commands that later releases added: they have numbers already, but no extension of the vocabulary brings them.
LATER_COMMANDS = {'vkCmdEndRendering2KHR', 'vkCmdEndRendering2EXT', 'vkCmdSetPrimitiveRestartIndexEXT'}

# What the CSV files leave out: the private commands, as `request -> reply`.
PRIVATE = {
    'vkSetReplyCommandStreamMESA': 'pStream: pointer VkCommandStreamDescriptionMESA (must be present) ->',
    'vkSeekReplyCommandStreamMESA': 'position: value size_t ->',
    'vkExecuteCommandStreamsMESA':
        'streamCount: value uint32_t | pStreams: array VkCommandStreamDescriptionMESA [streamCount] | '
        'pReplyPositions: array size_t [streamCount] (may be empty) | dependencyCount: value uint32_t | '
        'pDependencies: array VkCommandStreamDependencyMESA [dependencyCount] (may be empty) | flags: value VkFlags ->',
    'vkCreateRingMESA': 'ring: value uint64_t | pCreateInfo: pointer VkRingCreateInfoMESA (must be present) ->',
    'vkDestroyRingMESA': 'ring: value uint64_t ->',
    'vkNotifyRingMESA': 'ring: value uint64_t | seqno: value uint32_t | flags: value VkFlags ->',
    'vkWriteRingExtraMESA': 'ring: value uint64_t | offset: value size_t | value: value uint32_t ->',
    'vkGetMemoryResourcePropertiesMESA':
        'device: value VkDevice | resourceId: value uint32_t | '
        'pMemoryResourceProperties: pointer VkMemoryResourcePropertiesMESA {partial} (must be present) -> '
        'pMemoryResourceProperties: pointer VkMemoryResourcePropertiesMESA (must be present)',
    'vkResetFenceResourceMESA': 'device: value VkDevice | fence: value VkFence ->',
    'vkWaitSemaphoreResourceMESA': 'device: value VkDevice | semaphore: value VkSemaphore ->',
    'vkImportSemaphoreResourceMESA':
        'device: value VkDevice | pImportSemaphoreResourceInfo: pointer VkImportSemaphoreResourceInfoMESA (must be present) ->',
    'vkSubmitVirtqueueSeqnoMESA': 'ring: value uint64_t | seqno: value uint64_t ->',
    'vkWaitVirtqueueSeqnoMESA': 'seqno: value uint64_t ->',
    'vkWaitRingSeqnoMESA': 'ring: value uint64_t | seqno: value uint64_t ->',
    'vkCopyImageToMemoryMESA':
        'device: value VkDevice | pCopyImageToMemoryInfo: pointer VkCopyImageToMemoryInfoMESA (must be present) | '
        'dataSize: value size_t | pData: array blob [dataSize] {presence-or-count only} -> pData: array blob [dataSize]',
    'vkCopyMemoryToImageMESA':
        'device: value VkDevice | pCopyMemoryToImageInfo: pointer VkCopyMemoryToImageInfoMESA (must be present) ->',
    'vkWriteSamplerDescriptorMESA':
        'device: value VkDevice | pSampler: pointer VkSamplerCreateInfo (must be present) | dataSize: value size_t | '
        'pDescriptor: array blob [dataSize] {presence-or-count only} -> pDescriptor: array blob [dataSize]',
    'vkWriteResourceDescriptorMESA':
        'device: value VkDevice | pResource: pointer VkResourceDescriptorInfoEXT (must be present) | dataSize: value size_t | '
        'pDescriptor: array blob [dataSize] {presence-or-count only} -> pDescriptor: array blob [dataSize]',
}

PRIVATE_STRUCTS = {
    'VkRingCreateInfoMESA': (1000384000, 'flags resourceId offset size idleTimeout headOffset tailOffset statusOffset '
                                         'bufferOffset bufferSize extraOffset extraSize'),
    'VkMemoryResourcePropertiesMESA': (1000384001, 'memoryTypeBits'),
    'VkImportMemoryResourceInfoMESA': (1000384002, 'resourceId'),
    'VkMemoryResourceAllocationSizePropertiesMESA': (1000384003, 'allocationSize'),
    'VkImportSemaphoreResourceInfoMESA': (1000384004, 'semaphore resourceId'),
    'VkDeviceQueueTimelineInfoMESA': (1000384005, 'ringIdx'),
    'VkRingMonitorInfoMESA': (1000384006, 'maxReportingPeriodMicroseconds'),
    'VkRingPriorityInfoMESA': (1000384007, 'priority'),
    'VkCopyImageToMemoryInfoMESA': (1000384008, 'flags srcImage srcImageLayout memoryRowLength memoryImageHeight '
                                                'imageSubresource imageOffset imageExtent'),
    'VkMemoryToImageCopyMESA': (1000384009, 'dataSize pData memoryRowLength memoryImageHeight imageSubresource imageOffset '
                                            'imageExtent'),
    'VkCopyMemoryToImageInfoMESA': (1000384010, 'flags dstImage dstImageLayout regionCount pRegions'),
    'VkCommandStreamDescriptionMESA': (None, 'resourceId offset size'),
    'VkCommandStreamDependencyMESA': (None, 'srcCommandStream dstCommandStream'),
}

# Documented mask of 1.4.343, words 0 to 20.
MASK = '''2001c001 30402000 005f6bef c25660c0 f0bb6919 a2658e0c 41310562 f0e47a0f 9625b474 0800054d 30b70a5a
c6000233 5002073b 000800ca 008d0150 08198004 00c2e001 01288007 20000090 00000020 00000008'''


def rows(name):
    with open(os.path.join(DATA, name), newline='') as file:
        return list(csv.reader(file))[1:]


def joined(items):
    return ' | '.join(i.text() for i in items)


class Oracle(unittest.TestCase):
    model = None

    def differences(self, found, documented):
        """Both are dicts from names to texts."""
        for name in sorted(set(found) | set(documented)):
            if found.get(name) != documented.get(name):
                yield '%s:\n  generated  %s\n  documented %s' % (name, found.get(name), documented.get(name))

    def check(self, found, documented):
        differences = list(self.differences(found, documented))
        self.assertFalse(differences, '%d differences, first:\n%s' % (len(differences), '\n'.join(differences[:3])))

    def test_numbers(self):
        """Which commands cross, and under which number."""
        registry, model = self.model.registry, self.model
        documented, found = {}, {}
        for name, number, _, _, crosses in rows('venus-command-types.csv'):
            documented[name] = '%s %s' % (number, name not in LATER_COMMANDS and crosses == 'yes')
            canonical = registry.command_name(name)
            found[name] = '%d %s' % (model.numbers[canonical], canonical in model.commands)
        self.check(found, documented)
        self.assertEqual({registry.command_name(n) for n in documented}, set(model.numbers))

    def test_commands(self):
        registry, model = self.model.registry, self.model
        documented = {'%s %s' % (registry.command_name(r[0]), part): r[column]
                      for r in rows('venus-command-signatures.csv')
                      for part, column in (('request', 2), ('returns', 3), ('reply', 4))}
        for name, text in PRIVATE.items():
            request, reply = text.split('->')
            documented['%s request' % name] = request.strip()
            documented['%s reply' % name] = reply.strip()
        found = {}
        for name in model.commands:
            found['%s request' % name] = joined(model.request(name))
            found['%s reply' % name] = joined(model.reply(name))
            if name not in PRIVATE:
                found['%s returns' % name] = registry.commands[name].result
        self.check(found, documented)

    def test_structs(self):
        registry, model = self.model.registry, self.model
        documented, found = {}, {}
        for name, kind, stype, full, partial in rows('venus-struct-layouts.csv'):
            name = registry.type_name(name)
            self.assertTrue(model.encodable(name), name)
            if kind == 'union':
                documented[name] = full
                found[name] = self.union_text(name)
            else:
                documented[name] = ' / '.join((stype, full, partial))
                found[name] = ' / '.join((str(model.stype_value(name)) if registry.type(name).stype else '',
                                          joined(model.members(name, FULL)), joined(model.members(name, PARTIAL))))
        self.check(found, documented)

    def union_text(self, name):
        arms = self.model.arms(name, None)
        return ' | '.join('%d%s: %s' % (tag, ' (%s)' % selection if selection else '', item.text())
                          for tag, item, selection in arms)

    def test_private_structs(self):
        for name, (stype, members) in PRIVATE_STRUCTS.items():
            self.assertEqual(' '.join(i.name for i in self.model.members(name, FULL)), members)
            if stype:
                self.assertEqual(self.model.stype_value(name), stype)

    def test_chains(self):
        type_name = self.model.registry.type_name
        documented = {(type_name(r[0]), type_name(r[1])) for r in rows('venus-pnext-chains.csv')}
        found = {(parent, child) for parent, children in self.model.children.items() for child in children}
        self.assertEqual(found, documented)

    def test_extensions(self):
        documented = {name: '%s %s' % (number, spec) for name, number, spec, _ in rows('venus-extensions.csv')}
        found = {e.name: '%d %d' % (e.number, e.spec) for e in self.model.extensions}
        for element in self.model.venus.findall('private/extension'):
            found[element.get('name')] = '%s %s' % (element.get('number'), element.get('spec') or self.model.spec_of_protocol())
        self.check(found, documented)

    def test_mask(self):
        words = [int(w, 16) for w in MASK.split()]
        numbers = {word * 32 + bit for word, value in enumerate(words) for bit in range(32) if value >> bit & 1}
        found = {e.number for e in self.model.extensions} | {0, 384, 385}
        self.assertEqual(found, numbers)
        self.assertEqual(self.model.vocabulary_version, (1, 4, 343))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--xml', required=True)
    parser.add_argument('--venus', required=True)
    options = parser.parse_args()
    Oracle.model = generate.load(options.xml, options.venus)
    if Oracle.model.registry.api_version + (Oracle.model.registry.header_version,) < (1, 4, 343):
        print('vk.xml is older than the documentation: nothing to compare')
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
