# shellcheck shell=sh disable=SC2034,SC2154
# The model's script: started once for each cycle, apart from this command, and watched for a moment.

# Runs in a session of its own, outlives this command, and keeps the script's pid and exit status.
# The folder "started" makes sure that there is at most one for each cycle, whatever is killed or repeated.
# shellcheck disable=SC2016
RECORDER='
mkdir "$1/started" || exit 0
cd "$1/model" || exit 1
unset HAULOUT_WATCH_SECONDS HAULOUT_BACKOFF_SECONDS HAULOUT_STALL_SECONDS HAULOUT_CHUNK_BYTES HAULOUT_SYSTEMD_DIR
$3 "$2" ./script.sh &
pid=$!
{ sed "s/.*) //" "/proc/$pid/stat" | cut -d " " -f 20; cat /proc/sys/kernel/random/boot_id; } >"$1/script.born" 2>/dev/null
echo "$pid" >"$1/script.pid.new" && mv "$1/script.pid.new" "$1/script.pid"
wait "$pid"
code=$?
[ "$(cat "$1/script.pid")" = "$pid" ] || exit 0
echo "$code" >"$1/script.exit.new" && mv "$1/script.exit.new" "$1/script.exit"
'

# A systemd scope keeps the model out of the SSM agent's unit, which takes its processes along when it is restarted.
launch() {
    SETSID=''
    ! have setsid || SETSID=setsid
    RUNNER='sh'
    ! have bash || RUNNER='bash'
    # Under SSM there is no HOME; pip and model libraries keep their caches there.
    if [ -z "${HOME-}" ]; then
        HOME=$STAGE
        [ "$(id -u)" -ne 0 ] || HOME=/root
        export HOME
    fi
    if [ "$(id -u)" -eq 0 ] && [ -d "$SYSTEMD" ] && have systemd-run; then
        # shellcheck disable=SC2086
        systemd-run --scope --quiet $SETSID sh -c "$RECORDER" haulout-model "$STAGE" "$RUNNER" "$SETSID" \
            </dev/null >>"$STAGE/model.log" 2>&1 3>&- 9>&- &
        wait_for_start && return 0
        say 'systemd gave no scope; starting without one'
    fi
    # shellcheck disable=SC2086
    ${SETSID:-nohup} sh -c "$RECORDER" haulout-model "$STAGE" "$RUNNER" "$SETSID" \
        </dev/null >>"$STAGE/model.log" 2>&1 3>&- 9>&- &
    wait_for_start
}

wait_for_start() {
    TICKS=50
    while [ ! -s "$STAGE/script.pid" ] && [ "$TICKS" -gt 0 ]; do
        sleep 0.1
        TICKS=$((TICKS - 1))
    done
    [ -s "$STAGE/script.pid" ]
}

wait_for_end() {
    TICKS=$1
    while [ ! -s "$STAGE/script.exit" ] && [ "$TICKS" -gt 0 ]; do
        sleep 0.1
        TICKS=$((TICKS - 1))
    done
}

start_model() {
    PHASE='starting the model'
    say "starting $STAGE/model/script.sh"
    : >"$STAGE/model.log"
    launch || fail script_failed "script.sh could not be started; $(last_lines)"
}

# A script that ends at once with an error is a failure; one that is done already is fine.
watch_model() {
    PHASE='watching the model start'
    wait_for_start || fail script_failed "script.sh did not start; $(last_lines)"
    PID=$(cat "$STAGE/script.pid")
    wait_for_end "$(awk -v seconds="$WATCH" 'BEGIN { printf "%d", seconds * 10 + 1 }')"
    # What has just ended gets the moment in which its status is written down.
    kill -0 "$PID" 2>/dev/null || wait_for_end 10
    SCRIPT=running
    if [ -s "$STAGE/script.exit" ]; then
        EXIT=$(cat "$STAGE/script.exit")
        [ "$EXIT" = 0 ] || fail script_failed "script.sh ended with status $EXIT within its first seconds; $(last_lines)"
        SCRIPT=ended
    elif ! kill -0 "$PID" 2>/dev/null; then
        fail script_failed "script.sh is gone without a trace; $(last_lines)"
    fi
    if [ -s "$STAGE/model.log" ]; then
        say 'the first that script.sh printed:'
        head -c 1500 "$STAGE/model.log"
        echo
    fi
}

last_lines() {
    if [ -s "$STAGE/model.log" ]; then
        printf 'its last lines: '
        tail -n 8 "$STAGE/model.log" | tail -c 500 | sed 's/$/ | /' | LC_ALL=C tr -d '\n' | sed 's/ | $//'
    else
        printf 'it printed nothing'
    fi
    # shellcheck disable=SC2094
    if ! LC_ALL=C tr -d '\r' <"$STAGE/model/script.sh" 2>/dev/null | cmp -s - "$STAGE/model/script.sh"; then
        printf ' (script.sh has Windows line ends)'
    fi
}

# Another cycle on the same machine starts the model anew: two of them would fight over ports and memory.
# The time the process was born tells it from another one that got its number (proc(5): field 22; the second is the
# name, in parentheses, and may hold anything). That time counts from the boot, so the boot's id goes with it (random(4)).
stop_model() {
    PID=$(cat "$STAGE/script.pid" 2>/dev/null)
    if [ -z "$PID" ] || [ -s "$STAGE/script.exit" ]; then
        return 0
    fi
    LIFE=$(sed 's/.*) //' "/proc/$PID/stat" 2>/dev/null)
    case $LIFE in
    '' | [ZX]*) return 0 ;;
    esac
    BORN=$(printf '%s\n' "$LIFE" | cut -d ' ' -f 20 && cat /proc/sys/kernel/random/boot_id 2>/dev/null)
    [ "$BORN" = "$(cat "$STAGE/script.born" 2>/dev/null)" ] || return 0
    say "stopping the model of the cycle before (pid $PID)"
    # The whole group; dash knows "--" only after -s.
    kill -s TERM -- "-$PID" 2>/dev/null || kill -s TERM "$PID"
    wait_for_end 30
    kill -s KILL -- "-$PID" 2>/dev/null
    # Noted any later, this end would pass for that of the next model.
    wait_for_end 30
}
