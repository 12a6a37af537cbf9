"""Charts as inline SVG: shapes and colours, axes, interval bars, the two scatter charts."""
