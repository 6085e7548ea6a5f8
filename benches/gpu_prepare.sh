#!/usr/bin/env bash
# Puts all that benches/gpu.sh needs into target/gpu (60 MiB at most): the program, the tests of the CUDA engine and the bench,
# stripped, the peer's program, and lego at 400 x 400. Needs no GPU; run it from anywhere.
#
#   NERVE_TEST_DATA   folder with data/nerf_synthetic/lego (default: ../shared beside the clone); without it the part on lego
#                     is left out. Pillow, which makes the pictures smaller, is installed beside the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=target/gpu
rm -rf "$out"
mkdir -p "$out"

# The file that cargo has made, of those with this name.
made() {
    sed -n "s/.*\"name\":\"$1\".*\"executable\":\"\([^\"]*\)\".*/\1/p" | tail -n 1
}

# Without the viewer, which is half of the program.
nerve=$(cargo build --release --locked --no-default-features --bin nerve --message-format=json | made nerve)
tests=$(cargo test --release --locked -p nerve-core --lib --no-run --message-format=json | made nerve_core)
bench=$(cargo bench --locked --no-default-features --bench gpu --no-run --message-format=json | made gpu)
strip -o "$out/nerve" "$nerve"
strip -o "$out/core-tests" "$tests"
strip -o "$out/gpu-bench" "$bench"
cp benches/gpu.sh benches/peers/peer_nerf_torch.py "$out"

lego="${NERVE_TEST_DATA:-../shared}/data/nerf_synthetic/lego"
tools="${CARGO_TARGET_DIR:-target}/tools/pillow"
if [ ! -d "$lego" ]; then
    echo "SKIPPED lego: $lego is not there"
elif ! "$tools/bin/python" -c 'import PIL' 2>/dev/null \
    && ! { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet pillow; }; then
    echo "SKIPPED lego: Pillow cannot be installed here"
else
    "$tools/bin/python" - "$lego" "$out/lego" <<'PYTHON'
import json, pathlib, sys
from PIL import Image

source, out = map(pathlib.Path, sys.argv[1:])
for split in ["train", "test"]:
    name = f"transforms_{split}.json"
    frames = json.loads((source / name).read_text())["frames"]
    for frame in frames:
        to = (out / frame["file_path"]).with_suffix(".png")
        to.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open((source / frame["file_path"]).with_suffix(".png")).convert("RGBA")
        # Pillow weights colors by alpha.
        picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX).save(to, optimize=True)
    (out / name).write_text((source / name).read_text())
PYTHON
fi

# What another machine must have: the newest version of glibc's functions that the programs call.
if command -v objdump >/dev/null; then
    needs=$(objdump -T "$out/nerve" "$out/core-tests" "$out/gpu-bench" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    echo "$needs" >"$out/needs"
    echo "runs where glibc has ${needs:-no version}"
fi
size=$(du -sm "$out" | cut -f1)
echo "$out: $size MiB"
if [ "$size" -gt 60 ]; then
    echo "more than 60 MiB" >&2
    exit 1
fi
