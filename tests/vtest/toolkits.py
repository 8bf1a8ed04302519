"""A window of GTK 4 and one of Qt Quick, each drawn by that library's own Vulkan renderer.

Their programs come from a tree of their own, of scripts/tree toolkits. A picture must be what it is natively.
"""

import os
import tempfile
import time

import bed
import cases

SUITE = "toolkits"
PATIENCE = 60

NODES = """color { bounds: 0 0 400 300; color: rgb(20,40,80); }
linear-gradient { bounds: 20 20 360 120; start: 20 20; end: 380 20; stops: 0 rgb(255,200,0), 1 rgb(0,120,255); }
rounded-clip { clip: 60 170 120 100 / 30; child: radial-gradient {
    bounds: 60 170 120 100; center: 120 220; hradius: 60; vradius: 50; start: 0; end: 1; stops: 0 rgb(255,255,255), 1 rgb(200,0,60); } }
color { bounds: 230 180 120 80; color: rgb(120,255,120); }
"""
SCENE = """import QtQuick
Window {
    width: 400; height: 300; visible: true; color: "#142850"
    Rectangle {
        x: 20; y: 20; width: 360; height: 120
        gradient: Gradient { GradientStop { position: 0; color: "#ffc800" } GradientStop { position: 1; color: "#0078ff" } }
    }
    Rectangle { x: 60; y: 170; width: 120; height: 100; radius: 30; color: "#c8003c"; rotation: 20; antialiasing: true }
    Rectangle { x: 230; y: 180; width: 120; height: 80; color: "transparent"; border { width: 8; color: "#78ff78" } }
}
"""
# What is written to a file, the program that shows it, what chooses its renderer, and what it says when it has it.
PROGRAMS = {
    "GTK 4": (
        "window.node", NODES, ["gtk4-rendernode-tool", "show"],
        {"GSK_RENDERER": "vulkan", "GSK_DEBUG": "renderer", "GDK_BACKEND": "x11", "GSETTINGS_BACKEND": "memory"}, b"GskVulkanRenderer",
    ),
    "Qt Quick": (
        "window.qml", SCENE, ["qml6"], {"QSG_RHI_BACKEND": "vulkan", "QSG_INFO": "1", "QT_QPA_PLATFORM": "xcb"}, b"QRhi with backend Vulkan",
    ),
}  # fmt: skip


def is_there():
    return os.path.exists(os.path.join(bed.ROOT, "build/trees", SUITE, ".stamp"))


def picture(side, name):
    """What its window shows when it does not change any more."""
    file, text, argv, env, said = PROGRAMS[name]
    with open(os.path.join(side.tree.work, file), "w", encoding="utf-8") as f:
        f.write(text)
    with bed.Display(400, 300) as display, tempfile.TemporaryFile() as err:
        qt = os.path.join(side.tree.lib, "qt6")
        env = {**env, "QT_PLUGIN_PATH": qt + "/plugins", "QML_IMPORT_PATH": qt + "/qml", **cases.window_environment(side, display)}
        process = side.start([*argv, file], env, stdout=err, stderr=err)
        try:
            before, deadline = display.shot(), time.monotonic() + PATIENCE
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(1)
                shot = display.shot()
                if shot == before and bed.colours(shot) > 8:
                    break
                before = shot
        finally:
            bed.end(process)
        err.seek(0)
        words = err.read()
    cases.expect(bed.colours(shot) > 8, "an empty window: " + words.decode(errors="replace")[-200:].strip())
    cases.expect(said in words, "not by its Vulkan renderer")
    return shot


def case(bench, side, name):
    """`bench` is that of this tree."""
    natively = bench.natively(name, lambda: picture(bench.native, name))
    shot = picture(side, name)
    bed.picture.write_png(os.path.join(bench.tree.work, f"{side.name}-{name.split()[0]}.png"), *shot)
    differs = bed.difference(shot, natively)
    cases.expect(differs <= 0.005, f"{differs:.1%} of its pixels differ from the native ones")
    return True
