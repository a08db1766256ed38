"""Writes and reads every size in one directory and compares; see sizes.sh. Progress goes to a file after every size."""

import os
import sys

directory, served, progress = sys.argv[1:4]
sizes = list(range(1, 2101))
for base in (4096, 8192, 16384, 65536, 131072, 262144):
    sizes += [base - 1, base, base + 1]
# Around the two places where a message fills whole packets: a Twrite has 23 bytes beside the data, an Rread 11.
for packets in (512, 1024):
    for count in (16, 64, 128):
        for header in (23, 11):
            sizes += [packets * count - header + d for d in (-1, 0, 1)]
sizes += [1 << 20]


def pattern(size):
    return bytes((size * 7 + i * 31 + (i >> 8)) & 0xFF for i in range(min(size, 4096))) * (size // 4096 + 1)


def fail(text):
    print(text, flush=True)
    sys.exit(1)


path = os.path.join(directory, "sizes")
f = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
host = os.open(os.path.join(served, "sizes"), os.O_RDONLY)
for size in sizes:
    with open(progress, "w") as p:
        p.write(f"{size} bytes, writing\n")
    data = pattern(size)[:size]
    os.ftruncate(f, 0)
    done = 0
    while done < size:
        done += os.pwrite(f, data[done:], done)
    if os.pread(host, size + 1, 0) != data:
        fail(f"{size} bytes: the host has something else than the board wrote")
    with open(progress, "w") as p:
        p.write(f"{size} bytes, reading\n")
    back = b""
    while len(back) < size:
        part = os.pread(f, size - len(back), len(back))
        if not part:
            fail(f"{size} bytes: end of file after {len(back)}")
        back += part
    if back != data:
        fail(f"{size} bytes: the board reads back something else than it wrote")
print(f"{len(sizes)} sizes", flush=True)
