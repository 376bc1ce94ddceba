"""What notebooks show: widgets that a front end drops when it draws a page anew are shown once more."""

import types
from html.parser import HTMLParser

import pytest

from sg2ada_colab.colab import evaluate, html

widgets = pytest.importorskip("ipywidgets")
SINCE = {"msg_id": "of the cell"}


class Publisher:
    """As the kernel's: what it publishes belongs to the message that was handled last."""

    parent_header = SINCE

    def set_parent(self, parent):
        self.parent_header = parent


class Shown(list):
    now = 100.0  # of the clock, s


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, each with the message below which it is, in a kernel that is not Colab's."""
    shown = Shown()
    shown.shell = shell = types.SimpleNamespace(display_pub=Publisher())
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda box: shown.append((box, shell.display_pub.parent_header)))
    monkeypatch.setattr(html, "has_front_end", lambda: True)
    monkeypatch.setattr(html, "time", types.SimpleNamespace(monotonic=lambda: shown.now))
    return shown


def tell(shown, box, count):
    """Do what the kernel does when a front end says in how many places a widget is."""
    shown.shell.display_pub.set_parent({"msg_id": "of the front end"})
    box._view_count = count


def test_widgets_that_are_dropped_at_once_are_shown_below_their_cell_again(shown):
    box = widgets.VBox()
    html.show_widgets(box)
    assert shown == [(box, SINCE)] and box._view_count == 0
    tell(shown, box, 1)
    tell(shown, box, 0)
    assert shown == [(box, SINCE)] * 2
    assert shown.shell.display_pub.parent_header == {"msg_id": "of the front end"}


def test_widgets_are_shown_again_only_once(shown):
    box = widgets.VBox()
    html.show_widgets(box)
    for count in (1, 0, 1, 0, 1, 0):
        tell(shown, box, count)
    assert len(shown) == 2


def test_widgets_that_a_person_takes_away_stay_away(shown):
    box = widgets.VBox()
    html.show_widgets(box)
    tell(shown, box, 1)
    shown.now += html.DROPPED_WITHIN_S + 1
    tell(shown, box, 0)
    assert len(shown) == 1


def test_colab_is_not_asked_where_widgets_are(shown, monkeypatch):
    monkeypatch.setattr(html, "in_colab", lambda: True)
    box = widgets.VBox()
    html.show_widgets(box)
    assert len(shown) == 1 and box._view_count is None


HOSTILE = "<img src=x onerror=\"alert(1)\"> ' onload='x' \x1b[31m"


class Tags(HTMLParser):
    """Lists the tags and attributes of some HTML."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.names = [], set()
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}


@pytest.mark.parametrize("content", [
    html.picture(b"x", HOSTILE, HOSTILE), html.picture(b"x", HOSTILE, HOSTILE, zoom=False), html.notice("warn", HOSTILE, HOSTILE),
    html.table([[HOSTILE]], [HOSTILE]), html.preformatted([HOSTILE]), html.heading(HOSTILE),
])  # fmt: skip
def test_text_from_outside_is_no_html(content):
    found = Tags(content)
    assert not found.names & {"onerror", "onload"} and found.tags.count("img") == content.count("data:image/")
    assert "\x1b" not in content and "\\x1b[31m" in content


def test_the_name_of_a_run_is_no_html_where_its_metrics_are_shown(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(evaluate, "show", lambda content, plain: seen.append(content))
    evaluate.show_results(HOSTILE, str(tmp_path), [(HOSTILE, 1.5, HOSTILE)])
    assert "onerror" not in Tags(seen[0]).names and "img" not in Tags(seen[0]).tags


def test_what_is_printed_instead_of_html_steers_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(html, "has_front_end", lambda: False)
    html.show("", "a\x1b[31m\nb")
    assert capsys.readouterr().out == "a\\x1b[31m\nb\n"
