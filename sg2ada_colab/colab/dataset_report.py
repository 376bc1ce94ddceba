"""What notebook 2 shows before anything is written: a sheet with the crops, the facts, and the refused files with pictures."""

import io
from typing import Sequence, Tuple

from PIL import Image

from ..images.contact_sheet import MOST_IMAGES, contact_sheet, small_picture
from ..images.doctor import Finding, Report, report_text
from ..images.fit import FitOptions
from ..images.read import ReadOptions
from ..images.source import Source
from ..previews.timeline import as_jpeg
from ..shape import sides_of
from ..words import counted, shown, size_text
from .form_words import as_fields
from .html import escape, inline_picture, notice, picture, table

SHEET_PX, SHEET_BYTES = 1500, 400000
SHEET_COLUMNS = 8
MOST_REFUSED, MOST_GROUPS, THUMB_PX = 20, 5, 88


def report_html(
    report: Report, source: Source, findings: Sequence[Finding], fit: FitOptions, read: ReadOptions
) -> Tuple[str, str]:
    """Return (HTML, plain text) of a doctor's report.

    Args:
        report, findings: What `diagnose` returned.
        source, fit, read: What it was given.
    """
    plain = as_fields(report_text(report))
    parts = [_headline(report)]
    if report.good:
        sheet = contact_sheet(source, findings, report.resolution, fit, read, columns=SHEET_COLUMNS, named=True)  # type: ignore[arg-type]
        count = min(MOST_IMAGES, report.good)
        alt = f"a sheet of {count} of your images; what is kept of each is bright and framed"
        caption = f"{count} of {report.good} shown. Bright: kept. Dim: cut away. Crossed: left out."
        parts.append(picture(as_jpeg(sheet, SHEET_PX, SHEET_BYTES), alt, caption))
    parts += [_facts(report), _refused(report, source, read), _repeated(report, source, read)]
    if report.advice:
        parts.append("<b>What you can do</b>" + _list([as_fields(sentence) for sentence in report.advice]))
    return "".join(parts), plain


def _headline(report):
    if not report.good:
        return notice("bad", "None of these images can be used.", "The table says why.")
    height, width = sides_of(report.resolution)
    squares = counted(report.num_images, "picture", "pictures")
    text = f"{report.good} of {report.files} images can be read; they give {squares} of {width}×{height}."
    return notice("warn" if report.problems else "good", text)


def _facts(report):
    sides = {side.replace(" .. ", " to "): count for side, count in report.short_sides.items()}
    rows = [("Kinds of files", _counts(report.formats)), ("Images by their shorter side in pixels", _counts(sides))]
    rows += [("Converted while reading", _counts(report.notes)), ("Passed over", _counts(report.ignored))]
    if report.good:
        rows.append(("Suggested resolution", f"{report.suggested_resolution} px"))
        rows.append(
            ("Size of the dataset", f"{size_text(report.dataset_bytes)} ({size_text(report.full_only_bytes)} with full_only)")
        )
    if report.training_gpu_gb:
        rows.append(("GPU memory that training takes", f"about {report.training_gpu_gb:.0f} GB"))
    return table([row for row in rows if row[1]])


def _counts(counts):
    return ", ".join(f"{shown(value)}: {count}" for value, count in counts.items())


def _refused(report, source, read):
    """Return the files that cannot be used, each with its picture where one can be had, and the reason."""
    if not report.problems:
        return ""
    place = {name: index for index, name in enumerate(source.names)}
    rows = [
        (
            _thumb(source, place.get(name), read),
            escape(shown(name)),
            escape(shown(text if kind == "left out" or kind in text else f"{kind}: {text}")),
        )
        for name, kind, text in report.problems[:MOST_REFUSED]
    ]
    more = len(report.problems) - len(rows)
    title = "1 file is" if len(report.problems) == 1 else f"{len(report.problems)} files are"
    below = f"<div>and {more} more</div>" if more else ""
    return f"<b>{title} left out</b>{_raw_table(rows, ('', 'file', 'why'))}{below}"


def _repeated(report, source, read):
    groups = report.near or report.exact
    if not groups:
        return ""
    place = {name: index for index, name in enumerate(source.names)}
    rows = [
        ("".join(_thumb(source, place.get(name), read) for name in group[:3]), escape(" = ".join(map(shown, group[:4]))))
        for group in groups[:MOST_GROUPS]
    ]
    more = f"<div>and {len(groups) - len(rows)} more groups</div>" if len(groups) > len(rows) else ""
    return f"<details><summary>Pictures that are there more than once</summary>{_raw_table(rows, ('', 'files'))}{more}</details>"


def _thumb(source, index, read):
    pixels = None if index is None else small_picture(source, index, read, THUMB_PX)
    if pixels is None:
        return "<i>no picture</i>"
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return inline_picture(file.getvalue(), source.names[index])


def _raw_table(rows, head):
    lines = ["<tr>{}</tr>".format("".join(f"<th scope='col'>{cell}</th>" for cell in head))]
    lines += ["<tr>{}</tr>".format("".join(f"<td>{cell}</td>" for cell in row)) for row in rows]
    return '<table class="sg2-table">{}</table>'.format("".join(lines))


def _list(sentences):
    return "<ul>{}</ul>".format("".join(f"<li>{escape(one)}</li>" for one in sentences))
