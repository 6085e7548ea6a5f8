#!/usr/bin/env python3
"""Compiles the kernels to PTX without a GPU or a CUDA toolkit.

    python3 -m venv venv
    venv/bin/pip install nvidia-cuda-nvrtc-cu12==12.4.127 nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131
    venv/bin/python core/src/gpu/compile.py            # writes kernels.ptx.gz, prints ptxas's report
    venv/bin/python core/src/gpu/compile.py --check    # fails if that differs from what is committed

Warnings are errors. A kernel that spills registers or takes more of them than LIMITS says is one, too.
"""

import argparse
import ctypes
import gzip
import pathlib
import re
import stat
import subprocess
import sys
import sysconfig
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent
OUT = HERE / "kernels.ptx.gz"
ARCHITECTURE = "compute_80"
# What ptxas lays out registers for.
REPORTED = ["sm_80", "sm_90"]
# Most registers a thread, and bytes spilled; of kernels that are not named, the first line's.
LIMITS = {"": (128, 128), "backward_f16": (200, 0), "backward_f32": (255, 0)}


def sources():
    """All files that the kernels are made of, by their path below core/src."""
    found = [*SOURCE.glob("gpu/*.cu"), *SOURCE.glob("gpu/device/*.cuh"), *SOURCE.glob("ops/*/kernel.cu")]
    return sorted(found, key=lambda path: path.relative_to(SOURCE).as_posix())


def fingerprint():
    """CRC-32 of paths and contents; core/src/gpu/ptx.rs computes the same."""
    crc = 0
    for path in sources():
        name = path.relative_to(SOURCE).as_posix().encode()
        crc = zlib.crc32(name + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0", crc)
    return f"{crc:08x}"


def packages():
    """The folder `nvidia` of the environment that this runs in."""
    folder = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    if not (folder / "cuda_nvrtc").is_dir():
        sys.exit(f"{folder} has no cuda_nvrtc: install the packages that `{pathlib.Path(__file__).name} --help` names")
    return folder


def compile_ptx(nvidia):
    """NVRTC's PTX of all kernels."""
    lib = ctypes.CDLL(str(next((nvidia / "cuda_nvrtc/lib").glob("libnvrtc.so.*"))))
    options = [
        f"--gpu-architecture={ARCHITECTURE}",
        "--std=c++17",
        "-default-device",
        "--extra-device-vectorization",
        f"-I{nvidia / 'cuda_runtime/include'}",
        f"-I{nvidia / 'cuda_nvcc/include'}",
        f"-I{HERE / 'device'}",
    ]
    # NVRTC reads the unit from memory; what it includes, from disk.
    unit = "\n".join(f'#include "{path.resolve()}"' for path in unit_files())
    program = ctypes.c_void_p()
    code = lib.nvrtcCreateProgram(ctypes.byref(program), unit.encode(), b"kernels.cu", 0, None, None)
    assert code == 0, code
    arguments = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    code = lib.nvrtcCompileProgram(program, len(options), arguments)
    size = ctypes.c_size_t()
    lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetProgramLog(program, log)
    text = log.value.decode().strip()
    if code != 0 or "warning" in text:
        sys.exit(text or f"NVRTC failed with {code}")
    lib.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetPTX(program, ptx)
    return ptx.value.decode()


def unit_files():
    """The files of gpu/kernels.cu, in its order."""
    lines = re.findall(r'^#include "(.+)"', (HERE / "kernels.cu").read_text(), re.MULTILINE)
    return [HERE / line for line in lines]


def report(nvidia, ptx):
    """Prints what ptxas says of each kernel; True if all keep to their limits."""
    ptxas = nvidia / "cuda_nvcc/bin/ptxas"
    ptxas.chmod(ptxas.stat().st_mode | stat.S_IXUSR)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernels.ptx"
        path.write_text(ptx)
        for arch in REPORTED:
            done = subprocess.run(
                [ptxas, "-v", f"-arch={arch}", "-o", pathlib.Path(folder) / "out", path], capture_output=True, text=True
            )
            if done.returncode != 0:
                sys.exit(done.stdout + done.stderr)
            found = []
            for part in done.stderr.split("Compiling entry function")[1:]:
                number = lambda pattern: sum(map(int, re.findall(pattern, part)))
                spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
                name = re.search(r"'(\w+)'", part)[1]
                found.append((name, number(r"Used (\d+) registers"), spilled, number(r"(\d+) bytes smem")))
            print(f"{arch:6}  {'kernel':24} registers  spilled  shared")
            for name, registers, spilled, shared in sorted(found):
                most, spill = LIMITS.get(name, LIMITS[""])
                over = registers > most or spilled > spill
                good = good and not over
                print(f"{'':6}  {name:26} {registers:>7} {spilled:>8} {shared:>7}{'  OVER ITS LIMIT' if over else ''}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    arguments = parser.parse_args()
    nvidia = packages()
    ptx = f"// Made by compile.py of sources {fingerprint()}.\n" + compile_ptx(nvidia)
    good = report(nvidia, ptx)
    if arguments.check:
        old = gzip.decompress(OUT.read_bytes()).decode() if OUT.exists() else ""
        if old != ptx:
            sys.exit(f"{OUT.name} is not what its sources give: run compile.py and commit it")
    else:
        OUT.write_bytes(gzip.compress(ptx.encode(), 9, mtime=0))
        print(f"{OUT.name}: {len(ptx)} bytes of PTX, {OUT.stat().st_size} compressed, sources {fingerprint()}")
    if not good:
        sys.exit("a kernel is over its limit")


if __name__ == "__main__":
    main()
