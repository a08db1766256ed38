#!/usr/bin/env python3
"""Plays one stage of a Raspberry Pi's USB boot, as a device on /dev/raw-gadget.

    rpiboot.py rom   UDC PRODUCT DIRECTORY [OPTION=VALUE...]
    rpiboot.py files UDC PRODUCT DIRECTORY [OPTION=VALUE...] [COMMAND:NAME...]

The boot ROM takes a header and a file, and answers with a status; the file server asks for sizes and files. Ends when the
stage is over, which is when the device leaves the bus. DIRECTORY gets what came: "header" and "bootcode", or the files
under numbers ("0001"), and "answers", a line for each question. Fails if the host does anything that a board does not
expect.

Options: status=N (of the ROM), serial=TEXT, pull=BYTES (leaves in the middle of a file), linger=yes (stays, and has
no more questions), after=FILE (comes once that is there). Commands: size, read, end, both (size, then read), stall (refuses the next question once), or a number; a
name may have escapes such as \\x00, and is padded to 256 bytes with NULs ("raw" as a name: 256 letters without one).
"""

import codecs
import os
import signal
import struct
import sys
import time

from raw_gadget import RawGadget, configuration, endpoint, interface

VENDOR = 0x0A5C

# What the boards show: one vendor interface, or that of mass storage before it (BCM2837). Class, endpoints.
ONE = [((0xFF, 0, 0), [endpoint(0x01), endpoint(0x82)])]
TWO = [((8, 6, 0x50), [endpoint(0x01), endpoint(0x82)]), ((0xFF, 0, 0), [endpoint(0x03), endpoint(0x84)])]


class Device(RawGadget):
    def __init__(self, udc, product, serial_index, serial):
        interfaces = TWO if product == 0x2764 else ONE
        config = configuration(*(interface(number, *part) for number, part in enumerate(interfaces)))
        self.out_address = 3 if product == 0x2764 else 1
        # The ROM of BCM2711 says first that there are two interfaces in 55 bytes, and then shows one in 32.
        self.boasts = product == 0x2711
        self.pull = None
        endpoints = [part for _, parts in interfaces for part in parts]
        strings = {1: "Broadcom", 2: "Boot", serial_index: serial}
        super().__init__(udc, VENDOR, product, strings, serial_index, config, endpoints)

    def descriptor(self, kind, index, length):
        if kind == 2 and self.boasts:
            self.boasts = False
            self.write_control(struct.pack("<BBHBBBBB", 9, 2, 55, 2, 1, 0, 0xC0, 250)[:length])
        else:
            super().descriptor(kind, index, length)

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
            piece = self.read(self.out_address, min(16384, length - len(content)))
            if not piece:
                sys.exit("the host has sent a packet of no bytes")
            content += piece
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
    options = {"status": "0", "serial": "10000000af04b2da", "pull": "", "linger": "", "after": ""}
    questions = []
    for text in rest:
        key, separator, value = text.partition("=")
        if separator and key in options:
            options[key] = value
        else:
            questions.append(text)
    os.makedirs(directory, exist_ok=True)
    product = int(product, 16)
    while options["after"] and not os.path.exists(options["after"]):
        time.sleep(0.02)
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
