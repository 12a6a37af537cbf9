"""Web room: the report of a plan as one self-contained HTML file, and the parts that pages share."""

from stackwright.web.report import render_report, write_report

__all__ = ["render_report", "write_report"]
