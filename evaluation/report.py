"""An evaluation as one web page, complete in itself: tables, and plots of quality over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from evaluation.svg import line_plot

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #626a73; --line: #d8dde3; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --dim: #9aa4ae; --line: #3a424b; --page: #14181c } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0 } .dim { color: var(--dim) }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: var(--dim) }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: var(--dim) }
.grid { stroke: var(--line) } polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.legend span { margin-right: 1rem; white-space: nowrap }
.legend i { display: inline-block; width: .8rem; height: .25rem; margin-right: .35rem; vertical-align: middle }
"""


def page(result: dict[str, Any]) -> str:
    """Return the HTML of :func:`evaluation.evaluate.evaluate`'s result."""
    stream, settings = result["stream"], result["settings"]
    sections = [
        f"<h1>{escape(stream['name'])}</h1>",
        f'<p class="dim">{escape(settings["protocol"])}, {_plain(settings)}</p>',
        f"<p>{stream['events']:,} events of {stream['users']:,} users and {stream['items']:,} items, "
        f"{stream['first']} to {stream['last']}.</p>",
        *_plots(result["series"], settings["k"]),
        "<h2>Models</h2>",
        _rows(result["rows"]),
        *_comparisons(result["comparisons"]),
        "<h2>How this was made</h2>",
        _table(("", ""), ((name, _cell(value)) for name, value in _provenance(result))),
    ]
    body = "\n".join(sections)
    title = f"{stream['name']}: {settings['protocol']}"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>\n<body>\n{body}\n</body></html>\n"
    )


def _plots(series: dict[str, Any], k: int) -> Iterable[str]:
    if not series:
        return
    sliding, days = series["sliding"], series["days"]
    for metric, words in ((f"hr@{k}", "Hit rate"), (f"ndcg@{k}", "NDCG")):
        title = f"{words}@{k} over the last {sliding['window']:,} ranked events"
        labels = [f"{event / 1000:,.0f}k" if event >= 10_000 else f"{event:,}" for event in sliding["event"]]
        lines = {name: values[metric] for name, values in sliding["models"].items()}
        yield f"<h2>{title}</h2>{line_plot(sliding['event'], labels, lines, title)}"
        yield '<p class="dim">Along the bottom: position in the stream.</p>'
    if len(days["day"]) > 1:
        title = f"Hit rate@{k} day by day"
        lines = {name: values[f"hr@{k}"] for name, values in days["models"].items()}
        yield f"<h2>{title}</h2>{line_plot(range(len(days['day'])), days['day'], lines, title)}"
        yield '<p class="dim">Days on which nothing was ranked are left out.</p>'


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    """Return all figures: models that rank, that predict ratings and that predict clicks in a table each."""
    parts = []
    kinds = [next((name for name in ("rmse", "log_loss") if name in row), "") for row in rows]
    for kind in dict.fromkeys(kinds):
        if group := [row for row, own in zip(rows, kinds, strict=True) if own == kind]:
            columns = [
                name
                for name, value in group[0].items()
                if (isinstance(value, float | int) or value is None) and name not in ("cut", "live", "every", "warmup")
            ]
            cells = ((row["model"] + _where(row), *(_cell(row.get(name)) for name in columns)) for row in group)
            parts.append(_table(("model", *columns), cells))
    return "".join(parts)


def _comparisons(comparisons: Sequence[dict[str, Any]]) -> Iterable[str]:
    if comparisons:
        yield f"<h2>{escape(comparisons[0]['model'])} against the others</h2>"
        yield _table(
            ("against", "metric", "difference", "interval", "relative", "interval", "p"),
            (
                (
                    each["against"] + _where(each),
                    each["metric"],
                    f"{each['difference']:+.4f}",
                    "{:+.4f} … {:+.4f}".format(*each["interval"]),
                    f"{each['relative']:+.1%}",
                    "{:+.1%} … {:+.1%}".format(*each["relative_interval"]),
                    f"{each['p']:.3f}",
                )
                for each in comparisons
            ),
        )
        yield '<p class="dim">Paired bootstrap over users, 95 %.</p>'


def _where(row: dict[str, Any]) -> str:
    """Return behind which cut a row was ranked, where there is one."""
    return f" at {row['cut']:g}, {'live' if row['live'] else 'frozen'}" if "cut" in row else ""


def _provenance(result: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "hash of the stream", result["stream"]["hash"]
    yield from ((f"left out: {reason}", n) for reason, n in result["stream"]["left_out"].items())
    yield from ((name, value) for name, value in result["settings"].items() if name != "models")
    yield from result["versions"].items()
    yield "seconds", result["seconds"]


def _plain(settings: dict[str, Any]) -> str:
    seeds = settings["seeds"]
    return f"k = {settings['k']}, " + (f"seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}")


def _cell(value: Any) -> str:
    if value is None or value == {}:
        return "–"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 20 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
