"""The layers of the architecture: which modules may import which, and the maximum file length."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("configs", "models", "utils", "tests", "sample", "benchmarks")
MODULES = sorted(path for folder in ("models", "utils") for path in (ROOT / folder).rglob("*.py"))
FILES = [ROOT / "main.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
LONGEST = 250  # lines
OURS = ("torch_zoo", "configs", "main", "models", "tests", "utils")  # all but the first are nobody's to import
BUILDS_ON = {"i3d": ("flow",), "vggsound": ("vggish",)}  # models that use others; VGGSound's training does
VAGUE = {"utils.py", "helpers.py", "common.py", "base.py"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Full names of all that a module of ours imports, wherever in it that happens."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_obey_the_layers(path: Path) -> None:
    ours = {module for module in imported(path) if module.split(".")[0] in OURS}
    package, own = path.relative_to(ROOT).parts[:2]
    allowed = ["torch_zoo.utils."]
    if package == "models":
        allowed += [f"torch_zoo.models.{own}.", *(f"torch_zoo.models.{other}." for other in BUILDS_ON.get(own, ()))]
    assert [module for module in ours - {"torch_zoo"} if not f"{module}.".startswith(tuple(allowed))] == []


def test_types_import_none_of_our_modules() -> None:
    assert [module for module in imported(ROOT / "utils/types.py") if module.split(".")[0] in OURS] == []


# What opens, lists or tests a path that is a string, as those of users are; a Path is one of this machine's own files.
FILE_ACCESS = {"open", "glob.glob", "os.listdir", "os.scandir", "os.stat", "os.unlink", "os.walk"}
FILE_ACCESS |= {f"os.path.{test}" for test in ("exists", "getmtime", "getsize", "isdir", "isfile", "lexists")}
LOCAL_ALONE = {
    "models/vggish/embedding.py": "os.path.isdir",  # media in memory have no path
    "utils/engines/ray_actor.py": "os.path.isdir",  # the folder of the driver, on another machine
    "utils/engines/ray_preflight.py": "os.path.isdir os.path.isfile",  # what of the options is on this machine alone
    "utils/expansion.py": "glob.glob os.path.exists os.path.isdir os.stat os.walk",  # links, hidden files, patterns
    "utils/lists/text.py": "os.stat",  # no pipes
    "utils/media/anonymous.py": "open os.stat",
    "utils/media/files.py": "os.stat",  # no pipes
    "utils/media/kept_files.py": "os.path.exists os.path.lexists",
    "utils/media/opening.py": "open",  # local files, and fetched ones
    "utils/sources.py": "os.path.isdir",
    "utils/terminal/exit_codes.py": "open",  # /dev/null
}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_paths_of_users_are_opened_by_one_module(path: Path) -> None:
    if name(path) == "utils/storage.py":
        return
    tree = ast.parse(path.read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls & FILE_ACCESS == set(LOCAL_ALONE.get(name(path), "").split()), "use torch_zoo.utils.storage"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_what_a_url_is_stands_in_one_module(path: Path) -> None:
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert name(path) == "utils/urls.py" or "://" not in texts, "use torch_zoo.utils.storage.is_url"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_fsspec_is_known_to_few(path: Path) -> None:
    known = {"utils/remote.py", "utils/remote_file.py", "utils/media/fetching.py"}
    assert name(path) in known or not any(module.startswith("fsspec") for module in imported(path))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_hydra_stops_at_main(path: Path) -> None:
    allowed = {"utils/terminal/grammar.py"}  # reads Hydra's grammar
    assert name(path) in allowed or not any(module.startswith("hydra") for module in imported(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_are_short_and_named_for_what_they_hold(path: Path) -> None:
    assert path.name not in VAGUE
    assert len(path.read_text().splitlines()) <= LONGEST
