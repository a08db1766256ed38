# What the boot loader says in the kernel's /proc/bootconfig (CONFIG_BOOT_CONFIG): lines of the form KEY = "VALUE", "VALUE".
# shellcheck shell=sh

# bootconfig_settings FILE: prints "NAME VALUE" for each value of each key usb9pfs.NAME. If the file is not of that form: 1, and the
# reason in place of it. It is read, never run.
bootconfig_settings() {
    LC_ALL=C awk '
        function wrong(why) {
            print why
            failed = 1
            exit 1
        }
        # Takes what matches off the front of the text.
        function take(pattern) {
            if (!match(text, pattern)) return 0
            taken = substr(text, 1, RLENGTH)
            text = substr(text, RLENGTH + 1)
            return 1
        }
        { text = text $0 "\n" }
        END {
            while (text != "") {
                if (take("^[ \t\n]+") || take("^#[^\n]*\n")) continue
                if (!take("^[A-Za-z0-9_.-]+[ \t]*=[ \t]*")) wrong("it is not of the form key = \"value\" at: " substr(text, 1, 40))
                key = taken
                sub(/[ \t]*=[ \t]*$/, "", key)
                do {
                    # The kernel takes the quote that is not in the value.
                    if (!take("^\"[^\"]*\"") && !take("^\047[^\047]*\047")) wrong("the value of \047" key "\047 is not in quotes")
                    value = substr(taken, 2, length(taken) - 2)
                    if (key !~ /^usb9pfs\./) continue
                    if (value ~ /[\001-\037\177]/) wrong("the value of \047" key "\047 has control characters")
                    settings = settings substr(key, 9) " " value "\n"
                } while (take("^[ \t]*,[ \t]*"))
            }
        }
        END { if (!failed) printf "%s", settings }' "$1"
}
