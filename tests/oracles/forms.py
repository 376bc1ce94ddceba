"""The forms of pictures that tests run over where shape matters: settings of `small_snapshot` and of the configurations."""

FORMS = {
    "square": {},
    "tall": {"init_res": (6, 4)},
    "wide": {"init_res": (4, 6)},
    "rgba": {"num_channels": 4},
    "wide rgba": {"init_res": (4, 6), "num_channels": 4},
}


def picture_shape(form, resolution=16):
    """Return (height, width, channels) of the pictures of a network of this form and nominal resolution."""
    height, width = (resolution * side // 4 for side in FORMS[form].get("init_res", (4, 4)))
    return height, width, FORMS[form].get("num_channels", 3)
