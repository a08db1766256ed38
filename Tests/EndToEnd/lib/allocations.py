"""Counts the memory allocations of `p9serve serve` per kind of request: allocations.py P9SERVE COUNT.SO DIRECTORY."""

import os
import re
import sys

import p9
from checks import check, finish

program, counter, directory = sys.argv[1:]

# The root is fid 0, the file is open as 2, the directory as 3. Each with the type of its reply.
operations = {
    "getattr": (p9.Tgetattr(2), 25),
    "read": (p9.Tread(2, 0, 4096), 117),
    "write": (p9.Twrite(2, 0, bytes(100)), 119),
    "readdir": (p9.Treaddir(3, 0, 4096), 41),
    "walk to nothing": (p9.Twalk(0, 9, "nothing"), p9.RLERROR),
    "xattrwalk to nothing": (p9.Txattrwalk(2, 9, "security.capability"), p9.RLERROR),
}


def allocations(operation, count):
    """How many a server makes from its start to its end, with so many requests in between."""
    server = p9.Server(program, directory, env={**os.environ, "LD_PRELOAD": counter})
    try:
        client = p9.Client(server.port, msize=65536)
        client.call(*p9.Twalk(0, 2, "file"))
        client.call(*p9.Tlopen(2, p9.RDWR))
        client.call(*p9.Twalk(0, 3))
        client.call(*p9.Tlopen(3, p9.DIRECTORY))
        request, expected = operations[operation]
        message = p9.frame(*request)
        for _ in range(count):
            client.send(message)
            _, kind, _ = client.reply()
            if kind != expected:
                sys.exit(f"{operation}: {p9.name_of(kind)}")
        server.stop()
        return int(re.search(r"^allocations (\d+)$", "\n".join(server.said), re.M)[1])
    finally:
        server.kill()


for operation in operations:
    # Some belong to threads that start at one moment or another, and some to requests that a busy machine held up. They come on
    # top, so the best of three attempts counts.
    for _ in range(3):
        few, many = allocations(operation, 1000), allocations(operation, 3000)
        if many - few < 100:
            break
    check(f"no allocation per {operation}", many - few < 100, note=f"{few} in a thousand requests, {many} in three thousand")
finish()
