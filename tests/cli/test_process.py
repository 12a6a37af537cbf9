"""What only a process of its own can show: start-up, completion, pipes, signals, odd environments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import PLAN

HEAVY = ("numpy", "pydantic", "rich", "yaml")
COMMAND = [sys.executable, "-m", "stackwright"]


def started(*arguments: str, env: dict[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(env or {})}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*COMMAND, *arguments], text=True, capture_output=True, env=environment, check=False, **options
    )


RUN = "from stackwright.cli.main import run; "


@pytest.mark.parametrize("code", ["import stackwright", f"{RUN}run(['--help'])", f"{RUN}run(['plam'])"])
def test_starting_up_loads_nothing_heavy(code: str) -> None:
    check = f"{code}\nimport sys\nsys.exit(' '.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"loaded: {done.stderr}"


def completed(words: str, word: int) -> list[str]:
    env = {"_STACKWRIGHT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(word)}
    code = "import sys; sys.argv[0] = 'stackwright'; from stackwright.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return [line.split(",", 1)[1] for line in done.stdout.split()]


def test_completion() -> None:
    assert completed("stackwright pl", 1) == ["plan"]
    assert "h100-sxm,mi300x" in completed("stackwright plan Qwen/Qwen3-8B --chips h100-sxm,mi3", 4)
    assert "carbon" in completed("stackwright plan Qwen/Qwen3-8B --objective ", 4)


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
@pytest.mark.parametrize("arguments", [["catalog", "list", "offers"], ["catalog", "list", "offers", "--json"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str]) -> None:
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "catalog", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX descriptors")
def test_closed_outputs() -> None:
    assert started("catalog", "list", preexec_fn=lambda: os.close(1)).stderr == ""
    assert started("plan", "nope", preexec_fn=lambda: os.close(2)).returncode == 2


def test_no_home_no_utf8_no_colour() -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    bare = {k: v for k, v in os.environ.items() if k != "HOME"} | env
    done = subprocess.run([*COMMAND, *PLAN], env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b[" not in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupt_says_so() -> None:
    code = "import os, signal\nfrom stackwright import api\ndef stop(*a, **k): os.kill(os.getpid(), signal.SIGINT)\n"
    code += f"api.plan = stop\nfrom stackwright.cli.main import main\nmain({list(PLAN)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"
