"""What a run ran on: the machine, and the versions of whatever can move a value. Nothing is imported to find out."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch_zoo
from torch_zoo.utils.devices import cpu_cores, visible_gpus

LIBRARIES = (
    *("torch", "torchvision", "numpy", "av", "soundfile", "soxr", "resampy", "opencv-contrib-python-headless"),
    *("pillow", "imageio-ffmpeg", "ffmpeg-python", "pyarrow", "h5py", "webdataset", "ray"),
)


CPU_FLAGS = (
    "sse4_1 avx2 fma avx512f avx512_vnni avx512_bf16 avx512_fp16 amx_bf16 asimd sve bf16".split()
)  # of /proc/cpuinfo
OVERRIDES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE")  # what torch makes of them


def versions() -> dict[str, str]:
    """Of Torch Zoo, Python, and the libraries that are installed."""
    found = {"torch-zoo": torch_zoo.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, object]:
    """Of the driver; with engine=ray, workers may be on others."""
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in (_cpu("flags") or _cpu("Features")).split()],
        "environment": {name: os.environ[name] for name in OVERRIDES if name in os.environ},
        "cores": cpu_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": _gpus(),
    }


def _cpu(key: str) -> str:
    """A line of /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(": ")[2] for line in lines if line.startswith(key)), "")


def _gpus() -> list[str]:
    """Names of the CUDA devices that this process may use."""
    name = ctypes.create_string_buffer(256)
    found = []
    for index in range(visible_gpus()):
        driver = ctypes.CDLL("libcuda.so.1")
        device = ctypes.c_int()
        if driver.cuDeviceGet(ctypes.byref(device), index) == 0 and driver.cuDeviceGetName(name, 256, device) == 0:
            found.append(name.value.decode(errors="replace"))
    return found
