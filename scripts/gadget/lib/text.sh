# Texts of any bytes: UTF-8, JSON.
# shellcheck shell=sh

# Prints the code points of a text in UTF-8, in decimal, one a line; -1 for a byte that is not UTF-8.
code_points() {
    printf '%s' "$1" | od -A n -v -t u1 | awk '
        function bad() { print -1; missing = 0 }
        { for (i = 1; i <= NF; i++) {
            byte = $i + 0
            if (missing && (byte < low || byte > high)) bad()
            else if (missing) {
                point = point * 64 + byte - 128; low = 128; high = 191
                if (!--missing) print point
                continue
            }
            low = 128; high = 191
            if (byte < 128) print byte
            else if (byte >= 194 && byte < 224) { missing = 1; point = byte - 192 }
            else if (byte >= 224 && byte < 240) {
                missing = 2; point = byte - 224
                if (byte == 224) low = 160
                if (byte == 237) high = 159
            } else if (byte >= 240 && byte < 245) {
                missing = 3; point = byte - 240
                if (byte == 240) low = 144
                if (byte == 244) high = 143
            } else bad()
        } }
        END { if (missing) bad() }'
}

is_text() {
    case $1 in *[!A-Za-z0-9\ ._:-]*) ;; *) return 0 ;; esac
    code_points "$1" | awk '$1 < 32 || $1 == 127 { bad = 1 } END { exit bad }'
}

# A word as a shell takes it back, for commands in messages.
shell_word() {
    case $1 in
        "" | *[!A-Za-z0-9._/:,=+-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s' "$1" ;;
    esac
}

# A string of any bytes: a name that somebody else has made need not be UTF-8.
json_string() {
    case $1 in
        *[!A-Za-z0-9\ ._:/-]*) ;;
        *) printf '"%s"' "$1" && return ;;
    esac
    printf '"'
    code_points "$1" | awk '
        $1 < 0 { printf "\\ufffd"; next }
        $1 == 34 || $1 == 92 { printf "\\%c", $1 + 0; next }
        $1 >= 32 && $1 < 127 { printf "%c", $1 + 0; next }
        $1 > 65535 { printf "\\u%04x\\u%04x", 55296 + int(($1 - 65536) / 1024), 56320 + ($1 - 65536) % 1024; next }
        { printf "\\u%04x", $1 + 0 }'
    printf '"'
}

json_list() {
    separator=
    printf '['
    while read -r item; do
        printf '%s' "$separator"
        json_string "$item"
        separator=', '
    done
    printf ']'
}
