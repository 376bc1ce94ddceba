import numpy as np
import pytest

from sg2ada_colab.dataset.crc32c import _RELATIONS, crc32c_of, crc32c_rows, mask


def bitwise_crc32c(data):
    """The definition, bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 * (state & 1))
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize("relation", _RELATIONS)
def test_the_relations_are_multiples_of_the_polynomial(relation):
    def power(exponent):
        value = 1
        for _ in range(exponent):
            value <<= 1
            value ^= 0x11EDC6F41 if value >> 32 else 0
        return value

    total = 1
    for exponent in relation:
        total ^= power(exponent)
    assert total == 0
    assert list(relation) == sorted(relation, reverse=True)


def test_check_value_of_the_standard():
    assert crc32c_rows(np.frombuffer(b"123456789", np.uint8)[None]) == [0xE3069283]


@pytest.mark.parametrize(
    "length",
    [4, 5, 7, 8, 9, 290, 291, 293, 1160, 1161, 2319, 2320, 2328, 4504, 4505, 5001, 10280, 10281, 54216, 54217, 54300, 60001],
)
def test_equals_the_definition_at_lengths_around_every_switch(length):
    rows = np.random.RandomState(length).randint(0, 256, (2, length)).astype(np.uint8)
    assert crc32c_rows(rows).tolist() == [bitwise_crc32c(row.tobytes()) for row in rows]


def test_rows_do_not_depend_on_each_other_nor_change():
    rows = np.random.RandomState(0).randint(0, 256, (700, 1003)).astype(np.uint8)
    before = rows.copy()
    together = crc32c_rows(rows)
    assert (rows == before).all()
    assert together[::97].tolist() == [int(crc32c_rows(row[None])[0]) for row in rows[::97]]
    assert crc32c_rows(rows[:, 3:-5])[1] == crc32c_rows(rows[1:2, 3:-5].copy())[0]
    assert crc32c_rows(rows[:0]).shape == (0,)


def test_arrays_of_different_lengths_in_one_call():
    groups = [np.random.RandomState(n).randint(0, 256, (3, n)).astype(np.uint8) for n in (60000, 4, 100, 2400)]
    groups.insert(1, np.zeros((0, 9), np.uint8))
    for rows, crcs in zip(groups, crc32c_of(groups)):
        assert crcs.tolist() == [bitwise_crc32c(row.tobytes()) for row in rows]


def test_mask_is_a_rotation_and_a_sum():
    crc = 0x8A9136AA
    assert mask(crc) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
