"""Runs the command line in this process, as a shell would see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from stackwright.cli.main import run

PLAN = ("plan", "Qwen/Qwen3-8B", "--chips", "h100-sxm", "--clouds", "aws", "--engines", "vllm")
POINT = ("predict", "Qwen/Qwen3-8B", "--chip", "h100-sxm", "--engine", "vllm", "--isl", "1024", "--osl", "256")


@dataclass(frozen=True)
class Shell:
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self.capsys.readouterr()
        status = run([str(a) for a in arguments])
        caught = self.capsys.readouterr()
        return status, caught.out, caught.err

    def answered(self, *arguments: str) -> str:
        """Standard output of a command that answers and is silent otherwise."""
        status, out, err = self(*arguments)
        assert (status, err) == (0, ""), err
        return out

    def document(self, *arguments: str) -> Any:
        """The one JSON document of a command; NaN and infinity are refused."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(self.answered(*arguments, "--json"), parse_constant=refuse)

    def refused(self, *arguments: str) -> str:
        """The one line that bad input gets: nothing on standard output, status 2."""
        status, out, err = self(*arguments)
        assert (status, out) == (2, ""), err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err
