#!/usr/bin/env bash
# Fuzzes the SMPP codec, the receipt and header parsers and the session machine with libFuzzer.
#   scripts/fuzz.sh [RUNS for each target] [TARGET ...]
# Inputs that were found go to .build/fuzz-corpus; what breaks something stays as .build/fuzz-corpus/crash-* and fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-2500000}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(pdu receipt udh session)
export SWIFT_BACKTRACE=enable=no
SIGNALBOX_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product fuzz-smpp -Xswiftc -sanitize=fuzzer
binary=.build/fuzz/release/fuzz-smpp
mkdir -p .build/fuzz-corpus
for target in "${targets[@]}"; do
    found=.build/fuzz-corpus/$target
    mkdir -p "$found"
    echo "== $target: $runs executions"
    SIGNALBOX_FUZZ_TARGET=$target "$binary" -runs="$runs" -max_len=2048 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix=.build/fuzz-corpus/crash-"$target"- "$found" "Tests/Fuzz/Replay/corpus/$target"
done
