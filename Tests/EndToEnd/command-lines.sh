#!/usr/bin/env bash
# What all commands of p9fwd and p9serve have in common: --help, --json, exit codes, the text about udev.
#
#   Tests/EndToEnd/command-lines.sh
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 attr procps
need_programs
cd "$work"

# Every subcommand's --help.
for program in "$p9serve" "$p9fwd"; do
    name=$(basename "$program")
    for command in $("$program" --help | sed -n '/^SUBCOMMANDS:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
        help=$("$program" "$command" --help)
        check_equal "$name $command --help has examples and exit codes" \
            "1 some 1 1" \
            "$(grep -c '^Examples:$' <<<"$help") $(grep -c "^  $name $command" <<<"$help" | sed 's/[1-9][0-9]*/some/') $(grep -c '^Exit codes:$' <<<"$help") $(grep -c '^   64  wrong arguments' <<<"$help")"
    done
done
for program in "$p9serve" "$p9fwd" "$usb9pfs_root/scripts/gadget/usb9pfs-gadget"; do
    check_equal "$(basename "$program") --version" "$(sed -n 's/^public let softwareVersion = "\(.*\)"$/\1/p' "$usb9pfs_root/Sources/CommandSupport/Version.swift")" \
        "$("$program" --version)"
done
check_equal "p9serve --help has all exit codes" 10 "$("$p9serve" --help | grep -cE '^ +(0|1|3|4|5|6|7|8|64|130)  ')"

# Whatever fails with --json: an object on standard output, which has what standard error and the exit code say.
user mkdir tree plain half
user touch tree/file plain/file
user setfattr -n user.usb9pfs.convert -v 'describe rsync override-stat' half
failing() { # NAME CODE COMMAND...
    local name=$1 want=$2 code=0 got
    shift 2
    user "$@" >out 2>error || code=$?
    got=$(python3 - "$code" <<'PY'
import json, sys
text = open("out").read()
try:
    last = json.loads(text)
except ValueError:
    last = json.loads(text.splitlines()[-1])  # events, one a line
error = last if last.get("event") == "error" else last["error"]
told = open("error").read()
good = error["exit_code"] == int(sys.argv[1]) and error["message"] in told and (error["hint"] or "") in told
print(error["exit_code"] if good and last["version"] in (1, 2) else f"{last} {told}")
PY
    ) || got=$(cat out)
    check_equal "$name" "$want" "$got"
}
failing "import --json of nothing" 3 "$p9serve" import --json nothing.tar new
failing "export --json of nothing" 3 "$p9serve" export --json nothing new.tar
failing "convert --json of nothing" 3 "$p9serve" convert --json nothing --to rsync
failing "check --json of nothing" 3 "$p9serve" check --json nothing
failing "stat --json of nothing" 3 "$p9serve" stat --json tree/nothing
failing "ls --json of nothing" 3 "$p9serve" ls --json tree/nothing
failing "check --json of a half-converted tree" 64 "$p9serve" check --json half
failing "ls --json of a half-converted tree" 64 "$p9serve" ls --json half
# rpiboot tells its errors only there: a program that reads both streams as one (a pty) must find only JSON.
code=0
user "$p9fwd" rpiboot --json nothing >out 2>error || code=$?
check_equal "rpiboot --json of nothing: told on standard output alone" \
    "3 error 3 there is no directory nothing" \
    "$code $(python3 -c 'import json; e = json.load(open("out")); print(e["event"], e["exit_code"], e["message"])')$(cat error)"
user "$p9serve" stat --json tree/nothing tree/file >out 2>error || true
check_equal "stat --json has the good besides the error" \
    "1 3" "$(python3 -c 'import json; d = json.load(open("out")); print(len(d["files"]), d["error"]["exit_code"])')"

# Options of another kind of source.
user tar -cf some.tar tree
user "$p9serve" import --json some.tar imported --partition 2 --platform linux/arm64 --image x --metadata y >out 2>error || true
check_equal "import tells which options it had no use for" \
    "--partition --platform --image --metadata" \
    "$(python3 -c 'import json; print(*[json.loads(line)["message"].split()[0] for line in open("out") if "\"warning\"" in line])')"
code=0
user "$p9serve" serve tree --listen unix:/nothing/socket 2>error || code=$?
check_equal "serve on a socket in no directory" "3 1" "$code $(grep -c 'there is no such directory' error)"

# What fingers type after ls.
user mkdir -p tree/a/b
user touch tree/.hidden tree/a/b/deep
plain=$(user "$p9serve" ls --tree tree tree)
check_equal "ls -la is what ls shows" "$plain" "$(user "$p9serve" ls -la --tree tree tree)"
check_equal "ls shows names that begin with a dot" 1 "$(grep -c ' \.hidden$' <<<"$plain")"
check_equal "ls -lR" "$(printf '%s\n' tree: .hidden a file '' tree/a: b '' tree/a/b: deep)" \
    "$(user "$p9serve" ls -lR --tree tree tree | sed 's/.* //')"
check_equal "ls -R --json" "tree/.hidden tree/a tree/file tree/a/b tree/a/b/deep" "$(user "$p9serve" ls -R --json --tree tree tree | python3 -c '
import json, sys
print(*[file["path"] for file in json.load(sys.stdin)["files"]])')"
user mkdir tree/etc
printf 'root:x:0:0::/root:/bin/sh\n' | user tee tree/etc/passwd >/dev/null
check_equal "ls has names, ls -n numbers" \
    "root 0" \
    "$(user "$p9serve" ls --tree tree tree/file | tr -s ' ' | cut -d ' ' -f 3) $(user "$p9serve" ls -n --tree tree tree/file | tr -s ' ' | cut -d ' ' -f 3)"

check_equal "ls -lh has sizes for people" 1 "$(user truncate -s 3400K tree/file; user "$p9serve" ls -lh --tree tree tree/file | grep -c ' 3\.3 MiB ')"

# What would be waited for in vain, or passed over: refused, and nothing is made.
refused() { # TEXT COMMAND...
    local text=$1 code=0
    shift
    user timeout 60 "$@" >out 2>error </dev/null || code=$?
    check_equal "refused: $(basename "$1") ${*:2}" "64 1" "$code $(grep -cF -- "$(basename "$1"): $text" error)"
}
for path in usb1 1- -1 1-0 01-1 1-1:1.0 1-1. 1-1.a /dev/bus/usb/001/002; do
    refused "The value '$path' is invalid for '--path <port>'" "$p9fwd" serve tree "--path=$path"
done
for option in "-p 5640" "--server localhost"; do
    # shellcheck disable=SC2086 # words
    refused "a server is at a Unix socket or at a host and port" "$p9fwd" connect --unix socket $option
done
refused "unknown command 'foo'" "$p9fwd" help foo
refused "unknown command 'exprt'; did you mean export?" "$p9serve" help exprt
refused "The value 'fakeroot' is invalid for '--to <format>'" "$p9serve" convert tree --to fakeroot
refused "Missing expected argument '<dir>'" "$p9serve" export
while read -r target option; do
    # shellcheck disable=SC2086 # words
    refused "${option%% *} is for" "$p9serve" export tree "made.$target" $option
done <<'OPTIONS'
tar --size 1G
squashfs --label x
oci --uuid 5f2a6f0e-9d3b-4a57-8e2f-0c1d2e3f4a5b
ext4 --image x
ext4 --compress zstd
tar --level 3
squashfs --level 3 --compress none
OPTIONS
check_equal "nothing was made" 0 "$(find . -maxdepth 1 -name '*made*' | wc -l)"

# Signals: 130 for work that is not done, 0 for what runs until somebody ends it. The process itself is to get it, not setpriv
# or a shell: by its command line, which has the path of this run.
mkfifo pipe
chmod 666 pipe
for signal in INT TERM HUP; do
    exec 7<>pipe # for the import to wait for more
    rm -f out
    user env --default-signal=INT,HUP,TERM "$p9serve" import --json "$work/pipe" new >out 2>error 7>&- &
    import=$!
    wait_for 60 test -s out || true
    pid=$(pgrep -f -x "$p9serve import --json $work/pipe new")
    kill -$signal "$pid"
    code=0
    wait $import || code=$?
    exec 7>&-
    check_equal "import ended by SIG$signal" \
        "130 130 0" \
        "$code $(python3 -c 'import json; print(json.loads(open("out").read().splitlines()[-1])["exit_code"])') $(find . -maxdepth 1 -name '*new*' | wc -l)"

    user env --default-signal=INT,HUP,TERM "$p9serve" serve tree --listen "unix:$work/socket" 2>error &
    serve=$!
    wait_for 60 grep -q listening error || true
    kill -$signal "$(pgrep -f -x "$p9serve serve tree --listen unix:$work/socket")"
    code=0
    wait $serve || code=$?
    check_equal "serve ended by SIG$signal" 0 "$code"

    user env --default-signal=INT,HUP,TERM "$p9fwd" serve "$work/tree" --path 99-9 2>error &
    serve=$!
    if wait_for 60 grep -qE "waiting|can't look at" error && ! grep -q "can't look at" error; then
        kill -$signal "$(pgrep -f -x "$p9fwd serve $work/tree --path 99-9")"
        code=0
        wait $serve || code=$?
        check_equal "p9fwd serve ended by SIG$signal" 0 "$code"
    else
        wait $serve || true # no USB on this machine
    fi
done

# After nohup the terminal's end is nobody's wish: SIGHUP is not blocked to be taken by sigwait. The thread that is in sigwait does
# not show what it waits for as blocked; the others do.
listening() { # COMMAND...: in the background; its process id is in $pid
    user "$@" "$p9serve" serve tree --listen "unix:$work/socket" >/dev/null 2>error &
    serve=$!
    wait_for 60 grep -q listening error || true
    pid=$(pgrep -f -x "$p9serve serve tree --listen unix:$work/socket")
    wait_for 60 several_threads || true
}
several_threads() { [ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 1 ]; }
blocks_hangup() {
    local mask
    while read -r mask; do
        [ $((mask & 1)) = 0 ] || return 0
    done < <(cat "/proc/$pid"/task/*/status | sed -n 's/^SigBlk:[[:space:]]*/0x/p')
    return 1
}
while read -r want how; do
    # shellcheck disable=SC2086 # words
    listening $how
    check_equal "$how p9serve serve: SIGHUP is $want" "$want" "$(blocks_hangup && echo taken || echo ignored)"
    [ "$want" = taken ] || kill -HUP "$pid"
    kill -TERM "$pid"
    code=0
    wait $serve || code=$?
    check_equal "... and SIGTERM ends it" 0 "$code"
done <<'WAYS'
taken env --default-signal=HUP
ignored nohup
WAYS

# The advice about udev has the rules and the commands of the rules' file, and so have the README and the demo.
rules=$usb9pfs_root/scripts/host/70-usb9pfs.rules
advice=$usb9pfs_root/Sources/p9fwd/Texts/CommandFailure+Serving.swift
check_equal "p9fwd's advice has the file's rules" 0 "$(grep -v '^#' "$rules" | grep -cvxFf <(sed 's/^ *//' "$advice") || true)"
reload='sudo udevadm control --reload && sudo udevadm trigger'
for file in "$rules" "$advice" "$usb9pfs_root"/{README.md,docs/first-board.md,scripts/demo}; do
    check_equal "${file#"$usb9pfs_root"/} says how to load the rules" 1 "$(grep -cE "$reload\$" "$file")"
done
