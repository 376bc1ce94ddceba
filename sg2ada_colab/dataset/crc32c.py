"""CRC-32C (Castagnoli) of many equal-length rows at once, at memory speed, with NumPy alone.

A CRC is the remainder of the message, read as a polynomial over GF(2), by P. Where a sparse polynomial
y^a + y^b + ... + 1 is a multiple of P, a word that stands `a` words or more before the end may be replaced by copies of
itself further on, because y^a = y^b + ... + 1 modulo P. So a long message shrinks by plain XORs of whole slices until
a table look-up finishes the rest. P has no repeated factor, hence a multiple in y = x is one in y = x^8, x^16, x^32 and
x^64 too (squaring is linear over GF(2)), and the same few exponents serve words of every size.
"""

import numpy as np

_REVERSED_P = 0x82F63B78  # P without its leading term, lowest coefficient in the highest bit
# Exponents (a, b, ...) of y^a + y^b + ... + 1 = 0 mod P, searched for few terms and a wide gap between a and b:
# the gap is how many words one slice operation may fold.
_LONG_RELATION = (6777, 484, 100)
_SHORT_RELATION = (290, 136, 113, 107, 32)
_ROW_BLOCK_BYTES = 1 << 18  # rows are folded in groups that stay in the second-level cache


def _table16():
    """Return the uint32 [2, 65536] look-up tables of a little-endian 16-bit word with 4 and 2 bytes left to the end."""
    table = np.arange(65536, dtype=np.uint32)
    tables = []
    for _ in range(2):
        for _ in range(16):
            table = (table >> np.uint32(1)) ^ (np.uint32(_REVERSED_P) * (table & np.uint32(1)))
        tables.append(table)
    return np.stack(tables[::-1])


_TABLE_HIGH, _TABLE_LOW = _table16()


def _fold(words, relation):
    """Fold [rows, count] words in place by `relation` and return the at most relation[0] words that are left."""
    degree, start, count = relation[0], 0, words.shape[1]
    shifts = [degree - exponent for exponent in relation[1:]] + [degree]
    while count - start > degree:
        stop = start + min(shifts[0], count - start - degree)
        head = words[:, start:stop]
        for shift in shifts:
            words[:, start + shift : stop + shift] ^= head
        start = stop
    return words[:, start:]


def _shortened(rows):
    """Return uint8 [rows, at most 2320] with the remainders of `rows` [rows, a multiple of 8]; overwrites `rows`."""
    words = _fold(_fold(rows.view("<u8"), _LONG_RELATION), _SHORT_RELATION)
    return np.ascontiguousarray(words).view(np.uint8)


def _remainder(rows):
    """Return the uint32 [rows] remainders of uint8 [rows, a multiple of 8]; overwrites `rows`."""
    for dtype in ("<u4", "<u2", "u1"):
        rows = np.ascontiguousarray(_fold(rows.view(dtype), _SHORT_RELATION)).view(np.uint8)
    state = np.zeros(len(rows), np.uint32)
    padded = np.concatenate([np.zeros((len(rows), -rows.shape[1] % 4), np.uint8), rows], axis=1)
    for word in np.ascontiguousarray(padded.view("<u4").T):
        state = state ^ word
        state = np.take(_TABLE_HIGH, state & np.uint32(0xFFFF)) ^ np.take(_TABLE_LOW, state >> np.uint32(16))
    return state


def crc32c_rows(rows):
    """Return the CRC-32C of each row of a uint8 [rows, length] array, length at least 4, as uint32 [rows]."""
    count, length = rows.shape
    assert length >= 4, "rows of {} bytes; the initial value needs four".format(length)
    if not count:
        return np.zeros(0, np.uint32)
    padding = -length % 8  # leading zeros do not change the remainder
    shortened = []
    group = max(1, _ROW_BLOCK_BYTES // (length + padding))
    for start in range(0, count, group):
        part = rows[start : start + group]
        buffer = np.zeros((len(part), length + padding), np.uint8)
        buffer[:, padding:] = part
        buffer[:, padding : padding + 4] ^= np.uint8(255)  # the initial value of all ones
        shortened.append(_shortened(buffer))
    return ~_remainder(np.concatenate(shortened))


def mask(crc):
    """Return TFRecord's masked form of CRCs (uint32 array): rotated right by 15 bits, plus a constant."""
    crc = np.asarray(crc, np.uint32)
    rotated = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return (rotated.astype(np.uint64) + np.uint64(0xA282EAD8)).astype(np.uint32)
