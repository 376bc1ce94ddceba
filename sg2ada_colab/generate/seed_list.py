"""Seeds as a person writes them."""

from typing import Iterable, List, Union

from ..errors import UserError

MOST_SEEDS = 1000000
LARGEST_SEED = 2**32 - 1  # what NumPy's RandomState takes


def parse_seeds(seeds: Union[str, Iterable[int]], most: int = MOST_SEEDS) -> List[int]:
    """Return the seeds in a text such as "0-15" or "0,1,4-6", or in a list of integers; order and repeats stay.

    Args:
        most: Largest number of seeds that is accepted.

    Raises:
        UserError: It is something else, or too many.
    """
    found = []
    try:
        if not isinstance(seeds, str):
            found = [int(seed) for seed in seeds]
        else:
            for part in seeds.replace(" ", "").split(","):
                begin, _, end = part.partition("-")
                first, last = int(begin), int(end or begin)
                if last - first >= most:
                    raise ValueError("too many")
                found += list(range(first, last + 1))
    except (ValueError, TypeError):
        found = []
    if not found or len(found) > most or min(found) < 0 or max(found) > LARGEST_SEED:
        raise UserError(
            f"{seeds!r} is not a list of seeds.",
            f"1 to {most} whole numbers from 0, such as 0-15 or 1,5,9 or 0,1,4-6",
            "write 0-15",
        )
    return found
