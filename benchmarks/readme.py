"""Rewrites the measured blocks of README.md from the commands that print them: `python benchmarks/readme.py`.

A block lies between `<!-- name -->` and `<!-- /name -->`. The scoreboard block is read from what `make scoreboard`
wrote (docs/scoreboard/); it is left as it is when that is absent.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCOREBOARD = ROOT / "docs" / "scoreboard"
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
    """NVIDIA's tool and ours on the same rows, then every target of the scoreboard with the figure reached."""
    path = SCOREBOARD / "summary.json"
    if not path.exists():
        return None
    every = json.loads(path.read_text())["peer"]
    peer, pools = every["strict"], every["disaggregated"]["strict"]
    rows = ["| same measured rows | TPOT error | TTFT error |", "|---|---|---|"]
    for part, words in ((peer, ""), (pools, f" (disaggregated, {pools['n']} points)")):
        for name, found in part.items():
            if name != "n":
                rows.append(f"| {name}{words} | {_error(found['tpot'])} | {_error(found['ttft'])} |")
    targets = (SCOREBOARD / "targets.md").read_text().strip()
    head = f"Mean / median absolute % error on {peer['n']} operating points; ours is out of fold (not fitted to them)."
    return "\n".join([head, "", *rows, "", "All sets and targets (mean / median, out of fold):", "", targets])


def _error(found: dict[str, float]) -> str:
    return f"{found['mape_pct']:.1f} / {found['median_ape_pct']:.1f}"


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
