"""The environment variable TF_CONFIG, by which TensorFlow's processes find each other; imports no TensorFlow."""

import json
from typing import List, Optional, Tuple

from .errors import UserError

NAME = "TF_CONFIG"
EXAMPLE = '{"cluster": {"worker": ["first:12345", "second:12345"]}, "task": {"type": "worker", "index": 0}}'


def read_tf_config(text: str) -> Optional[Tuple[List[str], int]]:
    """Return (addresses, this one's index) of TF_CONFIG's text; None where it is empty or names one process alone.

    Raises:
        UserError: It cannot be read, has tasks that are not workers, or names an address twice.
    """
    if not text.strip():
        return None
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kinds, addresses, index = set(cluster), cluster.get("worker", []), task["index"]
        kind = task["type"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise refusal(f"{NAME} cannot be read: {text[:200]!r}.", "JSON with a cluster and a task") from None
    if sum(len(names) for names in cluster.values() if isinstance(names, list)) == 1:
        return None  # what a service sets for a machine on its own
    if kinds != {"worker"} or kind != "worker" or not isinstance(addresses, list):
        what = "{} names tasks of the kinds {}, and this one is {!r}.".format(NAME, ", ".join(sorted(map(str, kinds))), kind)
        raise refusal(what, "all of them of the kind worker; the first one writes the run's files")
    for address in addresses:
        host_and_port(address)
    twice = [address for address in addresses if addresses.count(address) > 1]
    if twice:
        raise refusal(f"{NAME} names {twice[0]} twice.", "every machine once")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(addresses):
        raise refusal(f"{NAME} says that this is worker {index!r}.", f"an index from 0 to {len(addresses) - 1}")
    return addresses, index


def tf_config_text(workers: List[str], index: int) -> str:
    """Return the text of TF_CONFIG for the process number `index` of those at the addresses `workers`."""
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def host_and_port(address: str) -> Tuple[str, int]:
    """Return the two parts of an address such as "first:12345"; raises UserError where it is not one."""
    host, _, port = str(address).rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise refusal(f"{address!r} is not the address of a process.", "a host's name or number, a colon, and a port")
    return host, int(port)


def refusal(what: str, expected: str) -> UserError:
    """Return the UserError of a TF_CONFIG that cannot be used, with an example."""
    return UserError(what, expected, f"set it like this, with another index on each machine: {NAME}='{EXAMPLE}'")
