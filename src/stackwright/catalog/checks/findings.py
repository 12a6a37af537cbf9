"""What a check of the catalogue reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing wrong: how bad, in which record and field, and why."""

    level: Level
    record: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.record}: {self.field}: {self.message}"


Found = Iterator[Finding]
