#!/usr/bin/env bash
# p9fwd and a board whose endpoints are there only while it has mounted; requests that the board gives up
# shellcheck source=../raw-board.sh
. "$LAB/raw-board.sh"

# The patches to the kernel's client proposed in March 2026: the pair is in alternate setting 1, SET_INTERFACE stalls until the
# board mounts, the endpoints are shut down when it unmounts, and a request has its time.
serve mounts
board mounts shape=mounts stalled:3 mount session stat read:file:501 unmount stalled:2 mount session stat \
    unmount mount session stat
played mounts "stalled:3
mount
session 16384
stat 153
read:file:501 501
unmount
stalled:2
mount
session 16384
stat 153
unmount
mount
session 16384
stat 153"
check_equal "mounts: says once per wait what it waits for" 3 "$(grep -c "waiting for the board to mount" /run/lab/mounts.log)"
check_equal "mounts: no failure" "" "$(grep -i "fail\|did not take" /run/lab/mounts.log)"

given_up() { [ "$(grep -c "had given a request up" /run/lab/mounts.log)" -ge "$1" ]; }
# late NAME TAGS TAG COUNT: the first reply is not taken; the second one is, when the host has given up COUNT replies in all
late() {
    local name="late $1"
    rm -f /run/lab/go
    board "$name" shape=mounts mount session "late:$2" await:/run/lab/go "reply:$3" stat
    check "$name: the host gives its reply up" wait_for 60 given_up "$4"
    touch /run/lab/go
    played "$name" "mount
session 16384
late:$2
await:/run/lab/go
reply:$3 153
stat 153"
}
late "with another tag" 100:101 101 1
late "with the same tag" 100:100 100 2

# In the middle of a request: the next mount begins anew.
board middle shape=mounts mount session ask unmount mount session sip unmount mount session begin unmount mount session stat
played middle "mount
session 16384
ask
unmount
mount
session 16384
sip 512
unmount
mount
session 16384
begin
unmount
mount
session 16384
stat 153"
check "all by the same process" kill -0 "$p9fwd"
kill "$p9fwd"
served mounts 0

# Ctrl-C, and a pulled cable, while nothing is mounted.
serve idle --once
board idle shape=mounts stalled:1 linger
log_says idle "waiting for the board to mount"
unplug
served idle 7
serve stopped
board stopped shape=mounts linger
log_says stopped "waiting for the board to mount"
kill -INT "$p9fwd"
served stopped 0
unplug
check_equal "no reset" 0 "$(resets)"
