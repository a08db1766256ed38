#!/usr/bin/env bash
# Metadata databases, as the commands have them: out of every board's reach, planted ones passed over, lost ones noticed.
#
# The server runs as an ordinary user, who has a directory of its own to serve as its home.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages attr python3 sqlite3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'chmod 755 "$work"; rm -rf "$work"' EXIT
chmod 755 "$work"
cp -r "$usb9pfs_root/Tests/Python" "$work/lib"
cp "$(dirname "$0")/lib/databases.py" "$work/lib/"
install -d "$work/user"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work/user"
cd "$work/user"

user() { as_developer env HOME="$work/user" PYTHONDONTWRITEBYTECODE=1 "$@"; }
check() { # NAME GOT WANTED
    if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: got '$2', want '$3'"; fi
}
# The exit code, within a few seconds: 124 else.
code() {
    local code=0
    user timeout 5 "$@" >out 2>error || code=$?
    echo "$code"
}

# So that no database can be made beside the home.
chmod 555 "$work"
user python3 "$work/lib/databases.py" "$p9serve" "$work/user"
chmod 755 "$work"
# That was the home's own tree: what follows is in none.
rm -rf .local .usb9pfs* outer l
[ "$(id -u)" != 0 ] || rm -f "$work"/.user.usb9pfs.db*
user setfattr -x user.usb9pfs.db "$work/user" 2>/dev/null || true

# Planted in a tree: `etc` is no tree of its own because of that.
user mkdir -p tree/etc/deep
user touch tree/etc/passwd
user ln -s passwd tree/etc/link
for plant in 'head -c 100000 /dev/urandom >' 'echo text >' mkfifo 'ln -s /etc/passwd' mkdir; do
    rm -rf tree/.etc.usb9pfs.db
    user sh -c "$plant tree/.etc.usb9pfs.db"
    check "stat beside a planted database ($plant)" "$(code "$p9serve" stat tree/etc/passwd)" 0
    check "its line ($plant)" "$(wc -l <error)" 1
    check "ls -R ($plant)" "$(code "$p9serve" ls -R tree)" 0
    check "chown ($plant)" "$(code "$p9serve" chown 5 tree/etc/passwd)" 0
done
rm -rf tree/.etc.usb9pfs.db

# One that never answers: a view in the place of the table.
user "$p9serve" chown -h --tree tree/etc 5 tree/etc/link
user sqlite3 tree/.etc.usb9pfs.db "DROP TABLE node; CREATE VIEW node AS WITH RECURSIVE r(handle) AS (SELECT x'00' UNION ALL
    SELECT handle FROM r) SELECT handle, 0 AS uid, 0 AS gid, 0 AS mode, 'file' AS kind, 0 AS host_mode, 0 AS sum FROM r"
user setfattr -x user.usb9pfs.db tree/etc 2>/dev/null || true
check "a view doesn't hang stat" "$(code "$p9serve" stat tree/etc/passwd)" 0
check "nor a nested serve" "$(code "$p9serve" serve tree/etc --listen "unix:$work/user/socket")" 1
check "which says why" "$(head -1 error | cut -d' ' -f3-)" "has other tables than a metadata database of usb9pfs"
rm -rf tree/.etc.usb9pfs.db*

# A tree knows its outermost root.
user "$p9serve" chown -h --tree tree 7 tree/etc/link
user "$p9serve" chown -h --tree tree/etc 8 tree/etc/link
check "the outermost tree counts" "$(user "$p9serve" stat tree/etc/link | grep '^  owner')" "  owner   7, group 0 (root)"
rm -rf tree/.etc.usb9pfs.db*
user setfattr -x user.usb9pfs.db tree/etc 2>/dev/null || true

# Emptied.
: | user tee .tree.usb9pfs.db >/dev/null
for command in "serve tree --listen unix:$work/user/socket" "stat tree/etc/link" "check tree"; do
    # shellcheck disable=SC2086
    check "an emptied database: ${command%% *}" "$(code "$p9serve" $command)" 1
    check "an emptied database: ${command%% *} says so" "$(cat out error | grep -c "was emptied: owners of at least 1 file are lost")" 1
done
check "accepted by check --repair" "$(code "$p9serve" check --repair tree)" 0
check "and so by all" "$(code "$p9serve" stat tree/etc/link) $(code "$p9serve" check tree)" "0 0"

# Left behind by `mv`.
user mkdir b sub
user ln -s x b/l
user "$p9serve" chown -h --tree b 5 b/l
user mv b sub/b
check "a tree moved without its database" "$(code "$p9serve" serve sub/b --listen "unix:$work/user/socket")" 1
check "its lines say what is lost, and where to move the database" \
    "$(grep -c "is gone: owners of at least 1 file are lost$" error) $(grep -c "usb9pfs.db, to $work/user/sub/.b.usb9pfs.db" error)" "1 1"
check "and nothing of an I/O error" "$(grep -c "can't open\|Input/output" error)" 0
user mv .b.usb9pfs.db sub/.b.usb9pfs.db
check "moved along" "$(user "$p9serve" stat sub/b/l | grep '^  owner')" "  owner   5, group 0 (root)"
