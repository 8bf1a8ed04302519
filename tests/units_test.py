#!/usr/bin/env python3
"""units_test.py HESPER UNIT...: the systemd units start a hesper that takes their options, and systemd understands them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HESPER, *UNITS = map(os.path.abspath, sys.argv[1:])


def read(path):
    with open(path) as f:
        return f.read()


class Units(unittest.TestCase):
    def test_hesper_takes_their_options(self):
        for unit in UNITS:
            start = re.search(r"^ExecStart=(\S+) (.*)$", read(unit), re.M)
            self.assertEqual(os.path.basename(start[1]), "hesper")
            options = re.search(r'^Environment=HESPER_OPTIONS="(.*)"$', read(unit), re.M)[1]
            words = start[2].replace("$HESPER_OPTIONS", options).replace("%t", "/run").replace("%i", "guest").split()
            done = subprocess.run([HESPER, *words, "--help"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("usage: hesper serve", done.stdout)

    def test_systemd_understands_them(self):
        verify = shutil.which("systemd-analyze")
        if not verify:
            self.skipTest("no systemd-analyze")
        for unit in UNITS:
            with tempfile.TemporaryDirectory(prefix="hesper-units-") as folder:
                name = os.path.basename(unit).replace("@", "@guest")
                path = os.path.join(folder, name)
                with open(path, "w") as f:
                    f.write(re.sub(r"^ExecStart=\S+", "ExecStart=" + HESPER, read(unit), flags=re.M))
                user = [] if "@" in name else ["--user"]
                done = subprocess.run(
                    [verify, "verify", "--man=no", *user, path], capture_output=True, text=True,
                    env={**os.environ, "XDG_RUNTIME_DIR": folder}, timeout=60,
                )
                # Of other units that it loads it may say more.
                about = [line for line in done.stderr.splitlines() if name in line]
                self.assertFalse(about, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
