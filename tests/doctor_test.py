#!/usr/bin/env python3
"""doctor_test.py HESPER DRIVER [STAND-IN]: drivers that are found, tried out and chosen; hesper doctor.

DRIVER is a Vulkan driver of our own (tests/unit/cli/fake_icd.c), so that no other is needed; one that this
machine has is never used. STAND-IN is one for /dev/udmabuf (tests/programs/udmabuf.c). Works with or without a Vulkan loader.
"""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HESPER, DRIVER = map(os.path.abspath, sys.argv[1:3])
STAND_IN = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None


class Doctor(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="hesper-doctor-")
        self.addCleanup(temporary.cleanup)
        self.folder = os.path.realpath(temporary.name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, content):
        with open(self.path(name), "w") as f:
            f.write(content)
        return self.path(name)

    def manifest(self, name="fake.json", library=DRIVER):
        return self.make(name, json.dumps({"file_format_version": "1.0.0", "ICD": {"library_path": library, "api_version": "1.3.0"}}))

    def hesper(self, *argv, drivers=(), fake="", **env):
        full = {k: v for k, v in os.environ.items() if not k.startswith(("VK_", "HESPER_", "XDG_", "LC_", "LANG"))}
        full.update(
            XDG_RUNTIME_DIR=self.folder, TMPDIR=self.folder, HOME=self.folder, FAKE_ICD=fake, LC_ALL="C.UTF-8",
            VK_DRIVER_FILES=":".join(drivers) or self.path("none.json"), **env,
        )
        done = subprocess.run([HESPER, *argv], env=full, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertGreaterEqual(done.returncode, 0, done.stderr)  # never by a signal
        return done

    def doctor(self, *argv, **options):
        """(exit status, [(check, result, text)])"""
        done = self.hesper("doctor", "--json", "--qemu", "/nowhere/qemu", *argv, **options)
        said = json.loads(done.stdout)
        checks = [(c["check"], c["result"], c["text"]) for c in said["checks"]]
        for result in ("good", "bad"):
            self.assertEqual(said[result], sum(c[1] == result for c in checks))
        self.assertEqual(done.returncode, 1 if said["bad"] else 0)
        return done.returncode, checks

    def one(self, checks, name, result):
        found = [text for check, how, text in checks if (check, how) == (name, result)]
        self.assertEqual(len(found), 1, checks)
        return found[0]

    # ---- drivers ---------------------------------------------------------------------------------

    def test_a_driver_that_works(self):
        status, checks = self.doctor(drivers=[self.manifest()])
        self.assertEqual(self.one(checks, "driver", "good"), self.path("fake.json"))
        self.assertRegex(self.one(checks, "device", "good"), r"^0: Fake Card \(fakedriver\); .*1 of 2 memory types, aligned to \d+ bytes")
        self.assertRegex(self.one(checks, "guest", "good"), "1 of 2 memory types to map: HOST_VISIBLE HOST_COHERENT HOST_CACHED")
        lacks = [text for check, _, text in checks if check == "guest" and "without" in text]
        self.assertFalse(any("nullDescriptor" in text or "geometryShader" in text for text in lacks), lacks)

    @unittest.skipUnless(sys.platform == "linux", "system calls are refused on Linux only")
    def test_a_sandbox_for_whose_driver_it_is(self):
        mesas = self.path("libvulkan_lvp.so")
        shutil.copy(DRIVER, mesas)
        for library, options, strict in (
            (mesas, (), True),
            (DRIVER, (), False),
            (mesas, ("--sandbox=default",), False),
            (DRIVER, ("--sandbox=strict",), True),
        ):
            _, checks = self.doctor(*options, drivers=[self.manifest(library=library)])
            self.assertEqual("seccomp (strict)" in self.one(checks, "sandbox", "good"), strict, (library, options))
        _, checks = self.doctor("--sandbox=off", drivers=[self.manifest()])
        self.one(checks, "sandbox", "note")
        self.assertEqual(self.hesper("doctor", "--sandbox=open").returncode, 2)

    def test_as_a_mac(self):
        _, checks = self.doctor("--as", "moltenvk", drivers=[self.manifest()])
        self.assertIn("MoltenVK", self.one(checks, "profile", "note"))
        lacks = " ".join(text for check, result, text in checks if (check, result) == ("guest", "note"))
        for feature in ("geometryShader", "VK_EXT_transform_feedback", "sparseBinding"):
            self.assertIn(feature, lacks)
        self.assertIn("samplerMipLodBias", self.one(checks, "subset", "note"))
        self.one(checks, "device", "good")

    def test_a_portability_subset(self):
        _, checks = self.doctor(drivers=[self.manifest()], fake="subset")
        lacking = self.one(checks, "subset", "note")
        self.assertIn("triangleFans", lacking)
        self.assertNotIn("events", lacking)

    def test_drivers_that_end_their_process(self):
        for fake, why in (("abort", "signal (Aborted): fake: the firmware is unhappy"), ("exit", "status 7")):
            status, checks = self.doctor(drivers=[self.manifest()], fake=fake)
            self.assertEqual(status, 1)
            found = self.one([c for c in checks if self.folder in c[2]], "driver", "bad")
            self.assertTrue(found.startswith(self.path("fake.json") + ": "), found)
            self.assertIn(why, found)

    def test_manifests_that_are_none(self):
        for name, content, why in (
            ("nowhere.json", '{"ICD": {"library_path": "/nowhere/libx.so"}}', "/nowhere/libx.so: No such file"),
            ("cut.json", '{"ICD": {"library', "not JSON"),
            ("empty.json", "", "not JSON"),
            ("other.json", '{"layer": {}}', "names no library"),
            ("number.json", '{"ICD": {"library_path": 7}}', "names no library"),
            ("text.json", '{"ICD": {"library_path": "./text.json"}}', "cannot be loaded"),
        ):
            self.make(name, content)
            status, checks = self.doctor(drivers=[self.path(name)])
            found = [text for check, result, text in checks if (check, result) == ("driver", "bad") and name in text]
            if why == "cannot be loaded" and not found:
                continue  # a loader passes over it without a word
            self.assertEqual(status, 1)
            self.assertEqual(len(found), 1, checks)
            self.assertIn(why, found[0])

    def test_a_library_beside_its_manifest(self):
        os.symlink(DRIVER, self.path("libfake.so"))
        _, checks = self.doctor(drivers=[self.manifest(library="./libfake.so")])
        self.one(checks, "device", "good")

    def test_devices_that_guests_cannot_use(self):
        for fake, why in (("old", "only Vulkan 1.0"), ("noimport", "VK_EXT_external_memory_host")):
            status, checks = self.doctor(drivers=[self.manifest()], fake=fake)
            self.assertEqual(status, 1)
            self.assertTrue(any(why in text for _, _, text in checks), checks)

    def test_a_driver_that_takes_dma_bufs(self):
        if not STAND_IN:
            self.skipTest("no stand-in for /dev/udmabuf")
        options = {"drivers": [self.manifest()], "fake": "dmabuf", "LD_PRELOAD": STAND_IN}
        # A sanitizer wants to be loaded first.
        options["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        _, checks = self.doctor(**options)
        self.assertIn("takes shared memory as dma-bufs in 1 of 2 memory types", self.one(checks, "device", "good"))
        for error, why in ((errno.EACCES, "add the user to the group"), (errno.ENOENT, "load the kernel's module udmabuf")):
            status, checks = self.doctor(UDMABUF_ERRNO=str(error), **options)
            self.assertEqual(status, 1)
            self.assertTrue(any(why in text for _, _, text in checks), checks)
        _, checks = self.doctor("--as", "portable", **options)  # a Mac has no dma-bufs
        self.assertTrue(any("in no coherent memory type" in text for _, _, text in checks), checks)

    def test_no_device_is_no_fault_of_a_driver(self):
        _, checks = self.doctor(drivers=[self.manifest()], fake="none")
        self.assertTrue(any("fake.json" in text for _, _, text in [c for c in checks if c[:2] == ("driver", "note")]), checks)

    # ---- QEMU ------------------------------------------------------------------------------------

    def qemu(self, version, devices):
        """A QEMU that only says these."""
        path = self.make(
            "qemu-system-x86_64",
            f"""#!/bin/sh
case $* in
--version) echo "QEMU emulator version {version}" ;;
"-device help") echo 'name "{devices}", bus PCI' ;;
"-accel help") echo tcg ;;
*) echo "qemu: nothing of that" >&2; exit 1 ;;
esac
""",
        )
        os.chmod(path, 0o700)
        return path

    def test_what_qemu_lacks(self):
        def remedies(*argv):
            done = self.hesper("doctor", "--json", *argv, drivers=[self.manifest()])
            return {c["check"]: (c["result"], c["text"], c.get("remedy")) for c in json.loads(done.stdout)["checks"]}

        # Homebrew's, as last seen: too old, and without vhost-user.
        for version, devices, check, why in (
            ("10.0.3", "virtio-gpu-pci", "qemu", "is version 10.0"),
            ("11.1.0", "virtio-gpu-pci", "vhost-user", "built without vhost-user-test-device-pci"),
        ):
            qemu = self.qemu(version, devices)
            result, text, remedy = remedies("--qemu", qemu, "--as", "moltenvk")[check]
            self.assertEqual(result, "bad")
            self.assertIn(why, text)
            self.assertIn("brew install hesper/local/hesper-qemu", remedy)
            if sys.platform != "darwin":
                result, text, remedy = remedies("--qemu", qemu)[check]
                self.assertEqual(result, "bad")
                self.assertNotIn("brew", remedy)
        self.assertIn("--enable-vhost-user", remedy)
        if sys.platform != "darwin":
            old = remedies("--qemu", self.qemu("10.1.2", "vfio-user-pci"))
            self.assertEqual([old[c][0] for c in ("qemu", "vfio-user", "vhost-user")], ["good", "good", "note"])
            self.assertEqual(remedies("--qemu", self.qemu("10.1.2", "vga"))["vhost-user"][0], "bad")
        has = remedies("--qemu", self.qemu("11.1.0", "vhost-user-test-device-pci"))
        self.assertEqual(has["qemu"][0], "good")
        self.assertEqual(has["vhost-user"][0], "good")

    # ---- choosing --------------------------------------------------------------------------------

    def vtest(self, *argv, **options):
        """Runs `true` on a private server, which starts only if a worker finds a device."""
        return self.hesper("vtest", "--venus-icd", self.manifest("venus.json"), *argv, "--", "true", **options)

    def test_the_next_driver_is_tried(self):
        broken = self.make("broken.json", "{")
        works = self.manifest()
        done = self.vtest(drivers=[broken, works])
        self.assertEqual(done.returncode, 0, done.stderr)
        # With a loader, which passes over it, nobody hears of the broken one.
        if done.stderr:
            self.assertRegex(done.stderr, r"^hesper: warning: the host's Vulkan driver is manifest:.*fake\.json; of no use is .*broken\.json: it is not JSON\n$")

    def test_no_driver_works(self):
        done = self.vtest(drivers=[self.manifest()], fake="none")
        if done.returncode:  # else this machine has another
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr.count("hesper: "), 1, done.stderr)
        done = self.vtest(drivers=[self.manifest()], fake="abort")
        self.assertIn("fake.json: it ended its process by a signal (Aborted): fake: the firmware is unhappy", done.stderr)

    def test_gpu(self):
        drivers = [self.manifest()]
        for gpu in ("1", "0", "fake card"):
            done = self.vtest("-v", "--gpu", gpu, drivers=drivers, fake="two" if gpu != "fake card" else "")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr.count("GPU: Fake Card (fakedriver)"), 1, done.stderr)
        for gpu, fake, why in (
            ("fake", "two", r"'fake' fits 2 devices, choose one by its number: 0: Fake Card \(fakedriver\), 1: Fake Card"),
            ("2", "two", r"no device '2' here; there is 0: Fake Card"),
            ("NVIDIA", "", r"no device 'NVIDIA' here; there is 0: Fake Card \(fakedriver\)"),
            ("", "", r"no device '' here"),
        ):
            done = self.vtest("--gpu", gpu, drivers=drivers, fake=fake)
            # On a machine with a loader and other drivers one of those may fit.
            if done.returncode or "--gpu" in done.stderr:
                self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, why)
        _, checks = self.doctor("--gpu", "1", drivers=drivers, fake="two")
        self.assertRegex(self.one(checks, "device", "good"), "^1: Fake Card")

    # ---- the rest --------------------------------------------------------------------------------

    def test_without_utf8(self):
        done = subprocess.run(
            [HESPER, "doctor", "--qemu", "/nowhere/qemu"], capture_output=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "VK_DRIVER_FILES": self.manifest()},
        )
        self.assertTrue(done.stdout.isascii())
        self.assertIn(b"ok   device", done.stdout)

    def test_version(self):
        done = self.hesper("--version", "--verbose")
        self.assertRegex(done.stdout, r"registry: Vulkan 1\.\d+\.\d+\nvocabulary: Vulkan 1\.\d+\.\d+, \d+ extensions, VK_MESA_venus_protocol \d+\n")
        self.assertRegex(self.hesper("--version").stdout, r"^hesper \d+\.\d+\.\d+\n$")

    def test_options(self):
        for argv, why in ((["--as", "windows"], "--as is native, portable, moltenvk or kosmickrisp, not 'windows'"), (["now"], "'now' is no option"), (["--fly"], "unknown option")):
            done = self.hesper("doctor", *argv)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)

    def test_a_running_machine(self):
        status, checks = self.doctor("--guest")
        self.assertEqual(status, 1)
        self.assertIn("no running", self.one(checks, "guest", "bad"))
        control = self.path("hesper-1.control")
        serve = subprocess.Popen(
            [HESPER, "serve", "--no-venus", "--display", "none", "--socket", self.path("gpu"), "--control", control],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "FAKE_ICD": ""},
        )
        try:
            self.assertIn(b"listening", serve.stdout.readline())
            for argv in (["--guest=" + control], ["--guest", control], ["--guest"]):
                status, checks = self.doctor(*argv)
                self.assertEqual(status, 1)
                self.assertIn(f"process {serve.pid}", self.one(checks, "hesper", "good"))
                self.assertIn("no QEMU is connected", self.one(checks, "machine", "bad"))
        finally:
            serve.terminate()
            serve.communicate(timeout=30)
        self.assertFalse(os.path.exists(control))

    def answered(self, gpu):
        """doctor --guest of a made-up machine whose GPU has this status."""
        path = self.path("hesper-2.control")
        status = {"hesper": "0", "pid": 2, "venus": True, "host_gpu": "Fake Card", "connected": True, "placer": True}
        status["gpu"] = {"features_offered": [], "features_taken": [], "errors": [], **gpu}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()

            def answer():
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(json.dumps(status).encode() + b"\n")

            thread = threading.Thread(target=answer)
            thread.start()
            try:
                return self.doctor("--guest", path)[1]
            finally:
                thread.join()
                os.unlink(path)

    def test_a_guest_on_large_pages(self):
        taken = ["VIRGL", "RESOURCE_BLOB", "CONTEXT_INIT"]
        small = self.answered({"features_taken": taken, "capset_reads": 1})
        self.assertFalse([c for c in small if c[0] == "aligned"])
        taken.append("BLOB_ALIGNMENT")
        checks = self.answered({"features_taken": taken, "capset_reads": 1})
        self.assertIn("Mesa 26.2.4 or newer", self.one(checks, "aligned", "note"))
        checks = self.answered({"features_taken": taken, "capset_reads": 1, "contexts_lost": 2})
        self.assertIn("programs fail", self.one(checks, "aligned", "bad"))
        checks = self.answered({"features_taken": taken, "capset_withheld": True})
        self.assertIn("withheld", self.one(checks, "capset", "bad"))

    def test_who_draws_the_screen(self):
        self.assertIn("drawn by the GPU", self.one(self.answered({"outputs_enabled": 1, "outputs_by_cpu": 0}), "screen", "good"))
        self.assertIn("drawn by the guest's CPU", self.one(self.answered({"outputs_enabled": 2, "outputs_by_cpu": 1}), "screen", "note"))
        self.assertIn("off", self.one(self.answered({}), "screen", "note"))

    def test_a_machine_that_is_killed_leaves_no_socket(self):
        control = self.path("hesper-1.control")
        serve = subprocess.Popen(
            [HESPER, "serve", "--no-venus", "--display", "none", "--socket", self.path("gpu"), "--control", control], stdout=subprocess.PIPE
        )
        self.assertIn(b"listening", serve.stdout.readline())
        serve.kill()
        serve.communicate()
        for _ in range(100):
            if not os.path.exists(control):
                return
            time.sleep(0.1)
        self.fail("the control socket is still there")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
