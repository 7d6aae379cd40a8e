# shellcheck shell=sh disable=SC2034,SC2154
# One HTTP request, by curl or by python3, and what its answer means.

BODY=''

choose_fetcher() {
    if have curl; then
        FETCHER=curl
    elif have python3; then
        FETCHER=python3
    elif install_package curl && have curl; then
        FETCHER=curl
    else
        fail tool_missing 'neither curl nor python3 is on the machine, and curl could not be installed'
    fi
}

# fetch RANGE FILE MAX-BYTES: one GET of the blob from AGGREGATOR; an empty RANGE is the whole blob. With a file BODY it is
# a POST of that JSON.
# STATUS is the HTTP status (000: no answer), RC curl's exit code (0: the body is complete), the headers are in FILE.hdr.
fetch() {
    rm -f "$2" "$2.hdr" "$2.err"
    left
    case $FETCHER in
    curl)
        run curl -q -g -sS -L --max-redirs 3 --proto '=http,https' -A haulout --connect-timeout 10 \
            --speed-limit 1024 --speed-time "$STALL" --max-time "$REMAINING" --max-filesize "$3" \
            ${1:+-r} ${1:+"$1"} ${BODY:+-H} ${BODY:+'Content-Type: application/json'} ${BODY:+--data-binary} ${BODY:+"@$BODY"} -D "$2.hdr" -o "$2" "$AGGREGATOR$BLOB_PATH" 2>"$2.err"
        ;;
    *)
        run python3 -I -c "$FETCH_PY" "$AGGREGATOR$BLOB_PATH" "$1" "$2" "$3" "$STALL" "$REMAINING" ${BODY:+"$BODY"} 2>"$2.err"
        ;;
    esac
    STATUS=000
    [ ! -s "$2.hdr" ] || STATUS=$(awk '/^HTTP\// { status = substr($2, 1, 3) } END { print status }' "$2.hdr")
    case $STATUS in
    [1-5][0-9][0-9]) ;;
    *) STATUS=000 ;;
    esac
}

# header NAME FILE: a header of the last answer (redirects come before it); NAME in lower case.
header() {
    awk -v name="$1" '
        /^HTTP\// { value = ""; next }
        tolower(substr($0, 1, index($0, ":") - 1)) == name {
            sub(/^[^:]*:[ \t]*/, "")
            sub(/[ \t\r]*$/, "")
            value = $0
        }
        END { print value }' "$2.hdr"
}

# same_blob FILE: whether the answer's ETag, the blob id, is that of the blob we began with.
same_blob() {
    ETAG=$(header etag "$1" | sed 's/^W\///; s/"//g')
    case $ETAG in
    *[!A-Za-z0-9_-]*) return 0 ;;
    esac
    [ "${#ETAG}" -eq 43 ] || return 0
    [ -n "$PIN" ] || PIN=$ETAG
    [ "$ETAG" = "$PIN" ] || retry "gave another blob ($ETAG)"
}

retry() {
    VERDICT=retry WHY=$1
    return 1
}

# judge FILE: VERDICT and WHY of an answer that is not the blob.
judge() {
    case $STATUS in
    404) VERDICT=missing WHY='HTTP 404' ;;
    451) VERDICT=blocked WHY='HTTP 451' ;;
    403) VERDICT=refused WHY="HTTP 403 $(head -c 200 "$1" 2>/dev/null)" ;;
    000) retry "no answer ($(head -n 1 "$1.err"))" ;;
    2??) judge_cut "$1" ;;
    *) retry "HTTP $STATUS" ;;
    esac
}
judge_cut() {
    case $RC:$TOTAL in
    63:) VERDICT=full WHY='the blob is larger than the free space allows' ;;
    63:*) retry 'sent more than was asked for' ;;
    23:*) VERDICT=full WHY="cannot write ($(head -n 1 "$1.err"))" ;;
    *) retry "HTTP $STATUS, cut off ($(head -n 1 "$1.err"))" ;;
    esac
}

# A package's address is good for whoever has all of it: what is shown of one ends at its question mark.
# ask FUNCTION: asks the aggregators in turn until FUNCTION says ok, with growing pauses between the rounds.
# A 404 counts once every aggregator says it twice: right after an upload, a cache may still hold the older answer.
ask() {
    ASK_ROUND=1
    while :; do
        ASK_MISSING=0 ASK_FINAL=0 ASK_COUNT=0 WHYS=''
        for AGGREGATOR in $AGGREGATORS; do
            WHY='' VERDICT=retry
            "$1"
            case $VERDICT in
            ok | full | blocked) return 0 ;;
            missing) ASK_MISSING=$((ASK_MISSING + 1)) ASK_FINAL=$((ASK_FINAL + 1)) ;;
            refused) ASK_FINAL=$((ASK_FINAL + 1)) ;;
            esac
            ASK_COUNT=$((ASK_COUNT + 1))
            WHYS="$WHYS${WHYS:+; }${AGGREGATOR%%\?*}: $WHY"
            say "${AGGREGATOR%%\?*}: $(one_line "$WHY")"
        done
        if [ "$ASK_ROUND" -ge 2 ] && [ "$ASK_FINAL" -eq "$ASK_COUNT" ]; then
            break
        fi
        [ "$ASK_ROUND" -lt 6 ] || break
        ASK_PAUSE=8
        [ "$ASK_ROUND" -gt 3 ] || ASK_PAUSE=$((1 << (ASK_ROUND - 1)))
        run sleep "$((ASK_PAUSE * BACKOFF))"
        ASK_ROUND=$((ASK_ROUND + 1))
    done
    VERDICT=unavailable WHY=$WHYS
    [ "$ASK_MISSING" -lt "$ASK_COUNT" ] || VERDICT=missing
}

# The aggregator that worked is asked first from now on.
prefer() {
    PREFERRED=$1
    for OTHER in $AGGREGATORS; do
        [ "$OTHER" = "$1" ] || PREFERRED="$PREFERRED $OTHER"
    done
    AGGREGATORS=$PREFERRED
}

# Ends the command for what ask found, unless it found the blob.
settle() {
    case $VERDICT in
    ok) ;;
    missing) fail blob_not_found "no aggregator knows the blob $BLOB ($WHY)" ;;
    blocked) fail blob_blocked "${AGGREGATOR%%\?*} has blocked the blob $BLOB (HTTP 451)" ;;
    full) no_room "$WHY" ;;
    *)
        # On a full disk not even the answers can be kept.
        can_write || no_room 'the disk filled up'
        fail blob_unavailable "no aggregator gave the blob $BLOB: $WHY"
        ;;
    esac
}
