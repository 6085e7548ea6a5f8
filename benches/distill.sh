#!/usr/bin/env bash
# Rivals on one trained field: distilled layers of every form, their quality and the processor's seconds for the held-out views.
#   benches/distill.sh NERVE RUN OUT [LAYERS]
# RUN is a classic field's; OUT gets a run for each form and rivals.tsv, which distill_plot.py draws.
set -euo pipefail
nerve=$1 run=$2 out=$3 layers=${4:-trunk.1,trunk.3,trunk.6}
mkdir -p "$out"
table=$out/rivals.tsv
printf 'form\tpsnr\tparameters\tuser_s\tdistill_s\n' >"$table"

measure() { # NAME RUN DISTILL_SECONDS
    local seconds psnr parameters
    seconds=$( { TIMEFORMAT=%U; time "$nerve" eval "$2" --threads 1 --viewer off >"$out/$1.txt" 2>&1; } 2>&1 )
    read -r psnr parameters < <(python3 -c 'import json, sys
e = json.load(open(sys.argv[1]))
print(e["psnr"], e["field"]["parameters"])' "$2/eval.json")
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$psnr" "$parameters" "$seconds" "$3" | tee -a "$table"
}

distilled() { # NAME FLAGS...
    local name=$1
    shift
    [ -e "$out/$name/distill.json" ] || "$nerve" distill "$run" --layers "$layers" "$@" --out "$out/$name" >"$out/$name.log" 2>&1
    measure "$name" "$out/$name" "$(sed -n 's/^  "seconds": *\([0-9.]*\).*/\1/p' "$out/$name/distill.json")"
}

measure full "$run" 0
distilled eugen-64 --m 64
distilled low-rank-64 --form low-rank --m 64
distilled thin-64 --form thin --m 64
distilled int8 --form int8
distilled eugen-64-trained --m 64 --train-g 300
distilled eugen-128 --m 128
distilled thin-128 --form thin --m 128
distilled low-rank-128 --form low-rank --m 128
measure full-again "$run" 0
