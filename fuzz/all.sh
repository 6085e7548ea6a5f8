#!/usr/bin/env bash
# Runs every target for so many seconds each, one after another: fuzz/all.sh [SECONDS] [TARGET...]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export RUSTC_BOOTSTRAP=1
seconds=${1:-3600}
shift
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)
failed=0
for target; do
    mkdir -p "corpus/$target"
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 || failed=1
done
exit $failed
