"""Loads a gadget scheme by libusbgx, as its tool gt does (which Debian does not have), or removes the gadget.

    scheme.py load FILE NAME UDC
    scheme.py unload NAME
"""
import ctypes
import sys

library = ctypes.CDLL("libusbgx.so.2")
libc = ctypes.CDLL(None)
for function in ("usbg_error_name", "usbg_strerror", "usbg_get_gadget_import_error_text"):
    getattr(library, function).restype = ctypes.c_char_p
for function in ("usbg_get_gadget", "usbg_get_udc"):
    getattr(library, function).restype = ctypes.c_void_p
    getattr(library, function).argtypes = [ctypes.c_void_p, ctypes.c_char_p]
library.usbg_get_gadget_import_error_text.argtypes = [ctypes.c_void_p]
library.usbg_import_gadget.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
library.usbg_enable_gadget.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
library.usbg_disable_gadget.argtypes = [ctypes.c_void_p]
library.usbg_rm_gadget.argtypes = [ctypes.c_void_p, ctypes.c_int]
libc.fopen.restype = ctypes.c_void_p
REMOVE_RECURSIVELY = 1


def done(what, result):
    if result != 0:
        sys.exit(f"{what}: {library.usbg_error_name(result).decode()}: {library.usbg_strerror(result).decode()}")


state, gadget = ctypes.c_void_p(), ctypes.c_void_p()
done("init", library.usbg_init(b"/sys/kernel/config", ctypes.byref(state)))
if sys.argv[1] == "load":
    file, name, controller = (argument.encode() for argument in sys.argv[2:5])
    stream = libc.fopen(file, b"r")
    result = library.usbg_import_gadget(state, stream, name, ctypes.byref(gadget))
    if result != 0:
        print("libconfig says:", library.usbg_get_gadget_import_error_text(state), file=sys.stderr)
    done("import", result)
    done("enable", library.usbg_enable_gadget(gadget, library.usbg_get_udc(state, controller)))
else:
    gadget = library.usbg_get_gadget(state, sys.argv[2].encode())
    done("disable", library.usbg_disable_gadget(gadget))
    done("remove", library.usbg_rm_gadget(gadget, REMOVE_RECURSIVELY))
