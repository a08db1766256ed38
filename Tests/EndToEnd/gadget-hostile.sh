#!/usr/bin/env bash
# usb9pfs-gadget without a board: odd bytes in settings and JSON, hostile files of settings; each under dash, busybox ash, bash
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages busybox-static dash python3
gadget=$usb9pfs_root/scripts/gadget/usb9pfs-gadget
cd "$work"

# `scheme` takes the settings of `up`, and needs neither root nor a kernel.
run() { # CODE NAME PATTERN [ARG...]
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_code "$1" "$shell: $2" timeout 180 $shell "$gadget" "${@:4}"
    said "$3"
}

cat >strings.py <<'PYTHON'
import json, subprocess, sys
texts = [b"", b"plain", b'quote " and \\ and /', b"a\tb\x01\x1f\x7f", "M\u00fcller \u20ac \U0001f600".encode(), b"\xff\xc3(\xe2\x82", b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
         b"%s %n \\u0041 $(touch ran) `touch ran`", b"-n", b"-e \\x41", "\U0010ffff\u0800\ud7ff\ue000".encode()]
for text in texts:
    said = subprocess.run(sys.argv[2:] + ["-c", '. "$1/text.sh"; json_string "$2"; is_text "$2" && printf y || printf n', "sh", sys.argv[1], text],
                          stdout=subprocess.PIPE, check=True).stdout
    try:
        valid = all(ord(c) >= 32 and ord(c) != 127 for c in text.decode())
    except UnicodeDecodeError:
        valid = False
    got = json.loads(said[:-1].decode("ascii"))
    want = text.decode(errors="replace")
    if (got.replace("\ufffd", "") != want.replace("\ufffd", "")) or ("\ufffd" in want) != ("\ufffd" in got) or said[-1:] != (b"y" if valid else b"n"):
        print(text, said)
PYTHON

touch "a disk" disk
ln -s "a disk" link
ln -s disk good-link
mkdir -p gadget/functions/mass_storage.0/lun.0
echo "/srv/a disk [ü]" >gadget/functions/mass_storage.0/lun.0/file
echo 1 >gadget/functions/mass_storage.0/lun.0/ro
for shell in dash "busybox ash" bash; do
    check_of="$shell: "
    # shellcheck disable=SC2016,SC2086 # the inner shell's; "busybox ash" is two words
    check_equal "$shell: another's disk with a space in its name is one word" \
        "mass_storage:/srv/a_disk_____,ro" \
        "$($shell -c 'USB9PFS_GADGET_LIB=$1; . "$1/gadget.sh"; gadget=gadget; present_functions' sh "$usb9pfs_root/scripts/gadget/lib")"
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_equal "$shell: strings of any bytes as JSON" "" "$(python3 strings.py "$usb9pfs_root/scripts/gadget/lib" $shell)"
    # shellcheck disable=SC2016 # not to be expanded
    for word in "" plain/1-1 "a b" "it's" '$(touch ran) "' $'two\nlines\n.' -n; do
        # shellcheck disable=SC2016,SC2086 # the inner shell's
        check_equal "$shell: a word for a shell: $(printf %q "$word")" \
            "$word" "$($shell -c '. "$1/text.sh"; eval "set -- $(shell_word "$2")"; printf %s "$1"' sh "$usb9pfs_root/scripts/gadget/lib" "$word")"
    done
    # shellcheck disable=SC2086
    check_equal "$shell: status --json is JSON" False "$($shell "$gadget" status --json --tag nothing | python3 -c 'import json, sys; print(json.load(sys.stdin)["up"])')"

    run 2 "a serial number with a line in it" "control characters" scheme --serial $'one\ntwo'
    run 2 "a serial number that is not UTF-8" "not UTF-8" scheme --serial $'\xff\xfe'
    run 2 "half a character at the end" "not UTF-8" scheme --product $'a\xe2\x82'
    run 0 "a maker in UTF-8" "Müller" scheme --manufacturer "Müller"
    run 0 "quotes" 'a\"b\\c' scheme --serial 'a"b\c'
    run 2 "a disk behind a link, with a space in its name" "may only have" scheme --function "mass_storage:$work/link"
    run 0 "a disk behind a link" "$work/disk" scheme --function "mass_storage:$work/good-link"
    run 2 "a file of settings that is a directory" "can't be read" scheme --config "$work"

    printf 'udc = ../../../etc\n' >udc-path
    run 2 "a controller that is a path" "not a name of a USB device controller" scheme --config udc-path
    printf '\xef\xbb\xbfserial = x\n' >byte-order-mark
    run 2 "a byte order mark" "line 1" scheme --config byte-order-mark
    printf 'function = acm\r\n# comment\r\n\r\nserial = crlf\r\n' >crlf
    run 0 "lines that end in CR LF" 'serialnumber = "crlf"' scheme --config crlf
    printf 'serial = a=b=c\nfunction=acm' >equals
    run 0 "more equals signs, and a last line that does not end" 'serialnumber = "a=b=c"' scheme --config equals
    # shellcheck disable=SC2016 # must not be run
    printf 'serial = $(touch ran)`touch ran`;touch ran\nproduct = ${IFS}\nfunction = acm\n' >commands
    # shellcheck disable=SC2016
    run 0 "commands" '$(touch ran)`touch ran`;touch ran' scheme --config commands
    # shellcheck disable=SC2016
    printf 'a;touch ran = x\n' >name
    run 2 "a command for a name" "unknown name" scheme --config name
    printf 'configfs = /tmp\n' >variable
    run 2 "a variable of the program" "unknown name 'configfs'" scheme --config variable
    printf 'function = acm ncm\n' >two
    run 2 "two functions in a line" "may only have" scheme --config two
    printf 'function = *\n' >pattern
    run 2 "a pattern" "may only have" scheme --config pattern
    head -c 100000 /dev/zero | tr '\0' x | sed 's/^/serial = /' >long
    run 2 "a line of 100000 bytes" "longer than 126" scheme --config long
    head -c 4096 /dev/urandom | tr -d '\n#' >random
    run 2 "random bytes" "line 1" scheme --config random
    printf 'tag = ../up\n' >tag
    run 2 "a tag that is a path" "may only have" scheme --config tag
    check_equal "$shell: nothing of it was run" "" "$(ls ran 2>/dev/null)"
done
