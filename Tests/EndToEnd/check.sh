#!/usr/bin/env bash
# p9serve check: what it finds in a tree that was edited, damaged or left half-done, and what --repair makes of it.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages attr python3 sqlite3
need_programs
cd "$work"

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
check_equal "a fresh import is clean" "nothing 0" "$(findings)"
check_equal "nothing has changed since" "" "$(drift)"

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
check_equal "lost labels are found" "label_lost bin/su, label_lost dev/null, label_lost etc/shadow, privileges_lost bin/sudo 1" \
    "$(findings)"
check_equal "and mended" "label_lost bin/su repaired, label_lost dev/null repaired, label_lost etc/shadow repaired, privileges_lost bin/sudo 1" \
    "$(findings --repair)"
check_equal "what has another content goes without its setuid bit" "mode    0755 -rwxr-xr-x" \
    "$(user "$p9serve" stat tree/bin/sudo | grep -o 'mode .*')"
check_equal "what has the same gets it back" "mode    4755 -rwsr-xr-x" "$(user "$p9serve" stat tree/bin/su | grep -o 'mode .*')"
check_equal "a device is one again" "device 1, 3" "$(user "$p9serve" stat tree/dev/null | grep -o 'device 1, 3')"
check_equal "which is said until somebody decides" "privileges_lost bin/sudo 1" "$(findings)"
user "$p9serve" chmod u-s tree/bin/sudo
check_equal "the tree is clean then" "nothing 0" "$(findings)"

# What check says is to be typed as it stands, and ends in a clean tree.
mkdir path
ln -s "$p9serve" path/p9serve
advised() { # with, without: the commands that check prints about every program
    { user "$p9serve" check tree 2>/dev/null || true; } | sed -n 's/.* To give them: \(.*\)   else: \(.*\)/\1\t\2/p' | cut -f "$1"
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
        check_equal "each program has its commands" 2 "$(wc -l <commands)"
        user env PATH="$work/path:$PATH" bash -e commands || true
        check_equal "the advice ends in a clean tree (repaired: $repaired, choice $choice)" "nothing 0" "$(findings)"
        want=$([ "$choice" = 1 ] && echo "4755 6755 1" || echo "0755 0755 0")
        check_equal "  with what was chosen" "$want" "$(for name in sudo "it's one"; do user "$p9serve" stat "tree/bin/$name" |
            sed -n 's/^  mode *\([0-7]*\).*/\1/p'; done | tr '\n' ' ')$(user "$p9serve" stat "tree/bin/it's one" |
            grep -c cap_net_raw || true)"
    done
done
replaced
findings --repair >/dev/null
check_equal "what --repair can't mend is not sent to --repair again" 0 "$({ user "$p9serve" check tree 2>&1 || true; } |
    grep -c -- '--repair' || true)"

import
user setfattr -n user.containers.override_stat -v "nonsense" tree/etc/hosts
user setfattr -n user.containers.override_stat -v "0:0:0644:char-1-3" tree/etc/gone
check_equal "malformed and misplaced labels" "label_malformed etc/hosts, label_misplaced etc/gone 1" "$(findings)"
check_equal "are mended" "label_malformed etc/hosts repaired, label_misplaced etc/gone repaired 0" "$(findings --repair)"
check_equal "for good" "nothing 0" "$(findings)"

import
user chmod 400 tree/etc/shadow
user setfattr -n user.containers.override_stat -v "0:0:04755:file:0755" tree/bin/su
user touch tree/etc/.usb9pfs-new.4194305.1
check_equal "what is harmless is no problem" "change_unfinished bin/su, leftover etc/.usb9pfs-new.4194305.1, mode_below_floor etc/shadow 0" \
    "$(findings)"
check_equal "and goes with --repair" "change_unfinished bin/su repaired, leftover etc/.usb9pfs-new.4194305.1 repaired, mode_below_floor etc/shadow repaired 0" \
    "$(findings --repair)"
check_equal "a developer's chmod is what the board sees" "mode    0400 -r--------" "$(user "$p9serve" stat tree/etc/shadow | grep -o 'mode .*')"

import
user rm tree/link
check_equal "the row of a file that no longer exists" "row_stale 0" "$(findings | sed 's/ (.*//')"
check_equal "goes" "row_stale repaired 0" "$(findings --repair)"
check_equal "labels in the database" 0 "$(user sqlite3 .tree.usb9pfs.db 'select count(*) from node')"

import
echo more | user tee -a tree/etc/hosts >/dev/null
user rm tree/etc/gone
user touch tree/etc/new
user chmod 600 tree/bin/sudo
findings >/dev/null
check_equal "what has changed since the import" "added etc/new; removed etc/gone; edited etc/hosts; changed bin/sudo" "$(drift)"
user touch -r tree/bin/su stamp
printf PROGRAM | user tee tree/bin/su >/dev/null
user touch -r stamp tree/bin/su
findings >/dev/null
check_equal "an edit that keeps size and time" 0 "$(drift | grep -c 'bin/su,')"
findings --hash >/dev/null
check_equal "is seen with --hash" 1 "$(drift | grep -c 'edited bin/su,etc/hosts')"

import
user dd if=/dev/zero of=.tree.usb9pfs.db bs=4096 count=2 conv=notrunc status=none
check_equal "a damaged database is said to be" "database_damaged 1" "$(findings | sed 's/ (.*//')"
import
user sqlite3 .tree.usb9pfs.db "UPDATE manifest SET mtime = mtime + 1 WHERE path = CAST('bin/su' AS BLOB)"
user chmod 600 tree/bin/sudo
check_equal "a damaged row is that, and all other files are looked at" "database_damaged, database_damaged bin/su 1" "$(findings)"
check_equal "and compared" "changed bin/sudo" "$(drift)"
check_equal "which the text says too" 2 "$(user "$p9serve" check tree 2>/dev/null | grep -c "rows of the table manifest are not as they were written\|bin/su: ")"

code=0
user "$p9serve" check nowhere 2>error || code=$?
check_equal "no such directory" 3 "$code"

import
user chmod 000 tree/etc
check_equal "a directory that can't be read hides nothing for good" "mode_below_floor etc, not_entered etc, unreadable etc 1" \
    "$(findings)"
findings --repair >/dev/null || true
check_equal "its mode is lifted, the board's view is not" "mode    0000 d---------" "$(user "$p9serve" stat tree/etc | grep -o 'mode .*')"
check_equal "and a second look finds nothing amiss" "nothing 0" "$(findings)"
