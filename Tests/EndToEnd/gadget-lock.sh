#!/usr/bin/env bash
# usb9pfs-gadget's lock: never two at a time, also when those who have it are killed; each shell against the others.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages busybox-static dash
cd "$work"

# What a program does in its turn: makes a mark that only one may have, and takes it away. Who finds the mark of one that
# lives has not been alone; a killed one leaves its mark.
cat >library <<'SH'
set -u
USB9PFS_GADGET_LIB=$1
progname=test
. "$USB9PFS_GADGET_LIB/gadget.sh"
run_dir=$2/run
SH
cat >worker <<'SH'
. ./library
# On a busy machine all these turns may take longer than the minute after which the lock is given up: here it is ten.
waits=0
pause() { sleep 0.1; waits=$((waits + 1)); [ $waits -gt 6000 ] || lock_tries=0; }
turns=0
while [ $turns -lt $3 ]; do
    take_lock
    if [ -s mark ] && read -r other <mark && grep -q '^State:.[RSDT]' "/proc/${other%%.*}/status" 2>/dev/null; then echo "$own_id met $other" >>met; fi
    echo "$own_id" >mark
    [ "$4" != killed ] || [ $turns -lt 1 ] || { sh -c 'kill -9 "$1"' sh "${own_id%%.*}"; sleep 10; }
    : >mark
    echo turn >>turns
    release_lock
    turns=$((turns + 1))
done
SH
shells=(dash "busybox ash" bash)
lib=$usb9pfs_root/scripts/gadget/lib
pids=()
for number in 0 1 2 3 4 5 6 7; do
    ending=whole
    [ $((number % 2)) = 0 ] || ending=killed
    # shellcheck disable=SC2086 # "busybox ash" is two words
    nice ${shells[number % 3]} worker "$lib" "$work" 12 $ending >>said 2>&1 &
    pids+=($!)
done
codes=
for pid in "${pids[@]}"; do
    code=0
    wait "$pid" 2>/dev/null || code=$?
    codes="$codes $code"
done
check_equal "half of eight are killed while they have the lock, the others come to their end" " 0 137 0 137 0 137 0 137" "$codes"
check_equal "nobody was there while another was" "" "$(cat met 2>/dev/null)"
check_equal "every turn was had" $((4 * 12 + 4)) "$(wc -l <turns)"
# The last of all may have been one that was killed: what it leaves the next takes away.
dash -c '. ./library; take_lock; release_lock' sh "$lib" "$work"
check_equal "nothing is left of the lock" "" "$(ls run)"

for shell in "${shells[@]}"; do
    # shellcheck disable=SC2086 # "busybox ash" is two words
    in_shell() { $shell -c ". ./library; $1" sh "$lib" "$work" 2>&1; }
    mkdir -p run
    # shellcheck disable=SC2016 # the inner shell's
    ln -s "$$.1.$(cut -d - -f 1 /proc/sys/kernel/random/boot_id)" run/lock
    check_equal "$shell: the lock of a process whose number is another's now" "$(printf '2\n0')" "$(in_shell 'take_lock && ls run | wc -l; release_lock; ls run | wc -l')"
    # shellcheck disable=SC2016
    start=$(sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 20)
    ln -s "$$.$start.00000000" run/lock
    # shellcheck disable=SC2016
    check_equal "$shell: the lock of another boot" "$(printf '2\n0')" "$(in_shell 'take_lock && ls run | wc -l; release_lock; ls run | wc -l')"
    ln -s "$$.$start.$(cut -d - -f 1 /proc/sys/kernel/random/boot_id)" run/lock
    # shellcheck disable=SC2016
    check_equal "$shell: one that lives is waited for, and named" "test: waiting for process $$, another test" \
        "$(in_shell 'pause() { tries=$((${tries:-0} + 1)); [ $tries != 20 ] || rm run/lock; }; take_lock; release_lock')"
    ln -s "$$.$start.$(cut -d - -f 1 /proc/sys/kernel/random/boot_id)" run/lock
    # shellcheck disable=SC2016
    check_equal "$shell: but not for ever" "$(printf 'at work\ncode 5')" "$(in_shell 'pause() { :; }; (take_lock); echo "code $?"' | sed -n 's/.*is at work.*/at work/p;/^code/p')"
    rm run/lock
    # shellcheck disable=SC2016
    check_equal "$shell: a signal while it is held" "code 130" "$(in_shell '(take_lock; kill -TERM ${own_id%%.*}; sleep 10); echo "code $?"; ls run')"
    # As with a directory on a full or read-only file system: nothing can be made there, whoever asks.
    rmdir run
    ln -s /proc/self/fdinfo run
    # shellcheck disable=SC2016
    check_equal "$shell: where nothing can be written" "$(printf 'said\ncode 1')" \
        "$(in_shell 'pause() { :; }; (take_lock); echo "code $?"' | sed -n 's/.*full, or read-only.*/said/p;/^code/p')"
    rm run
done
