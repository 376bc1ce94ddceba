"""Pieces of HTML for notebook outputs: pictures with a text alternative, notices, tables; no scripts, which may be dropped."""

import base64
import importlib.util
import os
import sys
import time
from typing import Any, Iterable, Optional, Sequence

from ..escape import for_html as escape
from ..machine import has_front_end, in_colab
from ..words import shown

SIGNS = {"good": "✔", "info": "ℹ", "work": "▶", "stop": "■", "warn": "⚠", "bad": "✖"}  # never colour alone
EDGES = {"good": "#15803d", "info": "#1f5fbf", "work": "#1f5fbf", "stop": "#6b7280", "warn": "#b45309", "bad": "#b91c1c"}
MOST_ANIMATION_BYTES = 4000000
DROPPED_WITHIN_S = 10.0
STYLE = """<style>
.sg2-zoom {cursor: zoom-in; display: block; line-height: 1.3}
.sg2-zoom img {max-width: 100%; height: auto; display: block; background: #ffffff}
.sg2-zoom input:checked ~ .sg2-frame {overflow: auto; max-height: 80vh; cursor: zoom-out}
.sg2-zoom input:checked ~ .sg2-frame img {max-width: none; width: 200%}
.sg2-row {display: flex; flex-wrap: wrap; gap: 8px}
.sg2-row > * {flex: 1 1 340px; max-width: 520px; min-width: 0}
.sg2-picture img {max-width: 100%; height: auto; display: block}
.sg2-table {border-collapse: collapse; font-size: 13px}
.sg2-table td, .sg2-table th {padding: 2px 10px 2px 0 !important; text-align: left !important; vertical-align: top !important}
</style>"""


def picture(data: bytes, alt: str, caption: Optional[str] = None, kind: str = "jpeg", zoom: bool = True) -> str:
    """Return a picture as HTML, with its text alternative and, below it, a caption; a click or the space key enlarges it.

    Args:
        data: Bytes of the file.
        alt: What is to be seen, in words.
        kind: "jpeg", "png", "webp" or "gif".
    """
    source = "data:image/{};base64,{}".format(kind, base64.b64encode(data).decode("ascii"))
    image = f'<img src="{source}" alt="{escape(alt)}">'
    caption = "" if caption is None else f"<div>{escape(caption)}</div>"
    if not zoom:
        return f'<div class="sg2-picture">{caption}{image}</div>'
    box = f'<input type="checkbox" aria-label="enlarge: {escape(alt)}"> <small>enlarge</small>'
    return f'{caption}<label class="sg2-zoom">{box}<div class="sg2-frame">{image}</div></label>'


def inline_picture(data: bytes, alt: str) -> str:
    """Return a small JPEG as HTML, at its own size, to stand in a line or a table."""
    source = base64.b64encode(data).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{source}" alt="{escape(shown(alt))}" style="display:inline-block;margin:1px">'


def animation(path: str, alt: str) -> str:
    """Return an animation file (.mp4, .webp or .gif) as HTML, or "" for one too large to lie in a notebook."""
    if os.path.getsize(path) > MOST_ANIMATION_BYTES:
        return ""
    with open(path, "rb") as file:
        data = file.read()
    kind = os.path.splitext(path)[1][1:]
    if kind != "mp4":
        return picture(data, alt, kind=kind, zoom=False)
    source = "data:video/mp4;base64,{}".format(base64.b64encode(data).decode("ascii"))
    words = f'aria-label="{escape(alt)}" controls loop autoplay muted playsinline style="max-width:100%"'
    return f'<video src="{source}" {words}></video>'


def notice(kind: str, text: str, more: str = "") -> str:
    """Return a sentence in a box; `kind` is one of SIGNS, and is told by a sign and not by the colour alone."""
    return '<div role="status" style="border-left:4px solid {};padding:4px 10px;margin:4px 0"><b>{} {}</b>{}</div>'.format(
        EDGES[kind], SIGNS[kind], escape(text), "<br>" + escape(more).replace("\n", "<br>") if more else ""
    )


def big_warning(text: str, more: str) -> str:
    """Return a warning that nobody overlooks."""
    style = f"border:3px solid {EDGES['bad']};border-radius:6px;padding:12px 16px;margin:8px 0;font-size:20px;line-height:1.4"
    return f'<div role="alert" style="{style}"><b>{SIGNS["warn"]} {escape(text)}</b><br>{escape(more)}</div>'


def side_by_side(contents: Iterable[str]) -> str:
    """Return pieces of HTML beside each other, as many as the page is wide for, the others below them."""
    return '<div class="sg2-row">{}</div>'.format("".join(contents))


def heading(text: str) -> str:
    return f"<h4>{escape(text)}</h4>"


def table(rows: Iterable[Sequence[Any]], head: Sequence[Any] = ()) -> str:
    """Return rows of cells as an HTML table."""
    lines = ["<tr>{}</tr>".format("".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head))] if head else []
    lines += ["<tr>{}</tr>".format("".join(f"<td>{escape(cell)}</td>" for cell in row)) for row in rows]
    return '<table class="sg2-table">{}</table>'.format("".join(lines))


def preformatted(lines: Iterable[str]) -> str:
    return '<pre style="white-space:pre-wrap;font-size:12px;margin:0">{}</pre>'.format(escape("\n".join(lines)))


def can_show_html() -> bool:
    """Return whether this is a notebook's kernel, which shows HTML."""
    return has_front_end()


def can_show_widgets() -> bool:
    """Return whether this is a notebook's kernel with ipywidgets."""
    return has_front_end() and importlib.util.find_spec("ipywidgets") is not None


def show(content: str, plain: str) -> None:
    """Display HTML in a notebook; print `plain` elsewhere."""
    if not can_show_html():
        print(shown(plain, "\n\t"))
        return
    display, HTML = sys.modules["IPython"].display.display, sys.modules["IPython"].display.HTML
    display(HTML(STYLE + content))


def show_widgets(box: Any) -> None:
    """Display a box of widgets; once more if the front end drops it.

    The classic Notebook asks a kernel for earlier widgets when it opens a page, and draws all outputs anew when it is answered,
    without the widgets that came meanwhile. After *Run all* in a page's first second, the answer comes when all cells are done.
    Then the kernel hears in one breath that the box was displayed and that it is gone.
    """
    from IPython import get_ipython
    from IPython.display import display

    publisher: Any = getattr(get_ipython(), "display_pub", None)
    if has_front_end() and not in_colab():
        parent, displayed = publisher.parent_header, []

        def look(change):
            if change["new"]:
                displayed.append(time.monotonic())
            elif displayed and time.monotonic() - displayed[0] < DROPPED_WITHIN_S:
                box.unobserve(look, "_view_count")
                other = publisher.parent_header
                publisher.set_parent(parent)  # below the same cell
                display(box)
                publisher.set_parent(other)

        box._view_count = 0  # from now on the front end tells when it changes
        box.observe(look, "_view_count")
    display(box)
