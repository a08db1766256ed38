#!/usr/bin/env python3
"""What a host sees of a device, as JSON: descriptors.py SYSFS_DEVICE. Needs root for the control requests.

bcdDevice, the device's class, its interfaces in order with their class triples, the interface associations, and by control
requests the Microsoft OS descriptors: string 0xEE, and the extended compatible IDs as {interface: [compatible, sub]}.
"""
import array
import fcntl
import json
import pathlib
import struct
import sys

USBDEVFS_CONTROL = 0xC0185500  # _IOWR('U', 0, struct usbdevfs_ctrltransfer), 64 bits


def control_in(node, request_type, request, value, index, length):
    data = array.array("B", bytes(length))
    address, _ = data.buffer_info()
    transfer = bytearray(struct.pack("=BBHHHIxxxxQ", request_type, request, value, index, length, 60000, address))
    with open(node, "rb+", buffering=0) as device:
        count = fcntl.ioctl(device, USBDEVFS_CONTROL, transfer)
    return data.tobytes()[:count]


def records(data):
    while data:
        yield data[: data[0]]
        data = data[data[0]:]


def os_descriptors(node):
    try:
        text = control_in(node, 0x80, 6, 0x03EE, 0, 18)
    except OSError:
        return None
    vendor_code = text[16]
    ids = control_in(node, 0xC0, vendor_code, 0, 4, 4096)
    functions = {}
    for at in range(16, len(ids), 24):
        name = [ids[at + 2: at + 10], ids[at + 10: at + 18]]
        functions[ids[at]] = [part.rstrip(b"\0").decode() for part in name]
    return {"signature": text[2:16].decode("utf-16-le"), "vendor_code": vendor_code, "functions": functions}


def main():
    device = pathlib.Path(sys.argv[1])
    raw = (device / "descriptors").read_bytes()
    interfaces, associations = [], []
    for record in records(raw[18:]):
        if record[1] == 4 and record[3] == 0:
            interfaces.append(record[5:8].hex())
        elif record[1] == 11:
            associations.append([record[2], record[3]])
    node = "/dev/bus/usb/%03d/%03d" % tuple(int((device / name).read_text()) for name in ("busnum", "devnum"))
    print(json.dumps({
        "bcdDevice": "%04x" % struct.unpack_from("<H", raw, 12), "class": raw[4:7].hex(), "interfaces": interfaces,
        "associations": associations, "os": os_descriptors(node)}))


main()
