# shellcheck shell=sh disable=SC2034,SC2154
# The order of things. Each step can be repeated: a copy of this command that comes after one that was killed
# goes on from the bytes that are there, and never starts the model's script a second time.

cd /
take_lock
if [ "$(cat "$STAGE/attempt" 2>/dev/null)" = "$KEY" ]; then
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
    if ! { printf '%s\n' "$KEY" >"$STAGE/attempt.new" && mv "$STAGE/attempt.new" "$STAGE/attempt"; }; then
        no_room "cannot write to $STAGE"
    fi
fi
say "staging $BLOB for $MACHINE, attempt $ATTEMPT"
if [ ! -d "$STAGE/started" ]; then
    ensure_venv </dev/null 3>&- 9>&- &
    VENV=$!
    download
    unpack
    PHASE="installing Python's venv"
    wait "$VENV"
    start_model
fi
watch_model
size "$STAGE/model.zip"
finish 0 "haulout: ready script=$SCRIPT pid=$PID size_bytes=$SIZE seconds=$(($(date +%s) - STARTED))${PIN:+ blob_id=$PIN}"
