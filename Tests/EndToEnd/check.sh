#!/usr/bin/env bash
# p9serve check: what it finds in a tree that was edited, damaged or left half-done, and what --repair makes of it.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages attr python3 sqlite3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
# Where everybody may write no database is beside a tree.
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
cd "$work"

user() { as_developer env HOME="$work" "$@"; }
check() { # NAME GOT WANTED
    if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: got '$2', want '$3'"; fi
}
# The findings as "KIND PATH", sorted, and the exit code.
findings() {
    local code=0
    user "$p9serve" check --json "$@" tree >report 2>/dev/null || code=$?
    python3 - "$code" <<'PY'
import json, sys
report = json.load(open("report"))
found = sorted(f["kind"] + (" " + f["path"] if f["path"] else "") + (" repaired" if f["repaired"] else "") for f in report["findings"])
print(", ".join(found) or "nothing", sys.argv[1])
PY
}
drift() { python3 -c 'import json; d = json.load(open("report"))["drift"]; print("; ".join(k + " " + ",".join(v) for k, v in d.items() if v))'; }

python3 - <<'PY'
import io, tarfile
with tarfile.open("tree.tar", "w") as archive:
    def add(name, kind=tarfile.REGTYPE, content=b"", **fields):
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime = kind, len(content), 1000
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content))
    add("etc", tarfile.DIRTYPE, mode=0o755)
    add("etc/shadow", content=b"secret", mode=0o640, gid=42)
    add("etc/hosts", content=b"hosts", mode=0o644)
    add("etc/gone", content=b"gone", mode=0o644)
    add("bin", tarfile.DIRTYPE, mode=0o755)
    add("bin/su", content=b"program", mode=0o4755)
    add("bin/sudo", content=b"program", mode=0o4755)
    capability = {"SCHILY.xattr.security.capability": b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode("latin-1")}
    add("bin/it's one", content=b"program", mode=0o6755, pax_headers=capability)
    add("dev", tarfile.DIRTYPE, mode=0o755)
    add("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    add("link", tarfile.SYMTYPE, linkname="etc", uid=5)
PY
import() {
    rm -rf tree .tree.*
    user "$p9serve" import --quiet tree.tar tree
}

import
check "a fresh import is clean" "$(findings)" "nothing 0"
check "nothing has changed since" "$(drift)" ""

# What tools do that replace files.
user cp --no-preserve=all tree/etc/shadow shadow
user mv shadow tree/etc/shadow
user cp --no-preserve=all tree/bin/su su
user mv su tree/bin/su
user chmod 755 tree/bin/su
echo other | user tee su >/dev/null
user chmod 755 su
user mv su tree/bin/sudo
user rm tree/dev/null
user touch tree/dev/null
check "lost labels are found" "$(findings)" \
    "label_lost bin/su, label_lost dev/null, label_lost etc/shadow, privileges_lost bin/sudo 1"
check "and mended" "$(findings --repair)" \
    "label_lost bin/su repaired, label_lost dev/null repaired, label_lost etc/shadow repaired, privileges_lost bin/sudo 1"
check "what has another content goes without its setuid bit" "$(user "$p9serve" stat tree/bin/sudo | grep -o 'mode .*')" \
    "mode    0755 -rwxr-xr-x"
check "what has the same gets it back" "$(user "$p9serve" stat tree/bin/su | grep -o 'mode .*')" "mode    4755 -rwsr-xr-x"
check "a device is one again" "$(user "$p9serve" stat tree/dev/null | grep -o 'device 1, 3')" "device 1, 3"
check "which is said until somebody decides" "$(findings)" "privileges_lost bin/sudo 1"
user "$p9serve" chmod u-s tree/bin/sudo
check "the tree is clean then" "$(findings)" "nothing 0"

# What check says is to be typed as it stands, and ends in a clean tree.
mkdir path
ln -s "$p9serve" path/p9serve
advised() { # with, without: the commands that check prints about every program
    { user "$p9serve" check tree 2>/dev/null || true; } | sed -n 's/.* If it shall have them: \(.*\)   else: \(.*\)/\1\t\2/p' | cut -f "$1"
}
replaced() {
    import
    for name in sudo "it's one"; do
        echo other | user tee program >/dev/null
        user chmod 755 program
        user touch -d "-1 hour" program
        user mv program "tree/bin/$name"
    done
}
for repaired in no yes; do
    for choice in 1 2; do
        replaced
        [ "$repaired" = no ] || findings --repair >/dev/null
        advised "$choice" >commands
        check "each program has its commands" "$(wc -l <commands)" 2
        user env PATH="$work/path:$PATH" bash -e commands || true
        check "the advice ends in a clean tree (repaired: $repaired, choice $choice)" "$(findings)" "nothing 0"
        want=$([ "$choice" = 1 ] && echo "4755 6755 1" || echo "0755 0755 0")
        check "  with what was chosen" "$(for name in sudo "it's one"; do user "$p9serve" stat "tree/bin/$name" |
            sed -n 's/^  mode *\([0-7]*\).*/\1/p'; done | tr '\n' ' ')$(user "$p9serve" stat "tree/bin/it's one" |
            grep -c cap_net_raw || true)" "$want"
    done
done
replaced
findings --repair >/dev/null
check "what --repair can't mend is not sent to --repair again" "$({ user "$p9serve" check tree 2>&1 || true; } |
    grep -c -- '--repair' || true)" 0

import
user setfattr -n user.containers.override_stat -v "nonsense" tree/etc/hosts
user setfattr -n user.containers.override_stat -v "0:0:0644:char-1-3" tree/etc/gone
check "malformed and misplaced labels" "$(findings)" "label_malformed etc/hosts, label_misplaced etc/gone 1"
check "are mended" "$(findings --repair)" "label_malformed etc/hosts repaired, label_misplaced etc/gone repaired 0"
check "for good" "$(findings)" "nothing 0"

import
user chmod 400 tree/etc/shadow
user setfattr -n user.containers.override_stat -v "0:0:04755:file:0755" tree/bin/su
user touch tree/etc/.usb9pfs-new.4194305.1
check "what is harmless is no problem" "$(findings)" \
    "change_unfinished bin/su, leftover etc/.usb9pfs-new.4194305.1, mode_below_floor etc/shadow 0"
check "and goes with --repair" "$(findings --repair)" \
    "change_unfinished bin/su repaired, leftover etc/.usb9pfs-new.4194305.1 repaired, mode_below_floor etc/shadow repaired 0"
check "a developer's chmod is what the board sees" "$(user "$p9serve" stat tree/etc/shadow | grep -o 'mode .*')" "mode    0400 -r--------"

import
user rm tree/link
check "the row of a file that is no more" "$(findings | sed 's/ (.*//')" "row_stale 0"
check "goes" "$(findings --repair)" "row_stale repaired 0"
check "labels in the database" "$(user sqlite3 .tree.usb9pfs.db 'select count(*) from node')" 0

import
echo more | user tee -a tree/etc/hosts >/dev/null
user rm tree/etc/gone
user touch tree/etc/new
user chmod 600 tree/bin/sudo
findings >/dev/null
check "what has changed since the import" "$(drift)" "added etc/new; removed etc/gone; edited etc/hosts; changed bin/sudo"
user touch -r tree/bin/su stamp
printf PROGRAM | user tee tree/bin/su >/dev/null
user touch -r stamp tree/bin/su
findings >/dev/null
check "an edit that keeps size and time" "$(drift | grep -c 'bin/su,')" 0
findings --hash >/dev/null
check "is seen with --hash" "$(drift | grep -c 'edited bin/su,etc/hosts')" 1

import
user dd if=/dev/zero of=.tree.usb9pfs.db bs=4096 count=2 conv=notrunc status=none
check "a damaged database is said to be" "$(findings | sed 's/ (.*//')" "database_damaged 1"
import
user sqlite3 .tree.usb9pfs.db "UPDATE manifest SET mtime = mtime + 1 WHERE path = CAST('bin/su' AS BLOB)"
user chmod 600 tree/bin/sudo
check "a damaged row is that, and all other files are looked at" "$(findings)" "database_damaged, database_damaged bin/su 1"
check "and compared" "$(drift)" "changed bin/sudo"
check "which the text says too" "$(user "$p9serve" check tree 2>/dev/null | grep -c "rows of the table manifest are not as they were written\|bin/su: ")" 2

code=0
user "$p9serve" check nowhere 2>error || code=$?
check "no such directory" "$code" 3

import
user chmod 000 tree/etc
check "a directory that can't be read hides nothing for good" "$(findings)" \
    "mode_below_floor etc, not_entered etc, unreadable etc 1"
findings --repair >/dev/null || true
check "its mode is lifted, the board's view is not" "$(user "$p9serve" stat tree/etc | grep -o 'mode .*')" "mode    0000 d---------"
check "and a second look finds nothing amiss" "$(findings)" "nothing 0"
