# Picks the modules that a root over USB needs from those of a kernel. Sourced by mkinitramfs, after common.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # usb9pfs_root is common.sh's, image_* are image.sh's
. "$usb9pfs_root/scripts/boot/image.sh"

# pick_modules DIRECTORY RESULT NAME...: from DIRECTORY, a lib/modules/VERSION, to RESULT/lib/modules/VERSION: the modules that
# image.sh lists, those NAMEd, and what they need, not compressed, with lists of their own. Sets $picked_example to one of them.
# Calls `stop` for what is wrong.
pick_modules() {
    local from to version path name
    from=$(realpath "$1")
    version=${from##*/} to=$2/lib/modules/${from##*/}
    # An unpacked package has no modules.dep, and one that is there may be about other files. By a link: nothing is written there.
    local lists=$2/lists/lib/modules/$version
    mkdir -p "$lists" "$to"
    ln -s "$from/kernel" "$lists/kernel"
    for name in modules.order modules.builtin modules.builtin.modinfo; do
        [ ! -r "$from/$name" ] || cp "$from/$name" "$lists/"
    done
    make_lists "$2/lists" "$version"
    modules_by_name "$lists" "${@:3}"
    picked_example=
    while read -r path; do
        mkdir -p "$to/${path%/*}"
        case $path in
            *.ko) cp "$from/$path" "$to/$path" ;;
            *.ko.xz) xz -dc "$from/$path" >"$to/${path%.xz}" ;;
            *.ko.zst) zstd -q -dc "$from/$path" >"$to/${path%.zst}" ;;
            *.ko.gz) gzip -dc "$from/$path" >"$to/${path%.gz}" ;;
            *) stop 2 "'$from/$path' is compressed by something that is not known here" ;;
        esac || stop 1 "'$from/$path' can't be read"
        path=$to/$path
        picked_example=${path%.ko*}.ko
    done < <(picked_paths "$lists/modules.dep" "${@:3}")
    for name in modules.order modules.builtin modules.builtin.modinfo; do
        [ ! -e "$lists/$name" ] || cp "$lists/$name" "$to/"
    done
    make_lists "$2" "$version"
    # busybox reads the lists that are text.
    rm -f "$to"/modules.{*.bin,order,builtin.modinfo,devname,softdep,weakdep}
    rm -rf "${2:?}/lists"
}

# make_lists BASE VERSION
make_lists() {
    local said
    said=$(depmod -b "$1" "$2" 2>&1) || stop 1 "depmod can't read the modules of $2: $said"
}

# modules_by_name LISTS NAME...: all of them must be there, as modules or in the kernel.
modules_by_name() {
    local name
    for name in "${@:2}"; do
        cat "$1/modules.dep" "$1/modules.builtin" 2>/dev/null | cut -d : -f 1 | tr - _ | grep -E "/${name//-/_}\.ko(\..*)?$" >/dev/null ||
            stop 2 "there is no module '$name' among those of this kernel"
    done
}

# picked_paths MODULES.DEP NAME...: the wanted modules' paths below lib/modules/VERSION, with those that they need.
picked_paths() {
    awk -v names="$image_modules ${*:2}" -v directories="$image_module_directories" '
        function plain(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
        BEGIN {
            count = split(names, list); for (i = 1; i <= count; i++) { gsub(/-/, "_", list[i]); wanted[list[i]] = 1 }
            folders = split(directories, folder)
        }
        {
            path = substr($1, 1, length($1) - 1)
            take = plain(path) in wanted
            for (i = 1; i <= folders; i++) take = take || index(path, "kernel/" folder[i] "/") == 1
            # modules.dep has all that a module needs, and what those need.
            if (take) { print path; for (i = 2; i <= NF; i++) print $i }
        }' "$1" | LC_ALL=C sort -u
}
