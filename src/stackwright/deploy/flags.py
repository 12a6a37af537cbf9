"""The documented arguments of each engine (data/flags.yaml), and what in a command does not follow them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import yaml

from stackwright.errors import UnsupportedError

Flags = Mapping[str, Any]


@functools.cache
def documented() -> Flags:
    """The whole record: engines and launchers with version, source, date and arguments."""
    text = (resources.files("stackwright.deploy") / "data" / "flags.yaml").read_text(encoding="utf-8")
    record: Flags = yaml.safe_load(text)
    return record


def engine_flags(engine_id: str) -> Flags:
    """The record of one engine. Raises `UnsupportedError` for an engine without one."""
    engines = documented()["engines"]
    if engine_id not in engines:
        raise UnsupportedError(f"no launch command for {engine_id} yet; there is one for {', '.join(sorted(engines))}")
    record: Flags = engines[engine_id]
    return record


def flag_problems(engine_id: str, argv: Sequence[str]) -> list[str]:
    """What in a command is not as documented: unknown or repeated flags, missing, stray or invalid values.

    >>> flag_problems("vllm", ["vllm", "serve", "a/b", "--tensor-paralel-size", "8"])
    ['--tensor-paralel-size is not documented for vllm 0.26.0', "stray word '8'"]
    """
    record = engine_flags(engine_id)
    start = _program_start(record["program"], argv)
    if start is None:
        return [f"{' '.join(record['program'])} is not called"]
    own = argv[start + len(record["program"]) :]
    problems = _problems(record, own, f"{engine_id} {record['version']}", positional=1)
    for name, launcher in documented()["launchers"].items():
        if argv[0] == name:
            problems += _problems(launcher, argv[1:start], name, positional=1)
    return problems


def _program_start(program: Sequence[str], argv: Sequence[str]) -> int | None:
    size = len(program)
    return next((i for i in range(len(argv)) if list(argv[i : i + size]) == list(program)), None)


def _problems(record: Flags, words: Sequence[str], who: str, positional: int) -> list[str]:
    arguments, others = record["arguments"], set(record.get("others", ()))
    negations = {a["negation"]: name for name, a in arguments.items() if "negation" in a}
    found: list[str] = []
    seen: set[str] = set()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            positional -= 1
            if positional < 0:
                found.append(f"stray word {word!r}")
            continue
        name = negations.get(word, word)
        if name in seen:
            found.append(f"{word} is given twice")
        seen.add(name)
        if name in others:
            if rest and not rest[0].startswith("--"):
                rest.pop(0)
        elif name not in arguments:
            found.append(f"{word} is not documented for {who}")
        elif arguments[name]["type"] != "switch":
            value = rest.pop(0) if rest and not rest[0].startswith("--") else None
            problem = _value_problem(arguments[name], value)
            found += [f"{word} {problem}"] if problem else []
    return found


def _value_problem(argument: Flags, value: str | None) -> str | None:
    if value is None:
        return "needs a value"
    if argument["type"] == "choice":
        return None if value in argument["choices"] else f"does not take {value!r}"
    if argument["type"] in ("int", "float"):
        try:
            number = int(value) if argument["type"] == "int" else float(value)
        except ValueError:
            return f"needs a number, not {value!r}"
        return None if number >= 0 else f"needs a number of at least 0, not {value!r}"
    return None if value else "needs a value"
