#!/usr/bin/env python3
"""record_test.py HESPER-IMAGE: a video of a screen that the test shows, read back by ffprobe and ffmpeg.

Skips where ffmpeg is not installed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../window"))
from device import Device, Picture  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


class Recording:
    def __init__(self, file, *options, width=322, height=240):
        self.file, self.device = file, Device()
        self.process = subprocess.Popen(
            [PROGRAM, "--fd", str(self.device.peer), "--record", file, *options], pass_fds=[self.device.peer],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(self.device.peer)
        self.device.peer = -1
        self.device.setup(width=width, height=height)
        self.device.until(lambda: self.device.ready, "recorder")

    def show(self, colour, width=322, height=240):
        """Returns when it was shown."""
        picture = Picture(self.device, width, height)
        picture.write(bytes(colour) * (width * height))
        self.device.show(picture)
        return time.monotonic()

    def end(self, number=signal.SIGINT):
        """(status, what it said)"""
        if number:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=120)
        self.device.close()
        return self.process.returncode, out + err

    def probe(self, entries):
        argv = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0", self.file]
        lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line.strip(",") for line in lines if line.strip(",")]

    def times(self):
        return [float(line.split(",")[0]) for line in self.probe("frame=pts_time")]

    def duration(self):
        return float(self.probe("format=duration")[0])

    def pixels(self, number, x, y):
        """R, G, B of a place in picture `number`."""
        argv = ["ffmpeg", "-v", "error", "-i", self.file, "-vf", f"select=eq(n\\,{number}),crop=2:2:{x}:{y}", "-frames:v", "1"]
        return subprocess.run([*argv, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout[:3]


class Record(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="hesper-record-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def near(self, pixel, colour):
        self.assertTrue(all(abs(a - b) < 24 for a, b in zip(pixel, colour)), f"{tuple(pixel)} for {colour}")

    def test_pictures_have_their_times(self):
        for name in ("a.mp4", "a.webm"):
            recording = Recording(os.path.join(self.folder, name))
            before, shown = [], []
            for colour, wait in ((RED, 0.3), (GREEN, 0.1), (BLUE, 0.4)):
                before.append(time.monotonic())
                shown.append(recording.show(colour))
                time.sleep(wait)
            before.append(time.monotonic())
            status, said = recording.end()
            shown.append(time.monotonic())
            self.assertEqual(status, 0, said)
            self.assertIn("4 pictures of 322x240", said)
            self.assertEqual(recording.probe("stream=width,height"), ["322,240"])
            # The last picture only says when the one before it ends: players may leave it out.
            times = [*recording.times()[:3], recording.duration()]
            self.assertEqual(times[0], 0)
            # A picture's time lies between the sending of its frame and the answer, however busy the machine is.
            for n in range(1, 4):
                self.assertGreaterEqual(times[n] - times[n - 1], before[n] - shown[n - 1] - 0.01)
                self.assertLessEqual(times[n] - times[n - 1], shown[n] - before[n - 1] + 0.01)
            for n, colour in enumerate((RED, GREEN, BLUE)):
                self.near(recording.pixels(n, 100, 100), colour)

    def test_another_mode_stays_in_the_videos_size(self):
        recording = Recording(os.path.join(self.folder, "b.mp4"))
        recording.show(RED)
        recording.show(GREEN, 120, 240)
        recording.show(BLUE, 643, 481)
        self.assertEqual(recording.end()[0], 0)
        self.near(recording.pixels(1, 20, 100), BLACK)
        self.near(recording.pixels(1, 160, 100), GREEN)
        self.near(recording.pixels(2, 160, 100), BLUE)

    def test_a_cursor_that_moves_is_a_picture(self):
        recording = Recording(os.path.join(self.folder, "c.mp4"))
        recording.show(BLACK)
        recording.device.cursor(32, 32, 0, 0, b"\xff\xff\xff\xff" * 1024)
        recording.device.move(1, 100, 100)
        recording.show(BLACK)  # what came before it was taken
        recording.device.move(1, 200, 100)
        recording.show(BLACK)
        self.assertEqual(recording.end()[0], 0)
        last = len(recording.times()) - 1
        self.near(recording.pixels(0, 114, 114), BLACK)
        self.near(recording.pixels(last, 214, 114), (255, 255, 255))
        self.near(recording.pixels(last, 114, 114), BLACK)

    def test_it_ends_by_itself(self):
        recording = Recording(os.path.join(self.folder, "d.mp4"), "--seconds", "1")
        recording.show(RED)
        status, said = recording.end(None)
        self.assertEqual(status, 0, said)
        self.assertAlmostEqual(recording.duration(), 1, delta=0.01)
        recording = Recording(os.path.join(self.folder, "e.mp4"))
        recording.show(RED)
        recording.device.close()  # the machine's end
        status, said = recording.end(None)
        self.assertEqual(status, 0, said)
        self.near(recording.pixels(0, 100, 100), RED)

    def test_what_cannot_be_recorded_is_said(self):
        recording = Recording(os.path.join(self.folder, "f.mp4"))
        self.assertEqual(recording.end(), (1, "hesper: error: image: nothing was recorded: the guest has shown nothing\n"))
        recording = Recording(os.path.join(self.folder, "missing/g.mp4"))
        recording.show(RED)
        status, said = recording.end()
        self.assertEqual(status, 1, said)
        self.assertIn("No such file or directory", said)
        self.assertIn("the video could not be written", said)


if __name__ == "__main__":
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        print("ffmpeg is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
