# shellcheck shell=sh disable=SC2034,SC2154
# What every part stands on: settings, the log, the end of the command, its time limit and its lock.
# Above this come the request's own values, quoted: MACHINE CYCLE BUDGET LIMIT AGGREGATORS BLOB
# BLOB_PATH PIN REDEEM_URL TICKET SIZE_BYTES SHA256 and the Python programs FETCH_PY and UNPACK_PY.

set -u
umask 022
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH

# A setting from the environment: a plain decimal number, or the default.
number() {
    case $1 in
    '' | . | *[!0-9.]* | *.*.*) printf '%s' "$2" ;;
    *) printf '%s' "$1" ;;
    esac
}
whole_number() {
    case $1 in
    '' | *[!0-9]* | ??????????*) printf '%s' "$2" ;;
    *) printf '%s' "$1" ;;
    esac
}

STAGE=${HAULOUT_STAGE_DIR:-/var/lib/haulout}
TMP_DIR=${HAULOUT_TMP:-/tmp}
case $STAGE in /*) ;; *) STAGE=$PWD/$STAGE ;; esac
case $TMP_DIR in /*) ;; *) TMP_DIR=$PWD/$TMP_DIR ;; esac
WATCH=$(number "${HAULOUT_WATCH_SECONDS-}" 3)
BACKOFF=$(whole_number "${HAULOUT_BACKOFF_SECONDS-}" 1)
STALL=$(whole_number "${HAULOUT_STALL_SECONDS-}" 30)
CHUNK=$(whole_number "${HAULOUT_CHUNK_BYTES-}" 8388608)
# A simulated machine is none of this computer's systemd.
SYSTEMD=/run/systemd/system
[ -z "${HAULOUT_STAGE_DIR-}" ] || SYSTEMD=${HAULOUT_SYSTEMD_DIR-}

KEY=$MACHINE-c$CYCLE
STARTED=$(date +%s)
DEADLINE=$((STARTED + BUDGET))
LOG=$STAGE/staging.log
DL=$STAGE/blob
PHASE='starting'
HELD=false
CHILD='' WORKERS='' WATCHDOG=''

# SSM's output. Everything else goes to the log once the lock is held.
exec 3>&1

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*"; }

# REMAINING: seconds until this command ends by itself, at least 1.
left() {
    REMAINING=$((DEADLINE - $(date +%s)))
    [ "$REMAINING" -gt 0 ] || REMAINING=1
}

# SIZE: bytes in a file, 0 when there is none.
size() {
    SIZE=0
    [ ! -f "$1" ] || SIZE=$(($(wc -c <"$1")))
}

# One printable line of bounded length.
one_line() { printf '%s' "$*" | LC_ALL=C tr '\000-\037\177' ' ' | LC_ALL=C cut -c1-900; }

# Runs a command in the background and waits, so that a signal is acted on at once and not when the command ends.
run() {
    "$@" 3>&- &
    CHILD=$!
    wait "$CHILD"
    RC=$?
    CHILD=''
    return "$RC"
}

# SSM keeps only the first 24,000 characters of output: the log's tail, then the result as the last line.
report() {
    if [ "$HELD" = true ] && [ -s "$LOG" ]; then
        printf 'staging of %s cycle %s, log %s:\n  ...' "$MACHINE" "$CYCLE" "$LOG"
        LC_ALL=C tr -d '\000-\010\013-\037\177' <"$LOG" | sed 's/^/  /' | tail -c 6000
    fi >&3
    printf '\n%s\n' "$1" >&3
}

# finish EXIT-CODE LAST-LINE: the result stays beside the cycle, for a second copy of this command.
finish() {
    trap '' TERM INT HUP USR1
    if [ -n "$CHILD$WORKERS$WATCHDOG" ]; then
        # shellcheck disable=SC2086
        kill $CHILD $WORKERS $WATCHDOG 2>/dev/null
        [ -z "$CHILD" ] || wait "$CHILD" 2>/dev/null
    fi
    if [ "$HELD" = true ]; then
        # This also makes room for the result where the disk is full.
        rm -rf "$STAGE/unpack" "$DL"/piece.*
        if [ "$1" -lt 128 ] && printf '%s %s\n' "$1" "$2" >"$STAGE/result.new"; then
            mv -f "$STAGE/result.new" "$STAGE/result"
        fi
    fi
    report "$2"
    exit "$1"
}
fail() {
    FAIL_CODE=$1
    shift
    finish 1 "haulout: failed $FAIL_CODE: $(one_line "$*")"
}

# Stopped from outside: no result is kept, so that the same cycle can be staged again.
interrupted() {
    finish 143 "haulout: failed staging_interrupted: stopped by a signal ($1) while $PHASE"
}
out_of_time() {
    fail command_timeout "still $PHASE when the command's $LIMIT s were nearly over"
}
trap 'interrupted TERM' TERM
trap 'interrupted INT' INT
trap 'interrupted HUP' HUP
trap out_of_time USR1

watch_the_time() {
    trap 'kill "$SLEEP"; exit 0' TERM
    while [ "$(date +%s)" -lt "$DEADLINE" ]; do
        sleep 1 &
        SLEEP=$!
        wait "$SLEEP"
        kill -0 $$ || exit 0
    done
    kill -USR1 $$
}

# Makes the stage directory and waits for whoever works in it. The lock ends with the processes that hold it.
take_lock() {
    WHY=$(mkdir -p "$STAGE" "$TMP_DIR" "$DL" 2>&1) || fail stage_unusable "$WHY"
    (: >>"$STAGE/lock") 2>/dev/null || fail stage_unusable "cannot write to $STAGE"
    exec 9>>"$STAGE/lock"
    watch_the_time </dev/null >/dev/null 2>&1 3>&- 9>&- &
    WATCHDOG=$!
    PHASE='waiting for another staging command on this machine'
    if have flock; then
        run flock 9
    elif have python3; then
        run python3 -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    else
        fail tool_missing 'neither flock nor python3 is on the machine'
    fi || fail stage_unusable "cannot lock $STAGE/lock"
    HELD=true
}
