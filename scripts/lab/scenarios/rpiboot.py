#!/usr/bin/env python3
"""Plays one stage of a Raspberry Pi's USB boot, as a device on /dev/raw-gadget.

    rpiboot.py rom   UDC PRODUCT DIRECTORY [OPTION=VALUE...]
    rpiboot.py files UDC PRODUCT DIRECTORY [OPTION=VALUE...] [COMMAND:NAME...]

The boot ROM takes a header and a file, and answers with a status; the file server asks for sizes and files. Ends when the
stage is over, which is when the device leaves the bus. DIRECTORY gets what came: "header" and "bootcode", or the files
under numbers ("0001"), and "answers", a line for each question. Fails if the host does anything that a board does not
expect.

Options: status=N (of the ROM), serial=TEXT, pull=BYTES (leaves in the middle of a file), linger=yes (stays, and has
no more questions). Commands: size, read, end, both (size, then read), stall (refuses the next question once), or a number; a
name may have escapes such as \\x00, and is padded to 256 bytes with NULs ("raw" as a name: 256 letters without one).
"""

import codecs
import fcntl
import os
import signal
import struct
import sys

# linux/usb/raw_gadget.h
INIT = 0x41015500  # _IOW('U', 0, struct usb_raw_init): 257 bytes
RUN = 0x5501
EVENT_FETCH = 0x80085502
EP0_WRITE = 0x40085503
EP0_READ = 0xC0085504
EP_ENABLE = 0x40095505
EP_READ = 0xC0085508
CONFIGURE = 0x5509
VBUS_DRAW = 0x4004550A
EP0_STALL = 0x550C
CONTROL, RESET, DISCONNECT = 2, 5, 6
HIGH_SPEED = 3

VENDOR = 0x0A5C
BULK = 2


def endpoint(address):
    return struct.pack("<BBBBHB", 7, 5, address, BULK, 512, 0)


def interface(number, triple, endpoints):
    return struct.pack("<BBBBBBBBB", 9, 4, number, 0, len(endpoints), *triple, 0) + b"".join(map(endpoint, endpoints))


def configuration(*interfaces):
    body = b"".join(interfaces)
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), len(interfaces), 1, 0, 0xC0, 250) + body


# What the boards show: one vendor interface, or that of mass storage before it (BCM2837).
ONE = configuration(interface(0, (0xFF, 0, 0), [0x01, 0x82]))
TWO = configuration(interface(0, (8, 6, 0x50), [0x01, 0x82]), interface(1, (0xFF, 0, 0), [0x03, 0x84]))


class Device:
    def __init__(self, udc, product, serial_index, serial):
        self.product = product
        self.serial_index = serial_index
        self.strings = {1: "Broadcom", 2: "Boot", serial_index: serial}
        self.configuration = TWO if product == 0x2764 else ONE
        self.out_address = 3 if product == 0x2764 else 1
        self.out = None
        # The ROM of BCM2711 says first that there are two interfaces in 55 bytes, and then shows one in 32.
        self.boasts = product == 0x2711
        self.pull = None
        self.file = os.open("/dev/raw-gadget", os.O_RDWR)
        name = udc.rsplit(".", 1)[0].encode()
        fcntl.ioctl(self.file, INIT, struct.pack("128s128sB", name, udc.encode(), HIGH_SPEED))
        fcntl.ioctl(self.file, RUN, 0)

    def vendor_request(self):
        """The next vendor request: direction IN?, length, bytes wanted. Everything else is answered here."""
        while True:
            event = bytearray(struct.pack("<II", 0, 8) + bytes(8))
            fcntl.ioctl(self.file, EVENT_FETCH, event)
            kind = struct.unpack_from("<I", event)[0]
            if kind == DISCONNECT:
                sys.exit("the host has disconnected the device")
            if kind == RESET and self.out is not None:
                sys.exit("the host has reset the device")
            if kind != CONTROL:
                continue
            request_type, request, value, index, length = struct.unpack_from("<BBHHH", event, 8)
            if request_type & 0x60 == 0x40:
                if request != 0:
                    sys.exit(f"vendor request {request}")
                return bool(request_type & 0x80), value | index << 16, length
            if request_type & 0x60 == 0:
                self.standard(request, value, length)
            else:
                self.stall()  # a class request of usb-storage

    def standard(self, request, value, length):
        if request == 6:  # GET_DESCRIPTOR
            self.descriptor(value >> 8, value & 0xFF, length)
        elif request == 9:  # SET_CONFIGURATION
            if self.out is not None:
                sys.exit("the host has set the configuration again")
            self.enable()
            fcntl.ioctl(self.file, VBUS_DRAW, 250)
            fcntl.ioctl(self.file, CONFIGURE, 0)
            self.read_control()
        elif request == 0:  # GET_STATUS
            self.write_control(b"\1\0")
        else:
            self.stall()

    def enable(self):
        offset = 9
        while offset < len(self.configuration):
            size, kind, address = self.configuration[offset : offset + 3]
            if kind == 5:
                # struct usb_endpoint_descriptor has two more bytes, for audio.
                raw = bytearray(self.configuration[offset : offset + 7] + bytes(2))
                handle = fcntl.ioctl(self.file, EP_ENABLE, raw)
                if address == self.out_address:
                    self.out = handle
            offset += size

    def descriptor(self, kind, index, length):
        if kind == 1:
            data = struct.pack(
                "<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, VENDOR, self.product, 0, 1, 2, self.serial_index, 1
            )
        elif kind == 2:
            data = self.configuration
            if self.boasts:
                self.boasts = False
                data = struct.pack("<BBHBBBBB", 9, 2, 55, 2, 1, 0, 0xC0, 250)
        elif kind == 3 and index == 0:
            data = b"\4\3\x09\4"
        elif kind == 3 and index in self.strings:
            text = self.strings[index].encode("utf-16-le")
            data = bytes([2 + len(text), 3]) + text
        else:
            return self.stall()
        self.write_control(data[:length])

    def write_control(self, data):
        fcntl.ioctl(self.file, EP0_WRITE, bytearray(struct.pack("<HHI", 0, 0, len(data)) + data))

    def read_control(self):
        fcntl.ioctl(self.file, EP0_READ, bytearray(struct.pack("<HHI", 0, 0, 0)))

    def stall(self):
        fcntl.ioctl(self.file, EP0_STALL, 0)

    def announcement(self):
        """The length that the host tells."""
        is_in, length, wanted = self.vendor_request()
        if is_in or wanted:
            sys.exit(f"the host asks for {wanted} bytes, and should tell a length")
        self.read_control()
        return length

    def receive(self, length):
        """So many bytes, in pieces of at most 16 KiB."""
        content = bytearray()
        while len(content) < length:
            if self.pull is not None and len(content) >= self.pull:
                os._exit(0)
            size = min(16384, length - len(content))
            buffer = bytearray(struct.pack("<HHI", self.out, 0, size) + bytes(size))
            count = fcntl.ioctl(self.file, EP_READ, buffer)
            if count == 0:
                sys.exit("the host has sent a packet of no bytes")
            content += buffer[8 : 8 + count]
        return bytes(content)

    def question(self, data):
        """Gives the host what it asks for."""
        is_in, length, wanted = self.vendor_request()
        if not is_in or wanted != len(data) or length != wanted:
            sys.exit(f"the host wants {wanted} bytes and says {length}, not {len(data)}")
        self.write_control(data)

    def refuse(self):
        is_in, _, _ = self.vendor_request()
        if not is_in:
            sys.exit("the host tells a length without a question")
        self.stall()


def put(directory, name, content):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(content)


def rom(device, directory, status):
    header = device.receive(device.announcement())
    put(directory, "header", header)
    length = device.announcement()
    put(directory, "bootcode", device.receive(length))
    device.question(struct.pack("<I", status))


def files(device, directory, questions):
    answers = open(os.path.join(directory, "answers"), "w", buffering=1)
    number = 0
    for text in questions:
        command, _, name = text.partition(":")
        if command == "stall":
            device.refuse()
            continue
        commands = ["size", "read"] if command == "both" else [command]
        raw = b"n" * 256 if name == "raw" else codecs.escape_decode(name.encode())[0]
        for command in commands:
            code = {"size": 0, "read": 1, "end": 2}.get(command)
            code = int(command) if code is None else code
            device.question(struct.pack("<i256s", code, raw))
            if code == 2:
                return
            if code > 2:
                continue
            length = device.announcement()
            answers.write(f"{command} {name} {length}\n")
            if command == "read" and length:
                number += 1
                put(directory, f"{number:04}", device.receive(length))
            if not raw:
                return


def main():
    stage, udc, product, directory, *rest = sys.argv[1:]
    options = {"status": "0", "serial": "10000000af04b2da", "pull": "", "linger": ""}
    questions = []
    for text in rest:
        key, separator, value = text.partition("=")
        if separator and key in options:
            options[key] = value
        else:
            questions.append(text)
    os.makedirs(directory, exist_ok=True)
    product = int(product, 16)
    if stage == "rom":
        # The oldest ROMs have no serial number, the newer ones its last eight digits.
        index = 3 if product in (0x2711, 0x2712) else 0
        device = Device(udc, product, index, options["serial"][-8:])
    else:
        device = Device(udc, product, 1, options["serial"])
    device.pull = int(options["pull"]) if options["pull"] else None
    if stage == "rom":
        rom(device, directory, int(options["status"]))
    else:
        files(device, directory, questions)
    if options["linger"]:
        signal.pause()


if __name__ == "__main__":
    main()
