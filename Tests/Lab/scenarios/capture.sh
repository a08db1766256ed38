#!/usr/bin/env bash
# records the 9P frames the kernel's client sends and diod answers, for Fixtures/kernel-client (run with --out DIR)
# lab: timeout=600
# lab: packages=python3-usb
# lab: unpacked=diod
#
#   Tests/Lab/run --host baseline --out Fixtures/kernel-client capture
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

tree=$(export_directory root)
chown 0:0 "$tree"
work=/run/lab/capture
mkdir $work
diod_start 5701 "$tree" >/run/lab/diod.pid || fail "diod"
python3 "$LAB/scenarios/capture.py" proxy 5700 5701 $work </dev/null >/run/lab/proxy.log 2>&1 &
wait_for 60 test -e $work/frames.jsonl || fail "proxy"
board_up 0 || fail "gadget up"
host_connect 0 5700 "$tree" || fail "connect"
# posixacl: asks for the ACL attributes too. Uncached: every operation is a message.
board_mount 0 /run/board posixacl || fail "mount"
check "operations" timeout 240 python3 "$LAB/scenarios/capture.py" operations /run/board $work "$LAB_UID"
check "unmount" umount /run/board
check "select" python3 "$LAB/scenarios/capture.py" select $work/frames.jsonl "$LAB_DIR/out"
seen=$(cd "$LAB_DIR/out" && printf '%s\n' *.hex | sed 's/^[0-9]*-//; s/[-.].*//' | sort -u | tr '\n' ' ')
for type in version attach walk lopen lcreate mkdir mknod symlink link rename renameat unlinkat remove readlink getattr \
    setattr xattrwalk xattrcreate read write readdir fsync statfs lock getlock clunk flush; do
    for message in "T$type" "R$type"; do
        case $message in
            Rgetlock | Rrenameat | Runlinkat) continue ;; # diod answers these with Rlerror, see capture.py
        esac
        case " $seen " in
            *" $message "*) ok "$message" ;;
            *) not_ok "$message" "never seen" ;;
        esac
    done
done
host_stop 0
dmesg_clean
