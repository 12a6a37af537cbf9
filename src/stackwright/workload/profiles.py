"""Workloads by name or from a file: the shipped profiles and the reader of a user's own YAML."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from stackwright.errors import InputError, UnknownIdError
from stackwright.workload.checks import number
from stackwright.workload.lengths import Lengths
from stackwright.workload.traffic import Workload

_LOAD_KEYS = ("rate_per_s", "concurrency", "rounds")
_NUMBER_KEYS = ("prefix_hit_rate", "arrival_cv", *_LOAD_KEYS)
_TEXT_KEYS = ("name", "source")
_FILE_KEYS = ("base", "input", "output", *_TEXT_KEYS, *_NUMBER_KEYS)
_SHAPES = "a number of tokens, {uniform: [low, high]}, {mean, cv}, or {quantiles: {probability: tokens}}"
_YAML_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Profile:
    """A shipped workload with what it rests on.

    `facts`: `source`, `url`, `commit`, `licence`, `date`, the counts under `fitted`, and `notes`, the
    assumptions.
    """

    workload: Workload
    description: str
    facts: dict[str, Any]


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles."""
    return tuple(_shipped())


def profile(name: str) -> Workload:
    """A shipped profile as a `Workload` without a load; `UnknownIdError` for a name that is none.

    >>> profile("chat").input.quantile(0.5)
    1020.0
    """
    return profile_record(name).workload


def profile_record(name: str) -> Profile:
    """A shipped profile with its source, licence, fitted counts and assumptions; raises as `profile`."""
    found = _shipped().get(name)
    if found is None:
        hint = f"known: {', '.join(_shipped())}; or give a .yaml file"
        raise UnknownIdError("workload profile", name, _shipped(), hint)
    return found


def workload(name_or_path: str | Path) -> Workload:
    """A shipped profile by its name, or a workload from a YAML file by its path."""
    text = str(name_or_path)
    if text in _shipped():
        return profile(text)
    is_path = isinstance(name_or_path, Path) or text.endswith(_YAML_ENDINGS) or os.sep in text
    if is_path or Path(text).is_file():
        return load_workload(text)
    return profile(text)


def load_workload(path: str | Path) -> Workload:
    """A workload from a YAML file; the keys are in `docs/workload.md`.

    `input` and `output` are required unless `base` names a shipped profile to start from. Everything is
    strict: an unknown or repeated key, a wrong type or a contradiction is an `InputError` naming file, line
    and field.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read workload file {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a UTF-8 text file") from None
    data, lines = _read_yaml(text, str(path))
    return _workload(data, _Place(str(path), lines), path.stem)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands, for the error message: file, line of each field by its dotted name."""

    file: str
    lines: dict[str, int]

    def error(self, field: str, reason: object) -> InputError:
        line = self.lines.get(field) or self.lines.get(field.rpartition(".")[0])
        where = f"{self.file}, line {line}" if line else self.file
        return InputError(f"{where}: {field}: {reason}" if field else f"{where}: {reason}")


def _workload(data: Any, place: _Place, default_name: str) -> Workload:
    if not isinstance(data, dict):
        raise place.error("", "a workload file holds keys such as input: and output:")
    _known_keys(data, _FILE_KEYS, place, "")
    fields: dict[str, Any] = {"name": default_name}
    if "base" in data:
        base = _base(data["base"], place)
        fields |= {k: getattr(base, k) for k in ("input", "output", "prefix_hit_rate", "arrival_cv")}
        fields["source"] = f"based on profile {base.name}: {base.source}"
    for key in _TEXT_KEYS:
        if key in data:
            if not isinstance(data[key], str) or not data[key].strip():
                raise place.error(key, f"must be text, got {data[key]!r}")
            fields[key] = data[key]
    for key in _NUMBER_KEYS:
        if key in data:
            fields[key] = _number(data[key], key, place)
    for key in ("input", "output"):
        if key in data:
            fields[key] = _lengths(data[key], key, place)
        elif key not in fields:
            raise place.error("", f"missing {key!r}: give {_SHAPES}, or start from a profile with base:")
    try:
        return Workload(**fields)
    except InputError as error:
        raise place.error("", error) from None


def _base(name: Any, place: _Place) -> Workload:
    try:
        return profile(str(name))
    except InputError as error:
        raise place.error("base", error) from None


def _lengths(value: Any, field: str, place: _Place) -> Lengths:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Lengths.fixed(value)
        if not isinstance(value, dict):
            raise InputError(f"must be {_SHAPES}, got {value!r}")
        keys = set(value)
        if keys == {"uniform"} and isinstance(value["uniform"], list) and len(value["uniform"]) == 2:
            low, high = (_number(v, f"{field}.uniform", place) for v in value["uniform"])
            return Lengths.uniform(low, high)
        if keys == {"mean", "cv"}:
            mean, cv = (_number(value[k], f"{field}.{k}", place) for k in ("mean", "cv"))
            return Lengths.lognormal(mean, cv) if cv else Lengths.fixed(mean)
        if keys == {"quantiles"} and isinstance(value["quantiles"], dict):
            table = value["quantiles"]
            where = f"{field}.quantiles"
            p = [_number(k, where, place) for k in table]
            return Lengths.empirical(p, [_number(v, where, place) for v in table.values()])
        raise InputError(f"must be {_SHAPES}, got keys {', '.join(str(k) for k in value) or 'none'}")
    except InputError as error:
        if str(error).startswith(place.file):
            raise
        raise place.error(field, error) from None


def _number(value: Any, field: str, place: _Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error(field, f"must be a number, got {value!r}")
    try:
        return number(value, "value")
    except InputError as error:
        raise place.error(field, error) from None


def _known_keys(data: dict[Any, Any], known: Iterable[str], place: _Place, field: str) -> None:
    for key in data:
        if key in ("slo", "ttft", "tpot", "ttft_s", "tpot_s", "percentile"):
            raise place.error(str(key), "a workload file holds no promise; give it with --ttft and --tpot")
        if key not in known:
            error = UnknownIdError("key", str(key), known, f"known: {', '.join(known)}")
            raise place.error(f"{field}{key}", error)


def _read_yaml(text: str, name: str) -> tuple[Any, dict[str, int]]:
    """The data and the line of each field by its dotted name; repeated keys are refused."""
    lines: dict[str, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _walk(node, "", lines, name, set())
        return yaml.safe_load(text), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{name}{at}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "nested too deep"
        raise InputError(f"{name}: not valid YAML: {reason}") from None


def _walk(node: yaml.Node, prefix: str, lines: dict[str, int], name: str, above: set[int]) -> None:
    if not isinstance(node, yaml.MappingNode) or id(node) in above:
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        text = str(key.value)
        if text in seen:
            raise InputError(f"{name}, line {line}: {prefix}{text}: given twice")
        seen.add(text)
        lines[f"{prefix}{text}"] = line
        _walk(value, f"{prefix}{text}.", lines, name, above | {id(node)})


@functools.cache
def _shipped() -> dict[str, Profile]:
    text = resources.files(__package__).joinpath("profiles.yaml").read_text(encoding="utf-8")
    found: dict[str, Profile] = {}
    for name, entry in yaml.safe_load(text)["profiles"].items():
        facts = {k: v for k, v in entry.items() if k not in (*_FILE_KEYS, "description")}
        facts["source"] = entry["source"]
        data = {k: entry[k] for k in ("input", "output", "prefix_hit_rate", "arrival_cv")}
        data["source"] = f"{entry['source']} ({entry['licence']})"
        load = _workload(data, _Place("profiles.yaml", {}), name)
        found[name] = Profile(load, entry["description"], facts)
    return found
