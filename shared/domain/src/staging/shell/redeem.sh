# shellcheck shell=sh disable=SC2034,SC2154
# A package's address: the registry gives it for the command's ticket.

# WORD: what only this machine knows. The first to redeem the ticket binds it to the word; after a lost answer the same
# word gets the same again, and whoever reads the ticket in the command's text later comes too late.
word() {
    WORD=$(cat "$STAGE/word" 2>/dev/null)
    [ "${#WORD}" -ne 64 ] || return 0
    UUID=/proc/sys/kernel/random/uuid
    WORD=$(cat $UUID $UUID | tr -d '\n-')
    printf '%s' "$WORD" >"$STAGE/word"
}

# Makes the package's address the only one that is asked.
redeem() {
    [ -n "$TICKET" ] || return 0
    PHASE='asking the registry'
    ROUND=1
    while :; do
        umask 077
        word
        BODY=$DL/ticket
        printf '{"ticket":"%s","redemption":"%s"}' "$TICKET" "$WORD" >"$BODY"
        AGGREGATOR=$REDEEM_URL
        fetch '' "$DL/link" 65536
        umask 022
        rm -f "$BODY"
        BODY=''
        case $STATUS in
        200)
            AGGREGATORS=$(sed -n 's/^.*"url":"\(https\{0,1\}:[^"\\ ]*\)".*$/\1/p' "$DL/link" | head -n 1)
            WHY='no address in the answer'
            ;;
        000) WHY="no answer ($(head -n 1 "$DL/link.err"))" ;;
        *) WHY="HTTP $STATUS $(head -c 300 "$DL/link")" ;;
        esac
        rm -f "$DL/link"
        case $STATUS in
        200) [ -z "$AGGREGATORS" ] || return 0 ;;
        429) ;;
        4??) fail ticket_refused "the registry refused it: $WHY" ;;
        esac
        say "the registry: $(one_line "$WHY")"
        [ "$ROUND" -lt 6 ] || fail package_unavailable "the registry did not give it: $WHY"
        run sleep "$(((1 << (ROUND - 1)) * BACKOFF))"
        ROUND=$((ROUND + 1))
    done
}
