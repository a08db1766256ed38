"""A USB device on /dev/raw-gadget: its descriptors, the standard requests, and its endpoints. No usb9pfs, no Raspberry Pi."""

import errno
import fcntl
import os
import struct
import sys

# linux/usb/raw_gadget.h
INIT = 0x41015500  # _IOW('U', 0, struct usb_raw_init): 257 bytes
RUN = 0x5501
EVENT_FETCH = 0x80085502
EP0_WRITE = 0x40085503
EP0_READ = 0xC0085504
EP_ENABLE = 0x40095505
EP_DISABLE = 0x40045506
EP_WRITE = 0x40085507
EP_READ = 0xC0085508
CONFIGURE = 0x5509
VBUS_DRAW = 0x4004550A
EP0_STALL = 0x550C
EP_SET_HALT = 0x4004550D
EP_CLEAR_HALT = 0x4004550E
CONTROL, RESET, DISCONNECT = 2, 5, 6
ZERO = 1  # end a write with a packet of no bytes, if it needs one
HIGH_SPEED = 3
BULK, INTERRUPT = 2, 3


def endpoint(address, kind=BULK, packet=512):
    return struct.pack("<BBBBHB", 7, 5, address, kind, packet, 10 if kind == INTERRUPT else 0)


def interface(number, triple, endpoints, alternate=0, claims=None):
    """An interface with endpoints; claims: how many it says it has."""
    count = len(endpoints) if claims is None else claims
    return struct.pack("<BBBBBBBBB", 9, 4, number, alternate, count, *triple, 0) + b"".join(endpoints)


def configuration(*interfaces, claims=None):
    """A configuration; claims: how many interfaces it says it has, if not one of each number."""
    body = b"".join(interfaces)
    count = len({part[2] for part in interfaces}) if claims is None else claims
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), count, 1, 0, 0xC0, 250) + body


class RawGadget:
    """One device, which leaves the bus when its process ends. The host must not reset it, once it is configured, nor
    configure it again: then the process ends with a message."""

    def __init__(self, udc, vendor, product, strings, serial_index, config, endpoints):
        """strings: by index, 1 the manufacturer's and 2 the product's; a text, or UTF-16 that may be wrong. endpoints: the
        descriptors that are true, whatever config says."""
        self.vendor, self.product, self.strings, self.serial_index = vendor, product, strings, serial_index
        self.configuration, self.endpoints = config, endpoints
        self.handles = {}  # by address
        self.is_configured = False
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
            if kind == RESET and self.is_configured:
                sys.exit("the host has reset the device")
            if kind != CONTROL:
                continue
            request_type, request, value, index, length = struct.unpack_from("<BBHHH", event, 8)
            if request_type & 0x60 == 0x40:
                if request != 0:
                    sys.exit(f"vendor request {request}")
                return bool(request_type & 0x80), value | index << 16, length
            if request_type & 0x60 == 0:
                self.standard(request, value, index, length)
            else:
                self.stall()  # a class request of usb-storage

    def standard(self, request, value, index, length):
        if request == 6:  # GET_DESCRIPTOR
            self.descriptor(value >> 8, value & 0xFF, length)
        elif request == 9:  # SET_CONFIGURATION
            if self.is_configured:
                sys.exit("the host has set the configuration again")
            self.enable()
            fcntl.ioctl(self.file, VBUS_DRAW, 250)
            fcntl.ioctl(self.file, CONFIGURE, 0)
            self.read_control()
            self.is_configured = True
        elif request == 11:  # SET_INTERFACE
            self.read_control() if self.set_interface(index, value) else self.stall()
        elif request == 0:  # GET_STATUS
            self.write_control(b"\1\0")
        else:
            self.stall()

    def set_interface(self, number, alternate):
        """Whether the device takes it."""
        return False

    def enable(self):
        for descriptor in self.endpoints:
            # struct usb_endpoint_descriptor has two more bytes, for audio.
            self.handles[descriptor[2]] = fcntl.ioctl(self.file, EP_ENABLE, bytearray(descriptor + bytes(2)))

    def disable(self):
        """Shuts the endpoints down; nothing may be under way in this process."""
        for handle in self.handles.values():
            fcntl.ioctl(self.file, EP_DISABLE, handle)
        self.handles = {}

    def descriptor(self, kind, index, length):
        if kind == 1:
            data = struct.pack(
                "<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, self.vendor, self.product, 0, 1, 2, self.serial_index, 1
            )
        elif kind == 2:
            data = self.configuration
        elif kind == 3 and index == 0:
            data = b"\4\3\x09\4"
        elif kind == 3 and index in self.strings:
            text = self.strings[index]
            text = text if isinstance(text, bytes) else text.encode("utf-16-le")
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

    def read(self, address, size):
        """One transfer from the host."""
        buffer = bytearray(struct.pack("<HHI", self.handles[address], 0, size) + bytes(size))
        count = fcntl.ioctl(self.file, EP_READ, buffer)
        return bytes(buffer[8 : 8 + count])

    def write(self, address, data, ends=True):
        """One transfer to the host; ends: with a packet of no bytes, if the data fill their packets."""
        head = struct.pack("<HHI", self.handles[address], ZERO if ends else 0, len(data))
        return fcntl.ioctl(self.file, EP_WRITE, bytearray(head + data))

    def halt(self, address, on):
        while True:
            try:
                return fcntl.ioctl(self.file, EP_SET_HALT if on else EP_CLEAR_HALT, self.handles[address])
            except OSError as error:
                if error.errno != errno.EAGAIN:  # something is still under way
                    raise
