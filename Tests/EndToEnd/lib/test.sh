# What an end-to-end test begins with: scripts/lib/common.sh, checks.sh, as-written.sh, the programs under test, a directory.
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for the tests
#
#   $p9serve $p9fwd     the programs: of scripts/build, or as the environment names them
#   need_programs       ends the test unless both are there
#   $programs           the directory of the tests' own Python programs, which find the modules of Tests/Python
#   $work               an empty directory of the ordinary user's, below $USB9PFS_TEST_DIR (default /var/tmp: /tmp may be a tmpfs,
#                       and Debian 12's has no user extended attributes). Removed at the end
#   user COMMAND...     as the ordinary user, at home in $work
#   cleanup             the test may define it: what must be undone before $work is removed
#
# Exit code 1 if any check was not ok.
# shellcheck source=../../scripts/lib/common.sh
. "${BASH_SOURCE[0]%/*}/../../../scripts/lib/common.sh"

umask 022
export LC_ALL=C.UTF-8 # messages are looked at
programs=$usb9pfs_root/Tests/EndToEnd/lib
export PYTHONPATH=$usb9pfs_root/Tests/Python PYTHONDONTWRITEBYTECODE=1
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve} p9fwd=${P9FWD:-$usb9pfs_root/.build/release/p9fwd}
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
checks=$work.checks said=$work.said
# Not for everybody to write: beside a tree in such a directory there would be no database.
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
# shellcheck source=checks.sh
. "$usb9pfs_root/Tests/checks.sh"
# shellcheck source=as-written.sh
. "$usb9pfs_root/Tests/as-written.sh"

# shellcheck disable=SC2317 # called by the trap
test_end() {
    local code=$?
    trap - EXIT
    ! declare -F cleanup >/dev/null || cleanup || true
    [ $code != 0 ] || [ "$(checks_count 'not ok')" = 0 ] || code=1
    cd /
    rm -rf "$work" "$checks" "$said" || true # the exit code is the checks'
    exit $code
}
trap test_end EXIT

need_programs() {
    local program
    for program in "$p9serve" "$p9fwd"; do [ -x "$program" ] || die "there is no $program: run scripts/build first"; done
}

user() { as_developer env HOME="$work" "$@"; }
