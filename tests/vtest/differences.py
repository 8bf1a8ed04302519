#!/usr/bin/env python3
"""What a Vulkan program sees through Hesper and natively, on the same lavapipe, and why it differs.

    differences.py [--hesper PROGRAM] [--suites LIST] [--markdown FILE]

Runs `vulkaninfo --json` of each tree natively and in both host profiles, compares extensions, features,
limits, formats and queue families, and gives every difference its reason. A difference without one is an
error: exit status 1. --markdown writes docs/differences.md.
"""

import argparse
import json
import os
import re
import sys
import xml.etree.ElementTree as ET

import bed

REGISTRY = os.path.join(bed.ROOT, "build/registry/usr/share/vulkan/registry/vk.xml")

# --- reasons --------------------------------------------------------------------------------------

NOT_CARRIED = "not in the Venus protocol (1.4.343): the guest's driver could not pass it on"
OLD_GUEST = "this Mesa's Venus does not know it yet; a newer one offers it through the same Hesper"
OF_GUEST = "made by the guest's driver itself"
WITH_WINDOWS = "belongs to windows, which are the guest's: its Mesa has what its driver supports"
VERSION = "this Mesa's Venus offers Vulkan 1.3 where the driver has 1.4 (its protocol ends at 1.3.269)"
PROFILE = "taken away by the portable profile: MoltenVK does not have it"

# Extensions whose reason does not follow from the protocol. (pattern, reason)
EXTENSIONS = [
    (r"VK_EXT_image_drm_format_modifier", "carried out by Hesper (LINEAR), so that guests can share images"),
    (r"VK_EXT_queue_family_foreign|VK_EXT_external_memory_dma_buf|VK_KHR_external_memory_fd", "carried out by Hesper"),
    (r"VK_KHR_external_(fence|semaphore)_fd",
     "Mesa offers it only where its kernel has sync files for it: in a VM, not over vtest"),
    (r"VK_EXT_external_memory_host", "used by Hesper itself; a guest's pointers mean nothing to the host"),
    (r"VK_EXT_memory_budget", "Mesa's Venus hides it for the sake of applications"),
    (r"VK_EXT_(device_memory_report|physical_device_drm|map_memory_placed|tooling_info)|VK_KHR_map_memory2", OF_GUEST),
    (r"VK_KHR_deferred_host_operations", OF_GUEST),
    (r"VK_KHR_(present_(id|wait)2?|swapchain.*|incremental_present)|VK_EXT_(swapchain_maintenance1|hdr_metadata)", WITH_WINDOWS),
    (r"VK_EXT_multisampled_render_to_swapchain|VK_KHR_swapchain_maintenance1", WITH_WINDOWS),
    (r"VK_EXT_debug_marker", "offered by a layer, not by the driver"),
]

NOT_SPARSE = "lavapipe can't bind the host memory that all guests' memory is; Mesa's Venus 25.0 switches it off itself"

# Single values. (pattern of "structure.member", reason)
VALUES = [
    (r"VkPhysicalDeviceProperties\.apiVersion", "at most what the protocol carries: 1.4.343, or 1.3.269 for Mesa 25.0"),
    (r"VkPhysicalDeviceProperties\.(deviceName|pipelineCacheUUID|driverVersion)", "the guest's driver names itself"),
    (r"VkPhysicalDeviceVulkan1[12]Properties\.(deviceUUID|driverUUID|driverID|driverName|driverInfo|conformanceVersion.*)",
     "the guest's driver names itself"),
    (r"VkPhysicalDevice(ID|Driver)Properties\..*", "the guest's driver names itself"),
    (r"VkPhysicalDeviceLayeredApiPropertiesListKHR.*", "Mesa's Venus says that it lies over another Vulkan"),
    (r"VkPhysicalDeviceDrmPropertiesEXT.*", OF_GUEST),
    (r"VkPhysicalDevice(DeviceMemoryReport|MapMemoryPlaced|PresentId2?|PresentWait2?).*", OF_GUEST),
    (r"VkQueueFamilyOwnershipTransferPropertiesKHR.*", NOT_CARRIED + " (VK_KHR_maintenance9)"),
    (r".*\.(sparse(Binding|Residency.*)|sparseAddressSpaceSize|residency.*)|.*VkQueueFamilyProperties\.queueFlags", NOT_SPARSE),
    (r"VkPhysicalDeviceVulkan14.*", VERSION),
    (r"VK_FORMAT_R10X6G10X6B10X6A10X6_UNORM_4PACK16\..*", "Mesa's Venus limits it to what needs no VK_EXT_rgba10x6_formats"),
    (r".*(extendedDynamicState3|dynamicPrimitiveTopologyUnrestricted).*", "Mesa's Venus limits dynamic states to those it encodes"),
]


class Registry:
    """Which extension defines a structure, and what the protocol's vocabulary is."""

    def __init__(self):
        self.owners, self.promoted = {}, {}
        root = ET.parse(REGISTRY).getroot()
        alias = {t.get("name"): t.get("alias") for t in root.findall("types/type") if t.get("alias")}
        for extension in root.findall("extensions/extension"):
            for t in extension.findall("require/type"):
                for name in {t.get("name"), alias.get(t.get("name"))} - {None}:
                    self.owners.setdefault(name, set()).add(extension.get("name"))
                    self.promoted.setdefault(name, set()).add(extension.get("promotedto"))
        venus = ET.parse(os.path.join(bed.ROOT, "protocol/venus.xml")).getroot()
        self.vocabulary = {e.get("name") for e in venus.findall("extensions/extension")}


def flat(value, prefix=""):
    if isinstance(value, dict):
        out = {}
        for k, v in value.items():
            out.update(flat(v, f"{prefix}.{k}" if prefix else k))
        return out
    if isinstance(value, list) and value and isinstance(value[0], dict):
        out = {}
        for i, v in enumerate(value):
            out.update(flat(v, f"{prefix}[{i}]"))
        return out
    return {prefix: value}


class View:
    """One program's view: extensions (name: version) and every other value (structure.member: value)."""

    def __init__(self, side):
        path = os.path.join(side.tree.work, f"{side.name}-vulkaninfo.json")
        result = side.run(["vulkaninfo", "--json", "-o", path])
        if result.status != 0:
            raise SystemExit(f"differences: vulkaninfo, {side.tree.suite}, {side.name}: {result.why()}")
        with open(path, encoding="utf-8") as f:
            text = re.sub(r'^(\s*)"\d+": \{', r"\1{", f.read(), flags=re.M)  # some versions number the items of arrays
        device = json.loads(text)["capabilities"]["device"]
        self.extensions = device["extensions"]
        self.values = {}
        for section in ("features", "properties", "queueFamiliesProperties"):
            self.values.update(flat(device[section]))
        self.formats = flat(device["formats"])

    def version(self):
        packed = int(self.values["VkPhysicalDeviceProperties.apiVersion"])
        return f"{packed >> 22 & 0x7f}.{packed >> 12 & 0x3ff}.{packed & 0xfff}"


class Comparison:
    def __init__(self, before, after, explain_extension, explain_value):
        self.extensions, self.values, self.followers, self.unexplained = {}, {}, 0, []
        names = sorted(set(before.extensions) | set(after.extensions))
        self.changed = [n for n in names if before.extensions.get(n) != after.extensions.get(n)]
        for name in self.changed:
            was, now = before.extensions.get(name), after.extensions.get(name)
            self.put(self.extensions, explain_extension(name, was, now), name, was, now)
        for table, prefix in ((("values",), ""), (("formats",), "")):
            a, b = getattr(before, table[0]), getattr(after, table[0])
            for key in sorted(set(a) | set(b)):
                if a.get(key) != b.get(key):
                    reason = explain_value(self, key, a.get(key), b.get(key))
                    if reason == "":
                        self.followers += 1
                    else:
                        self.put(self.values, reason, key, a.get(key), b.get(key))

    def put(self, table, reason, key, was, now):
        if reason is None:
            self.unexplained.append((key, was, now))
            reason = "UNEXPLAINED"
        table.setdefault(reason, []).append((key, was, now))


def structures_of(key):
    return re.findall(r"Vk[A-Za-z0-9]+", key)


class Explainer:
    """Reasons for native against Hesper. `newest` is what the newest guest sees through Hesper."""

    def __init__(self, registry, newest):
        self.registry, self.newest = registry, newest

    def extension(self, name, was, now):
        for pattern, reason in EXTENSIONS:
            if re.fullmatch(pattern, name):
                return reason
        if name not in self.registry.vocabulary and not now:
            return NOT_CARRIED
        if not now and self.newest and name in self.newest.extensions:
            return OLD_GUEST
        return None

    def value(self, comparison, key, was, now):
        for structure in structures_of(key):
            owners = self.registry.owners.get(structure, set())
            if owners & set(comparison.changed):
                return ""  # follows its extension, which is listed
            if "VK_VERSION_1_4" in self.registry.promoted.get(structure, ()) and (was is None or now is None):
                return VERSION if self.old else None
        for pattern, reason in VALUES:
            if re.fullmatch(pattern, key):
                return reason if reason != VERSION or self.old else None
        if key.startswith("VK_FORMAT_A8_UNORM.") or key.startswith("VK_FORMAT_A1B5G5R5_"):
            return VERSION if self.old else None  # of VK_KHR_maintenance5
        return None

    old = False


class ProfileExplainer:
    """Reasons for the native against the portable profile: the tables of src/venus/profile.c, by name."""

    def __init__(self, registry):
        self.registry = registry
        with open(os.path.join(bed.ROOT, "src/venus/profile.c"), encoding="utf-8") as f:
            text = f.read()
        portable = text[text.index("portable_extensions[]"):]
        self.seen = set(re.findall(r'"(VK_[A-Za-z0-9_]+)"', portable))
        self.members = set(re.findall(r"CORE\((\w+)\)", portable))
        self.members |= set(re.findall(r"IN\(\w+,\s*\w+,\s*(\w+)\)", portable))
        self.members |= set(re.findall(r'"(\w+)"\},', portable))
        self.limits = set(re.findall(r"LIMIT\(\w+, (\w+)", portable))

    def extension(self, name, was, now):
        if now is None and name not in self.seen:
            return PROFILE
        if now is None and name == "VK_KHR_deferred_host_operations":
            return OF_GUEST + ", only together with VK_KHR_acceleration_structure"
        return None

    def value(self, comparison, key, was, now):
        for structure in structures_of(key):
            if self.registry.owners.get(structure, set()) & set(comparison.changed):
                return ""
        member = key.rsplit(".", 1)[-1]
        if member in self.members or member in self.limits or key.endswith(".queueFlags"):
            return PROFILE
        if re.fullmatch(r"VkPhysicalDeviceVulkan1[12]Properties\.(filterMinmax.*|protectedNoFault)", key):
            return PROFILE
        if member == "pipelineCacheUUID":
            return "made of what the device can do"
        if re.fullmatch(r".*\.(sparseAddressSpaceSize|residency.*)", key):
            return PROFILE
        return None


# --- output ---------------------------------------------------------------------------------------


def short(value):
    if value is None:
        return "–"
    if isinstance(value, list):
        text = ", ".join(re.sub(r"^VK_(QUEUE_|FORMAT_FEATURE_)?|_BIT$", "", str(v)) for v in value)
        return text if len(text) < 100 else text[:97] + "…"
    return str(value)


def write_comparison(out, title, comparison):
    out.append(f"### {title}\n")
    if comparison.extensions:
        out.append("Extensions:\n")
        for reason in sorted(comparison.extensions):
            names = comparison.extensions[reason]
            gone = [n for n, was, now in names if now is None]
            new = [n for n, was, now in names if was is None]
            other = [f"{n} ({was} → {now})" for n, was, now in names if was is not None and now is not None]
            out.append(f"* {reason}.")
            for word, what in (("Missing", gone), ("Added", new), ("Other version", other)):
                if what:
                    out.append(f"  {word}: " + ", ".join(f"`{n}`" for n in what))
        out.append("")
    if comparison.values:
        out.append("Features, limits, formats:\n")
        out.append("| what | before | after | why |\n|---|---|---|---|")
        for reason in sorted(comparison.values):
            for key, was, now in comparison.values[reason]:
                key = re.sub(r"^VkPhysicalDevice(Properties\.|Features\.)?", "", key)
                out.append(f"| `{key}` | {short(was)} | {short(now)} | {reason} |")
        out.append("")
    out.append(f"{comparison.followers} more values belong to structures of the extensions above.\n")


HEAD = """# What differs from the same driver natively

Written by `tests/vtest/differences.py --markdown` from `vulkaninfo --json` of each Mesa on its own lavapipe,
natively and through Hesper over vtest; the same script fails if a difference has no reason. Memory types and heaps
are the same everywhere (`VK_EXT_memory_budget` aside). [emulation.md](emulation.md) says how the parts that Hesper
carries out itself work.

On hosts that take shared pages only into some memory types, the others are shown without HOST_VISIBLE: an NVIDIA
H100 (driver 580) keeps its two types of system memory mappable and loses the mappable window into device memory.
"""


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--hesper")
    p.add_argument("--suites", default=",".join(bed.SUITES))
    p.add_argument("--markdown", metavar="FILE")
    opt = p.parse_args()

    registry = Registry()
    order = sorted(opt.suites.split(","), key=lambda s: bed.SUITES[s], reverse=True)
    out, newest, unexplained = [HEAD], None, []
    for suite in order:
        tree = bed.Tree(suite)
        host, native, portable = (View(s) for s in (bed.Side(tree), bed.Hesper(tree, "native", opt.hesper),
                                                    bed.Hesper(tree, "portable", opt.hesper)))
        newest = newest or native
        explainer = Explainer(registry, newest)
        explainer.old = native.version().startswith("1.3.") and host.version().startswith("1.4.")
        first = Comparison(host, native, explainer.extension, explainer.value)
        explainer = ProfileExplainer(registry)
        second = Comparison(native, portable, explainer.extension, explainer.value)
        out.append(f"## Mesa {bed.SUITES[suite]} ({suite}): Vulkan {host.version()} natively, {native.version()} through Hesper\n")
        write_comparison(out, "Natively → through Hesper", first)
        write_comparison(out, "Native profile → portable profile", second)
        for word, c in (("native", first), ("portable", second)):
            print(f"{suite:17}{word:9} {len(c.changed):3} extensions, {sum(map(len, c.values.values())):3} values and "
                  f"{c.followers:3} of those extensions differ, {len(c.unexplained)} without a reason")
            unexplained += [(suite, word, *u) for u in c.unexplained]
    for suite, word, key, was, now in unexplained:
        print(f"no reason: {suite} {word}: {key}: {short(was)} -> {short(now)}")
    if opt.markdown:
        with open(opt.markdown, "w", encoding="utf-8") as f:
            f.write("\n".join(out))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
