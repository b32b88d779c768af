"""Several processes train the network that one would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import together
import torch
from command import ROOT

from torch_zoo.utils.training import processes
from torch_zoo.utils.training.fit import Recipe
from torch_zoo.utils.types import UsageError

ROUNDING = 1e-12  # of float64, over a few steps


def torchrun(*arguments: object, number: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}"]
    command += map(str, arguments)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def together_saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("together") / "found.pt"
    result = torchrun(Path(together.__file__), path)
    assert result.returncode == 0, result.stderr
    return torch.load(path, weights_only=True)


def test_two_processes_get_the_network_of_one(together_saved):
    alone, validation, _ = together.trained()
    assert together_saved["examples"] == [4 * together.STEPS, 3 * together.STEPS]
    state = together_saved["state"]
    assert list(state) == list(alone.state_dict())
    for name, exact in alone.state_dict().items():
        np.testing.assert_allclose(state[name], exact, rtol=0, atol=ROUNDING, err_msg=name)
    assert together_saved["validation"] == pytest.approx([validation.accuracy, validation.mean_average_precision])


def test_the_comparison_would_notice_separate_batch_statistics():
    """Else batch norms of half the batch would pass the test above."""
    whole, model = together.batch(0), together.network()
    maps = torch.from_numpy(whole.inputs)
    halves = torch.cat([model[:2](maps[0::2]), model[:2](maps[1::2])])
    both = torch.cat([model[:2](maps)[0::2], model[:2](maps)[1::2]])
    assert (halves - both).abs().max().item() > 1e6 * ROUNDING


def test_every_process_needs_a_clip_of_each_batch(monkeypatch):
    recipe = Recipe(
        epochs=1, batch_size=3, learning_rate=0.1, warmup_epochs=1, decay="cosine", precision="fp32", seed=0
    )
    monkeypatch.setattr(processes, "number", lambda: 4)
    with pytest.raises(UsageError, match="9 clips in batches of 3 are too few for 4 processes"):
        recipe.learner(together.network(), clips=9)


def test_one_process_needs_no_others():
    with processes.joined("cpu") as device:
        assert (device, processes.rank(), processes.number(), processes.gathered("x")) == ("cpu", 0, 1, ["x"])
