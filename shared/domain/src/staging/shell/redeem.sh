# shellcheck shell=sh disable=SC2034,SC2154
# A package's address: the registry gives it for the command's ticket.

# WORD: what only this machine knows. The first to redeem the ticket binds it to the word; after a lost answer the same
# word gets the same again, and whoever reads the ticket in the command's text later comes too late.
word() {
    if [ ! -s "$STAGE/word" ]; then
        KERNEL=/proc/sys/kernel/random/uuid
        (umask 077 && cat "$KERNEL" "$KERNEL" | tr -d '\n-' >"$STAGE/word.new") &&
            mv -f "$STAGE/word.new" "$STAGE/word"
    fi
    read -r WORD <"$STAGE/word" 2>/dev/null || [ -n "${WORD-}" ] || fail stage_unusable "cannot keep a word in $STAGE"
}

# One POST of the ticket. STATUS is the HTTP status (000: no answer); the answer is in link, which others cannot read.
post_ticket() {
    rm -f "$DL/link" "$DL/link.status" "$DL/link.err"
    (umask 077 && : >"$DL/link" && printf '{"ticket":"%s","redemption":"%s"}' "$TICKET" "$WORD" >"$DL/ticket")
    left
    [ "$REMAINING" -lt 30 ] || REMAINING=30
    case $FETCHER in
    curl)
        run curl -q -sS --proto '=http,https' -A haulout --connect-timeout 10 --max-time "$REMAINING" \
            --max-filesize 65536 -H 'Content-Type: application/json' --data-binary "@$DL/ticket" \
            -o "$DL/link" -w '%{http_code}' "$REDEEM_URL" >"$DL/link.status" 2>"$DL/link.err"
        ;;
    *)
        run python3 -I -c "$REDEEM_PY" "$REDEEM_URL" "$DL/ticket" "$DL/link" "$REMAINING" \
            >"$DL/link.status" 2>"$DL/link.err"
        ;;
    esac
    rm -f "$DL/ticket"
    STATUS=$(head -c 3 "$DL/link.status")
    case $STATUS in
    [1-5][0-9][0-9]) ;;
    *) STATUS=000 ;;
    esac
}

# Makes the package's address the only one that is asked.
redeem() {
    [ -n "$TICKET" ] || return 0
    PHASE='asking the registry for the package'
    word
    ROUND=1
    while :; do
        post_ticket
        case $STATUS in
        200)
            AGGREGATORS=$(sed -n 's/^.*"url":"\(https\{0,1\}:[^"\\ ]*\)".*$/\1/p' "$DL/link" | head -n 1)
            WHY='its answer names no address'
            ;;
        000) WHY="no answer ($(head -n 1 "$DL/link.err"))" ;;
        *) WHY="HTTP $STATUS $(head -c 300 "$DL/link")" ;;
        esac
        rm -f "$DL/link"
        case $STATUS in
        200) [ -z "$AGGREGATORS" ] || return 0 ;;
        429) ;;
        4??) fail ticket_refused "the registry does not give the package $BLOB: $WHY" ;;
        esac
        say "the registry: $(one_line "$WHY")"
        [ "$ROUND" -lt 6 ] || fail package_unavailable "the registry did not give the package $BLOB: $WHY"
        run sleep "$(((1 << (ROUND - 1)) * BACKOFF))"
        ROUND=$((ROUND + 1))
    done
}
