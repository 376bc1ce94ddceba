"""Duplicates: the same file twice, or the same picture saved again."""

from typing import Any, Dict, List, Sequence

import numpy as np

THUMB_PX = 16
_BANDS = 4  # of 16 bits each: two 64-bit hashes that differ in up to three bits agree in one of them
_HASH_DISTANCE = 3
# In levels of 0..255 at 16 x 16: saving as JPEG or resizing changes less, another drawing on the same white ground more.
_MEAN_DIFFERENCE, _LARGEST_DIFFERENCE = 2.0, 16


def difference_hashes(thumbs: np.ndarray) -> np.ndarray:
    """Return uint64 [N] hashes of uint8 [N, 16, 16, 3] thumbnails: which of 8 x 9 cells are brighter than their left one."""
    rows = thumbs.reshape(len(thumbs), 8, 2, THUMB_PX, 3).mean((2, 4))
    edges = np.linspace(0, THUMB_PX, 10).astype(int)
    cells = np.stack([rows[:, :, a:b].mean(2) for a, b in zip(edges, edges[1:])], 2)
    bits = (cells[:, :, 1:] > cells[:, :, :-1] + 0.5).reshape(len(thumbs), 64)
    return np.packbits(bits, axis=1).view(">u8").reshape(-1).astype(np.uint64)


def _bit_counts(values):
    return np.unpackbits(np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 8), axis=1).sum(1)


def near_duplicates(thumbs: np.ndarray) -> List[List[int]]:
    """Return groups (lists of ascending indices) of uint8 [N, 16, 16, 3] thumbnails that show the same picture as their first."""
    hashes, means = difference_hashes(thumbs), thumbs.mean((1, 2, 3))
    bands = (hashes[:, None] >> np.arange(0, 64, 16).astype(np.uint64)) & np.uint64(0xFFFF)
    by_brightness = np.argsort(means, kind="stable")
    buckets = [_buckets(bands[:, band], by_brightness) for band in range(_BANDS)]
    taken, groups = np.zeros(len(thumbs), bool), []
    for first in range(len(thumbs)):
        if taken[first]:
            continue
        # Similar pictures have similar mean brightness, by which each bucket is sorted, so only a short part of it is compared.
        candidates = [first]
        for band in range(_BANDS):
            bucket = buckets[band][bands[first, band]]
            low, high = np.searchsorted(means[bucket], [means[first] - _MEAN_DIFFERENCE, means[first] + _MEAN_DIFFERENCE])
            candidates.extend(bucket[low:high])
        nearby = np.unique(candidates)
        nearby = nearby[(nearby > first) & ~taken[nearby]]
        nearby = nearby[_bit_counts(hashes[nearby] ^ hashes[first]) <= _HASH_DISTANCE]
        difference = np.abs(thumbs[nearby].astype(np.int16) - thumbs[first]).reshape(len(nearby), thumbs[first].size)
        near = nearby[(difference.mean(1) <= _MEAN_DIFFERENCE) & (difference.max(1, initial=0) <= _LARGEST_DIFFERENCE)]
        taken[near] = True
        if len(near):
            groups.append([first] + near.tolist())
    return groups


def _buckets(keys, order):
    """Return {key: indices}, the indices in the given order."""
    grouped = order[np.argsort(keys[order], kind="stable")]
    parts = np.split(grouped, np.flatnonzero(np.diff(keys[grouped])) + 1)
    return {keys[part[0]]: part for part in parts if len(part)}


def exact_duplicates(digests: Sequence[Any]) -> List[List[int]]:
    """Return groups (lists of ascending indices) of equal digests."""
    groups: Dict[Any, List[int]] = {}
    for index, digest in enumerate(digests):
        groups.setdefault(digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]
