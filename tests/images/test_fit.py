import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.images.fit import FitOptions, regions, scale

sides = st.integers(1, 5000)
powers = st.sampled_from([4, 16, 64, 256, 1024])


@settings(deadline=None)
@given(sides, sides, powers)
def test_the_centre_crop_is_the_largest_centred_square(width, height, resolution):
    (box,), _ = regions("x", width, height, resolution, FitOptions(upscale=True))
    left, top, right, bottom = box
    assert right - left == bottom - top == min(width, height)
    assert abs(left - (width - right)) <= 1 and abs(top - (height - bottom)) <= 1


@settings(deadline=None)
@given(sides, sides, powers, st.sampled_from(["tiles", "random"]), st.integers(0, 300))
def test_all_squares_lie_inside_and_are_large_enough(width, height, resolution, mode, tile_px):
    boxes, reason = regions("x", width, height, resolution, FitOptions(mode, tile_px=tile_px, crops_per_image=5))
    assert bool(boxes) != bool(reason)
    side = tile_px or resolution
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
        assert right - left == bottom - top == side >= resolution


def test_tiles_cover_the_image_without_overlap_and_centred():
    boxes, _ = regions("x", 70, 40, 16, FitOptions("tiles"))
    assert len(boxes) == len(set(boxes)) == 8
    assert (min(boxes), max(boxes)) == ((3, 4, 19, 20), (51, 20, 67, 36))


def test_random_squares_are_fixed_by_seed_and_name():
    def some(name, seed):
        return regions(name, 500, 500, 64, FitOptions("random", crops_per_image=6, seed=seed))[0]

    assert len(some("a", 1)) == 6
    assert some("a", 1) == some("a", 1) != some("a", 2)
    assert some("a", 1) != some("b", 1)


@pytest.mark.parametrize("mode, size, is_kept", [
    ("crop", (15, 99), False), ("crop", (16, 99), True), ("pad", (15, 99), True), ("pad", (15, 9), False),
    ("stretch", (15, 99), False), ("tiles", (15, 99), False),
])  # fmt: skip
def test_small_images_are_left_out_unless_enlarging_is_asked_for(mode, size, is_kept):
    boxes, reason = regions("x", size[0], size[1], 16, FitOptions(mode))
    assert bool(boxes) == is_kept
    if not is_kept:
        assert "{} x {}".format(*size) in reason
    if mode != "tiles":
        assert regions("x", size[0], size[1], 16, FitOptions(mode, upscale=True))[0]


def test_saved_boxes():
    options = FitOptions("boxes", boxes={"a": (1, 2, 33, 34), "b": (0, 0, 200, 10)})
    assert regions("a", 100, 100, 32, options)[0] == [(1, 2, 33, 34)]
    assert regions("b", 100, 100, 8, options)[1] == "its crop box [0, 0, 200, 10] is not inside 100 x 100"
    assert regions("c", 100, 100, 8, options)[1] == "no crop box is saved for it"


def test_padding_keeps_the_whole_image_on_the_background():
    image = Image.new("RGB", (40, 20), (200, 0, 0))
    square = np.asarray(scale(image, 16, FitOptions("pad"), (0, 9, 0)))
    assert square.shape == (16, 16, 3)
    assert (square[4:12] == (200, 0, 0)).all()
    assert (square[:4] == (0, 9, 0)).all() and (square[12:] == (0, 9, 0)).all()


def test_stretching_and_filters():
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None] * 4, 32, 0)
    square = np.asarray(scale(Image.fromarray(ramp), 16, FitOptions("stretch", "box"), (0, 0, 0)))
    assert (square == ramp.reshape(16, 2, 16, 4).mean((1, 3))).all()
    checks = np.indices((64, 64)).sum(0) % 2 * 255  # the finest pattern becomes even grey: the filter antialiases
    for name in ("lanczos", "box", "bicubic"):
        small = np.asarray(scale(Image.fromarray(checks.astype(np.uint8)), 16, FitOptions(filter=name), (0, 0, 0)))
        assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 3


def test_an_image_of_the_right_size_is_untouched():
    image = Image.new("RGB", (16, 16))
    assert scale(image, 16, FitOptions(), (0, 0, 0)) is image


def test_unknown_choices():
    with pytest.raises(UserError, match="--fit 'zoom' does not exist"):
        FitOptions("zoom").check()
    with pytest.raises(UserError, match="--filter 'nearest' does not exist"):
        FitOptions(filter="nearest").check()


def test_one_box_for_every_image_that_has_none_of_its_own():
    options = FitOptions("boxes", boxes={"a": (1, 1, 9, 9), "*": (0, 0, 8, 8)}, of_px=(12, 10))
    assert regions("a", 12, 10, 8, options) == ([(1, 1, 9, 9)], None)
    assert regions("b", 12, 10, 8, options) == ([(0, 0, 8, 8)], None)
    assert regions("b", 12, 11, 8, options) == ([], "12 x 11, not 12 x 10")
