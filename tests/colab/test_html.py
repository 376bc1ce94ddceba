"""What notebooks show: widgets that a front end drops when it draws a page anew are shown once more."""

import types

import pytest

from sg2ada_colab.colab import html

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
