"""Which class a picture shows: from a number, a vector or nothing to the label vector that the network takes."""

from typing import Any, List, Optional, Sequence, Union

import numpy as np

from ..errors import UserError

NO_CLASS = "none"  # asks for the zero vector of a network with classes, as NVIDIA's TensorFlow program takes without --class
ChosenClass = Union[int, str, Sequence[Any], np.ndarray, None]  # as `label_vectors` takes it


def label_vectors(chosen: ChosenClass, count: int, label_size: int, title: str = "the network") -> np.ndarray:
    """Return label vectors float32 [count, label_size].

    Args:
        chosen: None for a network without classes; a class number; a vector of label_size numbers; a list of `count`
            integers, or an array [count, label_size], one for each picture; or "none" for the zero vector.
        label_size: Of the network.

    Raises:
        UserError: The network has no such class, or no classes, or one has to be chosen.
    """
    if label_size == 0:
        if chosen is not None and not (isinstance(chosen, str) and chosen == NO_CLASS) and np.size(chosen):
            raise UserError(f"{title} was trained without classes, and class {_short(chosen)} is asked for.", "no class",
                            "leave the class out")  # fmt: skip
        return np.zeros([count, 0], np.float32)
    if chosen is None:
        raise UserError(f"{title} makes {label_size} classes, and none is chosen.",
                        f"a class from 0 to {label_size - 1}, or {NO_CLASS} for the zero vector",
                        "choose one: --class=0, or class_=0 in Python")  # fmt: skip
    if isinstance(chosen, str) and chosen == NO_CLASS:
        return np.zeros([count, label_size], np.float32)
    try:
        values = np.asarray(chosen, np.float64)
    except (TypeError, ValueError):
        raise _no_class(chosen, label_size, title) from None
    if values.ndim == 0 or (values.shape == (count,) and np.asarray(chosen).dtype.kind in "iu"):
        numbers = np.broadcast_to(values, [count])
        if not np.all((numbers == np.floor(numbers)) & (numbers >= 0) & (numbers < label_size)):
            raise _no_class(chosen, label_size, title)
        return np.eye(label_size, dtype=np.float32)[numbers.astype(int)]
    if values.shape not in ((label_size,), (count, label_size)) or not np.isfinite(values).all():
        raise _no_class(chosen, label_size, title)
    return np.broadcast_to(values.astype(np.float32), [count, label_size])


def _no_class(chosen, label_size, title):
    return UserError(
        f"{title} has no class {_short(chosen)}.",
        f"a class number from 0 to {label_size - 1}, or a vector of {label_size} numbers",
        "choose one of these",
    )


def _short(chosen):
    text = str(np.asarray(chosen).tolist() if not isinstance(chosen, str) else chosen)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_class(text: Optional[str]) -> Union[int, List[float], str, None]:
    """Return the class in a text: a number, numbers with commas for a vector, "none", or None for None.

    Raises:
        UserError: It is something else.
    """
    if text is None or text == NO_CLASS:
        return text
    try:
        values = [float(part) for part in str(text).split(",")]
    except ValueError:
        values = []
    if not values or not np.isfinite(values).all() or (len(values) == 1 and values[0] != int(values[0])):
        raise UserError(
            f"{text!r} is not a class.", f"a class number, a vector such as 0,0.5,0.5, or {NO_CLASS}", "write --class=0"
        )
    return int(values[0]) if len(values) == 1 else values


def check_class(chosen: Any) -> None:
    """Raise ValueError for a class in a file from outside that is not one."""
    numbers = chosen if isinstance(chosen, list) else [chosen]
    if not (chosen is None or chosen == NO_CLASS or all(type(number) in (int, float) for number in numbers)):
        raise ValueError("its class is not one")
