# shellcheck shell=sh disable=SC2034,SC2154
# The order of things. Each step can be repeated: a copy of this command that comes after one that was killed
# goes on from the bytes that are there, and never starts the model's script a second time. A machine that was stopped
# and started gets the command with a new cycle: the same blob is then neither downloaded nor unpacked again.

cd /
take_lock
if [ "$(cat "$STAGE/cycle" 2>/dev/null)" = "$KEY" ]; then
    if [ -s "$STAGE/result" ]; then
        read -r DONE LINE <"$STAGE/result"
        kill "$WATCHDOG" 2>/dev/null
        report "$LINE"
        exit "$DONE"
    fi
    NEW=false
else
    NEW=true
    : >"$LOG"
fi
exec >>"$LOG" 2>&1
if [ "$NEW" = true ]; then
    stop_model
    rm -rf "$STAGE/result" "$STAGE/started" "$STAGE/script.pid" "$STAGE/script.exit"
    if ! { printf '%s\n' "$KEY" >"$STAGE/cycle.new" && mv "$STAGE/cycle.new" "$STAGE/cycle"; }; then
        no_room "cannot write to $STAGE"
    fi
fi
say "staging $BLOB for $MACHINE, cycle $CYCLE"
if [ ! -d "$STAGE/started" ]; then
    ensure_venv </dev/null 3>&- 9>&- &
    VENV=$!
    PHASE='looking for the unpacked blob'
    if unpacked; then
        say 'the blob is already here, unpacked'
    else
        rm -f "$STAGE/unpacked"
        download
        unpack
    fi
    link model.zip
    link model
    PHASE="installing Python's venv"
    wait "$VENV"
    start_model
fi
watch_model
known "$STAGE/unpacked"
finish 0 "haulout: ready script=$SCRIPT pid=$PID size_bytes=$BYTES seconds=$(($(date +%s) - STARTED))${PIN:+ blob_id=$PIN}"
