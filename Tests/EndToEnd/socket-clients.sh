#!/usr/bin/env bash
# p9serve against clients that other people wrote: diod's tools, and the p9fs package for Python.
#
#   Tests/EndToEnd/socket-clients.sh
#
# Server and clients run as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
# shellcheck disable=SC2317 # the functions are called by check
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 python3-venv
unpacked=$("$usb9pfs_root/Tests/Lab/unpack-packages" diod | tail -n 1) # installed, its server would be started
need_programs

venv=$usb9pfs_cache/p9fs-venv
(
    flock 8 # another run may be making it
    if ! "$venv/bin/python" -c 'import p9fs' 2>/dev/null; then
        say "installing p9fs 0.0.4 from PyPI"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check p9fs==0.0.4
        chmod -R a+rX "$venv"
    fi
) 8>"$venv.lock"

server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
}

install -d -m 755 "$work/tree" "$work/tree/dir"
echo "hello" >"$work/tree/file"
head -c 3000000 /dev/urandom >"$work/tree/large"
echo "inner" >"$work/tree/dir/inner"
ln -s file "$work/tree/link"
[ "$(id -u)" != 0 ] || chown -Rh "$developer_uid:$developer_gid" "$work/tree"

# The process itself must get the signal, not a shell around it.
# shellcheck disable=SC2016 # for the inner shell
as_developer sh -c 'echo $$ >&3; exec "$@"' sh "$p9serve" serve "$work/tree" --listen tcp://127.0.0.1:0 \
    2>"$work/log" 3>"$work/pid" &
job=$!
for _ in $(seq 3000); do
    grep -q '^listening on' "$work/log" && break
    sleep 0.02
done
server=$(cat "$work/pid")
port=$(sed -n 's/^listening on tcp:.*:\([0-9]*\)$/\1/p' "$work/log")
[ -n "$port" ] || die "the server doesn't listen: $(cat "$work/log")"

diod_tool() {
    local tool=$1
    shift
    as_developer "$unpacked/run" "$tool" -s "127.0.0.1:$port" -a / -t 60 "$@"
}

diod_lists() { diod_tool diodls | tr -s ' \t' '\n' | grep -v '^\.*$' | sort | paste -sd ' ' | tee /dev/stderr | grep -x 'dir file large link'; }
diod_lists_long() { diod_tool diodls -l | tee /dev/stderr | grep -E '^-rw-r--r--.* root root +3000000 .* large$'; }
diod_reads() { [ "$(diod_tool diodcat file dir/inner)" = "$(printf 'hello\ninner')" ]; }
diod_reads_large() { diod_tool diodcat large | cmp - "$work/tree/large"; }
diod_reads_large_in_small_messages() { diod_tool diodcat -m 4096 large | cmp - "$work/tree/large"; }
diod_misses() { ! diod_tool diodcat none; }

check "diodls lists" diod_lists
check "diodls -l lists" diod_lists_long
check "diodcat reads" diod_reads
check "diodcat reads 3 MB" diod_reads_large
check "diodcat reads 3 MB with an msize of 4096" diod_reads_large_in_small_messages
check "diodcat says that a file is missing" diod_misses

cat >"$work/client.py" <<'END'
"""What a program does with fsspec on 9p: one function a test."""
import errno
import sys

import p9fs
from py9p import py9p

fs = p9fs.P9FileSystem(host="127.0.0.1", port=int(sys.argv[1]), username="root", version="9P2000.L")
tree = sys.argv[3]

def read(name):
    with open(f"{tree}/{name}", "rb") as file:
        return file.read()

def lists():
    names = sorted(entry["name"].strip("/") for entry in fs.ls("", detail=True))
    assert names == ["dir", "file", "large", "link"], names

def stats():
    info = fs.info("large")
    assert info["size"] == 3000000 and info["type"] == "file", info
    assert fs.isdir("dir") and not fs.exists("none")

def reads():
    with fs.open("file", "rb") as file:
        assert file.read() == b"hello\n"
    with fs.open("large", "rb") as file:
        file.seek(2999990)
        assert file.read() == read("large")[2999990:]

def writes():
    data = bytes(range(256)) * 4000
    with fs.open("new", "wb") as file:
        file.write(data)
    assert read("new") == data
    with fs.open("new", "wb") as file:
        file.write(b"shorter")
    assert read("new") == b"shorter"

def copies():
    fs.cp_file("large", "copy")
    assert read("copy") == read("large")
    fs.rm("copy")

def makes_directories():
    fs.makedirs("one/two", exist_ok=True)
    with fs.open("one/two/file", "wb") as file:
        file.write(b"deep")
    assert read("one/two/file") == b"deep"

def removes():
    fs.rm("new")
    fs.rm("one/two/file")
    # By Tunlinkat, p9fs 0.0.4 asks to remove a directory as if it were a file, which on Linux is an error.
    try:
        fs.rm("one/two")
        assert False, "a directory was removed as a file"
    except py9p.RpcError as error:
        assert str(error) == str(errno.EISDIR), error
    # With an aname it uses Tremove.
    remover = p9fs.P9FileSystem(host="127.0.0.1", port=int(sys.argv[1]), username="root", aname="/")
    remover.rm("one/two")
    remover.rm("one")
    lists()

globals()[sys.argv[2]]()
END

for test in lists stats reads writes copies makes_directories removes; do
    check "p9fs $test" as_developer "$venv/bin/python" "$work/client.py" "$port" "$test" "$work/tree"
done

check "the server is still there" kill -0 "$server"
kill -TERM "$server"
status=0
wait "$job" || status=$?
server=
check "SIGTERM ends the server with exit code 0" [ "$status" = 0 ]
check "it complained of nothing" sh -c "! grep -v '^listening on' '$work/log'"
