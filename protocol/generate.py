#!/usr/bin/env python3
"""Generates the tables of the Venus codec, the driver tables of the renderer and the entry points of the guest kit from the
Khronos registry. See docs/codec.md."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from driver import DriverWriter  # noqa: E402
from formats import write_formats_h  # noqa: E402
from guest import GuestWriter  # noqa: E402
from layout import Layouts  # noqa: E402
from lower import Lowering  # noqa: E402
from model import Model  # noqa: E402
from names import write_names_c  # noqa: E402
from profiles import Profile  # noqa: E402
from registry import Registry  # noqa: E402
import tables  # noqa: E402


OLDEST = (1, 3, 269)


def load(xml, venus) -> Model:
    registry = Registry()
    registry.read(xml)
    version = registry.api_version + (registry.header_version,)
    if version < OLDEST:
        raise SystemExit('%s is version %d.%d.%d; %d.%d.%d or newer is needed (Debian: libvulkan-dev of a newer suite)' %
                         ((xml,) + version + OLDEST))
    return Model(registry, registry.read(venus, private=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--xml', required=True, help='vk.xml of the Khronos registry, 1.3.269 or newer')
    parser.add_argument('--venus', required=True, help='venus.xml: what the protocol adds')
    parser.add_argument('--profile', action='append', default=[], help='JSON of a host profile')
    parser.add_argument('--out', required=True, help='folder for the generated files')
    options = parser.parse_args()
    model = load(options.xml, options.venus)
    lowering = Lowering(model, Layouts(model))
    table_writer = tables.TableWriter(model, lowering)
    driver = DriverWriter(model)
    guest = GuestWriter(model)
    profiles = [Profile(model, path) for path in options.profile]
    for name, text in (('wire_vulkan.h', tables.write_vulkan_h(model, lowering)),
                       ('wire_tables.c', table_writer.text()),
                       ('wire_names.c', write_names_c(model, lowering, table_writer)),
                       ('wire_vocabulary.c', tables.write_vocabulary_c(model)),
                       ('venus_driver.h', driver.header()),
                       ('venus_driver.c', driver.source()),
                       ('venus_thunks.c', driver.thunks()),
                       ('guest_vulkan.h', guest.header()),
                       ('guest_vulkan.c', guest.source()),
                       ('venus_formats.h', write_formats_h(model.registry)),
                       *(('venus_profile_%s.c' % p.key, p.text()) for p in profiles)):
        with open(os.path.join(options.out, name), 'w') as file:
            file.write(text)


if __name__ == '__main__':
    main()
