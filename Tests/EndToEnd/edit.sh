#!/usr/bin/env bash
# p9serve stat, ls, chown, chmod, mknod and setcap as an ordinary uid, against what chmod(1) and setcap(8) do.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages libcap2-bin attr python3
need_programs
cd "$work"

edit() { as_developer "$p9serve" "$@"; }
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
check_equal "chmod gives the mode that chmod(1) does, $compared times" 0 "$different"

edit chmod --tree tree 6755 tree/file
edit chown --tree tree user:shadow tree/file
check_equal "chown takes names of the board" 1000:42 "$(member tree/file uid):$(member tree/file gid)"
check_equal "chown takes the setuid and setgid bits away" 0755 "$(member tree/file mode)"
edit chown --tree tree -R 7:8 tree/dev
check_equal "chown -R" 7:8 "$(member tree/dev uid):$(member tree/dev gid)"
code=0
edit chown --tree tree nobody tree/file 2>error || code=$?
check_equal "a name that the board lacks is refused" "64 1" "$code $(grep -c "no user 'nobody'" error)"

edit mknod --tree tree tree/dev/sda1 b 8 1 --mode 660 --owner root:6
check_equal "mknod" "block device 8 1 0660 6" \
    "$(member tree/dev/sda1 type) $(member tree/dev/sda1 major) $(member tree/dev/sda1 minor) $(member tree/dev/sda1 mode) $(member tree/dev/sda1 gid)"
check_equal "a device is a plain file on the host" "regular empty file" "$(stat -c %F tree/dev/sda1)"
code=0
edit mknod --tree tree tree/dev/sda1 b 8 1 2>error || code=$?
check_equal "mknod replaces nothing" 64 "$code"

for text in cap_net_raw+ep cap_net_admin,cap_net_raw+eip cap_sys_ptrace=p; do
    edit setcap --tree tree "$text" tree/file
    touch cap
    chmod 755 cap
    if [ "$(id -u)" = 0 ]; then
        setcap "$text" cap
        want=$(getfattr --only-values -n security.capability cap 2>/dev/null | od -An -tx1 | tr -d ' \n')
        got=$(edit stat --tree tree --json tree/file | python3 -c 'import json, sys; print(json.load(sys.stdin)["files"][0]["attributes"]["security.capability"])')
        check_equal "setcap $text gives the bytes that setcap(8) does" "$want" "$got"
    fi
done
check_equal "stat names capabilities" cap_sys_ptrace=p "$(edit stat --tree tree tree/file | grep -o 'cap_sys_ptrace=p')"
edit setcap --tree tree -r tree/file
check_equal "setcap -r" 0 "$(edit stat --tree tree tree/file | grep -c capability || true)"

as_developer ln -s /etc/passwd tree/link
check_equal "a symbolic link leads where it does on the board" "$(stat -c %s tree/etc/passwd) bytes" \
    "$(edit stat --tree tree -L tree/link | grep -o '[0-9]* bytes')"
check_equal "ls shows what the board sees" "brw-rw---- root 6 8, 1" "$(edit ls --tree tree tree/dev | tr -s ' ' | cut -d' ' -f1,3-6)"

# What Linux takes away at a chown.
as_developer touch tree/capable
edit setcap --tree tree cap_net_raw+ep tree/capable
edit chown --tree tree 5 tree/capable
check_equal "chown takes capabilities away" 0 "$(edit stat --tree tree tree/capable | grep -c capability || true)"
edit chown --tree tree 6 tree/capable tree/dev
check_equal "chown of what has none" 6:6 "$(member tree/capable uid):$(member tree/dev uid)"

# The good among several paths.
code=0
edit chmod --tree tree 600 tree/none tree/capable tree/none2 2>error || code=$?
check_equal "chmod goes on after a bad path" "3 2 0600" "$code $(grep -c "can't open" error) $(member tree/capable mode)"
code=0
edit stat --tree tree tree/none tree/capable >out 2>error || code=$?
check_equal "stat goes on after a bad path" "3 1" "$code $(grep -c capable out)"
code=0
edit chown --tree tree -R nobody tree 2>error || code=$?
check_equal "a name that the board lacks is told once" "64 1" "$code $(grep -c "no user 'nobody'" error)"

# Words that are wrong.
code=0
edit chwon 0 tree/file 2>error || code=$?
check_equal "a mistyped command" "64 p9serve: unknown command 'chwon'; did you mean chown?" "$code $(head -1 error)"
code=0
as_developer "$p9serve" stat $'tree/caf\xe9' 2>error || code=$?
check_equal "an argument that is not UTF-8" "64 p9serve: the argument 'tree/caf\\xe9' is not UTF-8" "$code $(head -1 error)"
code=0
edit chmod --tree tree 999 tree/file 2>error || code=$?
check_equal "a wrong mode is told with chmod's usage" "64 1" "$code $(grep -c '^Usage: p9serve chmod ' error)"
code=0
edit chown --tree tree 4294967295 tree/file 2>error || code=$?
check_equal "a number that is not an owner" "64 p9serve: Linux has no user 4294967295: the largest number is 4294967294" "$code $(head -1 error)"
code=0
edit chown --tree notree 0 tree/file 2>error || code=$?
check_equal "a tree that is not there" "3 p9serve: can't open the directory notree: No such file or directory" "$code $(head -1 error)"
as_developer mkdir tree/names tree/names/sub
as_developer touch $'tree/names/line\nbreak' $'tree/names/\e[31mred' $'tree/names/caf\xe9' tree/names/$'\xc3\xa9t\xc3\xa9'
check_equal "ls: names reach no terminal as they are" "\\x1b[31mred caf\\xe9 line\\x0abreak sub été" \
    "$(edit ls --tree tree tree/names | sed 's/.*[0-9][0-9]:[0-9][0-9] //' | paste -s -d ' ')"
check_equal "stat: nor there" 'tree/names/line\x0abreak' "$(edit stat --tree tree $'tree/names/line\nbreak' | head -1)"
check_equal "ls --json: a name that is not UTF-8" 1 "$(edit ls --json --tree tree tree/names | grep -c '"tree/names/caf\\\\xe9"')"
check_equal "mknod -m" 0600 "$(edit mknod --tree tree -m 600 tree/names/sub/null c 1 3 && member tree/names/sub/null mode)"
check_equal "mknod --help shows the mode" 1 "$(edit mknod --help | grep -c 'default: 644')"
check_equal "chown --help shows -h once" 1 "$(edit chown --help | grep -c -- '-h,')"
as_developer ln -s file tree/own
as_developer "$p9serve" chown --tree tree -h 9 tree/own
check_equal "chown -h" 9 "$(member tree/own uid)"

# Directories that are not trees, and parts of a tree.
as_developer mkdir -p foreign/etc
as_developer touch foreign/etc/passwd
as_developer setfattr -n user.rsync.%stat -v '100644 0,0 7:8' foreign/etc/passwd
cp -a foreign untouched
# "serve" and "--export" end by themselves only if they refuse.
for command in "export foreign out.tar" "check foreign" "serve foreign --listen unix:$work/socket" \
    "serve tree --export other=foreign --listen unix:$work/socket" "ls foreign" "ls --tree foreign foreign/etc" \
    "stat --tree foreign foreign/etc/passwd" "chown --tree foreign 5 foreign/etc/passwd" "chmod --tree foreign u+s foreign/etc/passwd" \
    "mknod --tree foreign foreign/null c 1 3" "setcap --tree foreign cap_net_raw+ep foreign/etc/passwd"; do
    code=0
    # shellcheck disable=SC2086 # words
    as_developer timeout 20 "$p9serve" $command >out 2>error || code=$?
    check_equal "$command of another tool's directory" "64 1" "$code $(grep -c 'rsync --fake-super' error)"
    check_equal "  with a hint" "1 1" "$(grep -c 'p9serve import foreign NEW' error) $(grep -c -- '--as-is' error)"
done
# Where the tree begins is not said.
for command in "stat foreign/etc/passwd" "chown -R 5 foreign/etc" "chmod u+s foreign/etc/passwd" "mknod foreign/etc/null c 1 3" \
    "setcap cap_net_raw+ep foreign/etc/passwd"; do
    code=0
    # shellcheck disable=SC2086 # words
    edit $command >out 2>error || code=$?
    check_equal "$command in another tool's directory" "64 1 1" "$code $(grep -c 'rsync --fake-super' error) $(grep -c 'p9serve import foreign NEW' error)"
done
check_equal "nothing of it was changed" "$(getfattr -Rdm- untouched | sed 's,untouched,,') $(find untouched | wc -l)" \
    "$(getfattr -Rdm- foreign | sed 's,foreign,,') $(find foreign | wc -l)"
check_equal "stat --as-is" 1 "$(edit stat --as-is --tree foreign foreign/etc/passwd | grep -c '^  owner   0')"
as_developer mkdir -p "it's foreign/etc"
as_developer touch "it's foreign/etc/passwd" "it's foreign.devtable"
code=0
edit ls --tree "it's foreign" "it's foreign" 2>error || code=$?
check_equal "the hint can be pasted" "64 1" "$code $(grep -cF "p9serve convert 'it'\\''s foreign' --to override-stat" error)"
# Only some files have the tool's metadata: what lies beside the path tells, and another tree beside the file's own doesn't.
as_developer mkdir -p "part of it/etc" "part of it/dev" neighbour/etc
as_developer touch "part of it/etc/passwd" "part of it/etc/shadow" neighbour/etc/passwd neighbour/own
as_developer setfattr -n user.virtfs.uid -v 0s6AMAAA== "part of it/etc/passwd"
refused() { # HINT COMMAND...
    local code=0 hint=$1
    shift
    edit "$@" >out 2>error || code=$?
    check_equal "$*: not where another tool's metadata lie beside it" "64 1 1" "$code $(grep -c 'QEMU mapped-xattr' error) $(grep -cF "$hint" error)"
}
for command in "chown 5" "chmod u+s" "setcap cap_net_raw+ep" stat; do
    # shellcheck disable=SC2086 # words
    refused "p9serve import 'part of it' NEW" $command "part of it/etc/shadow"
done
refused "p9serve import 'part of it' NEW" mknod "part of it/dev/x" c 1 3
refused "p9serve import 'part of it' NEW" ls "part of it"
refused "p9serve import 'part of it' NEW" ls "part of it/dev"
eval "edit $(sed -n 's/^ *p9serve \(import .*\)/\1 -q/p' error)" 2>/dev/null || true
check_equal "the hint's command makes a tree" 1 "$(edit stat --tree NEW NEW/etc/passwd | grep -c '^  owner   1000')"
for path in etc dev etc/shadow; do
    (cd "part of it" && edit ls "$path" >/dev/null 2>"$work/error") && echo "not ok ls $path from within"
    check_equal "ls $path from within such a directory" 1 "$(grep -cF "p9serve import '$PWD/part of it' NEW" error)"
done
check_equal "nothing was labelled" 0 "$(getfattr -Rdm- "part of it" | grep -c override || true)"
check_equal "its neighbours are edited" 2 "$(edit chown 5 neighbour/etc/passwd neighbour/own neighbour/etc && edit ls neighbour | wc -l)"
# Labels of ours don't make it our tree.
edit chown --as-is 5 "part of it/etc/shadow" "part of it"
for command in "export X out.tar" "check X" "serve X --listen unix:$work/socket" "ls X" "stat X/etc/shadow" "chown 6 X/dev" \
    "import X new" "convert X --to rsync"; do
    words=()
    for word in $command; do words+=("${word/#X/part of it}"); done
    code=0
    as_developer timeout 20 "$p9serve" "${words[@]}" >out 2>error || code=$?
    check_equal "${words[*]}: labels on files of another tool's" \
        "64 1" "$code $(grep -c 'more than one tool: QEMU mapped-xattr (.*), user.containers.override_stat (\|more than one tool: user.containers.override_stat (.*), QEMU mapped-xattr (' error)"
done
check_equal "check --as-is" good "$(edit check --as-is "part of it" >/dev/null && echo good)"
# A directory with a database is a tree, even if another tool's metadata are put into it.
as_developer tar -cf ours.tar neighbour
edit import -q ours.tar ours 2>/dev/null
as_developer cp -a "part of it/etc/passwd" ours/neighbour/etc/copied
check_equal "a file of another tool's in an imported tree" exported "$(edit chown 5 ours/neighbour/etc/passwd && edit check ours >/dev/null; edit export -q ours copied.tar && echo exported)"
as_developer mkdir -p yocto/rootfs yocto/other yocto/pseudo
python3 - "$work/yocto" <<'PY'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1] + "/pseudo/files.db")
database.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, path VARCHAR, dev INTEGER, ino INTEGER, uid INTEGER, gid INTEGER, "
                 "mode INTEGER, rdev INTEGER, deleting INTEGER)")
database.execute("INSERT INTO files VALUES (1, ?, 0, 0, 7, 8, 33188, 0, 0)", (sys.argv[1] + "/rootfs/etc/passwd",))
database.execute("INSERT INTO files VALUES (2, ?, 0, 0, 7, 8, 33188, 0, 1)", (sys.argv[1] + "/other/removed",))
database.commit()
PY
chmod -R a+rX yocto
code=0
edit ls --tree yocto/rootfs yocto/rootfs 2>error || code=$?
check_equal "a directory that Yocto's database knows" "64 1" "$code $(grep -c 'a pseudo database' error)"
check_equal "one that it does not know" listed "$(edit ls yocto/other && echo listed)"
if [ "$(id -u)" = 0 ]; then
    # It has no blocks, but whoever reads it needs its size.
    install -d -o 4321 pseudo
    truncate -s 400M pseudo/files.db
    chown 4321 pseudo/files.db
    as_developer mkdir outside
    check_equal "another user's database is not read" "not read" "$(as_developer python3 - "$p9serve" <<'PY'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "ls", "--tree", "outside", "outside"], check=True)
print("read" if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 200 << 10 else "not read")
PY
    )"
    rm -r pseudo outside
fi
# Databases of trees within a tree, and what is in the making, don't exist for the board.
as_developer mkdir -p outer/.usb9pfs-new.4194305.1
as_developer touch outer/file outer/.usb9pfs-new.4194305.1/inner
edit import -q real/../out3.tar outer/inner 2>/dev/null || edit import -q foreign outer/inner 2>/dev/null
check_equal "an import within a directory has its database there" 1 "$(find outer -maxdepth 1 -name '.inner.usb9pfs.db' | wc -l)"
check_equal "which ls doesn't show" 0 "$(edit ls -R outer | grep -c usb9pfs || true)"
check_equal "nor stat, nor what lies in a reserved name" "" "$(for name in .inner.usb9pfs.db .usb9pfs-new.4194305.1/inner .usb9pfs-new.4194305.1/.; do
    edit stat --tree outer "outer/$name" >/dev/null 2>&1 && echo "$name"
done)"
edit export -q outer outer.tar 2>error
check_equal "nor export, which says so once" "0 1" "$(tar -tf outer.tar | grep -c usb9pfs || true) $(grep -c 'database left out' error)"
check_equal "nor check" 0 "$(edit check --all outer 2>&1 | grep -c 'inner.usb9pfs.db' || true)"
edit export -q --as-is foreign out.tar
check_equal "export --as-is" 1 "$(tar -tf out.tar | grep -c passwd)"
edit import -q foreign imported 2>error
code=0
edit export imported/etc out2.tar 2>error || code=$?
check_equal "export of a part of a tree" "64 p9serve: imported/etc is a part of the tree imported: its owners of symbolic links and lost labels are known there only" \
    "$code $(head -1 error)"
edit check imported >/dev/null
edit export -q imported out3.tar
check_equal "an imported tree is not a foreign directory" 1 "$(tar --numeric-owner -tvf out3.tar | grep passwd | grep -c 7/8)"
code=0
edit import out3.tar imported 2>error || code=$?
check_equal "the hint names the database" "64     rm -r imported .imported.usb9pfs.db" "$code $(tail -1 error)"
code=0
edit import foreign foreign 2>error || code=$?
check_equal "no hint to remove the source" "64 0" "$code $(grep -c 'rm -r' error || true)"

# A tree in between.
as_developer mkdir -p half/etc
as_developer setfattr -n user.usb9pfs.convert -v 'describe rsync override-stat' half
for command in "stat half/etc" "ls half" "chown 0 half/etc" "chmod 700 half/etc" "mknod half/etc/null c 1 3"; do
    code=0
    # shellcheck disable=SC2086 # words
    edit $command 2>error || code=$?
    check_equal "$command: a half-converted tree" "64 1" "$code $(grep -c 'is being converted' error)"
done

# A board may nest directories as deep as it likes, and name them and its users as it likes.
as_developer python3 - <<'PY'
import os
os.mkdir("tree/deep")
os.chdir("tree/deep")
for _ in range(20000):
    os.mkdir("d")
    os.chdir("d")
PY
deep() {
    local code=0
    (ulimit -n 256 && edit "$@" >out 2>error) || code=$?
    echo "$code $(wc -l <error)"
}
check_equal "ls -R of 20,000 nested directories" "0 0 20000" "$(deep ls --tree tree -R tree/deep) $(grep -c '^drwx' out)"
check_equal "a path that no program can use is shown with its ends" "17957" "$(grep -c '\.\.\..*/d (.* bytes):$' out)"
check_equal "chown -R of them" "0 0 4" "$(deep chown --tree tree -R 3:4 tree/deep) $(member tree/deep/d/d gid)"
check_equal "chmod -R of them" "0 0" "$(deep chmod --tree tree -R go-w tree/deep)"
check_equal "an export of them is refused at once" "64 2 0" "$(deep export tree deep.tar) $(find . -maxdepth 1 -name '*deep.tar*' | wc -l)"
check_equal "one that leaves them out is not" "0 0" "$(deep export --quiet tree deep.tar --exclude deep)"
as_developer rm -rf tree/deep

escape=$(printf '\033')
as_developer mkdir "tree/a${escape}[2Jb"
as_developer tee -a tree/etc/passwd >/dev/null <<<"evil${escape}]0;x:x:77:77::/:/bin/sh"
edit chown --tree tree 77:77 "tree/a${escape}[2Jb"
as_developer ln -s "to${escape}[31m" "tree/a${escape}[2Jb/link"
as_developer setfattr -n "user.x${escape}[5m" -v y "tree/a${escape}[2Jb"
for command in "ls --tree tree -R tree" "stat --tree tree tree/a${escape}[2Jb" "stat --tree tree tree/a${escape}[2Jb/none" "check tree" \
    "ls --json --tree tree -R tree" "chown -R --tree tree nobody tree" "export --exclude deep tree /nowhere/a${escape}[2J"; do
    # shellcheck disable=SC2086 # words
    edit $command >out 2>&1 || true
    check_equal "no escape sequence of '${command%% *}' reaches the terminal" 0 "$(grep -c "$escape" out || true)"
done
