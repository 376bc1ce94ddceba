"""Seeds as a person writes them."""

from ..errors import UserError

MOST_IMAGES = 256


def parse_seeds(seeds):
    """Return the seeds in a text such as "0-15" or "1, 5, 9-12", or in a list of integers.

    Raises:
        UserError: It is something else, or too many.
    """
    found = []
    try:
        if not isinstance(seeds, str):
            found = [int(seed) for seed in seeds]
        else:
            for part in seeds.replace(" ", "").split(","):
                first, _, last = part.partition("-")
                first, last = int(first), int(last or first)
                if last - first >= MOST_IMAGES:
                    raise ValueError("too many")
                found += list(range(first, last + 1))
    except (ValueError, TypeError):
        found = []
    if not found or len(found) > MOST_IMAGES or min(found) < 0 or max(found) >= 2**32:
        raise UserError(
            "{!r} are no seeds.".format(seeds), "1 to {} whole numbers, such as 0-15 or 1,5,9".format(MOST_IMAGES), "write 0-15"
        )
    return found
