"""Numbers as people read them."""


def size_text(count):
    """Return a number of bytes in words, such as "3.2 MB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return "{:.1f} {}".format(count / unit, name)
    return "{} bytes".format(int(count))


def some(count, one, many):
    """Return a number with its noun or phrase in the right number, such as "1 file is" or "3 files are"."""
    return "{} {}".format(count, one if count == 1 else many)
