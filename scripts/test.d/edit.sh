#!/usr/bin/env bash
# p9serve stat, ls, chown, chmod, mknod and setcap as an ordinary uid, against what chmod(1) and setcap(8) do.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
need_packages libcap2-bin attr python3
p9serve=$usb9pfs_root/.build/release/p9serve
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 777 "$work"
cd "$work"

edit() { as_developer "$p9serve" "$@"; }
check() { # NAME GOT WANTED
    if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: got '$2', want '$3'"; fi
}
# A member of what stat says of a file, such as mode.
member() {
    edit stat --tree tree --json "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["files"][0].get(sys.argv[1]))' "$2"
}

as_developer mkdir -p tree/etc tree/dev
as_developer tee tree/etc/passwd >/dev/null <<<$'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh'
as_developer tee tree/etc/group >/dev/null <<<$'root:x:0:\nshadow:x:42:'

# Every mode that chmod(1) computes, on plain files of the same user.
modes=(644 755 4755 2750 1777 600 0 7777)
as_developer mkdir tree/template real
for mode in "${modes[@]}"; do
    as_developer touch "real/file$mode" "tree/template/file$mode"
    as_developer mkdir "real/dir$mode" "tree/template/dir$mode"
    edit chmod --tree tree "0$mode" "tree/template/file$mode" "tree/template/dir$mode"
done
different=0 compared=0
for change in u+s g+s u-s +t -t a+rwx go-w u=rwx,g=rx,o= g=u o=g-w a=r u+x-w a+X +X 4755 2711 0 7777 00755 644 o+t u+t g=s \
    ug+s,o=; do
    rm -rf tree/work
    as_developer cp -a tree/template tree/work
    for mode in "${modes[@]}"; do as_developer chmod "$(printf %05o "0$mode")" "real/file$mode" "real/dir$mode"; done
    (umask 0 && as_developer chmod "$change" real/*)
    edit chmod --tree tree "$change" tree/work/*
    stat -c '%n %a' real/* | sed 's,.*/,,' | sort >want
    edit stat --tree tree --json tree/work/* | python3 -c '
import json, sys
for file in json.load(sys.stdin)["files"]:
    print(file["path"].split("/")[-1], format(int(file["mode"], 8), "o"))' | sort >got
    compared=$((compared + $(wc -l <want)))
    diff got want >difference || { different=$((different + 1)) && echo "  $change:" && cat difference; }
done
as_developer touch tree/file
check "chmod gives the mode that chmod(1) does, $compared times" "$different" 0

edit chmod --tree tree 6755 tree/file
edit chown --tree tree user:shadow tree/file
check "chown takes names of the board" "$(member tree/file uid):$(member tree/file gid)" 1000:42
check "chown takes the setuid and setgid bits away" "$(member tree/file mode)" 0755
edit chown --tree tree -R 7:8 tree/dev
check "chown -R" "$(member tree/dev uid):$(member tree/dev gid)" 7:8
code=0
edit chown --tree tree nobody tree/file 2>error || code=$?
check "a name that the board lacks is refused" "$code $(grep -c "no user 'nobody'" error)" "64 1"

edit mknod --tree tree tree/dev/sda1 b 8 1 --mode 660 --owner root:6
check "mknod" "$(member tree/dev/sda1 type) $(member tree/dev/sda1 major) $(member tree/dev/sda1 minor) $(member tree/dev/sda1 mode) $(member tree/dev/sda1 gid)" \
    "block device 8 1 0660 6"
check "a device is a plain file on the host" "$(stat -c %F tree/dev/sda1)" "regular empty file"
code=0
edit mknod --tree tree tree/dev/sda1 b 8 1 2>error || code=$?
check "mknod replaces nothing" "$code" 64

for text in cap_net_raw+ep cap_net_admin,cap_net_raw+eip cap_sys_ptrace=p; do
    edit setcap --tree tree "$text" tree/file
    touch cap
    chmod 755 cap
    if [ "$(id -u)" = 0 ]; then
        setcap "$text" cap
        want=$(getfattr --only-values -n security.capability cap 2>/dev/null | od -An -tx1 | tr -d ' \n')
        got=$(edit stat --tree tree --json tree/file | python3 -c 'import json, sys; print(json.load(sys.stdin)["files"][0]["attributes"]["security.capability"])')
        check "setcap $text gives the bytes that setcap(8) does" "$got" "$want"
    fi
done
check "stat names capabilities" "$(edit stat --tree tree tree/file | grep -o 'cap_sys_ptrace=p')" cap_sys_ptrace=p
edit setcap --tree tree -r tree/file
check "setcap -r" "$(edit stat --tree tree tree/file | grep -c capability || true)" 0

as_developer ln -s /etc/passwd tree/link
check "a symbolic link leads where it does on the board" "$(edit stat --tree tree -L tree/link | grep -o '[0-9]* bytes')" \
    "$(stat -c %s tree/etc/passwd) bytes"
check "ls shows what the board sees" "$(edit ls --tree tree tree/dev | tr -s ' ' | cut -d' ' -f1,3-6)" "brw-rw---- root 6 8, 1"
