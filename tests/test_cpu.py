"""What the CPU is asked: one place knows what it computes natively, and says what it only emulates."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from torch_zoo.utils import cpu
from torch_zoo.utils.devices import DeviceModel

pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration")  # raised by torch.backends.mkldnn.flags

QUESTIONS = "from torch_zoo.utils import cpu; print(cpu.has_packed_products(), cpu.is_native('bf16'))"


@pytest.fixture(autouse=True)
def unwarned():
    cpu.warn_if_emulated.cache_clear()
    yield
    cpu.warn_if_emulated.cache_clear()


def test_fp32_is_native_everywhere():
    with torch.backends.mkldnn.flags(enabled=False):
        assert cpu.is_native("fp32") and cpu.is_native("tf32")


def test_without_onednn_nothing_is_packed_and_half_precision_is_emulated():
    with torch.backends.mkldnn.flags(enabled=False):
        assert not cpu.has_packed_products()
        assert not cpu.is_native("bf16") and not cpu.is_native("fp16")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names instruction sets of x86-64")
@pytest.mark.parametrize(("vectors", "isa", "packed"), [("avx2", "AVX2", True), ("default", "SSE41", False)])
def test_the_limits_that_torch_and_onednn_take_are_respected(vectors, isa, packed):
    if packed and not torch.cpu._is_avx2_supported():
        pytest.skip("this CPU has no AVX2")
    limits = {**os.environ, "ATEN_CPU_CAPABILITY": vectors, "ONEDNN_MAX_CPU_ISA": isa}
    answers = subprocess.run([sys.executable, "-c", QUESTIONS], env=limits, capture_output=True, text=True, check=True)
    assert answers.stdout.split() == [str(packed), "False"]


def test_avx512_without_bf16_is_emulated_though_onednn_accepts_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not cpu.is_native("bf16")


def test_emulation_is_logged_once_with_advice(caplog):
    batch = np.ones((1, 2, 4, 4), np.float32)
    with caplog.at_level(logging.WARNING), torch.backends.mkldnn.flags(enabled=False):
        for precision in ("bf16", "fp32", "bf16"):
            outputs = DeviceModel(torch.nn.Conv2d(2, 3, 1), "cpu", precision)(batch)()
            assert outputs.dtype == np.float32
    assert [record.getMessage() for record in caplog.records] == [
        "precision=bf16: this CPU has no bf16 instructions and emulates them; precision=fp32 is faster and more exact"
    ]
