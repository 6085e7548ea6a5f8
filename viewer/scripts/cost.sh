#!/usr/bin/env bash
# What a saved recording costs a training: the same run with --viewer off and save, in turns; the ratio of their
# throughputs (steps a second, the program's start and the photographs included), its checkpoint, and its size.
#
#   viewer/scripts/cost.sh [SCENE] [STEPS] [TURNS]          default: demo 1500 5
#
# Needs target/release/nerve, and a machine that has nothing else to do.
set -euo pipefail
nerve=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../target/release/nerve")
scene=${1:-demo} steps=${2:-1500} turns=${3:-5}
[[ $scene == demo ]] || scene=$(realpath "$scene")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
run() {
    local start=$EPOCHREALTIME
    "$nerve" train "$scene" --steps "$steps" --no-eval --out "$1" --overwrite --viewer "$1" >/dev/null 2>"$1.log"
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'
}
ratios=()
for turn in $(seq "$turns"); do
    # Whichever comes second may have a warmer machine.
    if (( turn % 2 )); then off=$(run off) save=$(run save); else save=$(run save) off=$(run off); fi
    ratios+=("$(awk -v a="$off" -v b="$save" 'BEGIN { printf "%.4f", a / b }')")
    printf 'turn %d: off %s s, save %s s, throughput with save %s\n' "$turn" "$off" "$save" "${ratios[-1]}"
done
printf '%s\n' "${ratios[@]}" | sort -n | awk '{ r[NR] = $1 } END { print "median throughput with save:", r[int((NR + 1) / 2)], "(at least 0.95 is wanted)" }'
du -b save/recording.rrd | awk '{ printf "recording: %.1f MB\n", $1 / 1e6 }'
