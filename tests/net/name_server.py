"""A small name server for the world: what a real one answers, and what a hostile one may."""

import contextlib
import socket
import struct
import threading

A, CNAME, TXT, AAAA, OPT = 1, 5, 16, 28, 41


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def read_question(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels), struct.unpack("!H", message[at + 1 : at + 3])[0], at + 5


class NameServer:
    """`records` maps (name, type) to a list of (type, ttl, value); a name that is not there is not."""

    def __init__(self, world, address, records, cut=(), port=0):
        self.records, self.cut, self.asked = records, set(cut), []
        self.udp = world.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.port = self.udp.getsockname()[1]
        self.tcp = world.open_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.bind((address, self.port))
        self.tcp.listen(16)
        self.where = f"{address}:{self.port}"

    def __enter__(self):
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # an unconnected socket still wakes its reader
            s.close()

    def serve_udp(self):
        while True:
            try:
                message, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if message:
                self.udp.sendto(self.answer(message, udp=True), peer)

    def serve_tcp(self):
        while True:
            try:
                connection = self.tcp.accept()[0]
            except OSError:
                return
            # Whoever asked may have given up.
            with connection, contextlib.suppress(OSError, struct.error):
                size = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                reply = self.answer(connection.recv(size, socket.MSG_WAITALL), udp=False)
                connection.sendall(struct.pack("!H", len(reply)) + reply)

    def answer(self, message, udp):
        name, kind, end = read_question(message)
        self.asked.append((name, kind, "udp" if udp else "tcp"))
        records = self.records.get((name, kind))
        known = any(n == name for n, _ in self.records)
        flags, body, count = 0x8180 | (0 if known else 3), b"", 0
        if udp and name in self.cut:
            flags, records = flags | 0x0200, None
        owner = name
        for record_type, ttl, value in records or []:
            if record_type == CNAME:
                content = name_bytes(value)
            elif record_type == TXT:
                content = bytes([len(value)]) + value.encode()
            else:
                content = socket.inet_pton(socket.AF_INET if record_type == A else socket.AF_INET6, value)
            body += name_bytes(owner) + struct.pack("!HHIH", record_type, 1, ttl, len(content)) + content
            count += 1
            owner = value if record_type == CNAME else owner
        return message[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + message[12:end] + body
