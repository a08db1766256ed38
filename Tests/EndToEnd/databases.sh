#!/usr/bin/env bash
# Metadata databases, as the commands have them: out of every board's reach, planted ones passed over, lost ones noticed.
#
# The server runs as an ordinary user, who has a directory of its own to serve as its home.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages attr python3 sqlite3
need_programs
cleanup() { chmod 755 "$work"; }
as_developer mkdir "$work/user"
cd "$work/user"

user() { as_developer env HOME="$work/user" "$@"; }
# The exit code, within a few seconds: 124 else.
code() {
    local code=0
    user timeout 5 "$@" >out 2>error || code=$?
    echo "$code"
}

# So that no database can be made beside the home, whose parent is not the user's.
chown "$(id -u)" "$work"
chmod 555 "$work"
user python3 "$programs/databases.py" "$p9serve" "$work/user"
chmod 755 "$work"
# That was the home's own tree: what follows is in none.
rm -rf .local .usb9pfs* outer l
[ "$(id -u)" != 0 ] || rm -f "$work"/.user.usb9pfs.db*
user setfattr -x user.usb9pfs.db "$work/user" 2>/dev/null || true

# A database planted in a tree does not make `etc` a tree of its own.
user mkdir -p tree/etc/deep
user touch tree/etc/passwd
user ln -s passwd tree/etc/link
for plant in 'head -c 100000 /dev/urandom >' 'echo text >' mkfifo 'ln -s /etc/passwd' mkdir; do
    rm -rf tree/.etc.usb9pfs.db
    user sh -c "$plant tree/.etc.usb9pfs.db"
    check_equal "stat beside a planted database ($plant)" 0 "$(code "$p9serve" stat tree/etc/passwd)"
    check_equal "its line ($plant)" 1 "$(wc -l <error)"
    check_equal "ls -R ($plant)" 0 "$(code "$p9serve" ls -R tree)"
    check_equal "chown ($plant)" 0 "$(code "$p9serve" chown 5 tree/etc/passwd)"
done
rm -rf tree/.etc.usb9pfs.db

# One that never answers: a view in the place of the table.
user "$p9serve" chown -h --tree tree/etc 5 tree/etc/link
user sqlite3 tree/.etc.usb9pfs.db "DROP TABLE node; CREATE VIEW node AS WITH RECURSIVE r(handle) AS (SELECT x'00' UNION ALL
    SELECT handle FROM r) SELECT handle, 0 AS uid, 0 AS gid, 0 AS mode, 'file' AS kind, 0 AS host_mode, 0 AS sum FROM r"
user setfattr -x user.usb9pfs.db tree/etc 2>/dev/null || true
check_equal "a view doesn't hang stat" 0 "$(code "$p9serve" stat tree/etc/passwd)"
check_equal "nor a nested serve" 1 "$(code "$p9serve" serve tree/etc --listen "unix:$work/user/socket")"
check_equal "which says why" "has other tables than a metadata database of usb9pfs" "$(head -1 error | cut -d' ' -f3-)"
rm -rf tree/.etc.usb9pfs.db*

# A tree knows its outermost root.
user "$p9serve" chown -h --tree tree 7 tree/etc/link
user "$p9serve" chown -h --tree tree/etc 8 tree/etc/link
check_equal "the outermost tree counts" "  owner   7, group 0 (root)" "$(user "$p9serve" stat tree/etc/link | grep '^  owner')"
rm -rf tree/.etc.usb9pfs.db*
user setfattr -x user.usb9pfs.db tree/etc 2>/dev/null || true

# Emptied.
: | user tee .tree.usb9pfs.db >/dev/null
for command in "serve tree --listen unix:$work/user/socket" "stat tree/etc/link" "check tree"; do
    # shellcheck disable=SC2086
    check_equal "an emptied database: ${command%% *}" 1 "$(code "$p9serve" $command)"
    check_equal "an emptied database: ${command%% *} says so" 1 "$(cat out error | grep -c "was emptied: owners of at least 1 file are lost")"
done
check_equal "accepted by check --repair" 0 "$(code "$p9serve" check --repair tree)"
check_equal "and so by all" "0 0" "$(code "$p9serve" stat tree/etc/link) $(code "$p9serve" check tree)"

# Left behind by `mv`.
user mkdir b sub
user ln -s x b/l
user "$p9serve" chown -h --tree b 5 b/l
user mv b sub/b
check_equal "a tree moved without its database" 1 "$(code "$p9serve" serve sub/b --listen "unix:$work/user/socket")"
check_equal "its lines say what is lost, and where to move the database" \
    "1 1" "$(grep -c "is gone: owners of at least 1 file are lost$" error) $(grep -c "usb9pfs.db, to $work/user/sub/.b.usb9pfs.db" error)"
check_equal "and nothing of an I/O error" 0 "$(grep -c "can't open\|Input/output" error)"
user mv .b.usb9pfs.db sub/.b.usb9pfs.db
check_equal "moved along" "  owner   5, group 0 (root)" "$(user "$p9serve" stat sub/b/l | grep '^  owner')"
