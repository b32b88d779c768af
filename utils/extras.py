"""Optional libraries, which the extras of the package install."""

from __future__ import annotations

from importlib.util import find_spec

from torch_zoo.utils.types import UsageError

LIBRARIES = {
    "embedding_atlas": "Embedding Atlas (Python 3.11 or later)",
    "h5py": "h5py",
    "matplotlib": "Matplotlib",
    "ray": "Ray",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "tensorboard": "TensorBoard",
    "umap": "umap-learn",
}


def require(extra: str, *modules: str) -> None:
    """Raise UsageError, which says what to install, if a library of this extra is missing."""
    for module in modules:
        if find_spec(module) is None:
            raise UsageError(f'{LIBRARIES[module]} is missing: pip install "torch-zoo[{extra}]"')
