"""Prints the error of the closed forms of serving against an event simulation.

    python benchmarks/closed_loop_check.py

Both use the same step times, so that the figures are the error of the queueing formulas alone.
`--rows` prints every case.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.serving import event_table as table  # noqa: E402


def main(every_row: bool) -> None:
    for title, rows in (("closed loop", list(table.closed_rows())), ("open loop", list(table.open_rows()))):
        print(f"{title}: absolute error, median / 90th percentile of cases, per cent")
        print("\n".join(table.lines(rows, lambda r: f"{r.policy} {r.lengths}")))
        print("\n".join(table.lines(rows, lambda r: f"load {r.load:g}")))
        for r in rows if every_row else ():
            errors = " ".join(f"{100 * e:+6.1f}" for e in r.error)
            seconds = " ".join(f"{s:9.4f}" for s in r.simulated)
            print(f"{r.policy:17s}{r.model:4s}{r.shape!s:17s}{r.lengths:10s}{r.load:7g}  {errors}   {seconds}")
        print()


if __name__ == "__main__":
    main("--rows" in sys.argv[1:])
