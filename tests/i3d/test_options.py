"""Options and weights that can't work are named before any work."""

from __future__ import annotations

import pytest
import torch

from torch_zoo.models.i3d.extractor import I3DExtractor
from torch_zoo.utils.types import UsageError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stack_size": 9}, "stack_size=9: I3D needs 10 frames"),
        ({"step_size": 0}, "step_size=0: must be 1 or more"),
        ({"fps_method": "reencode"}, "fps_method=reencode does nothing without extraction_fps"),
        ({"streams": "rgb", "flow_checkpoint": "x.pth"}, "flow_checkpoint=x.pth: streams=rgb has no flow"),
        ({"flow_type": "tvl1", "flow_checkpoint": "x.pth"}, "flow_checkpoint=x.pth: flow_type=tvl1 has no weights"),
        ({"extraction_fps": 0.0}, "extraction_fps=0: must be from 0.001"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        I3DExtractor(**options)


def test_two_streams_need_two_files(tmp_path):
    with pytest.raises(UsageError, match=r"each stream has a file of its own; write \{stream\}"):
        _ = I3DExtractor(checkpoint=str(tmp_path / "rgb.pth"), flow_type="tvl1").settings


def test_weights_of_the_other_stream_are_named(tmp_path):
    from torch_zoo.models.i3d.network import I3D

    for stream, channels in (("rgb", 2), ("flow", 3)):
        torch.save(I3D(channels).state_dict(), tmp_path / f"{stream}.pth")
    extractor = I3DExtractor(checkpoint=str(tmp_path / "{stream}.pth"), flow_type="tvl1")
    with pytest.raises(UsageError, match=r"rgb\.pth: not the weights of I3D: .* \(64, 2, 7, 7, 7\) instead of \(64, 3"):
        extractor.load("cpu", 1)
