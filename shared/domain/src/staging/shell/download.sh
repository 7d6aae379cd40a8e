# shellcheck shell=sh disable=SC2034,SC2154
# The blob's bytes: found, downloaded in ranges that can be resumed, and checked.

MARGIN=33554432
PARALLEL=4

# FREE: bytes free for the stage directory; empty when df does not say.
free_space() {
    FREE=$(df -Pk "$STAGE" 2>/dev/null | awk 'NR > 1 && $4 ~ /^[0-9]+$/ { free = $4 } END { if (free != "") printf "%.0f", free * 1024 }')
}
no_room() {
    free_space
    fail disk_full "$1; $(mib "${FREE:-0}") MiB are free in $STAGE"
}
can_write() {
    head -c 65536 /dev/zero 2>/dev/null >"$DL/piece.test"
}
mib() { printf '%s' "$(($1 / 1048576))"; }

# room BYTES: the archive, what it unpacks to, and some air.
room() {
    free_space
    [ -n "$FREE" ] || return 0
    size "$DL/part"
    ROOM=$(($1 * 22 / 10 + MARGIN - SIZE))
    [ "$FREE" -ge "$ROOM" ] || no_room "a blob of $(mib "$1") MiB needs $(mib "$ROOM") MiB"
}

# The most a server may send that does not tell the size beforehand.
largest_blob() {
    free_space
    LARGEST=1000000000000
    [ -z "$FREE" ] || LARGEST=$(((FREE - MARGIN) * 10 / 22))
    [ "$LARGEST" -gt 0 ] || no_room 'there is no room for a blob'
}

# Asks for the first byte: Walrus tells the size in Content-Range, and takes no range that leaves the blob.
probe() {
    fetch 0-0 "$DL/whole" "$LARGEST"
    case $STATUS:$RC in
    206:0)
        same_blob "$DL/whole" || return 0
        TOTAL=$(header content-range "$DL/whole")
        case $TOTAL in
        'bytes 0-0/'*) TOTAL=${TOTAL#*/} ;;
        *) TOTAL='' ;;
        esac
        case $TOTAL in
        '' | *[!0-9]* | ???????????????*) retry 'gave a Content-Range without a size' || return 0 ;;
        esac
        VERDICT=ok
        ;;
    200:0) got_whole ;;
    416:*) whole ;;
    *) judge "$DL/whole" ;;
    esac
}

# The whole blob in one answer: small blobs, and servers without ranges.
whole() {
    fetch '' "$DL/whole" "$LARGEST"
    case $STATUS:$RC in
    200:0) got_whole ;;
    *) judge "$DL/whole" ;;
    esac
}
got_whole() {
    same_blob "$DL/whole" || return 0
    size "$DL/whole"
    if [ -n "$TOTAL" ] && [ "$TOTAL" -ne "$SIZE" ]; then
        retry "gave $SIZE of $TOTAL bytes" || return 0
    fi
    # curl makes no file for an empty body.
    [ -f "$DL/whole" ] || : >"$DL/whole"
    TOTAL=$SIZE WHOLE=true
    mv -f "$DL/whole" "$DL/part" && VERDICT=ok
}

# Bytes START to END into TARGET. What arrived before a broken connection is kept.
piece() {
    TRIES=0
    while :; do
        size "$TARGET"
        FROM=$((START + SIZE))
        fetch "$FROM-$END" "$TARGET.new" "$((END - FROM + 1))"
        case $STATUS in
        206) ;;
        200) VERDICT=refused WHY='answered a range with the whole blob' && return 0 ;;
        *)
            judge "$TARGET.new"
            return 0
            ;;
        esac
        if [ "$(header content-range "$TARGET.new")" != "bytes $FROM-$END/$TOTAL" ]; then
            retry 'gave another range' || return 0
        fi
        same_blob "$TARGET.new" || return 0
        size "$TARGET.new"
        if [ "$SIZE" -gt 0 ]; then
            cat "$TARGET.new" >>"$TARGET" || RC=23
        fi
        judge_cut "$TARGET.new"
        [ "$VERDICT" = retry ] || return 0
        if [ "$RC" -eq 0 ] && [ "$((FROM + SIZE))" -eq "$((END + 1))" ]; then
            VERDICT=ok
            return 0
        fi
        TRIES=$((TRIES + 1))
        # A connection that broke is taken up again here; one that stalled (28) goes on elsewhere.
        if [ "$SIZE" -eq 0 ] || [ "$RC" -eq 28 ] || [ "$TRIES" -ge 20 ]; then
            return 0
        fi
        say "${AGGREGATOR%%\?*}: cut off at byte $((FROM + SIZE)), going on from there"
    done
}

# In a subshell of its own: fetches one piece and leaves its verdict beside it.
worker() {
    trap '[ -z "$CHILD" ] || kill "$CHILD" 2>/dev/null; exit 143' TERM
    # What is kept beside the piece may name the package's address, which is good for whoever reads it.
    umask 077
    TARGET=$1 START=$2 END=$3
    : >"$TARGET"
    ask piece
    printf '%s %s %s\n' "$VERDICT" "$AGGREGATOR" "$(one_line "$WHY")" >"$TARGET.end"
}

# A few pieces at a time, put together in order: part is at every moment the blob's first bytes.
pieces() {
    while size "$DL/part" && [ "$SIZE" -lt "$TOTAL" ]; do
        PHASE="downloading ($SIZE of $TOTAL bytes)"
        rm -f "$DL"/piece.*
        AT=$SIZE N=0 WORKERS=''
        while [ "$N" -lt "$PARALLEL" ] && [ "$AT" -lt "$TOTAL" ]; do
            TO=$((AT + CHUNK - 1))
            [ "$TO" -lt "$TOTAL" ] || TO=$((TOTAL - 1))
            worker "$DL/piece.$N" "$AT" "$TO" 3>&- &
            WORKERS="$WORKERS $!"
            AT=$((TO + 1)) N=$((N + 1))
        done
        for PID in $WORKERS; do
            wait "$PID"
        done
        WORKERS='' I=0
        while [ "$I" -lt "$N" ]; do
            VERDICT=unavailable AGGREGATOR='' WHY='the download was cut off'
            [ ! -s "$DL/piece.$I.end" ] || read -r VERDICT AGGREGATOR WHY <"$DL/piece.$I.end"
            settle
            cat "$DL/piece.$I" >>"$DL/part" || no_room 'cannot write the blob'
            I=$((I + 1))
        done
        prefer "$AGGREGATOR"
    done
}

download() {
    PHASE='checking the blob that is already here'
    size "$STAGE/model.zip"
    if known "$DL/complete" && [ "$SIZE" = "$BYTES" ]; then
        say 'the blob is already here'
        return 0
    fi
    choose_fetcher
    redeem
    PHASE='finding the blob'
    rm -rf "$DL/complete" "$STAGE/model.zip"
    TOTAL='' WHOLE=false
    largest_blob
    say "looking for blob $BLOB"
    ask probe
    settle
    prefer "$AGGREGATOR"
    if [ "$TOTAL" -eq 0 ]; then
        fail blob_empty "the blob $BLOB has no bytes"
    fi
    expect_size "$TOTAL"
    room "$TOTAL"
    say "downloading $TOTAL bytes from ${AGGREGATOR%%\?*}"
    if [ "$WHOLE" = false ] && [ "$(cat "$DL/pin" 2>/dev/null)" != "$BLOB $TOTAL" ]; then
        # What an earlier cycle left is a part of something else.
        rm -f "$DL/part"
    fi
    printf '%s %s\n' "$BLOB" "$TOTAL" >"$DL/pin"
    size "$DL/part"
    if [ "$SIZE" -eq 0 ] && [ "$TOTAL" -le "$CHUNK" ]; then
        PHASE="downloading ($TOTAL bytes)"
        LARGEST=$TOTAL
        ask whole
        settle
    fi
    pieces
    rm -f "$DL"/piece.* "$DL/whole".*
    verify
    BYTES=$TOTAL
    mv -f "$DL/part" "$STAGE/model.zip" && note "$DL/complete"
}

# note FILE: keeps what is asked for, and the size and blob id that were found, for known. A kill leaves all or nothing.
note() {
    printf '%s\n%s\n' "$BLOB $SIZE_BYTES $SHA256" "$BYTES $PIN" >"$1.new" && mv -f "$1.new" "$1"
}

# known FILE: whether FILE is a note on this very blob with the same checks; if so, BYTES and PIN are as noted.
known() {
    BYTES='' NOTED='' NOTED_BYTES='' NOTED_PIN=''
    [ ! -s "$1" ] || { IFS= read -r NOTED && read -r NOTED_BYTES NOTED_PIN; } <"$1"
    [ "$NOTED" = "$BLOB $SIZE_BYTES $SHA256" ] || return 1
    BYTES=$NOTED_BYTES
    PIN=${PIN:-$NOTED_PIN}
}

expect_size() {
    if [ -n "$SIZE_BYTES" ] && [ "$SIZE_BYTES" -ne "$1" ]; then
        rm -f "$DL/part"
        fail size_mismatch "the blob has $1 bytes, $SIZE_BYTES were expected"
    fi
}

verify() {
    PHASE='checking the blob'
    size "$DL/part"
    expect_size "$SIZE"
    [ "$SIZE" -eq "$TOTAL" ] || fail size_mismatch "received $SIZE bytes of $TOTAL"
    [ -n "$SHA256" ] || return 0
    if have sha256sum; then
        run sha256sum "$DL/part" >"$DL/sum"
    elif have shasum; then
        run shasum -a 256 "$DL/part" >"$DL/sum"
    elif have openssl; then
        run openssl dgst -sha256 -r "$DL/part" >"$DL/sum"
    else
        fail tool_missing 'none of sha256sum, shasum and openssl is on the machine'
    fi
    SUM=$(head -c 64 "$DL/sum")
    if [ "$SUM" != "$SHA256" ]; then
        rm -f "$DL/part"
        fail checksum_mismatch "the blob's SHA-256 is $SUM, $SHA256 was expected"
    fi
    say 'the SHA-256 is right'
}
