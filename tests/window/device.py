"""The device process's end of a display's link (src/link/display_messages.h), for tests: a screen without a guest."""

import array
import os
import select
import socket
import struct
import time

SETUP, FILE_OPEN, FILE_CLOSE, PICTURE, FRAME, CURSOR_SHAPE, CURSOR_MOVE, LEDS, CONDITION, CLIPBOARD = range(128, 138)
READY, SHOWN, MODE, INPUT, CLOSED, COUNTERS, SCREEN, COPIED = range(192, 200)
KEYBOARD, POINTER, TOUCH, MOUSE = range(4)
EV_SYN, EV_KEY, EV_REL, EV_ABS = range(4)

# Names give the order of the bytes in memory.
FORMATS = {"BGRA": 1, "BGRX": 2, "ARGB": 3, "XRGB": 4, "RGBA": 67, "XBGR": 68, "ABGR": 121, "RGBX": 134}


class Gone(Exception):
    """The display has closed the link."""


def pixels(rgb, order):
    """R, G, B bytes as pixels of a format; its fourth byte is rubbish where it is X."""
    count = len(rgb) // 3
    out = bytearray(4 * count)
    for at, channel in enumerate(order):
        if channel in "RGB":
            out[at::4] = rgb["RGB".index(channel) :: 3]
        else:
            out[at::4] = bytes(range(256)) * (count // 256) + bytes(count % 256) if channel == "X" else b"\xff" * count
    return bytes(out)


def pattern(width, height, seed=0):
    """R, G, B bytes in which no two places look alike."""
    rows = []
    for y in range(height):
        row = bytearray(3 * width)
        row[0::3] = bytes((x + seed) & 255 for x in range(width))
        row[1::3] = bytes((y + 2 * seed) & 255 for _ in range(width))
        row[2::3] = bytes((x >> 8) * 64 + (y >> 8) * 16 + (seed & 15) & 255 for x in range(width))
        rows.append(bytes(row))
    return b"".join(rows)


class Picture:
    """A range of a file, as a guest may choose it."""

    def __init__(self, device, width, height, order="BGRX", offset=0, spare=0):
        self.width, self.height, self.order, self.offset = width, height, order, offset
        self.stride = 4 * width + spare
        self.size = offset + self.stride * height
        self.fd = os.memfd_create("picture")
        os.ftruncate(self.fd, self.size)
        self.file_id = device.open_file(self.fd, self.size)

    def write(self, rgb, x=0, y=0, width=None, height=None):
        """Draws R, G, B bytes at a place."""
        width, height = width or self.width, height or self.height
        data = pixels(rgb, self.order)
        for row in range(height):
            at = self.offset + (y + row) * self.stride + 4 * x
            os.pwrite(self.fd, data[4 * width * row : 4 * width * (row + 1)], at)


class Device:
    """One end of a socket pair; `peer` is the descriptor for the display. Keeps what the display says."""

    def __init__(self):
        self.socket, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.peer = peer.detach()
        os.set_inheritable(self.peer, True)
        self.buffer, self.files, self.serial = b"", 0, 0
        self.ready = self.closed = False
        self.shown, self.modes, self.screens, self.inputs, self.copied = {}, [], [], [], []
        self.counters = (0, 0, 0)
        self.sent = {}

    def close(self):
        self.socket.close()
        if self.peer >= 0:
            os.close(self.peer)
            self.peer = -1

    # ---- to the display

    def send(self, kind, payload=b"", fds=()):
        data = struct.pack("=IHH", len(payload), kind, len(fds)) + payload + bytes(-len(payload) % 8)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.socket.sendmsg([data], ancillary)
            self.socket.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Gone from e

    def setup(self, outputs=1, width=640, height=480, name=b"Fake", inputs=0xB):
        self.send(SETUP, struct.pack("=4I64s", outputs, width, height, inputs, name))

    def open_file(self, fd, size):
        self.files += 1
        self.send(FILE_OPEN, struct.pack("=QQ", self.files, size), [fd])
        return self.files

    def close_file(self, file_id):
        self.send(FILE_CLOSE, struct.pack("=Q", file_id))

    def picture(self, picture, output=0, enabled=True):
        self.send(
            PICTURE,
            struct.pack(
                "=IIQQIIII", output, FORMATS[picture.order], picture.file_id, picture.offset, picture.stride,
                picture.width, picture.height, enabled,
            ),
        )

    def frame(self, output, x, y, width, height):
        """Its serial."""
        self.serial += 1
        self.sent[output] = self.serial
        self.send(FRAME, struct.pack("=6IQ", output, x, y, width, height, 0, self.serial))
        return self.serial

    def cursor(self, width, height, hot_x, hot_y, rgba, output=0):
        self.send(CURSOR_SHAPE, struct.pack("=5I", output, width, height, hot_x, hot_y) + rgba)

    def move(self, visible, x, y, output=0):
        self.send(CURSOR_MOVE, struct.pack("=IIii", output, visible, x, y))

    def condition(self, state):
        """0: the machine runs, 1: it is paused, 2: a disk is full."""
        self.send(CONDITION, struct.pack("=I", state))

    # ---- from the display

    def take(self, timeout):
        """What has come, waiting for it at most so long."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Gone
        self.buffer += data
        while len(self.buffer) >= 8:
            size, kind, _ = struct.unpack_from("=IHH", self.buffer)
            whole = 8 + size + -size % 8
            if len(self.buffer) < whole:
                break
            self.message(kind, self.buffer[8 : 8 + size])
            self.buffer = self.buffer[whole:]

    def message(self, kind, payload):
        if kind == READY:
            self.ready = True
        elif kind == SHOWN:
            output, _, serial = struct.unpack("=IIQ", payload)
            assert serial == self.sent[output], "answers a frame that was not sent, or twice"
            assert serial != self.shown.get(output), "answers a frame twice"
            self.shown[output] = serial
        elif kind == MODE:
            self.modes.append(struct.unpack("=4I", payload)[:3])
        elif kind == INPUT:
            self.inputs += [(d, t, c, v) for d, t, c, _, v in struct.iter_unpack("=4Hi", payload)]
        elif kind == CLOSED:
            self.closed = True
        elif kind == SCREEN:
            self.screens.append(struct.unpack("=4I", payload)[:3])
        elif kind == COPIED:
            self.copied.append(payload.decode())
        elif kind == COUNTERS:
            self.counters = struct.unpack("=3Q", payload)
        else:
            raise AssertionError(f"unknown message {kind}")

    def until(self, condition, what, timeout=120):
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {what} within {timeout} s")
            self.take(min(left, 0.2))

    def settle(self, seconds=0.3):
        """Takes what comes for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take(max(0, end - time.monotonic()))

    def show(self, picture, output=0, rect=None):
        """Shows (part of) a picture and waits until it was."""
        self.picture(picture, output)
        self.flush(picture, output, rect)

    def flush(self, picture, output=0, rect=None):
        serial = self.frame(output, *(rect or (0, 0, picture.width, picture.height)))
        self.until(lambda: self.shown.get(output) == serial, "answer to a frame")
