"""Counts the memory allocations of `p9serve serve` per kind of request: allocations.py P9SERVE COUNT.SO DIRECTORY."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys

program, counter, directory = sys.argv[1:]


def string(text):
    return struct.pack("<H", len(text)) + text


class Client:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request(100, struct.pack("<I", 65536) + string(b"9P2000.L"), 101, tag=0xFFFF)
        self.request(104, struct.pack("<II", 1, 0xFFFFFFFF) + string(b"root") + string(b"") + struct.pack("<I", 0), 105)
        self.request(110, struct.pack("<IIH", 1, 2, 1) + string(b"file"), 111)
        self.request(12, struct.pack("<II", 2, 2), 13)
        self.request(110, struct.pack("<IIH", 1, 3, 0), 111)
        self.request(12, struct.pack("<II", 3, 0o200000), 13)

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            if not part:
                sys.exit("the server closed the connection")
            data += part
        return data

    def request(self, kind, body, expect, tag=1):
        self.connection.sendall(struct.pack("<IBH", 7 + len(body), kind, tag) + body)
        size, reply, _ = struct.unpack("<IBH", self.receive(7))
        self.receive(size - 7)
        if reply != expect:
            sys.exit(f"the reply to a message of type {kind} has type {reply}, not {expect}")


RLERROR = 7
operations = {
    "getattr": (24, struct.pack("<IQ", 2, 0x3FFF), 25),
    "read": (116, struct.pack("<IQI", 2, 0, 4096), 117),
    "write": (118, struct.pack("<IQI", 2, 0, 100) + bytes(100), 119),
    "readdir": (40, struct.pack("<IQI", 3, 0, 4096), 41),
    "walk to nothing": (110, struct.pack("<IIH", 1, 9, 1) + string(b"nothing"), RLERROR),
    "xattrwalk to nothing": (30, struct.pack("<II", 2, 9) + string(b"security.capability"), RLERROR),
}


def allocations(operation, count):
    """How many a server makes from its start to its end, with so many requests in between."""
    server = subprocess.Popen(
        [program, "serve", directory, "--listen", "tcp://127.0.0.1:0"],
        env={**os.environ, "LD_PRELOAD": counter},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(re.fullmatch(r"listening on tcp://127\.0\.0\.1:(\d+)\n", server.stderr.readline())[1])
        client = Client(port)
        for _ in range(count):
            client.request(*operations[operation])
        server.send_signal(signal.SIGTERM)
        return int(re.search(r"^allocations (\d+)$", server.communicate(timeout=60)[1], re.M)[1])
    finally:
        server.kill()


for operation in operations:
    # Some belong to threads that start at one moment or another, and some to requests that a busy machine held up. They come on
    # top, so the best of three attempts counts.
    for _ in range(3):
        few, many = allocations(operation, 1000), allocations(operation, 3000)
        if many - few < 100:
            break
    verdict = "ok" if many - few < 100 else "not ok"
    print(f"{verdict} no allocation per {operation} ({few} in a thousand requests, {many} in three thousand)")
