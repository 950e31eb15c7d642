#!/usr/bin/env bash
# Runs the gateway's tests, two files at a time: scripts/test-integration.sh PATH...
#
# Two gateways, two databases and whatever else the tests bring share the machine then, and a limit of time that is generous otherwise
# may be missed. So files with a failure, if they are few, are run once more, whole and with nothing beside them. What fails there too
# has failed; what does not is named, and is worth a look: either the test's patience or the gateway was at fault.
set -uo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
"$python" -m pytest --rootdir . -o cache_dir=.pytest_cache -n 2 --dist loadfile --cache-clear -r N "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status" # all passed, or the run itself went wrong

mapfile -t failed < <("$python" - <<'END'
import json, pathlib
failed = json.loads(pathlib.Path(".pytest_cache/v/cache/lastfailed").read_text())
print("\n".join(sorted({test.split("::")[0] for test in failed})))
END
)
if [ "${#failed[@]}" -eq 0 ] || [ "${#failed[@]}" -gt 3 ]; then
    echo "failures in ${#failed[@]} files, too many to be chance" >&2
    exit 1
fi
echo "failed beside others, and run again alone: ${failed[*]}"
exec "$python" -m pytest --rootdir . "${failed[@]}"
