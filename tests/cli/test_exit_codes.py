"""However a command ends, its exit code tells; and where a person is to read something, it is one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import MUSIC, ROOT, start, wait_until

from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import MediaError, UsageError, WorkerError

COMMANDS = (
    "main.py",
    "-m torch_zoo.models.vggish.warm_start",
    "-m torch_zoo.models.vggish.smoke_test",
    "-m torch_zoo.models.flow.visualize",
    "-m torch_zoo.utils.maps.atlas",
    "-m torch_zoo.utils.maps.picture",
)


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """`line` in a shell of the repository; PYTHON is this interpreter."""
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONUNBUFFERED": ""}
    return subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("a=b: no"), 2, "error: a=b: no"),
        (WorkerError("it exits"), 1, "error: it exits"),
        (MediaError("a.mp4: empty"), 1, "error: a.mp4: empty"),
        (OSError(28, "No space left on device", "a.npy"), 1, "error: a.npy: No space left on device"),
        (BrokenPipeError(32, "Broken pipe"), 1, "error: Broken pipe"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was done"),
    ],
)
def test_every_end_has_its_code_and_its_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command(interrupted="nothing was done")
    def main(arguments: Sequence[str]) -> int:
        raise error

    assert main([]) == code
    assert capsys.readouterr().err == said + "\n"


def test_a_bug_stays_a_traceback() -> None:
    @command(interrupted="")
    def main(arguments: Sequence[str]) -> int:
        return 1 // len(arguments)

    with pytest.raises(ZeroDivisionError):
        main([])
    assert main(["x"]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_interrupt_and_further_ones_change_nothing(number: signal.Signals) -> None:
    interrupted = f"""
import os
from torch_zoo.utils.terminal.exit_codes import command
main = command(interrupted="")(lambda arguments: os.kill(os.getpid(), {number:d}))
class AtShutdown:
    def __del__(self):
        self.kill(self.process, {number:d})
last = AtShutdown()
last.kill, last.process = os.kill, os.getpid()
raise SystemExit(main())
"""
    assert subprocess.run([sys.executable, "-c", interrupted], cwd=ROOT, stderr=subprocess.DEVNULL).returncode == 130


def test_what_an_import_makes_of_an_interrupt_is_one() -> None:
    """NumPy's, interrupted in its C code, raises ImportError, as does every further one."""
    interrupted = """
import os, signal, sys
from torch_zoo.utils.terminal.exit_codes import command

@command(interrupted="nothing was done")
def main(arguments):
    sys.modules["numpy"] = None
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        import numpy

sys.exit(main())
"""
    result = subprocess.run([sys.executable, "-c", interrupted], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (130, "interrupted; nothing was done\n")


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize(
    ("stdout", "said"), [(">&-", "error: stdout: closed; to discard"), (">/dev/full", "error: No space left on device")]
)
def test_a_stdout_that_takes_nothing(line: str, stdout: str, said: str) -> None:
    result = shell(f"$PYTHON {line} --help {stdout}")
    assert result.returncode == 1
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


def test_features_that_cannot_be_printed() -> None:
    options = f"feature_type=vggish checkpoint=random device=cpu progress=off video_paths={MUSIC}"
    result = shell(f"$PYTHON main.py {options} >/dev/full")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: stdout: No space left on device")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("line", COMMANDS)
def test_wrong_options_are_2(line: str) -> None:
    result = shell(f"$PYTHON {line} --nonsense x")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr


@pytest.mark.parametrize("seconds", [0.0, 0.15, 0.5])
def test_ctrl_c_in_the_first_second(seconds: float) -> None:
    """Counted from when the first library that is not Python's own has been loaded."""
    with start("feature_type=vggish", "checkpoint=random", "device=cpu", f"video_paths={MUSIC}") as process:
        assert wait_until(lambda: "/_yaml." in Path(f"/proc/{process.pid}/maps").read_text(), seconds=10)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1].startswith("interrupted; ")
    assert "Traceback" not in stderr
