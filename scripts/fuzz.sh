#!/usr/bin/env bash
# Fuzzes the SMPP codec, the receipt and header parsers and the session machine with libFuzzer.
#   scripts/fuzz.sh [RUNS for each target] [TARGET ...]
#   SIGNALBOX_FUZZ_LEAKS=1 scripts/fuzz.sh [...]   with AddressSanitizer: what is read or freed wrongly, or leaks, fails the run too
# Inputs that were found go to .build/fuzz-corpus; what breaks something stays as .build/fuzz-corpus/crash-* and fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-2500000}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(pdu receipt udh session)
export SWIFT_BACKTRACE=enable=no
sanitizers=(-Xswiftc -sanitize=fuzzer) place=.build/fuzz limit=2048
if [ -n "${SIGNALBOX_FUZZ_LEAKS:-}" ]; then
    sanitizers=(--sanitize address -Xswiftc -sanitize=fuzzer) place=.build/fuzz-leaks limit=4096
    # Inputs come one after the other: what one left behind is looked for every so often, and at the end.
    export ASAN_OPTIONS=detect_leaks=1
fi
SIGNALBOX_FUZZ=1 swift build -c release --scratch-path "$place" --product fuzz-smpp "${sanitizers[@]}"
binary=$place/release/fuzz-smpp
mkdir -p .build/fuzz-corpus
for target in "${targets[@]}"; do
    found=.build/fuzz-corpus/$target
    mkdir -p "$found"
    echo "== $target: $runs executions"
    SIGNALBOX_FUZZ_TARGET=$target "$binary" -runs="$runs" -max_len=2048 -timeout=5 -rss_limit_mb="$limit" -print_final_stats=1 \
        -verbosity=0 -artifact_prefix=.build/fuzz-corpus/crash-"$target"- "$found" "Tests/Fuzz/Replay/corpus/$target"
done
