#!/usr/bin/env bash
# Shows a recording in the native viewer, without a screen, and takes a picture of it.
#
#   viewer/scripts/screenshot.sh FILE.rrd OUT.png [WIDTHxHEIGHT]
#
# Needs `rerun` (pip install rerun-sdk==0.36.3), and of Debian's packages xvfb, xdotool, libvulkan1,
# mesa-vulkan-drivers (a Vulkan driver in software) and libxkbcommon-x11-0.
set -euo pipefail
if (( $# < 2 || $# > 3 )); then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
file=$(realpath "$1")
png=$(realpath -m "$2")
size=${3:-1500x850}
for program in rerun Xvfb xdotool; do
    command -v "$program" >/dev/null || { echo "screenshot: $program is missing, see $0" >&2; exit 1; }
done

# A server and a home of its own: the user's window, settings and consent to analytics stay as they are.
folder=$(mktemp -d)
mkdir -p "$folder/home/.config/rerun" "$folder/home/.local/share"
# It lives on between two clients, or the pointer would go back to the middle.
Xvfb -noreset -displayfd 3 -screen 0 3200x1800x24 3>"$folder/display" 2>/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [[ -s $folder/display ]] && break; sleep 0.1; done
export DISPLAY=":$(<"$folder/display")" HOME="$folder/home" WINIT_X11_SCALE_FACTOR=1
unset WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME
rerun analytics disable >/dev/null 2>&1 || true
# Out of the way of what would light up under it.
xdotool mousemove 3199 1799

rm -f "$png"
# The viewer panics at its end, after the picture has been written: the picture is what counts.
timeout 300 rerun "$file" --port auto --renderer vulkan --window-size "$size" --hide-welcome-screen \
    --screenshot-to "$png" >"$folder/log" 2>&1 || true
if [[ ! -s $png ]]; then
    echo "screenshot: no picture was taken:" >&2
    tail -20 "$folder/log" >&2
    exit 1
fi
echo "$png"
