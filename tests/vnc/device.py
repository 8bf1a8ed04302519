"""A display program with a device process in front of it that does what the test says (tests/display/fake_device.c)."""

import os
import queue
import subprocess
import threading
import time


class Device:
    def __init__(self, build, program, *options, size="640x480", outputs=1, inputs=3, name="fake device", env=None):
        fake = os.path.join(build, "tests/display/fake_device")
        argv = [fake, "--size", size, "--outputs", str(outputs), "--inputs", str(inputs), "--name", name, "--"]
        self.process = subprocess.Popen(
            [*argv, os.path.join(build, program), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )
        self.lines, self.errors = queue.Queue(), []
        self.kept = []  # lines taken from the queue that nobody has waited for yet
        self.threads = [
            threading.Thread(target=self.pump, daemon=True),
            threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def pump(self):
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(None)

    def tell(self, *lines):
        try:
            self.process.stdin.write("".join(line + "\n" for line in lines))
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def wait(self, *words, timeout=120):
        """The next line that begins with `words`; lines before it are kept. None: there was none in time."""
        words, end = [str(word) for word in words], time.monotonic() + timeout
        for i, line in enumerate(self.kept):
            if line[: len(words)] == words:
                return self.kept.pop(i)
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                self.lines.put(None)
                return None
            if line[: len(words)] == words:
                return line
            self.kept.append(line)

    def said(self, *words, timeout=120):
        """A line of the program's stderr that holds `words`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in list(self.errors):
                if all(word in line for word in words):
                    return line
            time.sleep(0.02)
        return None

    def inputs(self, quiet=1, count=None, timeout=240, first=120):
        """Input events (device, type, code, value) until none comes for `quiet` seconds, or there are `count`. The first
        may take longer."""
        events, end = [], time.monotonic() + timeout
        while time.monotonic() < end and (count is None or len(events) < count):
            line = self.wait("input", timeout=timeout if count else quiet if events else max(quiet, first))
            if not line:
                break
            events.append(tuple(int(word) for word in line[1:]))
        return events

    def keys(self, **more):
        """(code, down) of the keyboard's events."""
        return [(code, value) for device, kind, code, value in self.inputs(**more) if device == 0 and kind == 1]

    def end(self):
        """The exit status of the program, as of waitpid; None if it did not end."""
        self.tell("end")
        line = self.wait("ended")
        if not line:
            self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        return int(line[1]) if line else None
