"""The throughput as bars, in SVG that follows the reader's light or dark mode."""

from html import escape

from bench.figures import Row, number
from bench.names import CELERY, C_ONE, DRAMATIQ, GO, LIMIT, ONE

WIDTH, LEFT, RIGHT, STEP, TOP, BAR = 760, 270, 110, 46, 64, 22

STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 16px }
  .note { fill: #59636e; font-size: 12px }
  .bound { fill: #afb8c1 } .ours { fill: #0969da } .known { fill: #bf8700 }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 }
    .bound { fill: #57606a } .ours { fill: #4493f8 } .known { fill: #d29922 } .spread { stroke: #f0f6fc }
  }"""


SHOWN = {LIMIT: "bound", C_ONE: "bound", ONE: "ours", GO: "known", DRAMATIQ: "known", CELERY: "known"}
"""The rows of the chart in their order, and the class of each bar."""


def throughput(measured: list[Row]) -> str:
    """One bar a row: its length is the median, the thin line across its end the spread."""
    named = {row.name: row for row in measured}
    rows = [named[name] for name in SHOWN if name in named]
    most = max((row.figure.greatest for row in rows), default=1)
    scale = (WIDTH - LEFT - RIGHT) / most
    height = TOP + STEP * len(rows) + 8
    summary = ", ".join(f"{row.name} {number(row.figure.median)}" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t">',
        f'<title id="t">Jobs a second: {escape(summary)}</title>',
        f"<style>{STYLE}\n</style>",
        '<text x="0" y="20" class="title">disk.create, jobs a second</text>',
        '<text x="0" y="40" class="note">median of the rounds; the line shows the least and the greatest;'
        " grey is PostgreSQL without a broker, and a worker in C</text>",
    ]
    for position, row in enumerate(rows):
        y = TOP + STEP * position
        figure, middle = row.figure, y + BAR / 2
        low, high = (LEFT + value * scale for value in (figure.least, figure.greatest))
        parts += [
            f'<text x="{LEFT - 12}" y="{middle + 5:.0f}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect class="{SHOWN[row.name]}" x="{LEFT}" y="{y}" width="{figure.median * scale:.1f}" height="{BAR}" rx="3"/>',
            f'<path class="spread" fill="none" d="M{low:.1f} {middle:.1f}H{high:.1f}'
            f'M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"/>',
            f'<text x="{high + 10:.1f}" y="{middle + 5:.0f}">{number(figure.median)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
