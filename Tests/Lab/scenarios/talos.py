"""Makes an OCI runtime's config.json of a Talos extension service, as Talos and its containerd would.

    talos.py SERVICE.yaml ROOTFS BOARD [NAME=VALUE...] >config.json

BOARD is the directory that stands for the board's root: sources of mounts are below it, but for /sys and /proc. NAME=VALUE
are the environment of an ExtensionServiceConfig. What is done here is Talos's Extension.Runner and getOCIOptions
(internal/app/machined/pkg/system/services/extension.go) on containerd's default (oci/spec.go, oci/mounts.go).
"""
import json
import os
import sys

import yaml

service_file, rootfs, board, *environment = sys.argv[1:]
with open(service_file, encoding="utf-8") as file:
    service = yaml.safe_load(file)
container = service["container"]
security = container.get("security", {})
# capability.AllGrantableCapabilities, the ones that matter here
capabilities = ["CAP_" + name for name in ("CHOWN DAC_OVERRIDE FOWNER KILL MKNOD NET_ADMIN NET_RAW SETGID SETUID SYS_ADMIN "
                                           "SYS_CHROOT SYS_PTRACE SYSLOG").split()]

mounts = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs",
     "options": ["nosuid", "noexec", "nodev"] + ([] if security.get("writeableSysfs") else ["ro"])},
    {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
]
for mount in container.get("mounts", []):
    source = mount["source"]
    if not source.startswith(("/sys", "/proc")):
        source = board + source
    os.makedirs(source, mode=0o700, exist_ok=True)
    mounts.append({**mount, "source": source})

masked = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
readonly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
linux = {
    # Of the network alone it has the host's.
    "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount")],
    "maskedPaths": security.get("maskedPaths", masked),
    "readonlyPaths": security.get("readonlyPaths", readonly),
}
if security.get("rootfsPropagation"):
    linux["rootfsPropagation"] = security["rootfsPropagation"]
json.dump({
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": [container["entrypoint"], *container.get("args", [])],
        "env": container.get("environment", []) + environment,
        "cwd": "/",
        "capabilities": {name: capabilities for name in ("bounding", "effective", "permitted")},
        "noNewPrivileges": True,
    },
    "root": {"path": rootfs, "readonly": not security.get("writeableRootfs", False)},
    "mounts": mounts,
    "linux": linux,
}, sys.stdout, indent=1)
