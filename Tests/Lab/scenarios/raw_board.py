#!/usr/bin/env python3
"""Plays a board that speaks 9P as the kernel's gadget does, or badly, as a device on /dev/raw-gadget.

    raw_board.py UDC [OPTION=VALUE...] WORD... [/ WORD...]...

Each WORD is a step, in turn; a "/" pulls the cable and plugs it in again. Prints a line for each reply, such as
"frame:100:20 Rlerror 71". Fails if the host resets or reconfigures the device, if a reply is none to the request before it
(a second reply to an earlier one is such), and if a reply is longer than the client has room for.

Words:
  session            Tversion and Tattach
  stat               Tgetattr of the root
  read:NAME:COUNT    walks, opens, reads so many bytes; prints their number
  version:MSIZE      Tversion alone
  frame:CLAIMS:SIZE  a message that has SIZE bytes and says CLAIMS
  type:NUMBER        a message of this type, without a body
  two                two messages before the first one's reply is taken
  glued              two messages in one transfer; the reply has the first one's tag
  split:SIZE         a message of SIZE bytes, a multiple of 512, and then the packet of no bytes that ends it by itself
  empty              a packet of no bytes where a message should begin; no reply
  junk:HEX           these bytes; no reply
  ask                a request whose reply is not taken
  sip                takes 512 bytes of a reply of more, by halves
  begin              the first 512 bytes of a message of 1000, and no more
  endless            bytes without end
  halt, unhalt       the endpoint of the requests
  linger             stays until it is killed
  await:FILE         waits until there is such a file
With shape=mounts, a board whose pair is in alternate setting 1, which it stalls as long as nothing is mounted:
  stalled:N          waits until the host has asked N times in vain
  mount              mounts, and waits until the host has selected the setting
  unmount            shuts the endpoints down
  late:TAG:TAG       two stats with these tags, of which the first has its time over when the second is sent
  reply:TAG          takes the reply to a stat with this tag
Options: shape=NAME, how it describes itself (SHAPES); product=TEXT, serial=TEXT with escapes such as \\x1b and \\ud800.
"""

import contextlib
import os
import signal
import struct
import sys
import threading
import time

import p9
from raw_gadget import BULK, INTERRUPT, RawGadget, configuration, endpoint, interface

REQUESTS, REPLIES = 0x81, 0x02
STAT = p9.Tgetattr(0, 0x17FF)  # what the kernel asks for
TWRITE = 118  # a type for messages of any size
OURS, OTHER = (0xFF, 0xFF, 9), (0xFF, 0, 0)
PAIR = [endpoint(REQUESTS), endpoint(REPLIES)]
MORE = [endpoint(0x83), endpoint(0x04)]

SHAPES = {  # the configuration, and the endpoints that are there once it is set
    "good": (configuration(interface(0, OURS, PAIR)), PAIR),
    "no-bulk": (configuration(interface(0, OURS, [endpoint(REQUESTS, INTERRUPT, 64), endpoint(REPLIES, INTERRUPT, 64)])), []),
    "one-way": (configuration(interface(0, OURS, PAIR[:1])), PAIR[:1]),
    "no-packet": (configuration(interface(0, OURS, [endpoint(REQUESTS, BULK, 0), endpoint(REPLIES, BULK, 0)])), []),
    "huge-packet": (configuration(interface(0, OURS, [endpoint(REQUESTS, BULK, 0x7FF), endpoint(REPLIES, BULK, 0x7FF)])), PAIR),
    "alternate": (configuration(interface(0, OURS, []), interface(0, OURS, PAIR, alternate=1)), []),
    "mounts": (configuration(interface(0, OURS, []), interface(0, OURS, PAIR, alternate=1)), []),
    "two-pairs": (configuration(interface(0, OURS, PAIR), interface(1, OURS, MORE)), PAIR + MORE),
    "second": (configuration(interface(0, OTHER, MORE), interface(1, OURS, PAIR)), PAIR + MORE),
    "more-claimed": (configuration(interface(0, OURS, PAIR[:1], claims=2), claims=3), PAIR[:1]),
    "high-number": (configuration(interface(40, OURS, PAIR)), PAIR),
}


class Board(RawGadget):
    def __init__(self, udc, shape, product, serial):
        config, endpoints = SHAPES[shape]
        strings = {1: "usb9pfs", 2: product, 3: serial}
        strings = {index: text.encode("utf-16-le", "surrogatepass") for index, text in strings.items()}
        self.is_ready = threading.Event()
        self.alternate = PAIR if shape in ("alternate", "mounts") else None
        # Whether SET_INTERFACE 1 is taken, and how often it was not.
        self.is_mounted = shape == "alternate"
        self.stalls = 0
        self.is_selected = threading.Event()
        self.tag = 0
        super().__init__(udc, 0x1D6B, 0x0109, strings, 3, config, endpoints)
        threading.Thread(target=self.serve_control, daemon=True).start()

    def serve_control(self):
        try:
            while True:
                self.vendor_request()
                self.stall()
        except SystemExit as end:
            os.write(2, f"{end}\n".encode())
        except OSError as error:
            os.write(2, f"control requests: {error}\n".encode())
        os._exit(1)

    def standard(self, request, value, index, length):
        super().standard(request, value, index, length)
        # Only now: the host must have its answer before anything else is under way.
        if self.handles:
            self.is_selected.set()
        if self.handles or not self.is_mounted and self.is_configured:
            self.is_ready.set()

    def set_interface(self, number, alternate):
        if self.alternate is None or number != 0:
            return False
        if alternate == 1 and not self.is_mounted:
            self.stalls += 1
            return False
        # 0 is what the host goes back to when it gives the interface up; the endpoints stay, for the next process.
        if alternate == 1 and not self.handles:
            self.endpoints = self.alternate
            self.enable()
        return True

    def send(self, kind, body=b"", tag=None):
        if tag is None:
            self.tag += 1
            tag = self.tag
        self.write(REQUESTS, p9.frame(kind, body, tag))
        return tag

    def reply(self, tag, kind=None, size=65536):
        """What answers the request with this tag: the reply's type and body."""
        data = self.read(REPLIES, size)
        claims, has, its_tag = struct.unpack_from("<IBH", data) if len(data) >= 7 else (0, 0, 0)
        if claims != len(data) or its_tag != tag or kind not in (None, has):
            sys.exit(f"not a reply of type {kind} to tag {tag}: {data[:32].hex()}, {len(data)} bytes")
        return has, data[7:]

    def call(self, kind, body=b"", tag=None):
        return self.reply(self.send(kind, body, tag))

    def must(self, kind, body=b"", tag=None):
        return self.reply(self.send(kind, body, tag), kind + 1)[1]

    def version(self, msize):
        return self.call(*p9.Tversion(msize), p9.NOTAG)

    def session(self):
        body = self.version(16384)[1]
        self.must(*p9.Tattach(0))
        return struct.unpack_from("<I", body)[0]

    def open(self, name):
        self.must(*p9.Twalk(0, 1, name))
        self.must(*p9.Tlopen(1))

    def step(self, word):
        """Takes a step; returns what to print, if anything."""
        name, *arguments = word.split(":")
        if name == "session":
            return self.session()
        if name == "stat":
            return len(self.must(*STAT))
        if name == "read":
            self.open(arguments[0])
            count = struct.unpack_from("<I", self.must(*p9.Tread(1, 0, int(arguments[1]))))[0]
            self.must(*p9.Tclunk(1))
            return count
        if name == "version":
            return describe(*self.version(int(arguments[0])))
        if name == "frame":
            claims, size = map(int, arguments)
            self.tag += 1
            frame = bytearray(p9.frame(TWRITE, bytes(size - 7), self.tag))
            struct.pack_into("<I", frame, 0, claims)
            self.write(REQUESTS, bytes(frame))
            return describe(*self.reply(self.tag))
        if name == "type":
            return describe(*self.call(int(arguments[0])))
        if name == "two":
            tags = [self.send(*STAT), self.send(*STAT)]
            return len([self.reply(tag, 25) for tag in tags])
        if name == "glued":
            self.tag += 2
            self.write(REQUESTS, p9.frame(*p9.Tclunk(0), self.tag - 1) + p9.frame(*p9.Tclunk(0), self.tag))
            return describe(*self.reply(self.tag - 1))
        if name == "split":
            self.tag += 1
            self.write(REQUESTS, p9.frame(TWRITE, bytes(int(arguments[0]) - 7), self.tag), ends=False)
            self.write(REQUESTS, b"")
            return describe(*self.reply(self.tag))
        if name == "empty":
            self.write(REQUESTS, b"")
        elif name == "junk":
            self.write(REQUESTS, bytes.fromhex(arguments[0]))
        elif name == "ask":
            self.send(*STAT)
        elif name == "sip":
            self.open("file")
            self.send(*p9.Tread(1, 0, 4000))
            return len(self.read(REPLIES, 512))
        elif name == "begin":
            self.tag += 1
            self.write(REQUESTS, p9.frame(TWRITE, bytes(993), self.tag)[:512], ends=False)
        elif name == "endless":
            self.write(REQUESTS, b"\xff" * 16384, ends=False)
            print("endless goes on", flush=True)
            while True:
                self.write(REQUESTS, b"\xff" * 16384, ends=False)
        elif name in ("halt", "unhalt"):
            self.halt(REQUESTS, name == "halt")
        elif name == "await":
            until(lambda: os.path.exists(arguments[0]))
        elif name == "stalled":
            wanted = self.stalls + int(arguments[0])
            until(lambda: self.stalls >= wanted)
        elif name == "mount":
            self.is_mounted = True
            self.is_selected.wait()
        elif name == "unmount":
            self.is_mounted = False
            self.is_selected.clear()
            self.disable()
        elif name == "late":
            for tag in arguments:
                self.send(24, struct.pack("<IQ", 0, 0x17FF), int(tag))
        elif name == "reply":
            return len(self.reply(int(arguments[0]), 25)[1])
        elif name == "linger":
            signal.pause()
        else:
            sys.exit(f"what is '{word}'?")
        return None


def until(condition):
    while not condition():
        time.sleep(0.05)


def describe(kind, body):
    return f"Rlerror {struct.unpack_from('<I', body)[0]}" if kind == p9.RLERROR else f"type {kind}"


def plug_in(udc, options, words):
    """A process of its own: its end is what pulls the cable, whatever is under way."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            board = Board(udc, options["shape"], *(options[key].encode().decode("unicode_escape") for key in ("product", "serial")))
            if words:
                board.is_ready.wait()
            for word in words:
                said = board.step(word)
                print(word if said is None else f"{word} {said}", flush=True)
            code = 0
        except SystemExit as end:
            os.write(2, f"{end}\n".encode())
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
        os._exit(code)
    def pulled(*_):
        # timeout(1) has told the child as well.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, pulled)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return code


def main():
    udc, *rest = sys.argv[1:]
    options = {"shape": "good", "product": "raw board", "serial": "raw-0"}
    while rest and "=" in rest[0]:
        key, _, options[key] = rest.pop(0).partition("=")
    hub = f"/sys/devices/platform/{udc.replace('udc', 'hcd')}"
    lives = " ".join(rest).split(" / ")
    for number, words in enumerate(lives):
        code = plug_in(udc, options, words.split())
        if code:
            sys.exit(code)
        # The host has seen that it is gone.
        while number + 1 < len(lives) and any(os.path.exists(f"{hub}/{bus}/{bus[3:]}-1") for bus in os.listdir(hub) if bus[:3] == "usb"):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
