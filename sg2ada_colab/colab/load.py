"""Load a trained network by any of its names, ready to make pictures."""

from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ..files import FilePath
from .session import plainly, results_folders, tell

if TYPE_CHECKING:
    from ..generate.find_network import FoundNetwork
    from ..generate.generator import TrainedGenerator
    from ..generate.named_network import NamedNetwork


@plainly
def load(
    network: Union[FilePath, int], xla: Optional[bool] = None, say: Optional[Callable[[str], Any]] = None
) -> "TrainedGenerator":
    """Load a trained network; what it can do, see `TrainedGenerator`.

    Args:
        network: A file, an address, a preset such as "ffhq256", "flags" (the network that ships), or a run of the workspace by
            folder, name or number, which means its newest snapshot; "RUN:best" is the one that was measured best.
        xla: True compiles with XLA, False never does; None compiles when many pictures are asked for.
        say: Function of a sentence for a person, such as what was passed over; None shows a notice.

    Returns:
        TrainedGenerator.

    Raises:
        UserError: There is no such network, or it cannot be read.
    """
    from ..generate.find_network import find_network

    return ready(find_network(network, results_folders()), xla, say)


def ready(found: "FoundNetwork", xla: Optional[bool] = None, say: Optional[Callable[[str], Any]] = None) -> "TrainedGenerator":
    """Return the TrainedGenerator of a FoundNetwork; see `load`."""
    from ..generate.generator import TrainedGenerator
    from ..runs.device import prepare_device

    for note in found.notes:
        say(note) if say else tell("info", note)
    prepare_device()
    return TrainedGenerator.of_file(found, xla)


def named(found: "FoundNetwork", xla: Optional[bool] = None, say: Optional[Callable[[str], Any]] = None) -> "NamedNetwork":
    """Return the NamedNetwork of a FoundNetwork: TensorFlow is imported where a picture has to be made; see `load`."""
    from ..generate.named_network import NamedNetwork

    return NamedNetwork(found.snapshot.Gs, found.digest, found.title, lambda: ready(found, xla, say))
