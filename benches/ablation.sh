#!/bin/sh
# Each option for real captures alone, and all together, on one scene: held-out PSNR and SSIM, and training time.
#
#   benches/ablation.sh OUT SCENE [flags of `nerve train` for every run, such as --downscale 4 --steps 2000]
#
# Runs that are finished are not repeated, so that an interrupted ablation goes on where it was. `NERVE` names the
# program, `cargo build --release` makes it; `OPTIONS` names some of the rows only.
set -eu
[ $# -ge 2 ] || { sed -n '4,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
nerve=${NERVE:-target/release/nerve}
out=$1 scene=$2
shift 2

# Each option alone: the points of a scene that has them are learnt from by default.
flags() {
    case $1 in
        plain) echo --depth 0 ;;
        appearance) echo --depth 0 --appearance ;;
        refine-poses) echo --depth 0 --refine-poses ;;
        distortion) echo --depth 0 --distortion 0.01 ;;
        depth) echo --depth 0.1 ;;
        all) echo --depth 0 --appearance --refine-poses --distortion 0.01 ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
}

# The run's own figures stand before those of its views.
value() { sed -n "/\"views\"/q; s/^  \"$2\": \([-0-9.e]*\),*$/\1/p" "$1/eval.json"; }

printf '%-14s %8s %8s %8s %8s %8s\n' option PSNR SSIM aligned fitted seconds
for option in ${OPTIONS:-plain appearance refine-poses distortion depth all}; do
    run=$out/$option
    if [ ! -e "$run/eval.json" ]; then
        if [ -e "$run/config.toml" ]; then
            "$nerve" resume "$run" >"$run.log" 2>&1
        else
            mkdir -p "$out"
            # shellcheck disable=SC2046 # the flags are words
            "$nerve" train "$scene" --out "$run" "$@" $(flags "$option") >"$run.log" 2>&1
        fi || { printf '%-14s %s\n' "$option" "$(tail -n 1 "$run.log")"; continue; }
    fi
    printf '%-14s %8.2f %8.4f %8s %8s %8.0f\n' "$option" "$(value "$run" psnr)" "$(value "$run" ssim)" \
        "$(value "$run" aligned | cut -c1-5)" "$(value "$run" fitted | cut -c1-5)" "$(value "$run" seconds)"
done
