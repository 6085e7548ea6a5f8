#!/usr/bin/env bash
# What the CUDA engine does on a GPU, in less than 8 minutes: tests on the device, speed, quality beside the CPU, a peer.
# benches/gpu_prepare.sh makes the folder that this runs in, target/gpu; nothing else is needed there but a driver.
#
#   bash target/gpu/gpu.sh [OUT]     results in OUT (default: a fresh folder), one table at the end
#   NERVE_GPU_DEVICE=cpu             tries the script without a GPU
#   NERVE_GPU_QUICK=1                a few steps of everything
#
# What a machine lacks is SKIPPED and said; the exit code is 1 where something FAILED.
set -uo pipefail

device="${NERVE_GPU_DEVICE:-cuda:0}"
out=${1:-$(mktemp -d)}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
table="$out/table.md"
steps=1500 time=60s bench_steps=200 warmup=100 pictures=20
if [ -n "${NERVE_GPU_QUICK:-}" ]; then
    steps=20 time=2s bench_steps=2 warmup=1 pictures=1
fi
# Past this second nothing more is begun.
last=430
failures=0
: >"$table"
# The driver keeps the kernels that it has compiled here, for all programs below.
export CUDA_CACHE_PATH="$out/cache"
# Where containers have the driver's libraries though the loader does not look there.
for folder in /usr/local/nvidia/lib64 /usr/lib/wsl/lib; do
    [ -d "$folder" ] && export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done

row() { printf '| %s | %s | %s |\n' "$@" >>"$table"; }

# try SECONDS NAME COMMAND...: into OUT/NAME.log; past the script's time it is skipped. Its code is that of the command.
try() {
    local limit=$1 name=$2
    shift 2
    if [ $SECONDS -gt $last ]; then
        row "$name" SKIPPED "the script's time is up"
        return 99
    fi
    local since=$SECONDS
    printf '==> %s: %s\n' "$name" "$*"
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    local code=$?
    printf '    code %d after %d s\n' "$code" "$((SECONDS - since))"
    [ $code -eq 0 ] || tail -n 15 "$out/$name.log"
    return $code
}

# run: as try, and what fails is a failure.
run() {
    try "$@"
    local code=$?
    if [ $code -ne 0 ] && [ $code -ne 99 ]; then
        failures=$((failures + 1))
        row "$2" FAILED "code $code: $(tail -n 1 "$out/$2.log" | tr '|' '/')"
    fi
    return $code
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

common=(--steps "$steps" --seed 1 --viewer off)
# The training that the GPU and the CPU are compared by.
on_gpu() { run 120 "$1-gpu" ./nerve train "$2" "${common[@]}" --device "$device" --out "$out/$1-gpu"; }
# The same on the CPU, as long as the script's time lasts: a slow CPU is no failure of the GPU's.
on_cpu() {
    [ -f "$out/$1-gpu/eval.json" ] || return
    local left=$((last + 40 - SECONDS))
    try "$((left > 20 ? left : 20))" "$1-cpu" ./nerve train "$2" "${common[@]}" --device cpu --out "$out/$1-cpu"
    case $? in
    0)
        local gpu cpu
        gpu=$(psnr "$1-gpu") cpu=$(psnr "$1-cpu")
        row "$1, $steps steps, PSNR on $device and on the CPU" "$gpu and $cpu dB" \
            "$(awk -v a="$gpu" -v b="$cpu" 'BEGIN { d = a - b; if (d < 0) d = -d; print (d <= 0.2 ? "ok" : "MORE THAN 0.2 dB APART") }')"
        ;;
    99) ;;
    124) row "$1, $steps steps" "$(psnr "$1-gpu") dB on $device" "the CPU was too slow to compare with" ;;
    *)
        failures=$((failures + 1))
        row "$1-cpu" FAILED "$(tail -n 1 "$out/$1-cpu.log" | tr '|' '/')"
        ;;
    esac
}

if ! ./nerve --version >"$out/version.log" 2>&1; then
    cat "$out/version.log"
    echo "the program does not start here. It needs $(cat needs 2>/dev/null || echo glibc); this is $(ldd --version 2>&1 | head -n 1)." \
        "Run benches/gpu_prepare.sh on a system that is no newer than this one."
    exit 1
fi
nvidia-smi 2>/dev/null | tee "$out/nvidia-smi.log"
try 120 doctor ./nerve doctor --device "$device"
usable=$?
grep -E '^(device|processor|cores|CUDA)|^ +cuda:' "$out/doctor.log"
if [ $usable -ne 0 ]; then
    echo "$device cannot be used: nothing to measure"
    exit 1
fi

if [ "$device" = cpu ]; then
    row "tests on the device" SKIPPED "no GPU"
else
    number=${device#cuda}
    number=${number#:}
    if NERVE_TEST_CUDA="${number:-0}" run 150 tests ./core-tests engine::cuda --test-threads 1; then
        row "tests on the device" ok "$(grep -o '[0-9]* passed' "$out/tests.log" | tail -n 1)"
    fi
fi

precisions=(f16 f32)
[ "$device" = cpu ] && precisions=(f32)
for precision in "${precisions[@]}"; do
    step=(./gpu-bench step --device "$device" --precision "$precision" --steps "$bench_steps" --warmup "$warmup")
    if run 40 "step-$precision" "${step[@]}"; then
        rows "step-$precision"
        NERVE_CUDA_SYNC=time run 40 "kernels-$precision" "${step[@]}"
    fi
done

on_gpu demo demo
if [ -d lego ]; then
    on_gpu lego lego
    if run 150 lego-time ./nerve train lego --device "$device" --time "$time" --batch-samples 262144 --eval-every 500 \
        --seed 1 --viewer off --out "$out/lego-time"; then
        row "lego 400x400, $time, 2^18 samples a step" "$(psnr lego-time) dB" \
            "$(grep -o '"samples_per_s":[0-9]*' "$out/lego-time/metrics.jsonl" | tail -n 1 | cut -d: -f2 |
                awk '{ printf "%.1f M samples/s at the end", $1 / 1e6 }')"
        for db in 33 34 35; do
            seconds=$(reached lego-time $db)
            row "lego, time to $db dB" "${seconds:-not reached}" "training alone, evaluated every 500 steps"
        done
        run 60 pictures ./gpu-bench pictures "$out/lego-time" --device "$device" --count "$pictures" && rows pictures
    fi
else
    row lego SKIPPED "no folder lego"
fi

if [ "$device" != cpu ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    peer=(python3 peer_nerf_torch.py --device cuda --rays 8192 --samples 32 --impl loop --runs 20 --warmup 5)
    if try 60 peer "${peer[@]}" --compile; then
        row "peer: PyTorch, compiled, the same step" "$(tail -n 1 "$out/peer.log" | tr '|' '/')" ""
    elif try 60 peer-eager "${peer[@]}"; then
        row "peer: PyTorch, the same step" "$(tail -n 1 "$out/peer-eager.log" | tr '|' '/')" "it does not compile here"
    else
        row "peer: PyTorch" SKIPPED "it fails here: see peer-eager.log"
    fi
else
    row "peer: PyTorch" SKIPPED "no torch with CUDA in python3"
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

on_cpu demo demo
[ -d lego ] && on_cpu lego lego

# Tables and logs are what somebody wants; checkpoints are large.
find "$out" -name '*.safetensors' -delete
rm -rf "$out/cache"

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
