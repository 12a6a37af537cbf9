"""The two nouns of launching: what the prediction assumed of the server, and the command that makes it so."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from stackwright.errors import InputError


@dataclass(frozen=True)
class ServingSettings:
    """Server limits that a prediction assumed.

    `max_num_seqs` sequences running at once in one replica; `max_num_batched_tokens` tokens that one attention rank
    may put into one step; `max_model_len` prompt plus output tokens of one request; `memory_fraction` the engine's
    own memory fraction (0 to 1); `port` of the HTTP server. Raises `InputError` on values no engine accepts.
    """

    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    memory_fraction: float
    prefix_caching: bool
    port: int = 8000

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_num_batched_tokens", "max_model_len"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}")
        if not 0.0 < self.memory_fraction <= 1.0:
            raise InputError(f"memory_fraction must be above 0 and at most 1, not {self.memory_fraction!r}")
        if not 1 <= self.port <= 65535:
            raise InputError(f"port must lie between 1 and 65535, not {self.port!r}")


@dataclass(frozen=True)
class LaunchCommand:
    """A command of one engine at one version, with its environment, its files and what to know before running it."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    note: str = ""
    engine_version: str = ""

    def shell(self) -> str:
        """The command as text for a POSIX shell: notes as comments, files as heredocs, one flag a line.

        >>> print(LaunchCommand(("vllm", "serve", "a/b", "--port", "8000"), {"X": "1"}).shell(), end="")
        X=1 \\
        vllm serve a/b \\
          --port 8000
        """
        lines = [f"# {line}" for line in self.note.splitlines()]
        for name, text in self.files.items():
            end = "EOF"
            while end in text.splitlines():
                end += "_"
            lines += [f"cat > {shlex.quote(name)} <<'{end}'", text.rstrip("\n"), end]
        words = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        words += _by_flag(self.argv)
        return "\n".join([*lines, " \\\n".join(words)]) + "\n"


def _by_flag(argv: tuple[str, ...]) -> list[str]:
    """The program and its plain words on the first line, then every flag with its value on its own line."""
    groups: list[list[str]] = [[]]
    for word in argv:
        if word.startswith("--"):
            groups.append([])
        groups[-1].append(shlex.quote(word))
    return [("" if i == 0 else "  ") + " ".join(g) for i, g in enumerate(groups) if g]
