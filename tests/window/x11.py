"""A person at an X server: keys, pointer, windows. By ctypes, so that it needs the X libraries only."""

import ctypes
import ctypes.util
import struct
import time


class XError(Exception):
    pass


def library(name):
    path = ctypes.util.find_library(name)
    if not path:
        raise XError(f"lib{name} is missing")
    return ctypes.CDLL(path)


class Attributes(ctypes.Structure):
    """The head of XWindowAttributes, and room for the rest."""

    _fields_ = [(n, ctypes.c_int) for n in ("x", "y", "width", "height", "border", "depth")] + [("rest", ctypes.c_long * 32)]


class CursorImage(ctypes.Structure):
    _fields_ = [(n, ctypes.c_short) for n in ("x", "y")] + [
        (n, ctypes.c_ushort) for n in ("width", "height", "xhot", "yhot")
    ] + [("serial", ctypes.c_ulong), ("pixels", ctypes.POINTER(ctypes.c_ulong))]


class ClientMessage(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong), ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5), ("room", ctypes.c_long * 12),
    ]  # fmt: skip


class Selection(ctypes.Structure):
    """XSelectionRequestEvent; that of the answer has no owner."""

    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p)] + [
        (n, ctypes.c_ulong) for n in ("owner", "requestor", "selection", "target", "property", "time")
    ] + [("room", ctypes.c_long * 14)]  # fmt: skip


class Person:
    def __init__(self, name):
        self.x, self.test, self.fixes = library("X11"), library("Xtst"), library("Xfixes")
        self.x.XOpenDisplay.restype = ctypes.c_void_p
        self.x.XDefaultRootWindow.restype = ctypes.c_ulong
        self.x.XInternAtom.restype = ctypes.c_ulong
        self.x.XStringToKeysym.restype = ctypes.c_ulong
        self.x.XKeysymToKeycode.restype = ctypes.c_ubyte
        self.fixes.XFixesGetCursorImage.restype = ctypes.POINTER(CursorImage)
        display = self.x.XOpenDisplay(name.encode())
        if not display:
            raise XError(f"no X server {name}")
        self.display = ctypes.c_void_p(display)
        self.root = ctypes.c_ulong(self.x.XDefaultRootWindow(self.display))
        # A window that goes while it is asked about must not end the test.
        self.handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
        self.x.XSetErrorHandler(self.handler)

    def close(self):
        self.x.XCloseDisplay(self.display)

    def sync(self):
        self.x.XSync(self.display, 0)

    def windows(self):
        """{title: (window, x, y, width, height)} of the windows that are shown and have a title."""
        root, parent, children = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)()
        count = ctypes.c_uint()
        self.x.XQueryTree(
            self.display, self.root, ctypes.byref(root), ctypes.byref(parent), ctypes.byref(children), ctypes.byref(count)
        )
        found = {}
        for i in range(count.value):
            window = ctypes.c_ulong(children[i])
            name = ctypes.c_char_p()
            a = Attributes()
            if not self.x.XFetchName(self.display, window, ctypes.byref(name)):
                continue
            if self.x.XGetWindowAttributes(self.display, window, ctypes.byref(a)):
                found[(name.value or b"").decode()] = (window, a.x, a.y, a.width, a.height)
        return found

    def window(self, title, timeout=20, **wanted):
        """The window whose title starts so, once there is one, of that `size` if it is given."""
        end = time.monotonic() + timeout
        while True:
            found = [w for t, w in self.windows().items() if t.startswith(title)]
            if found and wanted.get("size") in (None, found[0][3:5]):
                return found[0]
            if time.monotonic() > end:
                raise AssertionError(f"no window '{title}' {wanted or ''}: {[(t, *w[1:]) for t, w in self.windows().items()]}")
            time.sleep(0.02)

    def resize(self, window, width, height):
        self.x.XResizeWindow(self.display, window, width, height)
        self.sync()

    def place(self, window, x, y):
        self.x.XMoveWindow(self.display, window, x, y)
        self.sync()

    def focus(self, window):
        """The keyboard goes to a window; None: to nobody."""
        self.x.XSetInputFocus(self.display, window or ctypes.c_ulong(0), 1, ctypes.c_ulong(0))
        self.sync()

    def ask_close(self, window):
        protocols = self.x.XInternAtom(self.display, b"WM_PROTOCOLS", 0)
        delete = self.x.XInternAtom(self.display, b"WM_DELETE_WINDOW", 0)
        event = ClientMessage(type=33, window=window.value, message_type=protocols, format=32)
        event.data[0] = delete
        self.x.XSendEvent(self.display, window, 0, ctypes.c_long(0), ctypes.byref(event))
        self.sync()

    def code(self, key):
        return self.x.XKeysymToKeycode(self.display, ctypes.c_ulong(self.x.XStringToKeysym(key.encode())))

    def key(self, key, *downs):
        for down in downs or (1, 0):
            self.test.XTestFakeKeyEvent(self.display, self.code(key), down, ctypes.c_ulong(0))
        self.sync()

    def move(self, x, y):
        self.test.XTestFakeMotionEvent(self.display, -1, x, y, ctypes.c_ulong(0))
        self.sync()

    def turn(self, x, y):
        self.test.XTestFakeRelativeMotionEvent(self.display, x, y, ctypes.c_ulong(0))
        self.sync()

    def button(self, button, *downs):
        for down in downs or (1, 0):
            self.test.XTestFakeButtonEvent(self.display, button, down, ctypes.c_ulong(0))
        self.sync()

    # ---- the clipboard, as another program of the desktop has it

    def atom(self, name):
        return ctypes.c_ulong(self.x.XInternAtom(self.display, name, 0))

    def program(self):
        """A window of one's own, which is never shown."""
        if not getattr(self, "own", None):
            self.x.XCreateSimpleWindow.restype = ctypes.c_ulong
            self.own = ctypes.c_ulong(self.x.XCreateSimpleWindow(self.display, self.root, 0, 0, 1, 1, 0, ctypes.c_ulong(0), ctypes.c_ulong(0)))
        return self.own

    def copy(self, text):
        self.text = text.encode()
        self.x.XSetSelectionOwner(self.display, self.atom(b"CLIPBOARD"), self.program(), ctypes.c_ulong(0))
        self.sync()

    def put(self, window, place, kind, bits, data, count):
        self.x.XChangeProperty(self.display, ctypes.c_ulong(window), ctypes.c_ulong(place), kind, bits, 0, data, count)

    def serve(self):
        """Answers programs that ask for what was copied. Returns what was pasted, if it has come."""
        event, pasted = Selection(), None
        while self.x.XPending(self.display):
            self.x.XNextEvent(self.display, ctypes.byref(event))
            if event.type == 31 and event.requestor:  # in the answer, that is the property's place
                pasted = self.property(self.own, self.atom(b"PASTED"))
            if event.type != 30:
                continue
            text, targets = self.atom(b"UTF8_STRING"), self.atom(b"TARGETS")
            if event.target == targets.value:
                self.put(event.requestor, event.property, ctypes.c_ulong(4), 32, (ctypes.c_ulong * 2)(text.value, targets.value), 2)
            else:
                self.put(event.requestor, event.property, text, 8, self.text, len(self.text))
            answer = Selection(type=31, display=event.display)
            # Its fields are one place further up: there is no owner.
            answer.owner, answer.requestor, answer.selection = event.requestor, event.selection, event.target
            answer.target, answer.property = event.property, event.time
            self.x.XSendEvent(self.display, ctypes.c_ulong(event.requestor), 0, ctypes.c_long(0), ctypes.byref(answer))
            self.sync()
        return pasted

    def property(self, window, place):
        kind, count, left = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_ulong()
        bits, data = ctypes.c_int(), ctypes.c_void_p()
        self.x.XGetWindowProperty(
            self.display, window, place, ctypes.c_long(0), ctypes.c_long(1 << 20), 1, ctypes.c_ulong(0),
            ctypes.byref(kind), ctypes.byref(bits), ctypes.byref(count), ctypes.byref(left), ctypes.byref(data),
        )  # fmt: skip
        return ctypes.string_at(data, count.value).decode() if data.value and bits.value == 8 else None

    def ask_for_text(self):
        self.x.XConvertSelection(
            self.display, self.atom(b"CLIPBOARD"), self.atom(b"UTF8_STRING"), self.atom(b"PASTED"), self.program(), ctypes.c_ulong(0)
        )
        self.sync()

    def cursor(self):
        """(width, height, hot x, hot y, premultiplied A, R, G, B bytes) of what the pointer looks like."""
        image = self.fixes.XFixesGetCursorImage(self.display).contents
        count = image.width * image.height
        data = b"".join(struct.pack(">I", image.pixels[i] & 0xFFFFFFFF) for i in range(count))
        return image.width, image.height, image.xhot, image.yhot, data
