#!/usr/bin/env python3
"""What programs get under each host profile, on lavapipe with the newest Mesa: a table.

    profiles.py [--hesper PROGRAM] [--profiles LIST] [--markdown FILE]

Programs are run over vtest. What runs under Wine is not: which level of Direct3D its libraries would offer is
computed from what a guest's vulkaninfo says, and so is what Chromium's graphics would offer. --markdown writes docs/profiles.md. Exit status 1 if a program fails
that should run everywhere.
"""

import argparse
import os
import re
import sys

import bed
import cases
import differences
import toolkits

SUITE = "sid"
EVERYWHERE = ("vkcube", "vkmark", *toolkits.PROGRAMS)  # what every profile must run


class Seen:
    """What a guest's program sees, by the names of features, whatever structure has them."""

    def __init__(self, side):
        view = differences.View(side)
        self.version = view.version()
        self.extensions = view.extensions
        self.values = view.values
        self.on = {key.rsplit(".", 1)[-1] for key, value in view.values.items() if value is True or value == 1}

    def lacks(self, names):
        return [n for n in names.split() if n not in (self.extensions if n.startswith("VK_") else self.on)]

    def number(self, name):
        found = [v for k, v in self.values.items() if k.rsplit(".", 1)[-1] == name and isinstance(v, (int, float))]
        return max(found, default=0)

    def at_least(self, major, minor):
        return tuple(map(int, self.version.split(".")[:2])) >= (major, minor)


# --- Direct3D, computed ---------------------------------------------------------------------------
# Facts of DXVK 1.10.3 (d3d11_device.cpp), DXVK 3.0.2 (dxvk_device_info.cpp, d3d11_features.cpp) and of vkd3d-proton
# (README.md, device.c). A ladder is [(what is offered, what it takes more than the step before)].

DXVK_1 = [
    ("9_1", "geometryShader robustBufferAccess shaderStorageImageWriteWithoutFormat shaderDrawParameters depthClamp"
     " depthBiasClamp fillModeNonSolid sampleRateShading shaderClipDistance shaderCullDistance textureCompressionBC"
     " hostQueryReset"),
    ("9_3", "occlusionQueryPrecise independentBlend multiViewport"),
    ("10_0", "fullDrawIndexUint32 shaderImageGatherExtended transformFeedback geometryStreams"),
    ("10_1", "dualSrcBlend imageCubeArray"),
    ("11_0", "drawIndirectFirstInstance fragmentStoresAndAtomics multiDrawIndirect tessellationShader"),
    ("11_1", "logicOp variableMultisampleRate vertexPipelineStoresAndAtomics"),
]
TILES = "sparseBinding sparseResidencyBuffer sparseResidencyImage2D sparseResidencyAliased shaderResourceResidency" \
    " shaderResourceMinLod samplerFilterMinmax"
DXVK_3 = [
    ("10_1", "depthBiasClamp depthClamp dualSrcBlend fillModeNonSolid fragmentStoresAndAtomics fullDrawIndexUint32"
     " geometryShader imageCubeArray independentBlend multiDrawIndirect multiViewport occlusionQueryPrecise"
     " robustBufferAccess sampleRateShading samplerAnisotropy shaderClipDistance shaderCullDistance"
     " shaderImageGatherExtended shaderInt16 shaderInt64 shaderSampledImageArrayDynamicIndexing textureCompressionBC"
     " shaderDrawParameters storageBuffer16BitAccess bufferDeviceAddress descriptorIndexing storageBuffer8BitAccess"
     " descriptorBindingSampledImageUpdateAfterBind descriptorBindingUpdateUnusedWhilePending"
     " descriptorBindingPartiallyBound hostQueryReset runtimeDescriptorArray samplerMirrorClampToEdge"
     " scalarBlockLayout shaderInt8 timelineSemaphore uniformBufferStandardLayout vulkanMemoryModel inlineUniformBlock"
     " computeFullSubgroups dynamicRendering maintenance4 shaderDemoteToHelperInvocation"
     " shaderZeroInitializeWorkgroupMemory subgroupSizeControl synchronization2 depthClipEnable robustBufferAccess2"
     " nullDescriptor"),
    ("11_0", "drawIndirectFirstInstance tessellationShader"),
    ("11_1", "logicOp vertexPipelineStoresAndAtomics"),
    ("12_0", TILES + " shaderStorageImageReadWithoutFormat"),
    ("12_1", "VK_EXT_conservative_rasterization fragmentShaderSampleInterlock fragmentShaderPixelInterlock"),
]
VKD3D = [
    ("11_0", "samplerMirrorClampToEdge shaderDrawParameters VK_EXT_robustness2 nullDescriptor robustBufferAccess2"
     " VK_KHR_push_descriptor descriptorIndexing descriptorBindingVariableDescriptorCount geometryShader"
     " tessellationShader"),
    ("11_1", "logicOp vertexPipelineStoresAndAtomics"),
    ("12_0", TILES + " shaderStorageImageReadWithoutFormat"),
    ("12_1", "VK_EXT_conservative_rasterization fragmentShaderSampleInterlock fragmentShaderPixelInterlock"),
]


def climb(seen, ladder, version=(1, 1), extra=""):
    """The highest step, and what the next one lacks."""
    reached, lacking = None, ""
    if not seen.at_least(*version):
        return f"no (Vulkan {version[0]}.{version[1]})"
    if extra:
        return f"no ({extra})"
    for step, names in ladder:
        missing = seen.lacks(names)
        if missing:
            lacking = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
            break
        reached = step
    if not reached:
        return f"no ({lacking})"
    return reached + (f" (the next lacks {lacking})" if lacking else "")


def vkd3d(seen):
    small = [k for k in ("StorageBuffers", "SampledImages", "StorageImages")
             if seen.number("maxPerStageDescriptorUpdateAfterBind" + k) < 1000000]
    return climb(seen, VKD3D, (1, 3), f"fewer than a million {small[0]} to bind" if small else "")


# --- a browser's graphics, computed ---------------------------------------------------------------
# Facts of Chromium's libraries: Dawn (vulkan/PhysicalDeviceVk.cpp of 2026) for WebGPU, ANGLE (vulkan/vk_renderer.cpp of
# 2025) for WebGL, which takes OpenGL ES 2.0, or 3.0 for WebGL 2.

WEBGPU = [
    ("compatibility level", "robustBufferAccess shaderUniformBufferArrayDynamicIndexing shaderStorageBufferArrayDynamicIndexing"
     " shaderSampledImageArrayDynamicIndexing shaderStorageImageArrayDynamicIndexing fragmentStoresAndAtomics"
     " fullDrawIndexUint32"),
    ("yes", "depthBiasClamp imageCubeArray independentBlend sampleRateShading"),
]
# The least that WebGPU promises everybody.
WEBGPU_LIMITS = {
    "maxImageDimension1D": 8192, "maxImageDimension2D": 8192, "maxImageDimensionCube": 8192, "maxFramebufferWidth": 8192,
    "maxFramebufferHeight": 8192, "maxImageDimension3D": 2048, "maxImageArrayLayers": 256, "maxBoundDescriptorSets": 4,
    "maxDescriptorSetUniformBuffersDynamic": 8, "maxDescriptorSetStorageBuffersDynamic": 4,
    "maxPerStageDescriptorSampledImages": 16, "maxPerStageDescriptorSamplers": 16, "maxPerStageDescriptorStorageBuffers": 8,
    "maxPerStageDescriptorStorageImages": 4, "maxPerStageDescriptorUniformBuffers": 12, "maxStorageBufferRange": 128 << 20,
    "maxUniformBufferRange": 64 << 10, "maxColorAttachments": 8, "maxVertexInputBindings": 8, "maxVertexInputAttributes": 16,
    "maxVertexInputBindingStride": 2048,
}  # fmt: skip


def webgpu(seen):
    compressed = not seen.lacks("textureCompressionBC") or not seen.lacks("textureCompressionETC2 textureCompressionASTC_LDR")
    small = [name for name, least in WEBGPU_LIMITS.items() if seen.number(name) < least]
    extra = "" if compressed else "textureCompressionBC, or ETC2 with ASTC_LDR"
    return climb(seen, WEBGPU, extra=extra or (f"{small[0]} {seen.number(small[0])}" if small else ""))


# OpenGL ES 3.0 has 12 uniform buffers a stage and 64 numbers between stages; ANGLE keeps a few more for itself.
WEBGL_LIMITS = {"maxPerStageDescriptorUniformBuffers": 12 + 2, "maxVertexOutputComponents": 64 + 16}


def webgl(seen):
    missing = seen.lacks("independentBlend standardSampleLocations")
    if seen.lacks("transformFeedback") and seen.lacks("vertexPipelineStoresAndAtomics"):
        missing.append("transformFeedback or vertexPipelineStoresAndAtomics")
    missing += [name for name, least in WEBGL_LIMITS.items() if seen.number(name) < least]
    return f"1 (2 lacks {', '.join(missing)})" if missing else "2"


# --- programs -------------------------------------------------------------------------------------


def case(bench, side, name, call=None):
    try:
        return "runs" if (call or cases.CASES[name])(bench, side) is not False else ""
    except cases.Skip as reason:
        return f"not tried ({reason})"
    except cases.Failed as reason:
        return f"fails ({reason})"


def toolkit(bench, profile, hesper, name):
    """By the tree that has it, if it is there; `bench` is that tree's."""
    if not bench:
        return "not tried (scripts/tree toolkits makes its tree)"
    return case(bench, bed.Hesper(bench.tree, profile, hesper), name, lambda bench, side: toolkits.case(bench, side, name))


def opengl(side):
    """(OpenGL, OpenGL ES) by zink, or why not."""
    with bed.Display() as display:
        got = side.run(["glxinfo", "-B"], {**cases.ZINK, **cases.window_environment(side, display)})
    wants = re.search(rb"Zink requires ([^\n]*)", got.err)
    if wants:
        return f"no ({wants.group(1).decode().strip()})", "no"
    text = got.out.decode(errors="replace")
    if "zink" not in text:
        return f"no ({got.why()})", "no"

    def most(what):
        found = re.search(rf"Max {what} version: ([\d.]+)", text)
        return found.group(1) if found else "0"

    core, compat = most("core profile"), most("compat profile")
    return (f"{core} core, {compat} compatible" if core not in ("0", "0.0") else f"{compat} compatible"), \
        most(r"GLES\[23\] profile")


ROWS = [
    ("Vulkan", "guest's vulkaninfo"),
    ("vkcube", "run, its picture compared"),
    ("vkmark", "run"),
    ("OpenGL (zink)", "glxinfo"),
    ("OpenGL ES (zink)", "glxinfo"),
    *[(name, "run, its picture compared") for name in toolkits.PROGRAMS],
    ("llama.cpp", "llama-bench, run"),
    ("WebGPU, Chromium's Dawn", "computed"),
    ("WebGL, Chromium's ANGLE", "computed"),
    ("Direct3D 11, DXVK 1.10", "computed"),
    ("Direct3D 11, DXVK 3.0", "computed"),
    ("Direct3D 12, vkd3d-proton", "computed"),
]


def column(bench, others, side):
    seen = Seen(side)
    gl, es = opengl(side)
    return [
        seen.version, case(bench, side, "vkcube"), case(bench, side, "vkmark"), gl, es,
        *[toolkit(others, side.profile, side.hesper, name) for name in toolkits.PROGRAMS],
        case(bench, side, "llama-bench"), webgpu(seen), webgl(seen),
        climb(seen, DXVK_1), climb(seen, DXVK_3, (1, 3)), vkd3d(seen),
    ]


HEAD = """# What runs under each host profile

Written by `tests/vtest/profiles.py --markdown`: Mesa {mesa}'s Venus over vtest, on lavapipe with each profile laid over
it. [doctor.md](doctor.md#host-profiles) says what a profile is and where its data comes from.

A profile shows what both the Mac's driver and lavapipe have. So a level here is what a Mac offers at least, as far as its
driver keeps what the published data promises; speed says nothing. Rows that are *computed* were not run: they compare the
features that a guest's vulkaninfo lists with those that the sources of that library demand. "11_1 (the next lacks …)" names
what is missing for the next level.
"""

TAIL = """
In words: Vulkan programs (vkcube, vkmark, GTK 4, Qt Quick, llama.cpp) run everywhere. OpenGL ends at 2.1 and OpenGL ES at
2.0 on a Mac. Later versions need transform feedback or geometry shaders, which Metal does not have and neither driver of
Macs emulates. A compositor can draw with that; programs that ask for OpenGL 3 or OpenGL ES 3 draw in software, or by
Vulkan, as GTK 4 (GSK_RENDERER=vulkan) and Qt Quick (QSG_RHI_BACKEND=vulkan) can. DXVK and vkd3d-proton need geometry
shaders, so games for Direct3D 11 and 12 do not start on Macs, by either driver.
The native column has no tiled resources, since lavapipe cannot bind imported pages sparsely (Mesa up to 26.2).

GTK 4.24 and Qt 6.11 showed a window each, drawn by their own Vulkan renderers (`scripts/tree toolkits`). Chromium was not
run: what is said of it is what its two libraries demand, and Chromium has lists of its own of drivers that it does not trust.

There is no profile of UTM's MoltenVK, which is a branch of MoltenVK's sources. Its sources are published, but no report
of what it shows on a Mac was found, and no list of which of its changes UTM ships: a profile would be a guess.
"""


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--hesper")
    p.add_argument("--profiles", default="native,portable,moltenvk,kosmickrisp")
    p.add_argument("--markdown", metavar="FILE")
    opt = p.parse_args()
    bench = cases.Bench(bed.Tree(SUITE))
    others = cases.Bench(bed.Tree(toolkits.SUITE)) if toolkits.is_there() else None
    names = opt.profiles.split(",")
    columns = {}
    for name in names:
        side = bed.Hesper(bench.tree, name, opt.hesper)
        columns[name] = column(bench, others, side)
        for (row, _), value in zip(ROWS, columns[name]):
            print(f"{name:12} {row:26} {value}", flush=True)
    if opt.markdown:
        with open(opt.markdown, "w", encoding="utf-8") as out:
            out.write(HEAD.format(mesa=bed.SUITES[SUITE]))
            out.write("\n| | how | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names) + "\n")
            for i, (row, how) in enumerate(ROWS):
                out.write(f"| {row} | {how} | " + " | ".join(columns[n][i] for n in names) + " |\n")
            out.write(TAIL)
    failed = [f"{n}: {row}" for n in names for (row, _), v in zip(ROWS, columns[n]) if row in EVERYWHERE and not v.startswith(("runs", "not tried"))]
    if failed:
        print("profiles: " + "; ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
