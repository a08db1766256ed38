#!/usr/bin/env bash
# gadget up, list, mount, read, write, unmount
# lab: timeout=300
# lab: drivers=kernel program
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

tree=$(export_directory root)
echo "from the host" >"$tree/hello"
mkdir "$tree/directory"
for i in $(seq 100); do echo "$i" >"$tree/directory/file-$i"; done
chown -R "$LAB_UID:$LAB_GID" "$tree"

check "gadget up" board_up 0
if [ "$LAB_HOST" = baseline ]; then
    check "list" grep -q 1d6b:0109 <(as_user python3 "$LAB_PYTHON_FORWARDER" list)
else
    host_program "$P9FWD"
    check "list" grep -q lab-0 <(as_user "$P9FWD" list)
    check "list --json" python3 -c 'import json, sys; json.load(sys.stdin)' < <(as_user "$P9FWD" list --json)
fi
check "serve" host_serve 0 "$tree"
check "mount" board_mount 0 /run/board
check_equal "ls" 100 "$(find /run/board/directory -type f | wc -l)"
check_equal "cat" "from the host" "$(cat /run/board/hello)"
check "write" sh -c 'echo "from the board" >/run/board/answer'
check_equal "the host sees what the board wrote" "from the board" "$(cat "$tree/answer")"
check "append" sh -c 'echo again >>/run/board/answer'
check_equal "the host sees what the board appended" 21 "$(stat -c %s "$tree/answer")"
echo "later" >"$tree/later"
check_equal "the board sees a later file of the host" "later" "$(cat /run/board/later)"
check "make and rename" sh -c 'mkdir /run/board/new && mv /run/board/answer /run/board/new/moved'
check_equal "renamed on the host" "from the board" "$(head -n 1 "$tree/new/moved")"
check "remove" rm -r /run/board/new
check_equal "removed on the host" "" "$(ls "$tree/new" 2>/dev/null)"
check "statfs" df /run/board
check "unmount" umount /run/board
check "gadget down" board_down 0
host_stop 0
dmesg_clean
