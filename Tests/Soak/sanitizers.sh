#!/usr/bin/env bash
# The unit tests, but those that take seconds, under the address and the thread sanitizer: memory that is used wrongly, data that two threads use at once.
#
#   Tests/Soak/sanitizers.sh [address|thread]...
#
# Prints "ok" or "not ok" for each. The builds stay in .build-address and .build-thread.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_swift
need_packages "${test_packages[@]}"
cd "$usb9pfs_root"
[ $# -gt 0 ] || set -- address thread
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
for sanitizer in "$@"; do
    # A copy, as the thread sanitizer needs another lock.
    copy=.build-$sanitizer/sources
    mkdir -p "$copy"
    rm -rf "$copy"/{Package.swift,Sources,Tests,Fixtures,docs}
    cp -rp Package.swift Sources Tests Fixtures docs "$copy/"
    if [ "$sanitizer" = thread ]; then
        grep -rlE '\bMutex\b' --include='*.swift' "$copy/Sources" "$copy/Tests" | while read -r file; do
            sed -i -E 's/\bMutex\b/VisibleMutex/g' "$file"
            grep -q 'import LinuxFiles' "$file" || [ -z "${file##*/LinuxFiles/*}" ] ||
                sed -i '0,/import Synchronization/s//import LinuxFiles\ninternal import Synchronization/' "$file"
        done
        cp Tests/Soak/VisibleMutex.swift "$copy/Sources/LinuxFiles/"
    fi
    if ! (cd "$copy" && swift build --build-tests --sanitize "$sanitizer") >"$log" 2>&1; then
        echo "not ok the $sanitizer sanitizer's build"
        grep -E 'error' -A 4 "$log" | sed 's/^/# /' || true
        code=1
        continue
    fi
    status=0
    (cd "$copy" && ASAN_OPTIONS=detect_leaks=0:exitcode=99 TSAN_OPTIONS=exitcode=99:halt_on_error=0 USB9PFS_QUICK=1 \
        USB9PFS_SANITIZER=$sanitizer swift test --skip-build --sanitize "$sanitizer") >"$log" 2>&1 || status=$?
    reports=$(grep -acE '(WARNING|ERROR): (Thread|Address)Sanitizer' "$log") || true
    if [ "$status" = 0 ] && [ "$reports" = 0 ]; then
        echo "ok the $sanitizer sanitizer: $(grep -a 'Test run with' "$log" | tail -n 1 | sed 's/^[^T]*//')"
    else
        echo "not ok the $sanitizer sanitizer: $reports reports, exit code $status"
        grep -aE '✘|(WARNING|ERROR): (Thread|Address)Sanitizer|SUMMARY' -A 12 "$log" | head -n 200 | sed 's/^/# /' || true
        code=1
    fi
done
exit $code
