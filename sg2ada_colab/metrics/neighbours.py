"""The training images nearest to fakes, in the features of a network: is the generator repeating what it was shown?"""

import collections

import numpy as np
from PIL import Image, ImageDraw

from ..snapshots.atomic import atomic_file
from .plot import load_font

BLOCK_ROWS = 256
COPY_BELOW = 0.5  # of the reals' own median distance to their nearest other image

# indices int [n, k], distances float [n, k]: of the nearest reals; usual: median distance of a real to its nearest other real
Neighbours = collections.namedtuple("Neighbours", "indices distances usual")


def nearest_reals(real_rows, fake_rows, count=5):
    """Return the Neighbours of features [n, D] among features [N, D], nearest first, by Euclidean distance."""
    reals, fakes = np.asarray(real_rows, np.float64), np.asarray(fake_rows, np.float64)
    count = min(count, len(reals))
    indices = np.empty([len(fakes), count], np.int64)
    distances = np.empty([len(fakes), count])
    for start in range(0, len(fakes), BLOCK_ROWS):
        block = _distances(fakes[start : start + BLOCK_ROWS], reals)
        indices[start : start + BLOCK_ROWS] = np.argsort(block, axis=1, kind="stable")[:, :count]
        distances[start : start + BLOCK_ROWS] = np.take_along_axis(block, indices[start : start + BLOCK_ROWS], axis=1)
    sample = np.linspace(0, len(reals) - 1, min(len(reals), 2 * BLOCK_ROWS)).astype(np.int64)
    among_reals = _distances(reals[sample], reals)
    among_reals[np.arange(len(sample)), sample] = np.inf
    return Neighbours(indices, distances, float(np.median(among_reals.min(axis=1))))


def _distances(rows, columns):
    squared = np.sum(rows**2, axis=1)[:, None] - 2.0 * (rows @ columns.T) + np.sum(columns**2, axis=1)
    return np.sqrt(np.maximum(squared, 0.0))


def memorisation_sentence(neighbours):
    """Return a sentence on how many fakes lie closer to a training image than training images lie to each other."""
    share = float(np.mean(neighbours.distances[:, 0] < COPY_BELOW * neighbours.usual))
    text = "{:.0%} of {} fakes are nearer to a training image than half of what separates training images from each other"
    return text.format(share, len(neighbours.distances)) + (": look whether they are copies" if share > 0.1 else "")


def draw_neighbours(path, fakes, dataset, neighbours, tile_px=128):
    """Write a PNG with a row for each fake: the fake, then its nearest training images with index and relative distance.

    Args:
        path: File to write.
        fakes: uint8 [n, H, W, C].
        dataset: Object with `read(indices)`.
        neighbours: Neighbours of these fakes.
    """
    count = neighbours.indices.shape[1]
    caption_px, gap_px, heading_px = 18, 12, 24
    image = Image.new("RGB", ((count + 1) * tile_px + gap_px, heading_px + len(fakes) * (tile_px + caption_px)), "white")
    draw, font = ImageDraw.Draw(image), load_font(12)
    draw.text((6, 6), "fake", fill="black", font=font)
    heading = "nearest training images (number; distance, 1 = usual between them)"
    draw.text((tile_px + gap_px + 6, 6), heading, fill="black", font=font)
    for row, fake in enumerate(fakes):
        top = heading_px + row * (tile_px + caption_px)
        image.paste(_tile(fake, tile_px), (0, top))
        for column, (index, real) in enumerate(zip(neighbours.indices[row], dataset.read(neighbours.indices[row]))):
            left = (column + 1) * tile_px + gap_px
            image.paste(_tile(real, tile_px), (left, top))
            text = "{}; {:.2f}".format(index, neighbours.distances[row, column] / max(neighbours.usual, 1e-30))
            draw.text((left + 4, top + tile_px + 2), text, fill="black", font=font)
    with atomic_file(path) as stream:
        image.save(stream, "PNG")


def _tile(image, size_px):
    image = np.squeeze(image, axis=2) if image.shape[2] == 1 else image
    kernel = Image.LANCZOS if len(image) > size_px else Image.NEAREST
    return Image.fromarray(image).convert("RGB").resize((size_px, size_px), kernel)
