"""Plots of the scoreboard as SVG: predicted against measured, and rows of dots on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from stackwright.web.draw.scales import log_scale

Array = NDArray[np.float64]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_STYLE = "font:12px system-ui,sans-serif"


def scatter(title: str, unit: str, sets: Sequence[tuple[str, Array, Array]]) -> str:
    """Predicted (y) against measured (x) on log axes, one colour a set; lines at equal and at x 1.5."""
    size, left, top = 520, 60, 40
    scale = log_scale(np.concatenate([np.concatenate([a, b]) for _, a, b in sets]))

    def x(v: float) -> float:
        return left + scale.at(v) / 100.0 * size

    def y(v: float) -> float:
        return top + size - scale.at(v) / 100.0 * size

    parts = [f'<text x="{left}" y="20" font-weight="bold">{escape(title)}</text>']
    for t in scale.ticks():
        parts.append(f'<path d="M{x(t):.1f} {top}v{size}M{left} {y(t):.1f}h{size}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(t):.1f}" y="{top + size + 16}" text-anchor="middle">{t:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>')
    for factor, dash in ((1.0, ""), (1.5, "4 4"), (1 / 1.5, "4 4")):
        low, high = scale.low * max(1.0, 1.0 / factor), scale.high * min(1.0, 1.0 / factor)
        parts.append(
            f'<path d="M{x(low):.1f} {y(low * factor):.1f}L{x(high):.1f} {y(high * factor):.1f}" '
            f'stroke="#555" stroke-dasharray="{dash}" fill="none"/>'
        )
    for i, (name, measured, predicted) in enumerate(sets):
        dots = "".join(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in zip(measured, predicted, strict=True))
        colour = COLOURS[i % len(COLOURS)]
        parts.append(
            f'<path d="{dots}" stroke="{colour}" stroke-width="3" stroke-linecap="round" stroke-opacity="0.5"/>'
        )
        parts.append(f'<text x="{left + size + 12}" y="{top + 16 + 18 * i}" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{left + size / 2}" y="{top + size + 34}" text-anchor="middle">measured, {unit}</text>')
    parts.append(
        f'<text transform="translate(14 {top + size / 2}) rotate(-90)" text-anchor="middle">predicted, {unit}</text>'
    )
    return _svg(left + size + 250, top + size + 45, parts)


def dots(
    title: str, unit: str, rows: Sequence[tuple[str, Sequence[tuple[float, str]]]], end: float,
    band: tuple[float, float] | None = None, start: float = 0.0,
) -> str:  # fmt: skip
    """One row a label, its values as dots on an axis from `start` to `end` (beyond stays at the end)."""
    left, width, step, top = 330, 420, 17, 58
    names = sorted({name for _, values in rows for _, name in values}, key=str.lower, reverse=True)

    def x(v: float) -> float:
        return left + width * (min(max(v, start), end) - start) / (end - start)

    bottom = top + step * len(rows)
    parts = [f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>']
    if band:
        parts.append(
            f'<rect x="{x(band[0]):.1f}" y="{top - 8}" width="{x(band[1]) - x(band[0]):.1f}" '
            f'height="{bottom - top + 8}" fill="#e6f2e6"/>'
        )
    for tick in np.linspace(start, end, 6):
        parts.append(f'<path d="M{x(tick):.1f} {top - 8}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for i, (label, values) in enumerate(rows):
        y = top + step * i + 4
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(label)}</text>')
        for value, name in values:
            parts.append(
                f'<circle cx="{x(value):.1f}" cy="{y}" r="4" fill="{COLOURS[names.index(name)]}" fill-opacity="0.8">'
                f"<title>{escape(name)} {value:.1f}</title></circle>"
            )
    for i, name in enumerate(names):
        parts.append(f'<text x="{left + 90 * i}" y="{top - 14}" fill="{COLOURS[i]}">{escape(name)}</text>')
    parts.append(f'<text x="{left + width}" y="{bottom + 32}" text-anchor="end">{escape(unit)}</text>')
    return _svg(left + width + 30, bottom + 42, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" style="{_STYLE}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>"]) + "\n"
