"""The whole extractor: video in; stacks, features and timestamps out."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from video_maker import LOSSLESS, write_video

from torch_zoo.models.flow import tvl1
from torch_zoo.models.i3d.extractor import I3DExtractor
from torch_zoo.models.i3d.stacks import StackAssembler
from torch_zoo.models.i3d.streams import QuantizedFlow
from torch_zoo.models.i3d.weights import WEIGHTS
from torch_zoo.utils.engines.inline import Inline
from torch_zoo.utils.predictions import report
from torch_zoo.utils.types import Features, MediaError, Source

RGB = {"checkpoint": "random", "streams": "rgb", "stack_size": 10, "step_size": 10}
Flow = Callable[[np.ndarray], np.ndarray]


def texture(index: int, width: int, height: int) -> np.ndarray:
    """A smooth texture that moves 3 px to the right and 2 px down per frame."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(0.11 * (x - 3 * index) + 0.05 * (y - 2 * index) + c) for c in range(3)]
    waves = [wave + np.cos(0.07 * (x - 3 * index) - 0.13 * (y - 2 * index) + c) for c, wave in enumerate(waves)]
    return (127.5 + 60 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """25 frames at 25 fps, lossless."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    return Source(str(write_video(path, 25, size=(344, 256), codec="ffv1", pix_fmt="bgr0", picture=texture)), "clip")


class FakeFlow(torch.nn.Module):
    """A flow network that applies a function to NumPy frames (T + 1, H, W, 3)."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self._flow = flow
        self.unused = torch.nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.from_numpy(self._flow(clip.permute(0, 2, 3, 1).numpy()).copy()) for clip in frames])


def windows(extractor: I3DExtractor, source: Source, flow: Flow | None = None) -> tuple[np.ndarray, np.ndarray, float]:
    """The network's input stacks, their times, and the frame rate; `flow` replaces the real flow."""
    with pytest.MonkeyPatch.context() as patch:
        if flow:
            patch.setattr(tvl1, "tvl1", flow)
        parts = list(extractor.windows(source))
    metadata = {key: value for part in parts for key, value in part.metadata.items()}
    if extractor.flow_type != "tvl1" and extractor.streams != "rgb":
        network = QuantizedFlow(FakeFlow(flow), extractor.flow_type, extractor.streams != "flow")
        assembler = StackAssembler(extractor.stack_size, extractor.step_size)
        clips, parts = parts[1:], []
        for clip in clips:
            parts += assembler.add({"pairs": network(torch.from_numpy(clip.data)).numpy()}, clip.times)
        parts += assembler.end(metadata)
    parts = [part for part in parts if len(part.data)]
    if not parts:
        return np.zeros(0), np.zeros((0, 2)), float(metadata["fps"])
    return (
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.times for part in parts]),
        float(metadata["fps"]),
    )


def extract(extractor: I3DExtractor, source: Source) -> Features:
    [(outcome, features)] = Inline(extractor, extractor.load("cpu", 2)).run([source], extractor.windows)
    assert outcome.status in ("done", "empty")
    return features


def test_preprocessing_of_the_sample_is_as_published(shared_sample, golden):
    extractor = I3DExtractor(checkpoint="random", streams="rgb")
    data, times, fps = windows(extractor, Source(str(shared_sample), "x"))
    scaled = 2 * data[0].astype(np.float64) / 255 - 1
    metadata = json.loads((golden / "preproc_values.json").read_text())["rgb_input_stack0"]
    assert data.shape == (5, 3, 64, 224, 224)
    assert (scaled.mean(), scaled.std()) == pytest.approx((metadata["mean"], metadata["std"]), abs=1e-4)
    with np.load(golden / "preproc_i3d_sample.npz") as arrays:
        for frame in (0, 63):
            theirs = arrays[f"rgb_input_stack0_t{frame}_sub8"]
            np.testing.assert_allclose(scaled[:, frame, ::8, ::8], theirs, rtol=0, atol=2.01 / 255)  # one level
    assert fps == 19.62
    np.testing.assert_allclose(1000 * times[:, 1], 3261.977573904 * np.arange(1, 6), rtol=1e-9)


def test_timestamps_at_another_frame_rate_are_as_published(shared_sample):
    extractor = I3DExtractor(
        checkpoint="random", streams="rgb", stack_size=24, step_size=12, extraction_fps=15, show_pred=False
    )
    _, times, fps = windows(extractor, Source(str(shared_sample), "x"))
    assert fps == 15
    np.testing.assert_allclose(1000 * times[:, 1], 1600 + 800 * np.arange(21), rtol=1e-9)


@pytest.mark.parametrize("flow_type", ["tvl1", "pwc"])
def test_rgb_and_flow_are_aligned_in_space_and_time(flow_type, clip):
    """The fake flow encodes the frame itself, so both streams must have the same values."""

    def marked(frames: np.ndarray) -> np.ndarray:
        red = frames[:-1, :, :, 0].astype(np.float32)
        return np.stack([red, red], axis=1) * (40 / 255) - 20  # px; quantized to the red value plus a half

    extractor = I3DExtractor(checkpoint="random", flow_type=flow_type, stack_size=10, step_size=10)
    data, times, _ = windows(extractor, clip, marked)
    np.testing.assert_allclose(times, [[0, 0.4], [0.4, 0.8]], atol=1e-9)
    assert data.shape == (2, 5, 10, 224, 224)
    np.testing.assert_allclose(data[:, 3], data[:, 0], atol=1)
    np.testing.assert_array_equal(data[:, 3], data[:, 4])
    assert np.abs(np.diff(data[:, 0].astype(int), axis=1)).max() > 10  # another frame would be noticed


def test_raft_crops_the_center_of_the_padded_frame_as_published(tmp_path):
    """341 px are padded to 344, whose center is one pixel further to the right."""
    path = write_video(tmp_path / "odd.mkv", 11, size=(341, 256), codec="ffv1", pix_fmt="bgr0")
    column = np.broadcast_to(np.arange(341, dtype=np.float32) / 10 - 17, (10, 2, 256, 341))
    starts = {}
    for flow_type in ("raft", "pwc", "tvl1"):
        extractor = I3DExtractor(checkpoint="random", streams="flow", flow_type=flow_type, stack_size=10)
        data, _, _ = windows(extractor, Source(str(path), "x"), lambda frames: column[: len(frames) - 1])
        first = (data[0, 0, 0, 0, 1].astype(float) - 128) * 40 / 255
        starts[flow_type] = round((first + 17) * 10) - 1
    assert starts == {"raft": 59, "pwc": 58, "tvl1": 58}


@pytest.mark.parametrize("flow_type", ["tvl1", "raft"])
@pytest.mark.parametrize("step", [1, 3, 10, 12])
def test_flow_is_computed_once_per_pair_and_never_for_skipped_frames(step, flow_type, clip):
    processed: list[bytes] = []

    def counted(frames: np.ndarray) -> np.ndarray:
        processed.extend(frame.tobytes() for frame in frames[:-1])
        return np.zeros((len(frames) - 1, 2, *frames.shape[1:3]), np.float32)

    extractor = I3DExtractor(checkpoint="random", flow_type=flow_type, stack_size=10, step_size=step)
    data, _, _ = windows(extractor, clip, counted)
    pairs = {first + k for first in range(0, 25 - 10, step) for k in range(10)}
    assert len(processed) == len(set(processed)) == len(pairs)
    assert len(data) == len(range(0, 25 - 10, step))


def test_a_segment_has_the_stacks_of_its_frames(clip):
    whole, times, _ = windows(I3DExtractor(**{**RGB, "step_size": 1}), clip)
    segment = Source(clip.path, "x", 0.2, 0.68)  # frames 5 to 16
    data, segment_times, _ = windows(I3DExtractor(**{**RGB, "step_size": 1}), segment)
    np.testing.assert_array_equal(data, whole[5:7])
    np.testing.assert_allclose(segment_times, times[5:7], atol=1e-9)


def test_too_few_frames_make_no_stack_or_are_repeated(tmp_path):
    source = Source(str(write_video(tmp_path / "short.mp4", 7)), "x")
    features = extract(I3DExtractor(**RGB), source)
    assert {key: array.shape for key, array in features.arrays.items()} == {
        "rgb": (0, 1024),
        "fps": (),
        "timestamps_ms": (0,),
    }
    data, _, _ = windows(I3DExtractor(**RGB, last_window="cycle"), source)
    assert data.shape == (1, 3, 10, 224, 224)
    np.testing.assert_array_equal(data[0, :, 7:], data[0, :, :3])


@pytest.mark.parametrize(("frames", "step"), [(7, 10), (1, 10), (14, 10), (13, 3), (11, 10), (20, 10)])
def test_a_cycled_last_stack_is_the_same_on_host_and_device(frames, step, tmp_path):
    source = Source(str(write_video(tmp_path / "x.mkv", frames, size=(344, 256), picture=texture, **LOSSLESS)), "x")

    def between(frames: np.ndarray) -> np.ndarray:
        """A fake flow that encodes both frames of a pair."""
        gray = frames[..., 0].astype(np.float32)
        return np.stack([gray[:-1], gray[1:]], axis=1) / 8 - 16

    options = {"checkpoint": "random", "stack_size": 10, "step_size": step, "last_window": "cycle"}
    host, device = (windows(I3DExtractor(**options, flow_type=kind), source, between) for kind in ("tvl1", "pwc"))
    assert host[0].shape[1:] == (5, 10, 224, 224)
    np.testing.assert_array_equal(device[0], host[0])
    np.testing.assert_array_equal(device[1], host[1])


def test_features_are_those_of_the_network(clip):
    from torch_zoo.models.i3d.network import I3D

    extractor = I3DExtractor(**RGB)
    data, _, _ = windows(extractor, clip)
    network = I3D(3)
    extractor._weights["rgb"].load(network)
    with torch.inference_mode():
        expected, _ = network.eval()(2 * torch.from_numpy(data).float() / 255 - 1)
    features = extract(extractor, clip)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(features.arrays["rgb"], expected, rtol=0, atol=1e-5 * scale)
    assert features.arrays["rgb"].dtype == extractor.arrays["rgb"].base
    assert list(features.arrays) == list(extractor.arrays)


def test_predictions_of_each_stream_and_of_their_sum(clip):
    extractor = I3DExtractor(**{**RGB, "streams": None}, flow_type="tvl1", show_pred=True)
    rgb, flow = np.zeros((1, 400)), np.zeros((1, 400))
    rgb[0, 5], flow[0, 5], flow[0, 7] = 3.0, 1.0, 2.0
    arrays = {"rgb": np.zeros((1, 1024)), "flow": np.zeros((1, 1024)), "rgb_logits": rgb, "flow_logits": flow}
    text = report(extractor.features(clip, {**arrays, "fps": np.array(25.0)}, np.array([[0, 0.4]])))
    titles = [line for line in text.splitlines() if ":" in line]
    assert [title.split(", ")[1].split(":")[0] for title in titles] == ["rgb", "flow", "rgb + flow"]
    assert "   4.000" in text  # the sum of both
    assert f"{np.exp(4) / (np.exp(4) + np.exp(2) + 398):.3f}" in text
    assert len(text.splitlines()) == 3 * 6


def test_a_file_without_video_is_reported(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "sound.wav", np.zeros(16000), 16000)
    with pytest.raises(MediaError, match="no video stream"):
        list(I3DExtractor(**RGB).windows(Source(str(tmp_path / "sound.wav"), "x")))


def test_kept_frames_are_all_that_were_looked_at(clip, tmp_path):
    windows(I3DExtractor(**RGB, keep_tmp_files=True, tmp_path=str(tmp_path)), clip)
    assert len(list((tmp_path / "clip_frames").glob("*.jpg"))) == 25
    windows(I3DExtractor(**RGB, keep_tmp_files=True, tmp_path=str(tmp_path), extraction_fps=12.5), clip)
    assert len(list((tmp_path / "clip_frames").glob("*.jpg"))) == 13


@pytest.mark.pretrained
@pytest.mark.skipif(
    not all(each.cached.exists() for each in WEIGHTS.values()), reason="no pretrained weights in the cache"
)
@pytest.mark.parametrize("flow_type", ["raft", "pwc"])
def test_pretrained_weights_give_the_published_features(flow_type, shared_sample, golden):
    features = extract(I3DExtractor(flow_type=flow_type), Source(str(shared_sample), "x"))
    stem = f"v_GGSY1Qvo990_None_{flow_type}_None_None_None"
    with np.load(golden / "real_weights_i3d.npz") as theirs:
        for key, atol in (("rgb", 5e-3), ("flow", 5e-2), ("fps", 0), ("timestamps_ms", 1e-6)):
            if (flow_type, key) == ("pwc", "flow"):
                continue  # theirs is from pwc_net_sintel, which is not available for download
            np.testing.assert_allclose(features.arrays[key], theirs[f"{stem}_{key}"], rtol=0, atol=atol)
