#!/usr/bin/env bash
# Brings the demo up, sends messages through a real SMPP session, prints each one's life, and keeps running.
# Usage: scripts/run-demo.sh EXECUTABLE DATA-DIRECTORY
set -euo pipefail

signalbox=$1
data=$2

"$signalbox" up --data "$data" --demo &
gateway=$!
# Ctrl-C at the terminal reaches `up` as well, which stops in order; a plain kill of this script is passed on.
trap 'kill -TERM "$gateway" 2>/dev/null || true' TERM
trap : INT

started=$SECONDS
until "$signalbox" status --data "$data" --json >/dev/null 2>&1; do
    if ! kill -0 "$gateway" 2>/dev/null; then
        wait "$gateway"
        exit 1
    fi
    if [ $((SECONDS - started)) -gt 180 ]; then
        echo "The gateway is not healthy after 180 s:" >&2
        "$signalbox" status --data "$data" >&2 || true
        kill -TERM "$gateway"
        wait "$gateway" || true
        exit 1
    fi
    sleep 0.2
done

echo
echo "Sending messages over SMPP, each with its life until the report came back:"
for text in 'Hello from Signalbox' 'Grüße aus der Vermittlung' 'Второй путь свободен'; do
    "$signalbox" send --data "$data" --from Signalbox --to "467012345$((RANDOM % 90 + 10))" --text "$text" --wait
done
echo
"$signalbox" status --data "$data"
echo "The gateway keeps running; Ctrl-C stops it."

# `wait` returns early for each trapped signal.
while kill -0 "$gateway" 2>/dev/null; do wait "$gateway" && break || true; done
