"""HTTP and WebSocket (RFC 6455), as much of them as tests need."""

import base64
import os
import socket
import struct


class Refused(Exception):
    """The server did not answer a request for a WebSocket with one."""


def open_socket(port, timeout=30, context=None):
    s = socket.create_connection(("127.0.0.1", port), timeout)
    return context.wrap_socket(s, server_hostname="localhost") if context else s


class Reader:
    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def more(self):
        try:
            part = self.sock.recv(65536)
        except ConnectionError:
            part = b""
        self.held += part
        return part

    def head(self):
        """(status, headers); status 0: the connection has ended."""
        while b"\r\n\r\n" not in self.held:
            if not self.more():
                return 0, {}
        text, self.held = self.held.split(b"\r\n\r\n", 1)
        lines = text.decode().split("\r\n")
        return int(lines[0].split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}

    def take(self, size):
        while len(self.held) < size:
            if not self.more():
                break
        data, self.held = self.held[:size], self.held[size:]
        return data


def ask(sock, port, path, method):
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())


def get(port, path, method="GET", context=None):
    """(status, headers, body)"""
    with open_socket(port, context=context) as s:
        ask(s, port, path, method)
        reader = Reader(s)
        status, headers = reader.head()
        body = reader.take(int(headers.get("content-length", 0))) if method != "HEAD" else b""
        return status, headers, body


def get_many(port, paths):
    with open_socket(port) as s:
        reader, statuses = Reader(s), []
        for path in paths:
            ask(s, port, path, "GET")
            status, headers = reader.head()
            reader.take(int(headers.get("content-length", 0)))
            statuses.append(status)
        return statuses


class Socket:
    """A WebSocket that carries a stream of bytes; enough of a socket for rfb.Client and DevTools."""

    def __init__(self, port, path="/websockify", origin="", host=None, timeout=30, context=None, text=False):
        self.sock = open_socket(port, timeout, context)
        self.text, self.data = text, b""
        host = host or f"127.0.0.1:{port}"
        if origin == "":
            origin = f"{'https' if context else 'http'}://{host}"
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        lines += [f"Origin: {origin}"] if origin else []
        try:
            self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
            self.reader = Reader(self.sock)
            status, _ = self.reader.head()
        except OSError as e:
            raise Refused(str(e))
        if status != 101:
            self.sock.close()
            raise Refused(f"status {status}")

    def settimeout(self, timeout):
        self.sock.settimeout(timeout)

    def sendall(self, data):
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x81 if self.text else 0x82])
        head += bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size) if size < 65536 else struct.pack(">BQ", 0xFF, size)
        pad = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
        self.sock.sendall(head + mask + masked)

    def frame(self):
        """The next data frame, b"" at the end."""
        while True:
            head = self.reader.take(2)
            if len(head) < 2:
                return b""
            size = head[1] & 127
            if size == 126:
                size = struct.unpack(">H", self.reader.take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.reader.take(8))[0]
            data = self.reader.take(size)
            if head[0] & 15 == 8:
                return b""
            if head[0] & 15 < 3 and data:
                return data

    def recv(self, size):
        if not self.data:
            self.data = self.frame()
        part, self.data = self.data[:size], self.data[size:]
        return part

    def close(self):
        self.sock.close()
