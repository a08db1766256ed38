#!/usr/bin/env python3
"""Binds combinations of functions and looks at them from the host: endpoints.py BOARDS KIND... <COMBINATIONS

A line of COMBINATIONS is "IN OUT FUNCTION...", what usb9pfs-gadget sums up and the functions' kinds; KIND... is the order in
which it makes them. Makes each as that does, but by system calls of one process: hundreds of runs of a shell script take
the lab an hour. Prints a line for each that is not as summed, and at the end the number of combinations that were.
"""
import os
import pathlib
import sys
import threading
import time

CONFIGFS = pathlib.Path("/sys/kernel/config/usb_gadget")
HOST = pathlib.Path("/sys/devices/platform")
PATIENCE = 60  # seconds, for a busy machine
MINORS = {"hid": 4, "acm": 8}  # the kernel's, for all gadgets together
# One at a time makes and removes: the kernel frees an acm's port before the terminal of that number is gone, and another acm
# that gets the number in between fails with EEXIST.
MAKING = threading.Lock()


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Board:
    def __init__(self, number):
        self.gadget = CONFIGFS / f"board-{number}"
        self.udc = f"dummy_udc.{number}"
        self.hub = HOST / f"dummy_hcd.{number}"

    def device(self):
        return next((path.parent for path in self.hub.glob("usb*/*-1/idVendor")), None)

    def make(self, functions):
        gadget = self.gadget
        gadget.mkdir()
        (gadget / "idVendor").write_text("0x1d6b")
        (gadget / "idProduct").write_text("0x0109")
        (gadget / "configs/c.1").mkdir()
        for number, kind in enumerate(functions):
            # A tag must not be another's prefix, and the names end with the board's number.
            part = gadget / f"functions/{kind}.{number}-{self.udc}"
            part.mkdir()
            if kind == "mass_storage":
                (part / "lun.0/file").write_text("/run/disk")
            elif kind == "hid":
                (part / "no_out_endpoint").write_text("1")
                (part / "report_length").write_text("8")
                (part / "report_desc").write_bytes(pathlib.Path("/run/report-descriptor").read_bytes())
            elif kind == "usb9pfs":
                (part / "buflen").write_text("4096")
            (gadget / "configs/c.1" / part.name).symlink_to(part)

    def remove(self):
        for link in (self.gadget / "configs/c.1").iterdir():
            if link.is_symlink():
                link.unlink()
        (self.gadget / "configs/c.1").rmdir()
        for part in (self.gadget / "functions").iterdir():
            part.rmdir()
        self.gadget.rmdir()

    def seen(self):
        """The endpoint addresses that the host has read, once each, as (IN, OUT); None before it has read them."""
        try:
            data = (self.device() / "descriptors").read_bytes()[18:]
        except (OSError, TypeError):
            return None
        addresses = set()
        while data:
            if data[1] == 5:
                addresses.add(data[2])
            data = data[data[0]:]
        return (sum(a >= 128 for a in addresses), sum(a < 128 for a in addresses)) if addresses else None

    def configured(self):
        try:
            return (self.device() / "bConfigurationValue").read_text() == "1\n"
        except (OSError, TypeError):
            return False

    def attempt(self, want, functions):
        try:
            with MAKING:
                self.make(functions)
            try:
                (self.gadget / "UDC").write_text(self.udc)
            except OSError as error:
                return f"is not bound: {error.strerror}"
            if not wait_for(self.seen):
                return "is not seen by the host"
            if self.seen() != want:
                return f"has endpoints {self.seen()} on the host, not {want}"
            # A gadget with usb9pfs that was configured and never mounted must not go: the kernel panics.
            if "usb9pfs" not in functions and not wait_for(self.configured):
                return "is not configured by the host"
            if "usb9pfs" in functions and self.configured():
                print("the host has configured a combination with usb9pfs; it must stay", flush=True)
                os._exit(1)
            (self.gadget / "UDC").write_text("\n")
            return None if wait_for(lambda: self.device() is None) else "stays on the host"
        finally:
            if (self.gadget / "UDC").read_text().strip():
                (self.gadget / "UDC").write_text("\n")
            with MAKING:
                self.remove()


def main():
    boards, order = int(sys.argv[1]), sys.argv[2:]
    lines = iter(sys.stdin.read().splitlines())
    lock, good, minors = threading.Condition(), [0], dict(MINORS)

    def work(board):
        while True:
            with lock:
                line = next(lines, None)
            if line is None:
                return
            inputs, outputs, *functions = line.split()
            functions.sort(key=order.index)
            with lock:
                lock.wait_for(lambda: all(functions.count(kind) <= minors[kind] for kind in minors))
                for kind in minors:
                    minors[kind] -= functions.count(kind)
            try:
                fault = board.attempt((int(inputs), int(outputs)), functions)
            except OSError as error:
                fault = str(error)
            with lock:
                for kind in minors:
                    minors[kind] += functions.count(kind)
                lock.notify_all()
                if fault:
                    print(" ".join(functions), fault, flush=True)
                else:
                    good[0] += 1

    threads = [threading.Thread(target=work, args=(Board(number),)) for number in range(boards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(good[0])


main()
