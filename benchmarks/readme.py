"""Rewrites the measured blocks of README.md from the commands that print them: `python benchmarks/readme.py`.

A block lies between `<!-- name -->` and `<!-- /name -->`. The scoreboard block is the summary that
`make scoreboard` wrote (docs/scoreboard/summary.md); it is left as it is when that file is absent.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ["plan", "Qwen/Qwen3-32B", "--rate", "20", "--ttft", "1", "--tpot", "50ms", "--per", "chip", "--no-launch"]
COLUMNS = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("plan", "speed", "scoreboard"), help="one block")
    only = parser.parse_args().only
    makers = {"plan": plan_block, "speed": speed_block, "scoreboard": scoreboard_block}
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, make in makers.items():
        if only in (None, name):
            block = make()
            if block is not None:
                text = replaced(text, name, block)
    readme.write_text(text)


def replaced(text: str, name: str, block: str) -> str:
    """The text with one block replaced; an absent block is an error."""
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.S)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no block {name!r}")
    return pattern.sub(lambda _: f"<!-- {name} -->\n{block}\n<!-- /{name} -->", text)


def plan_block() -> str:
    """The ranked table of the demo question, as printed, without the columns that do not fit a page."""
    lines = _run([sys.executable, "-m", "stackwright", *DEMO]).splitlines()
    kept = [line[:COLUMNS].rstrip() for line in lines if not line.startswith("- ")]
    return "```\n$ stackwright " + " ".join(DEMO) + "\n" + "\n".join(kept).rstrip() + "\n```"


def speed_block() -> str:
    """The rows of the benchmark that have a target."""
    found = json.loads(_run([sys.executable, str(ROOT / "benchmarks" / "run.py"), "--json"]))
    rows = ["| what | measured | target |", "|---|---|---|"]
    for row in found["rows"]:
        if row["target"] != "-":
            value = f"{row['value']:,.0f}" if row["value"] >= 100 else f"{row['value']:.2f}"
            bound = "at least" if "points" in row["unit"] else "at most"
            rows.append(f"| {row['what']} | {value} {row['unit']} | {bound} {row['target']} |")
    return "\n".join([*rows, "", f"{found['machine']}."])


def scoreboard_block() -> str | None:
    """The summary table of the scoreboard."""
    summary = ROOT / "docs" / "scoreboard" / "summary.md"
    return summary.read_text().strip() if summary.exists() else None


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
