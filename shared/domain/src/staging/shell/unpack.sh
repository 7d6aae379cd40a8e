# shellcheck shell=sh disable=SC2034,SC2154
# The archive: checked, unpacked into a fresh folder, and swapped in; once for a blob, as users work in that folder.

MAX_ENTRIES=100000
MAX_BYTES=4294967296
MAX_RATIO=20

# Whether model/ came of this very blob. Only then it stays: a machine that was stopped and started keeps it, and what
# its users put there.
unpacked() { known "$STAGE/unpacked" && [ -s "$STAGE/model/script.sh" ]; }

unpack() {
    PHASE='unpacking the archive'
    FRESH=$STAGE/unpack
    rm -rf "$FRESH"
    mkdir "$FRESH" || fail stage_unusable "cannot make $FRESH"
    free_space
    size "$STAGE/model.zip"
    LIMIT_BYTES=$((SIZE * MAX_RATIO))
    [ "$LIMIT_BYTES" -ge "$MAX_BYTES" ] || LIMIT_BYTES=$MAX_BYTES
    if have python3 && python3 -I -c 'import zipfile, zlib' 2>/dev/null; then
        unpack_with_python
    else
        have unzip || install_package unzip
        have unzip || fail tool_missing 'neither python3 nor unzip is on the machine, and unzip could not be installed'
        unpack_with_unzip
    fi
    [ -f "$FRESH/model/script.sh" ] || fail script_missing 'the archive has no model/script.sh'
    chmod u+x "$FRESH/model/script.sh"
    rm -rf "$STAGE/model.old"
    [ ! -e "$STAGE/model" ] || mv "$STAGE/model" "$STAGE/model.old"
    mv "$FRESH/model" "$STAGE/model" || fail stage_unusable "cannot move the model to $STAGE/model"
    rm -rf "$STAGE/model.old" "$FRESH"
    note "$STAGE/unpacked" || no_room "cannot write to $STAGE"
}

# Callers know the files under the temporary directory, which a reboot empties. What stands there already and is not a link is moved aside.
link() {
    [ "$TMP_DIR" != "$STAGE" ] || return 0
    if [ -L "$TMP_DIR/$1" ]; then
        rm -f "$TMP_DIR/$1"
    elif [ -e "$TMP_DIR/$1" ]; then
        mv "$TMP_DIR/$1" "$TMP_DIR/$1.before-haulout.$$"
    fi
    [ -e "$STAGE/$1" ] || return 0
    ln -s "$STAGE/$1" "$TMP_DIR/$1" || fail stage_unusable "cannot link $TMP_DIR/$1"
}

# The program says "CODE MESSAGE" when it refuses.
unpack_with_python() {
    run python3 -I -X utf8 -c "$UNPACK_PY" \
        "$STAGE/model.zip" "$FRESH" "$MAX_ENTRIES" "$LIMIT_BYTES" "${FREE:-}" >"$DL/verdict"
    [ "$RC" -ne 0 ] || return 0
    can_write || no_room 'the disk filled up'
    [ "$RC" -eq 3 ] || fail unpack_failed "the unpacking program ended with status $RC"
    CODE='' WHY=''
    read -r CODE WHY <"$DL/verdict"
    fail "$CODE" "$WHY"
}

# Only where python3 is missing. unzip keeps to the folder by itself; what it would still let pass is looked for in
# the listing, and once more in what came out. Links are refused altogether here.
unpack_with_unzip() {
    run env LC_ALL=C.UTF-8 unzip -Z -s "$STAGE/model.zip" >"$DL/list" 2>&1
    if [ "$RC" -gt 1 ]; then
        BEGIN=$(head -c 16 "$STAGE/model.zip" | LC_ALL=C tr -c '\040-\176' '.')
        case $BEGIN in
        PK*) fail archive_corrupt "the archive is damaged or its end is missing (unzip ended with status $RC)" ;;
        *) fail not_a_zip "the blob is not a zip archive (it begins with '$BEGIN')" ;;
        esac
    fi
    awk -v entries="$MAX_ENTRIES" -v limit="$LIMIT_BYTES" -v free="${FREE:-}" '
        function refuse(code, why) { print code, why; refused = 1; exit }
        NR == 2 { announced = $NF; next }
        NF >= 9 && $4 ~ /^[0-9]+$/ && $8 ~ /^[0-9][0-9]:[0-9][0-9]$/ {
            name = $0
            for (i = 0; i < 8; i++) sub(/^[^ ]+ +/, "", name)
            count++
            total += $4
            kind = substr($1, 1, 1)
            if (kind == "l") refuse("archive_unsafe", "the link " name " cannot be unpacked without python3")
            if (kind != "-" && kind != "d" && kind != "?") refuse("archive_unsafe", "a special file: " name)
            if ($5 ~ /^[TB]/) refuse("archive_unsupported", "the entry " name " is encrypted")
            if (name ~ /^\// || name ~ /^[A-Za-z]:/ || name ~ /\\/ || name ~ /(^|\/)\.\.(\/|$)/ || name ~ /\^/)
                refuse("archive_unsafe", "a path that leaves the folder: " name)
            if (seen[name]++) refuse("archive_unsafe", "two entries are named " name)
            if (count > entries) refuse("archive_too_large", "more than " entries " entries")
            if (name ~ /^model\//) model = 1
        }
        END {
            if (refused) exit
            if (count != announced) refuse("archive_corrupt", "unzip lists " count + 0 " of " announced " entries")
            if (total > limit) print "archive_too_large", "unpacks to " total " bytes, allowed are " limit
            else if (free != "" && total + 33554432 > free) print "disk_full", "unpacks to " total " bytes, " free " are free"
            else if (!model) print "script_missing", "the archive has no folder model/ at its top"
        }' "$DL/list" >"$DL/verdict"
    CODE='' WHY=''
    read -r CODE WHY <"$DL/verdict"
    [ -z "$CODE" ] || fail "$CODE" "$WHY"
    run env LC_ALL=C.UTF-8 unzip -q -o "$STAGE/model.zip" 'model/*' -d "$FRESH" </dev/null
    case $RC in
    0 | 1) ;;
    50) fail disk_full 'no space left to unpack' ;;
    81 | 82) fail archive_unsupported 'the archive is encrypted or packed in a way that unzip does not know' ;;
    *) fail archive_corrupt "unzip ended with status $RC; its last lines: $(tail -n 2 "$LOG")" ;;
    esac
    # An entry without a mode comes out without any rights.
    chmod -R u+rwX "$FRESH"
    ODD=$(find "$FRESH" ! -type f ! -type d | head -n 1)
    [ -z "$ODD" ] || fail archive_unsafe "a link or special file: $ODD"
}
