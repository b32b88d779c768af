"""A wrong option, choice, type or file: exit code 2 and a line or two that say what was meant, before torch loads."""

from __future__ import annotations

import numpy as np
import pytest
from command import MUSIC, Result, run, run_each

from torch_zoo.utils.terminal.catalogue import Catalogue

EXTRACTORS = f"there are: {', '.join(Catalogue().choices('feature_type'))}"
VGGISH = ("feature_type=vggish", "checkpoint=random", "device=cpu")
CLIP = (*VGGISH, f"video_paths={MUSIC}")
SAVE = "on_extraction=save_numpy"

CASES = {
    "wrong name": (["feature_type=vggish", "vido_paths=a.mp4"], ["vido_paths", "did you mean video_paths?"]),
    "wrong name of a group": (["feature_typ=vggish"], ["feature_typ", "did you mean feature_type?"]),
    "wrong name, argparse style": (["--feature_type", "vggish", "--vido_paths", "a"], ["did you mean --video_paths?"]),
    "name of another extractor": (["hop_seconds=0.48"], ["hop_seconds", "belongs to feature_type=vggish"]),
    "added name": ([*CLIP, "+flow_type=raft"], ["flow_type=raft: not an option of feature_type=vggish"]),
    "not a number": ([*CLIP, "hop_seconds=half"], ["hop_seconds=half: must be a number"]),
    "not an integer": ([*CLIP, "batch_size=2.5"], ["batch_size=2.5: must be an integer or null"]),
    "not true or false": ([*CLIP, "overwrite=perhaps"], ["overwrite=perhaps: must be true or false"]),
    "null for a path": ([*CLIP, "output_path=null"], ["output_path=null: must be a string"]),
    "wrong choice": ([*CLIP, "activation=tanh"], ["activation=tanh: must be one of relu, none"]),
    "wrong precision": ([*CLIP, "precision=fp8"], ["must be one of fp32, tf32, bf16, fp16"]),
    "wrong progress": ([*CLIP, "progress=loud"], ["must be one of auto, bar, log, off"]),
    "wrong device": ([*CLIP, "device=tpu"], ["must be one of auto, cuda, cpu"]),
    "unknown extractor": (["feature_type=vgish"], ["feature_type=vgish", "did you mean vggish?"]),
    "very unknown extractor": (["feature_type=zz"], ["feature_type=zz", EXTRACTORS]),
    "unknown sink": ([*CLIP, "on_extraction=save_nunpy"], ["did you mean save_numpy?", "save_pickle"]),
    "unknown engine": ([*CLIP, "engine=slurm"], ["engine=slurm", "there are: local"]),
    "several sinks": (
        [*CLIP, "on_extraction=print,save_numpy"],
        ["one on_extraction per run; for a run with each, on_extraction=print,save_numpy --multirun"],
    ),
    "several extractors in brackets": (["feature_type=[i3d,vggish]"], ["with each, feature_type=i3d,vggish"]),
    "several extractors, one wrong": (["feature_type=i3d,vgish"], ["feature_type=vgish: ", "did you mean vggish?"]),
    "option of none of several": (["feature_type=i3d,vggish", "model=x"], ["belongs to feature_type=vggsound"]),
    "nearest flag": (["--helpp"], ["--helpp: there is no such option; did you mean --help?"]),
    "short flag": (["-v"], ["did you mean --version"]),
    "flag without dashes": (["help"], ["did you mean --help?"]),
    "one dash": (["-feature_type=vggish"], ["did you mean --feature_type?"]),
    "unicode dashes": (["\u2013\u2013feature_type", "vggish"], ["did you mean --feature_type?"]),
    "extractor alone": (["VGGish"], ["VGGish: options are written name=value; did you mean feature_type=vggish?"]),
    "option without =": ([*CLIP, "overwrite"], ["overwrite: options are written name=value", "overwrite=VALUE"]),
    "colon for =": (["feature_type:vggish"], ["did you mean feature_type=vggish?"]),
    "spaces around =": (["feature_type", "=", "vggish"], ["without spaces: feature_type=VALUE"]),
    "spaces within quotes": (["feature_type = vggish"], ["without spaces: feature_type=vggish"]),
    "no name": ([*CLIP, "=3"], ["=3: options are written name=value"]),
    "capitals": (["FEATURE_TYPE=vggish"], ["did you mean feature_type?"]),
    "null for a choice": (["feature_type=null"], ["feature_type=null: there is no such choice"]),
    "list that the shell split": ([*VGGISH, "video_paths=[a.mp4,", "b.mp4]"], ["b.mp4]: ", "a list in quotes"]),
    "help of nothing": (["--help", "vgish"], ["--help vgish: nothing is called so; did you mean vggish?"]),
    "flag without its value": ([*CLIP, "--config-dir"], ["--config-dir: no value is given"]),
    "flag with an empty value": ([*CLIP, "--config-dir="], ["--config-dir=: no value is given"]),
    "short flag of Hydra's": (["-i", "a.mp4"], ["-i: must be followed by one of all, config"]),
    "word of other tools": (["feature_type=vggish", "--input", "a.mp4"], ["did you mean --video_paths?"]),
    "very long word": (["f" * 3000], ["options are written name=value"]),
    "option for another engine": (
        [*CLIP, "engine=ray", "device_ids=[0]"],
        ["device_ids=[0]: not an option of feature_type=vggish, on_extraction=print, engine=ray"],
    ),
    "wrong value of a flag": (
        [*CLIP, "--cfg", "x"],
        ["--cfg: must be followed by one of job, hydra, all"],
    ),
    "addition of what is there": ([*CLIP, "+hop_seconds=1"], ["hop_seconds=1"]),
    "unknown launcher": ([*CLIP, "hydra/launcher=slurm"], ["hydra/launcher/slurm", "submitit_slurm"]),
    "option of other sinks": (
        [*CLIP, "top_k=3"],
        ["not an option of on_extraction=print; it belongs to"],
    ),
    "decimal comma": ([*CLIP, "hop_seconds=0,48"], ["a number is written with a point: hop_seconds=0.48"]),
    "two values of a scalar": ([*CLIP, "precision=fp32,bf16"], ["one value per run; add --multirun"]),
    "list for a scalar": ([*CLIP, "hop_seconds=[0.96]"], ["hop_seconds=[0.96]: must be a number"]),
    "not finite": ([*CLIP, "hop_seconds=nan"], ["hop_seconds=nan: must be a multiple of 0.01 s above 0"]),
    "negative number": ([*CLIP, "timeout=-1"], ["timeout=-1: must be 0 (never) or more"]),
    "unit in a number": ([*CLIP, "decoder_memory=4GB"], ["decoder_memory=4GB: must be an integer"]),
    "GPU in other words": ([*CLIP, "device=gpu"], ["device=gpu: there is no such device; did you mean device=cuda?"]),
    "number of a GPU alone": ([*CLIP, "device=1"], ["did you mean device=cuda:1?"]),
    "several GPUs": ([*CLIP, "device=cuda:0,cuda:2"], ['are written device=cuda device_ids="[0,2]"']),
    "GPU named in two ways": (
        [*CLIP, "device=cuda:0", "device_ids=[1]"],
        ["is device_ids=[0]; give one"],
    ),
    "wrong name in a sweep": ([*CLIP, "-m", "hop_seconds=0.48,0.96", "las_window=pad"], ["did you mean last_window?"]),
    "endless sweep": ([*CLIP, "-m", "seed=interval(0,1)"], ["seed=interval(0,1): a sweep lists its values"]),
    "wrong name beside a flag": ([*CLIP, "--cfg", "job", "vido_paths=x"], ["did you mean video_paths?"]),
    "no such folder of configs": ([*CLIP, "--config-dir", "no/conf"], ["--config-dir no/conf: no such folder"]),
    "no value": ([*CLIP, "--output_path="], ["--output_path: no value is given"]),
    "no value either": ([*CLIP, "output_path="], ["output_path=: no value is given"]),
    "flag without a value": ([*CLIP, "--output_path", "--overwrite"], ["--output_path: no value is given"]),
    "group without a value": (["--feature_type"], ["--feature_type: no value is given"]),
    "URL to write to": ([*CLIP, SAVE, "output_path=nowhere://b"], ["nowhere://b/vggish", "unknown kind of URL"]),
    "pattern of names": ([*CLIP, SAVE, "name_pattern={nme}"], ["name_pattern={nme}: there is no {nme}"]),
    "arrays": ([*CLIP, SAVE, "keys=[rgb]"], ["keys=['rgb']: there is no array rgb; there are: vggish"]),
    "layout": ([*CLIP, "layout=bmtt"], ["layout=bmtt: there is no such layout", "did you mean bmt? "]),
    "URL for files of ours": ([*CLIP, "tmp_path=s3://b"], ["tmp_path=s3://b: must be a local folder"]),
    "GPU that is not there": ([*CLIP, "device=cuda:99"], ["CUDA device"]),
    "list that never ends": ([*VGGISH, "file_with_video_paths=/dev/zero"], ["/dev/zero: not a regular file"]),
    "no options at all": ([], ["feature_type is required", EXTRACTORS]),
    "no extractor": ([f"video_paths={MUSIC}"], ["feature_type is required", EXTRACTORS]),
    "no inputs": ([*VGGISH], ["video_paths=", "file_with_video_paths="]),
    "empty inputs": ([*VGGISH, "video_paths=[]"], ["video_paths: the list is empty"]),
    "a number for a path": ([*VGGISH, "video_paths=7"], ["video_paths: 7 is not a path"]),
    "no such list": ([*VGGISH, "file_with_video_paths=no/list.txt"], ["no/list.txt", "No such file"]),
    "no such shard": ([*CLIP, "shard=0/4"], ["shard=0/4: must be the number of a shard and how many there are"]),
    "no such way with missing files": (
        [*CLIP, "missing=ignore"],
        ["missing=ignore: must be one of fail, refuse, skip"],
    ),
    "no split": (
        [*CLIP, "split=test"],
        ["split=test: there is no list that could name it; give file_with_video_paths"],
    ),
    "list without brackets": ([*VGGISH, "video_paths=a.mp4,b.mp4"], ['video_paths="[a.mp4,b.mp4]"']),
    "ids without brackets": ([*CLIP, "device_ids=0,1"], ['device_ids="[0,1]"']),
    "negative id": ([*CLIP, "device_ids=[-1]"], ["device_ids: [-1]"]),
    "no ids": ([*CLIP, "device_ids=[]"], ["device_ids: the list is empty"]),
    "ids no list": ([*CLIP, "device_ids=1"], ["device_ids=1: must be a list of integers"]),
    "ids no numbers, argparse style": ([*CLIP, "--device_ids", "a"], ["device_ids=", "must be a list of integers"]),
    "ids no numbers": ([*CLIP, "device_ids=[a]"], ["device_ids=", "must be a list of integers"]),
    "no such checkpoint": ([*CLIP, "checkpoint=no/such.pth"], ["checkpoint=no/such.pth: no such file", "random"]),
    "unknown preset": ([*CLIP, "preset=gogle"], ["preset=gogle", "did you mean google?"]),
    "no pooling": ([*CLIP, "pooling=median"], ["pooling=median: must be one of mean, sum, max, null"]),
    "unit length in 8 bits": (
        [*CLIP, "preset=audioset", "normalize=true"],
        ["normalize=true", "8-bit"],
    ),
    "no such PCA": ([*CLIP, "postprocess=pca", "pca_params=no/such.npz"], ["pca_params=no/such.npz: no such file"]),
    "floats in a TFRecord": ([*CLIP, "on_extraction=save_tfrecord"], ["8-bit", "postprocess=pca_8bit"]),
    "nothing to predict": ([*CLIP, "show_pred=true"], ["show_pred=true: not an option of feature_type=vggish"]),
    "batch of none": ([*CLIP, "batch_size=0"], ["batch_size=0: must be 1 or more"]),
    "batch of too many": ([*CLIP, f"batch_size={10**23}"], [f"batch_size={10**23}: must be"]),
    "a larger batch": ([*CLIP, "batch_size=65537"], ["batch_size=65537: must be 65536 or less"]),
    "no decoders": ([*CLIP, "num_decoders=0"], ["num_decoders=0: must be 1 or more"]),
    "hop between frames": ([*CLIP, "hop_seconds=0.125"], ["hop_seconds=0.125", "multiple of 0.01"]),
    "no hop": ([*CLIP, "hop_seconds=0"], ["hop_seconds=0: must be a multiple of 0.01 s above 0"]),
    "path without a name": ([*VGGISH, MUSIC], [MUSIC, "name=value", "video_paths="]),
    "two values": (["--feature_type", "vggish", "--device", "cpu", "cuda"], ["--device takes one value"]),
    "open bracket": (
        [*VGGISH, "video_paths=[a b.mp4,c=d.mp4"],
        ["error: video_paths: unreadable; quote each name", "--video_paths"],
    ),
    "folder that cannot be made": (
        [*CLIP, "on_extraction=save_numpy", "output_path=/dev/null/features"],
        ["output_path: cannot write"],
    ),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return dict(zip(CASES, run_each([arguments for arguments, _ in CASES.values()]), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_mistake_is_named_in_a_line_before_torch_loads(case: str, results: dict[str, Result]) -> None:
    result = results[case]
    assert result.code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 2, result.stderr
    assert result.stderr.startswith("error: ")
    for expected in CASES[case][1]:
        assert expected in result.stderr
    assert not result.torch


def test_files_that_are_all_missing_are_named_at_once() -> None:
    paths = [f"gone_{number}.mp4" for number in range(12)]
    result = run(*VGGISH, f"video_paths=[{','.join(paths)}]")
    assert (result.code, result.stdout) == (2, "")
    assert "error: no such file:\n  gone_0.mp4\n" in result.stderr
    assert "and 2 more" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_no_pca_ends_the_run_before_any_work(tmp_path):
    pca_params = tmp_path / "pca.npz"
    np.savez(pca_params, pca_eigen_vectors=np.eye(64), pca_means=np.zeros(64))
    options = ("on_extraction=save_numpy", "postprocess=pca", f"pca_params={pca_params}", f"output_path={tmp_path}")
    result = run(*CLIP, *options)
    assert (result.code, result.stdout) == (2, "")
    assert "pca_eigen_vectors is (64, 64) instead of (128, 128)" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("*.npy"))


def test_wrong_weights_cost_no_features_that_were_to_be_overwritten(tmp_path):
    options = ("feature_type=vggish", "device=cpu", f"video_paths={MUSIC}", "on_extraction=save_numpy")
    assert run(*options, "checkpoint=random", f"output_path={tmp_path}").code == 0
    (tmp_path / "wrong.pth").write_bytes(b"no weights")
    wrong = f"checkpoint={tmp_path / 'wrong.pth'}"
    assert run(*options, wrong, "overwrite=true", f"output_path={tmp_path}").code == 2
    assert (tmp_path / "vggish/music_vggish.npy").exists()
    assert "random" in (tmp_path / "vggish/extraction.yaml").read_text()


@pytest.mark.skipif("__import__('torch_zoo.utils.devices').utils.devices.visible_gpus() > 0")
def test_cuda_without_a_gpu() -> None:
    result = run("feature_type=vggish", "checkpoint=random", "device=cuda", f"video_paths={MUSIC}")
    assert result.code == 2
    assert result.stderr.splitlines() == [
        "error: device=cuda, but no CUDA device is visible here; device=cpu works everywhere"
    ]
