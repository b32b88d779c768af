"""Media in; features, logits and predictions out; and how the extractor is built and sent."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from formula import formula_state
from media_maker import write_mono

from torch_zoo.models.vggsound.extractor import KEY, LOGITS, VGGSoundExtractor
from torch_zoo.models.vggsound.network import VGGSound
from torch_zoo.models.vggsound.weights import WEIGHTS
from torch_zoo.utils.engines.inline import Inline
from torch_zoo.utils.predictions import report
from torch_zoo.utils.types import Features, Source, UsageError

RANDOM = {"checkpoint": "random"}


def test_a_source_without_samples_is_empty(tmp_path):
    source = write_mono(tmp_path / "nothing.wav", 0)
    extractor = VGGSoundExtractor(**RANDOM, show_pred=True, labels="unknown.csv")
    extractor.__dict__["classes"] = ("a", "b", "c")
    assert list(extractor.windows(source)) == []
    features = extractor.features(source, {}, np.zeros((0, 2)))
    assert {key: (array.shape, array.dtype) for key, array in features.arrays.items()} == {
        KEY: ((0, 8192), np.float32),
        LOGITS: ((0, 3), np.float32),
    }
    assert features.predictions is None


@pytest.fixture(scope="module")
def trained(manifests, tmp_path_factory) -> Path:
    """A checkpoint of three classes as a trainer saves it, and the list of its classes."""
    folder = tmp_path_factory.mktemp("trained")
    state = formula_state(manifests / "vggsound_resnet18_avgpool.json")
    state |= {key: state[key][:3] * 0.01 for key in ("audnet.fc.weight", "audnet.fc.bias")}
    torch.save({"model_state_dict": state, "epoch": 3, "optimizer": {"state": {}}}, folder / "mine.pt")
    (folder / "classes.txt").write_text("dog\ncat, meowing\nbird\n")
    return folder


def options(trained: Path) -> dict[str, str]:
    return {"checkpoint": str(trained / "mine.pt"), "pooling": "avgpool", "labels": str(trained / "classes.txt")}


def extracted(extractor: VGGSoundExtractor, source: Source) -> Features:
    inline = Inline(extractor, extractor.load("cpu", threads=1))
    [(_, features)] = inline.run([source], extractor.windows)
    assert isinstance(features, Features)
    return features


def test_a_trained_checkpoint_with_its_own_classes(trained, tmp_path):
    source = write_mono(tmp_path / "sound.wav", 2.5)
    extractor = VGGSoundExtractor(**options(trained), window_seconds=1, hop_seconds=1, show_pred=True)
    features = extracted(extractor, source)
    network = VGGSound("resnet18", "avgpool", 3).eval()
    network.load_state_dict(torch.load(trained / "mine.pt")["model_state_dict"])
    with torch.inference_mode():
        pooled, logits = network(torch.from_numpy(np.concatenate([each.data for each in extractor.windows(source)])))
    for key, expected in ((KEY, pooled), (LOGITS, logits)):
        scale = float(expected.abs().max())
        np.testing.assert_allclose(features.arrays[key], expected, rtol=0, atol=2e-6 * scale)
        assert features.arrays[key].dtype == extractor.arrays[key].base
        assert features.arrays[key].shape[1:] == extractor.arrays[key].shape
    assert features.predictions is not None
    assert features.predictions.classes == ("bird", "cat, meowing", "dog")
    assert "sound: 1.00 - 2.00 s, audio: logit" in report(features)


def test_names_are_not_needed_without_show_pred(trained):
    extractor = VGGSoundExtractor(**RANDOM)
    assert extractor.arrays[LOGITS].shape == (309,)
    assert "classes" not in vars(extractor)
    features = extractor.features(Source("a", "a"), {}, np.zeros((1, 2)))
    assert features.predictions is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": "pretrained"},
            r"mine\.pt: holds a network of 3 classes instead of 309; the option labels must be",
        ),
        ({"pooling": "netvlad"}, r"mine\.pt: holds a network with avgpool; the option pooling must be avgpool"),
        ({"model": "resnet34"}, r"mine\.pt: not the weights of VGGSound: audnet\.layer1\.2\.conv1\.weight is missing"),
    ],
)
def test_options_that_do_not_fit_a_checkpoint_are_named(change, message, trained):
    with pytest.raises(UsageError, match=message):
        VGGSoundExtractor(**{**options(trained), **change}).load("cpu", threads=1)


def test_checkpoints_of_other_kinds_are_named(tmp_path):
    for name, content in {"odd.pt": {"model_state_dict": 3}, "other.pt": {"weight": torch.zeros(2)}}.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(UsageError, match=rf"{name}: "):
            VGGSoundExtractor(checkpoint=str(tmp_path / name)).load("cpu", threads=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_seconds": 0.03}, "window_seconds=0.03: must be a number of seconds from 0.032"),
        ({"window_seconds": float("nan")}, "window_seconds=nan: must be"),
        ({"hop_seconds": 0.0}, "hop_seconds=0: must be a number of seconds above 0"),
        ({"hop_seconds": float("inf")}, "hop_seconds=inf: must be"),
        ({"last_window": "tile"}, "last_window=tile does nothing without hop_seconds.*add hop_seconds=10"),
    ],
)
def test_wrong_options_are_named(wrong, message):
    with pytest.raises(UsageError, match=message):
        VGGSoundExtractor(**{**RANDOM, **wrong})


def test_settings_are_plain_yaml_and_cover_all_that_affects_the_values(trained):
    settings = dict(VGGSoundExtractor(**RANDOM).settings)
    assert yaml.safe_load(yaml.safe_dump(settings)) == settings
    changes = [{"model": "resnet34"}, {"pooling": "avgpool"}, {"window_seconds": 5}, {"hop_seconds": 5}, {"seed": 1}]
    changes += [{"hop_seconds": 5, "last_window": "tile"}, {"resampler": "soxr"}, {"precision": "bf16"}]
    changes += [{"labels": str(trained / "classes.txt")}]
    seen = [settings, *(dict(VGGSoundExtractor(**{**RANDOM, **change}).settings) for change in changes)]
    assert all(one != other for number, one in enumerate(seen) for other in seen[:number])


def test_a_pickled_extractor_has_its_checkpoint_resolved(trained):
    extractor = VGGSoundExtractor(**options(trained))
    weights = extractor.weights
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy == extractor
    assert copy.__dict__["weights"] == weights  # not resolved again


@pytest.mark.pretrained
@pytest.mark.parametrize("pooling", ["avgpool", "netvlad"])
def test_pretrained_weights_load_and_are_sure_of_the_example(pooling, vggsound_example):
    """What the example's class is was not published: only that one class stands out is tested."""
    card = WEIGHTS["resnet18", pooling]
    if not card.file.cached.exists():
        pytest.skip(f"the pretrained weights are not in torch's hub cache ({card.file.cached.name})")
    features = extracted(VGGSoundExtractor(pooling=pooling), Source(str(vggsound_example), "x"))
    logits = torch.from_numpy(features.arrays[LOGITS])
    assert logits.shape == (1, card.classes)
    assert logits.softmax(1).max() > 10 / card.classes
