"""CRC-32C (Castagnoli) of many equal-length rows at once, at memory speed, with NumPy alone.

A CRC is the remainder of the message, read as a polynomial over GF(2), by P. Where a sparse polynomial
y^a + y^b + ... + 1 is a multiple of P, a word that stands `a` words or more before the end may be replaced by copies of
itself further on, because y^a = y^b + ... + 1 modulo P. So a long message shrinks by plain XORs of whole slices until
a table look-up finishes the rest. P has no repeated factor, hence a multiple in y = x is one in y = x^8, x^16, x^32 and
x^64 too (squaring is linear over GF(2)), and the same few exponents serve words of every size.
"""

import numpy as np

_REVERSED_P = 0x82F63B78  # P without its leading term, lowest coefficient in the highest bit
# Exponents (a, b, ...) of y^a + y^b + ... + 1 = 0 mod P, found by search for few terms and a wide gap between a and b:
# the gap is how many words one slice operation may fold.
_RELATIONS = ((6777, 484, 100), (1285, 40, 38, 19, 8), (563, 109, 58, 53, 31), (290, 136, 113, 107, 32))
_ROW_BLOCK_BYTES = 1 << 18  # rows are folded in groups that stay in the second-level cache


def _position_tables():
    """Return uint32 [290 * 256]: what a byte of a message's last 290 contributes to its remainder, by place and value."""
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = (byte >> np.uint32(1)) ^ (np.uint32(_REVERSED_P) * (byte & np.uint32(1)))
    tables = [byte]
    for _ in range(_RELATIONS[-1][0] - 1):
        further = tables[-1]
        tables.append(byte[further & np.uint32(255)] ^ (further >> np.uint32(8)))
    return np.concatenate(tables[::-1])


_TABLES = _position_tables()


def _fold(words):
    """Fold [rows, count] words in place and return the last, at most 290, words that hold the same remainders."""
    start, count = 0, words.shape[1]
    for relation in _RELATIONS:
        degree = relation[0]
        shifts = [degree - exponent for exponent in relation[1:]] + [degree]
        while count - start > degree:
            stop = start + min(shifts[0], count - start - degree)
            head = words[:, start:stop]
            for shift in shifts:
                words[:, start + shift : stop + shift] ^= head
            start = stop
    return words[:, start:]


def _shortened(rows):
    """Return the rows as uint8 [rows, at most 2320] with the same remainders, the initial value applied."""
    count, length = rows.shape
    padding = -length % 8  # leading zeros do not change a remainder
    group = max(1, _ROW_BLOCK_BYTES // (length + padding))
    parts = []
    for start in range(0, count, group):
        part = rows[start : start + group]
        buffer = np.empty((len(part), length + padding), np.uint8)
        buffer[:, :padding] = 0
        buffer[:, padding:] = part
        buffer[:, padding : padding + 4] ^= np.uint8(255)  # the initial value of all ones
        parts.append(np.ascontiguousarray(_fold(buffer.view("<u8"))))
    return np.concatenate(parts).view(np.uint8)


def _remainder(rows):
    """Return the uint32 [rows] remainders of uint8 [rows, a multiple of 8]; overwrites `rows`."""
    for dtype in ("<u4", "<u2", "u1"):
        rows = np.ascontiguousarray(_fold(rows.view(dtype))).view(np.uint8)
    places = np.arange(len(_TABLES) // 256 - rows.shape[1], len(_TABLES) // 256, dtype=np.int64) * 256
    return np.bitwise_xor.reduce(_TABLES.take(rows + places), axis=1)


def crc32c_of(groups):
    """Return the CRC-32C of the rows of several arrays; quicker than one call for each.

    Args:
        groups: List of uint8 [rows, length] arrays, each length at least 4.

    Returns:
        List of uint32 [rows] arrays.
    """
    assert all(rows.shape[1] >= 4 for rows in groups), "the initial value needs four bytes"
    shortened = [_shortened(rows) for rows in groups if len(rows)]
    longest = max([rows.shape[1] for rows in shortened] + [0])
    together = np.zeros((sum(map(len, shortened)), longest), np.uint8)
    first = 0
    for rows in shortened:
        together[first : first + len(rows), longest - rows.shape[1] :] = rows
        first += len(rows)
    crcs = ~_remainder(together)
    return np.split(crcs, np.cumsum([len(rows) for rows in groups])[:-1])


def crc32c_rows(rows):
    """Return the CRC-32C of each row of a uint8 [rows, length] array, length at least 4, as uint32 [rows]."""
    return crc32c_of([rows])[0]


def mask(crc):
    """Return TFRecord's masked form of CRCs (uint32 array): rotated right by 15 bits, plus a constant."""
    crc = np.asarray(crc, np.uint32)
    rotated = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return (rotated.astype(np.uint64) + np.uint64(0xA282EAD8)).astype(np.uint32)
