"""torch.hub's entry points; VGGish's are in tests/vggish/test_embedding.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from command import ROOT, SPEECH
from formula import formula_state

from torch_zoo import UsageError, extract

HUB: dict[str, Any] = {"repo_or_dir": str(ROOT), "source": "local"}


@pytest.mark.parametrize(
    ("name", "options", "inputs", "outputs"),
    [
        ("i3d", {}, (1, 3, 10, 224, 224), [(1, 1024), (1, 400)]),
        ("i3d", {"streams": "flow"}, (1, 2, 10, 224, 224), [(1, 1024), (1, 400)]),
        ("raft", {}, (2, 3, 128, 128), [(1, 2, 128, 128)]),
        ("pwc", {}, (2, 3, 64, 64), [(1, 2, 64, 64)]),
        ("vggsound_resnet18", {}, (1, 1, 257, 100), [(1, 8192), (1, 309)]),
        ("vggsound_resnet18", {"pooling": "avgpool", "classes": 5}, (1, 1, 257, 100), [(1, 512), (1, 5)]),
        ("vggsound_resnet34", {}, (1, 1, 257, 100), [(1, 8192), (1, 309)]),
        ("vggsound_resnet50", {}, (1, 1, 257, 100), [(1, 32768), (1, 309)]),
    ],
)
def test_networks_have_the_documented_shapes(
    name: str, options: dict[str, Any], inputs: tuple[int, ...], outputs: list[tuple[int, ...]]
) -> None:
    network = torch.hub.load(model=name, checkpoint="random", **options, **HUB)
    assert not network.training and not any(each.requires_grad for each in network.parameters())
    with torch.inference_mode():
        found = network(torch.zeros(inputs))
    assert [tuple(each.shape) for each in (found if isinstance(found, tuple) else (found,))] == outputs


def test_weights_are_those_of_the_file(manifests, tmp_path):
    state = formula_state(manifests / "vggsound_resnet18_avgpool.json")
    torch.save({"model_state_dict": state}, tmp_path / "H.pth.tar")
    network = torch.hub.load(
        model="vggsound_resnet18", checkpoint=str(tmp_path / "H.pth.tar"), pooling="avgpool", **HUB
    )
    loaded = network.state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items() if "num_batches" not in key)


def test_extract_is_the_packages() -> None:
    options = {"feature_type": "vggish", "checkpoint": "random", "device": "cpu"}
    item = torch.hub.load(str(ROOT), "extract", str(ROOT / SPEECH), source="local", **options)
    np.testing.assert_array_equal(item["vggish"], extract(ROOT / SPEECH, **options)["vggish"])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("i3d", {"streams": "audio"}, "streams=audio: must be one of rgb, flow"),
        ("vggsound_resnet18", {"pooling": "max"}, "pooling=max: must be one of avgpool, netvlad"),
        ("vggsound_resnet50", {"checkpoint": "pretrained"}, "no weights of this network are published"),
        ("raft", {"checkpoint": "gone.pth"}, "gone.pth: no such file"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        torch.hub.load(model=name, **{"checkpoint": "random", **options}, **HUB)
