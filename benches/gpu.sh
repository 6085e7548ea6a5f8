#!/usr/bin/env bash
# What the CUDA engine does on a GPU, in less than 8 minutes: tests on the device, quality beside the CPU, speed, a peer.
# benches/gpu_prepare.sh makes the folder that this runs in, target/gpu; nothing else is needed there but a driver.
#
#   bash target/gpu/gpu.sh [OUT]     results in OUT (default: a fresh folder), one table at the end
#   NERVE_GPU_DEVICE=cpu             tries the script without a GPU
#   NERVE_GPU_QUICK=1                a few steps of everything
set -uo pipefail

device="${NERVE_GPU_DEVICE:-cuda:0}"
out=${1:-$(mktemp -d)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
table="$out/table.md"
steps=1500 time=60s bench_steps=200 warmup=100 pictures=20
if [ -n "${NERVE_GPU_QUICK:-}" ]; then
    steps=20 time=2s bench_steps=2 warmup=1 pictures=1
fi
failures=0
: >"$table"

row() { printf '| %s | %s | %s |\n' "$@" >>"$table"; }

# run SECONDS NAME COMMAND...: into OUT/NAME.log; past the script's time it is skipped.
run() {
    local limit=$1 name=$2
    shift 2
    if [ $SECONDS -gt 430 ]; then
        row "$name" SKIPPED "the script's time is up"
        return 1
    fi
    local since=$SECONDS
    printf '==> %s: %s\n' "$name" "$*"
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    local code=$?
    if [ $code -ne 0 ]; then
        failures=$((failures + 1))
        tail -n 15 "$out/$name.log"
        row "$name" FAILED "code $code after $((SECONDS - since)) s: $(tail -n 1 "$out/$name.log" | tr '|' '/')"
        return 1
    fi
    printf '    %d s\n' "$((SECONDS - since))"
}

# The bench's lines are rows; kernels' times come after them.
rows() { grep '^|' "$out/$1.log" >>"$table"; }

# psnr RUN: of its last evaluation.
psnr() { sed -n 's/^ *"psnr": *\([0-9.]*\),*$/\1/p' "$out/$1/eval.json" | head -n 1; }

# Seconds of training at the first evaluation that reaches so many dB.
reached() {
    awk -v want="$2" 'match($0, /"eval\/psnr":[0-9.]+/) {
        value = substr($0, RSTART + 12, RLENGTH - 12)
        match($0, /"elapsed":[0-9.]+/)
        if (value >= want) { printf "%.1f s", substr($0, RSTART + 10, RLENGTH - 10); exit }
    }' "$out/$1/metrics.jsonl"
}

# The same training on the GPU and on the CPU.
pair() {
    local name=$1 scene=$2
    local common=(--steps "$steps" --seed 1 --viewer off)
    run 150 "$name-gpu" ./nerve train "$scene" "${common[@]}" --device "$device" --out "$out/$name-gpu" || return
    run 150 "$name-cpu" ./nerve train "$scene" "${common[@]}" --device cpu --out "$out/$name-cpu" || return
    local gpu cpu
    gpu=$(psnr "$name-gpu") cpu=$(psnr "$name-cpu")
    row "$name, $steps steps, PSNR on $device and on the CPU" "$gpu and $cpu dB" \
        "$(awk -v a="$gpu" -v b="$cpu" 'BEGIN { d = a - b; if (d < 0) d = -d; print (d <= 0.2 ? "ok" : "MORE THAN 0.2 dB APART") }')"
}

nvidia-smi 2>/dev/null | tee "$out/nvidia-smi.log"
run 60 doctor ./nerve doctor --device "$device" && grep -E '^(device|processor|cores|CUDA)|^ +cuda:' "$out/doctor.log"
if [ "$device" != cpu ] && ! ./nerve doctor --device "$device" >/dev/null 2>&1; then
    echo "$device cannot be used: nothing to measure"
    exit 1
fi

if [ "$device" = cpu ]; then
    row "tests on the device" SKIPPED "no GPU"
else
    if NERVE_TEST_CUDA="${device#cuda:}" run 120 tests ./core-tests engine::cuda --skip faults --test-threads 1; then
        row "tests on the device" ok "$(grep -o '[0-9]* passed' "$out/tests.log" | tail -n 1)"
    fi
fi

if [ "$device" != cpu ] && command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        run 60 "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 \
            ./gpu-bench step --device "$device" --samples 4096 --log2-entries 14 --warmup 0 --steps 1 &&
            row "$tool of one step" ok "$(tail -n 1 "$out/$tool.log")"
    done
else
    row "memcheck, racecheck" SKIPPED "no compute-sanitizer on the PATH, or no GPU"
fi

precisions=(f16 f32)
[ "$device" = cpu ] && precisions=(f32)
for precision in "${precisions[@]}"; do
    step=(./gpu-bench step --device "$device" --precision "$precision" --steps "$bench_steps" --warmup "$warmup")
    run 40 "step-$precision" "${step[@]}" && rows "step-$precision"
    NERVE_CUDA_SYNC=time run 40 "kernels-$precision" "${step[@]}"
done

pair demo demo
if [ -d lego ]; then
    pair lego lego
    if run 150 lego-time ./nerve train lego --device "$device" --time "$time" --batch-samples 262144 --eval-every 500 \
        --seed 1 --viewer off --out "$out/lego-time"; then
        row "lego 400x400, $time, 2^18 samples a step" "$(psnr lego-time) dB" \
            "$(grep -o '"samples_per_s":[0-9]*' "$out/lego-time/metrics.jsonl" | tail -n 1 | cut -d: -f2 |
                awk '{ printf "%.1f M samples/s at the end", $1 / 1e6 }')"
        for db in 33 34 35; do
            row "lego, time to $db dB" "$(reached lego-time $db || true)" "training alone, evaluated every 500 steps"
        done
        run 60 pictures ./gpu-bench pictures "$out/lego-time" --device "$device" --count "$pictures" && rows pictures
    fi
else
    row lego SKIPPED "no folder lego"
fi

if [ "$device" != cpu ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    peer=(python3 peer_nerf_torch.py --device cuda --rays 8192 --samples 32 --impl loop --runs 20 --warmup 5)
    if run 60 peer "${peer[@]}" --compile || run 60 peer-eager "${peer[@]}"; then
        row "peer: PyTorch, the same step" "$(tail -n 1 "$out"/peer*.log | tail -n 1 | tr '|' '/')" ""
    fi
else
    row "peer: PyTorch" SKIPPED "no torch with CUDA in python3"
fi

printf '\n%s, %s, %s s\n\n' "$(sed -n 's/^CUDA  *//p' "$out/doctor.log" | head -n 1)" \
    "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)" "$SECONDS"
printf '| what | result | |\n|---|---|---|\n'
cat "$table"
for precision in "${precisions[@]}"; do
    if grep -q launches "$out/kernels-$precision.log" 2>/dev/null; then
        printf '\nkernels in %s, each waited for, over %s steps:\n\n| kernel | launches | each | in all |\n|---|---|---|---|\n' \
            "$precision" "$((bench_steps + warmup))"
        grep launches "$out/kernels-$precision.log"
    fi
done
[ $failures -eq 0 ]
