#!/usr/bin/env bash
# the booted Debian installs packages: setuid, capabilities, users, su, ping, mknod, ACLs, tmpfiles, dpkg's database
# soak: a Debian that installs packages over USB
# lab: timeout=2400
# lab: drivers=kernel program
# lab: image=blank
# lab: debs=at sudo iputils-ping libcap2-bin acl cron-daemon-common
#
# The tree is imported by the ordinary user onto ext4, inside the lab, and served from there; all the rest happens on the
# board. At the end the host looks at what has become of its files. Few and small packages, of which only at has a daemon:
# every round trip counts here, and each `systemctl daemon-reload` of a maintainer script is some 7000 of them.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd's labels"
host_program "$P9FWD"
host_program "$P9SERVE"

stage() { echo "# $(uptime_seconds) s: $1"; }

image_mount /run/image || fail "image"
tree=/run/image/rootfs
check "import" as_user "$P9SERVE" import --quiet "$LAB_ROOTFS" "$tree"
[ -d "$tree/usr" ] || fail "there is no tree"
# The developer puts a repository into the board's tree, and what makes apt quick, with ordinary tools.
check "the developer copies packages into the tree" as_user cp -r "$LAB_DEBS" "$tree/srv/packages"
check "and edits its sources" as_user sed -i -e '1!d' -e 's,.*,deb [trusted=yes] file:/srv/packages ./,' "$tree/etc/apt/sources.list"

as_user tee "$tree/etc/apt/apt.conf.d/lab" <<'CONF' >/dev/null
Acquire::Languages "none";
APT::Install-Recommends "false";
Dpkg::Use-Pty "false";
Dpkg::Options { "--force-unsafe-io"; };
CONF

stage "imported"
# For sudo, which looks the board's own name up.
as_user tee -a "$tree/etc/hosts" <<<'127.0.0.1 localhost board' >/dev/null

board_up 0 || fail "gadget up"
host_serve 0 "$tree" || fail "serve"
# As one would for this: cached, since nothing is edited on the host meanwhile.
board_mount 0 /run/board "cache=loose,posixacl" || fail "mount"
check "mounted with posixacl" grep -q ' /run/board 9p .*posixacl' /proc/mounts
board_boot 0 /run/board || fail "boot"
reached() { [ -s "/proc/$board_init/root/run/lab-reached" ]; }
wait_for 400 reached || fail "multi-user"
ok "multi-user"
stage "booted"

# The board forgets what it has cached, so that what follows is what the server tells.
forget() { sync && echo 3 >/proc/sys/vm/drop_caches; }
# A line of a user's shell on the board.
board_user() {
    local user=$1
    shift
    in_board su "$user" -s /bin/sh -c "$*"
}
look() { in_board stat -c '%U:%G %a %F' "$1"; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

packages_before=$(in_board dpkg-query -f '.\n' -W | wc -l)
status_before=$(stat -c %s "$tree/var/lib/dpkg/status")
check "apt-get update" in_board apt-get -q update
stage "apt-get update"
check "apt-get install" in_board apt-get -q -y install at sudo iputils-ping libcap2-bin acl cron-daemon-common
stage "apt-get install"
forget
packages_after=$(in_board dpkg-query -f '.\n' -W | wc -l)
check_equal "dpkg's database has grown by the packages" $((packages_before + $(find "$LAB_DEBS" -name '*.deb' | wc -l))) "$packages_after"
status_after=$(stat -c %s "$tree/var/lib/dpkg/status")
check "on the host too (status: $status_before bytes, then $status_after)" test "$status_after" -gt "$status_before"
check_equal "dpkg --audit finds nothing" "" "$(in_board dpkg --audit 2>&1)"
check_equal "dpkg -V finds nothing" "" "$(in_board dpkg -V 2>&1)"
stage "dpkg -V"

check_equal "sudo is setuid root" "root:root 4755 regular file" "$(look /usr/bin/sudo)"
check_equal "at is setuid and setgid daemon" "daemon:daemon 6755 regular file" "$(look /usr/bin/at)"
check_equal "at's spool has its owner and sticky bit" "daemon:daemon 1770 directory" "$(look /var/spool/cron/atjobs)"
check_equal "cron's spool belongs to a group that a maintainer script made" "root:crontab 1730 directory" \
    "$(look /var/spool/cron/crontabs)"
check_equal "/etc/shadow is root:shadow 640" "root:shadow 640 regular file" "$(look /etc/shadow)"
check_equal "ping has its capability" "/usr/bin/ping cap_net_raw=ep" "$(in_board getcap /usr/bin/ping)"
check "the daemon runs" in_board systemctl is-active atd

check "useradd" in_board useradd -m -K HOME_MODE=0700 -s /bin/bash tester
check "useradd, a second one" in_board useradd -m -K HOME_MODE=0700 -s /bin/bash other
tester=$(in_board id -u tester)
check_equal "the home is the user's" "tester:tester 700 directory" "$(look /home/tester)"
check_equal "files of the skeleton are the user's" "tester:tester 644 regular file" "$(look /home/tester/.bashrc)"
check_equal "su" "$tester" "$(board_user tester id -u)"
check "the user writes in the home" board_user tester "echo mine >/home/tester/file && mkdir /home/tester/dir"
check_equal "what the user made is the user's" "tester:tester" "$(in_board stat -c %U:%G /home/tester/file)"
check "the user can't read /etc/shadow" not board_user tester "cat /etc/shadow"
check "the user can't write to /etc" not board_user tester "touch /etc/new"
check "the other can't enter the home" not board_user other "ls /home/tester"
# As tester, by a program that is setuid root, through a file that must be root's and 440.
check "a rule for sudo" in_board sh -c 'echo "tester ALL=(root) NOPASSWD: /usr/bin/id" >/etc/sudoers.d/tester && chmod 440 /etc/sudoers.d/tester'
check_equal "sudo" 0 "$(board_user tester "sudo -n /usr/bin/id -u")"
# By a program that is setuid daemon, into a spool that only daemon may write to, run by a daemon as tester.
check "at takes a job" board_user tester "cd /tmp && echo 'id -un >/home/tester/at-ran' | at now"
check "the job runs" wait_for 180 in_board test -s /home/tester/at-ran
check_equal "as the user" tester "$(in_board cat /home/tester/at-ran)"
stage "users"

# Without this sysctl's grace only the capability lets an ordinary user ping.
in_board sysctl -q -w net.ipv4.ping_group_range="1 0"
check "ping as the user, by its capability" board_user tester "ping -c 1 -W 20 127.0.0.1"
check "a copy without the capability can't" not board_user tester "cp /usr/bin/ping /home/tester/ping && /home/tester/ping -c 1 -W 20 127.0.0.1"
check "setcap" in_board setcap cap_net_raw+ep /home/tester/ping
check "then it can" board_user tester "/home/tester/ping -c 1 -W 20 127.0.0.1"
check "the user writes to it" board_user tester "echo >>/home/tester/ping"
check_equal "which takes the capability" "" "$(in_board getcap /home/tester/ping)"
check "a setuid copy" in_board sh -c 'cp /usr/bin/id /home/tester/id && chown tester /home/tester/id && chmod 4755 /home/tester/id'
check "which others may reach" in_board chmod 755 /home/tester
check_equal "runs as its owner" "$tester" "$(board_user other "/home/tester/id -u")"
check "its owner writes to it" board_user tester "echo >>/home/tester/id"
check_equal "which takes the setuid bit" "tester:root 755 regular file" "$(look /home/tester/id)"

stage "capabilities"
check "mknod" in_board sh -c 'mknod -m 666 /srv/null c 1 3 && mknod -m 660 /srv/full c 1 7 && mknod /srv/fifo p'
check_equal "it is a device" "character special file 1,3" "$(in_board stat -c '%F %t,%T' /srv/null)"
check "which swallows" board_user tester "echo gone >/srv/null && test ! -s /srv/null"
check_equal "and one that is full" "cat: write error: No space left on device" "$(in_board sh -c 'echo more | cat >/srv/full' 2>&1)"
check "the user may not use the other one" not board_user tester "cat /srv/full"
check "a FIFO carries" in_board timeout 60 sh -c 'echo through >/srv/fifo & grep -qx through /srv/fifo'

stage "devices"
check "a file for an ACL" in_board sh -c 'echo secret >/srv/secret && chmod 600 /srv/secret'
check "the user can't read it" not board_user tester "cat /srv/secret"
check "setfacl" in_board setfacl -m u:tester:r /srv/secret
check_equal "getfacl" "user::rw- user:tester:r-- group::--- mask::r-- other::---" \
    "$(in_board getfacl -cp /srv/secret | tr '\n' ' ' | sed 's/ *$//')"
check_equal "the group's bits show the mask" 640 "$(in_board stat -c %a /srv/secret)"
check "the user reads it now" board_user tester "cat /srv/secret"
check "the other still can't" not board_user other "cat /srv/secret"
check "chmod takes the mask" in_board chmod 600 /srv/secret
check "then the user can't read it" not board_user tester "cat /srv/secret"
check "setfacl -b" in_board setfacl -b /srv/secret
check_equal "no ACL is left" "user::rw- group::--- other::---" "$(in_board getfacl -cp /srv/secret | tr '\n' ' ' | sed 's/ *$//')"
check "a default ACL" in_board sh -c 'mkdir -m 700 /srv/shared && setfacl -m u:tester:rx /srv/shared && setfacl -d -m u:tester:rw /srv/shared'
check "a file and a directory inherit it" in_board sh -c 'echo text >/srv/shared/file && mkdir /srv/shared/dir'
check_equal "the file's ACL" "user:tester:rw-" "$(in_board getfacl -cp /srv/shared/file | grep -o '^user:tester:...')"
check_equal "the directory's default ACL" "default:user:tester:rw-" \
    "$(in_board getfacl -cp /srv/shared/dir | grep -o '^default:user:tester:...')"
check "the user writes by it" board_user tester "echo more >>/srv/shared/file"
check "the other does not" not board_user other "cat /srv/shared/file"

stage "ACLs"
in_board sh -c 'cat >/etc/tmpfiles.d/lab.conf' <<'CONF'
d /var/lib/lab 2755 root daemon
d /var/lib/lab/own 2750 tester daemon
f /var/lib/lab/file 0640 other adm - text
p /var/lib/lab/pipe 0620 tester tty
c /var/lib/lab/null 0666 root root - 1:3
L /var/lib/lab/link - tester tester - file
a+ /var/lib/lab/file - - - - user:tester:r
CONF
check "systemd-tmpfiles --create" in_board systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf
check_equal "its directory" "tester:daemon 2750 directory" "$(look /var/lib/lab/own)"
check_equal "its file" "other:adm 640" "$(in_board stat -c '%U:%G %a' /var/lib/lab/file)"
check_equal "its text" text "$(in_board cat /var/lib/lab/file)"
check_equal "its FIFO" "tester:tty 620 fifo" "$(look /var/lib/lab/pipe)"
check_equal "its device" "root:root 666 character special file" "$(look /var/lib/lab/null)"
check_equal "its symbolic link" "tester:tester 777 symbolic link" "$(look /var/lib/lab/link)"
check_equal "its ACL" "user:tester:r--" "$(in_board getfacl -cp /var/lib/lab/file | grep -o '^user:tester:...')"
check "chown -h" in_board chown -h other:adm /var/lib/lab/link
check_equal "shows" "other:adm 777 symbolic link" "$(look /var/lib/lab/link)"

stage "tmpfiles"
check "apt-get purge" in_board apt-get -q -y purge acl
check "and it is gone" not in_board test -e /usr/bin/setfacl
check_equal "dpkg -V finds nothing in the others" "" "$(in_board dpkg -V sudo iputils-ping at cron-daemon-common 2>&1)"
check_equal "nothing failed on the board" "" "$(in_board systemctl --failed --no-legend --plain)"

in_board systemctl poweroff >/dev/null 2>&1
ended() { ! kill -0 "$board_init" 2>/dev/null; }
check "power off" wait_for 180 ended
stage "purge and power off"
umount /run/board/run
check "unmount" umount /run/board
host_stop 0

# From the host's side.
check_equal "every file is the ordinary user's" "" "$(find "$tree" ! -uid "$LAB_UID" | head -n 5)"
check_equal "no file has a setuid or setgid bit" "" "$(find "$tree" -type f -perm /6000 | head -n 5)"
check_equal "every file can be read and every directory entered" "" \
    "$(find "$tree" \( -type f ! -perm -600 -o -type d ! -perm -700 \) | head -n 5)"
check_equal "the device is an empty file" "regular empty file" "$(stat -c %F "$tree/srv/null")"
check_equal "nothing was left half made" "" "$(find "$tree" -name '.usb9pfs-new.*')"
view() { as_user "$P9SERVE" stat "$tree/$1" 2>&1; }
view usr/bin/sudo | sed 's/^/# /'
check "p9serve check finds nothing wrong" as_user "$P9SERVE" check "$tree"
check "the user can remove it all" as_user rm -r "$tree"
dmesg_clean
