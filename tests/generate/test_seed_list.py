"""Seeds as a person writes them."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.seed_list import parse_seeds


@pytest.mark.parametrize(
    "text, seeds",
    [
        ("0-3", [0, 1, 2, 3]),
        (" 7 ", [7]),
        ("1, 5,9-11", [1, 5, 9, 10, 11]),
        ("0,1,4-6", [0, 1, 4, 5, 6]),
        ([3, 1], [3, 1]),
        (range(2), [0, 1]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "5-3", "0-9999999", "-1", "1;2", None, [2**33], [-1], "1,,2"])
def test_what_is_no_seed_is_refused(text):
    with pytest.raises(UserError, match="is not a list of seeds"):
        parse_seeds(text)


def test_no_more_seeds_than_are_wanted():
    assert len(parse_seeds("0-255", most=256)) == 256
    with pytest.raises(UserError, match="is not a list of seeds") as error:
        parse_seeds("0-256", most=256)
    assert error.value.expected.startswith("1 to 256 whole numbers")
