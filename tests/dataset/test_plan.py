"""The plan of a conversion: what it says where nothing can be converted."""

import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset.options import PrepareOptions
from sg2ada_colab.dataset.plan import make_plan
from sg2ada_colab.images.read import UnreadableImage
from sg2ada_colab.images.source import Source


def test_a_name_with_a_backslash_and_an_n_is_told_as_it_is():
    source = Source("set", ["C\\new.png"], [None])
    with pytest.raises(UserError) as caught:
        make_plan(source, [UnreadableImage("damaged", "a\\n is damaged")], PrepareOptions())
    assert caught.value.what.endswith("\n    C\\new.png: a\\n is damaged")
