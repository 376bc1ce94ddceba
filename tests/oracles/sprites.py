"""Sprites: small pictures with transparency, whose invisible pixels hold colours that nobody may see."""

import numpy as np
from PIL import Image, ImageDraw

RUBBISH = (0, 255, 0)  # under zero alpha; no sprite has visible green


def sprite(number, side=64):
    """Return an "RGBA" Pillow image of a face, a coin or a gem, smooth at its edge, in colours without green."""
    draws, large = np.random.RandomState(number), 4 * side
    red, blue = (int(value) for value in draws.randint(60, 256, 2))
    alpha = Image.new("L", (large, large), 0)
    colours = Image.new("RGB", (large, large), (red, 0, blue))
    shape, inside = ImageDraw.Draw(alpha), ImageDraw.Draw(colours)
    reach, middle = draws.uniform(0.3, 0.45) * large, large / 2
    box = [middle - reach, middle - reach, middle + reach, middle + reach]
    kind = number % 3
    if kind == 2:
        shape.polygon([(middle, box[1]), (box[2], middle), (middle, box[3]), (box[0], middle)], fill=255)
        inside.polygon([(middle, box[1]), (box[2], middle), (middle, middle)], fill=(255, 0, 255))
    else:
        shape.ellipse(box, fill=255)
        for x in (-0.4, 0.4) if kind == 0 else (0.0,):
            radius = reach / (6 if kind == 0 else 2)
            at = middle + x * reach, middle - (0.3 * reach if kind == 0 else 0)
            inside.ellipse([at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius], fill=(40, 0, 0))
    alpha = np.asarray(alpha.resize((side, side), Image.Resampling.BOX))
    pixels = np.dstack([np.asarray(colours.resize((side, side), Image.Resampling.BOX)), alpha])
    pixels[alpha == 0, :3] = RUBBISH
    return Image.fromarray(pixels)


def write_sprites(folder, count, side=64):
    """Write sprites as PNG files into a folder that exists; returns its path as text."""
    for number in range(count):
        sprite(number, side).save(f"{folder}/{number:03d}.png")
    return str(folder)
