"""Plots of Matplotlib: as SVG elements that take their colors and font from the page around them, or as a PNG."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

INK, MUTED, LINE, ACCENT, SECOND = COLORS = ("#010101", "#020202", "#030303", "#040404", "#050505")  # to draw with
VARIABLES = dict(zip(COLORS, ("ink", "muted", "line", "accent", "second"), strict=True))  # of the page's style


class Palette(NamedTuple):
    """What to draw with."""

    ink: str
    muted: str
    line: str
    accent: str
    second: str
    cells: tuple[float, float, float, float] = (0.27, 0.51, 0.89, 1.0)  # of a matrix, on light and dark paper


ON_PAGE = Palette(*COLORS)
ON_PAPER = Palette("#1c2026", "#646c78", "#e2e5ea", "#2864c8", "#c4561a")  # those of page.css, in the light

STYLE: dict[str, object] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "",  # the same plot gives the same file
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
}


class Plot(Protocol):
    def __call__(self, axes: Any, *, colors: Palette) -> None:
        """Draw on axes with these colors."""


def draw_png(plots: Sequence[Plot], width: float = 4.6, height: float = 4.0) -> bytes:
    """A PNG of the plots, side by side; width and height, in inches, are those of each."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    printed: dict[object, object] = dict(zip(ON_PAGE, ON_PAPER, strict=True))
    with rc_context({name: printed.get(value, value) for name, value in STYLE.items()}):
        figure = Figure(figsize=(width * len(plots), height), dpi=150, layout="constrained")
        for plot, axes in zip(plots, figure.subplots(1, len(plots), squeeze=False)[0], strict=True):
            plot(axes, colors=ON_PAPER)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def draw(plot: Callable[[Any], None], width: float = 4.6, height: float = 3.0) -> str:
    """The <svg> of what `plot` draws on axes of this size, in inches; its width is that of the element around it."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        plot(figure.add_subplot())
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    head, _, shapes = svg[svg.index("<svg") :].partition("</defs>")  # in the head a style, for any page
    box = re.search(r'viewBox="[^"]*"', head)
    assert box
    svg = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]}>{shapes}'
    prefix = f"f{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"  # ids are unique in a page
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}", svg)
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    return re.sub("|".join(COLORS), lambda color: f"var(--{VARIABLES[color[0]]})", svg)
