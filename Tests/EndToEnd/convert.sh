#!/usr/bin/env bash
# p9serve convert, killed at any moment, and marks of conversions that somebody else has set: no label is lost.
#
# Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages attr python3
need_programs
chmod 777 "$work" # so no database is beside a tree
cd "$work"

python3 - <<'PY'
import io, tarfile
with tarfile.open("tree.tar", "w") as archive:
    def add(name, kind=tarfile.REGTYPE, **fields):
        info = tarfile.TarInfo(name)
        info.type, info.mtime = kind, 1000
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(b"x" * info.size))
    add(".", tarfile.DIRTYPE, mode=0o755)
    for d in range(30):
        add("d%d" % d, tarfile.DIRTYPE, mode=0o1775, uid=d)
        for f in range(20):
            add("d%d/f%d" % (d, f), mode=0o4750, uid=f, gid=d, size=1)
        add("d%d/null" % d, tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666, gid=d)
        add("d%d/link" % d, tarfile.SYMTYPE, linkname="f1", uid=d)
PY
import() { user "$p9serve" import --quiet --no-sync "$@"; }
import tree.tar original
# What the board sees of all files, through a copy in our own format.
view() { # TREE
    rm -rf view .view.*
    import "$1" view
    user "$p9serve" export --quiet view - | sha256sum
}
wanted=$(view original)
fresh() {
    rm -rf tree tree.pseudo_state .tree.*
    import tree.tar tree
}

# Kills come earlier and later, from the first look to the last removal.
for format in rsync virtfs pseudo; do
    fresh
    start=$(date +%s%N)
    user "$p9serve" convert --quiet tree --to "$format"
    whole=$((($(date +%s%N) - start) / 1000)) # microseconds, far below a second
    [ "$whole" -lt 1000000 ] || whole=999999
    different=0 killed=0
    for part in 30 55 75 90; do
        fresh
        code=0
        user timeout --signal=KILL "$(printf '0.%06d' "$((whole * part / 100))")" \
            "$p9serve" convert --quiet tree --to "$format" >/dev/null 2>&1 || code=$?
        [ "$code" != 137 ] || killed=$((killed + 1))
        # Finished by the same command; or it was done already.
        user "$p9serve" convert --quiet tree --to "$format" 2>error || grep -q already error || cat error
        [ "$(view tree)" = "$wanted" ] || different=$((different + 1))
        user "$p9serve" convert --quiet tree --to override-stat 2>error || cat error
        [ "$(view tree)" = "$wanted" ] || different=$((different + 1))
    done
    [ "$killed" -ge 1 ] || echo "not ok nothing was killed on the way to $format"
    check_equal "killed on the way to $format, all labels are there" 0 "$different"
done

# Whoever may write to the root's attributes can set the mark. The advised command stripped every label.
for mark in 'clean override-stat rsync' 'replace override-stat virtfs' 'clean override-stat pseudo' \
    'clean override-stat device-table' 'clean override-stat fakeroot' 'nonsense'; do
    fresh
    user setfattr -n user.usb9pfs.convert -v "$mark" tree
    user "$p9serve" check tree 2>error || true
    said=$(grep -cE 'p9serve convert|setfattr -x user.usb9pfs.convert tree' error || true)
    to=${mark##* }
    case $to in fakeroot | nonsense) to=rsync ;; esac
    code=0
    user "$p9serve" convert tree --to "$to" 2>error || code=$?
    check_equal "the mark '$mark': advice, and a refusal" "1 64 1" "$((said > 0)) $code $(grep -c 'setfattr -x user.usb9pfs.convert tree' error)"
    # As the advice says.
    user setfattr -x user.usb9pfs.convert tree
    check_equal "all labels are there without it" "$wanted" "$(view tree)"
done

# A file of another user's in the tree's /tmp ended a conversion half way, and the tree could not be served any more.
if [ "$(id -u)" = 0 ]; then
    for label in user.containers.override_stat user.none; do
        fresh
        touch tree/d1/theirs
        setfattr -n "$label" -v 0:0:04755:file tree/d1/theirs
        chown 4242 tree/d1/theirs
        code=0
        user "$p9serve" convert tree --to rsync 2>error || code=$?
        check_equal "another user's file is refused before anything is changed" \
            "64 1 0" "$code $(grep -c 'refused d1/theirs: it belongs to another user' error) $(getfattr -R -d -m 'rsync|convert' tree | wc -l)"
        rm tree/d1/theirs
    done
fi
