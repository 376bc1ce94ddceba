"""Snapshots as safetensors: a JSON header and raw numbers, which any language reads and which cannot hold code.

Names are the network's and the variable's: "Gs/synthesis/4x4/Conv/weight", "D/Output/bias". Layouts are TensorFlow's. The
header's `__metadata__` holds the settings of each network as JSON texts under "G", "D" and "Gs".

A small file for a package holds float16 numbers, and Gs and D alone: training goes on from the average, so G is read as Gs.
"""

import json
import struct
from collections import OrderedDict
from typing import BinaryIO, Union

import numpy as np

from ..byte_source import FileSource, Refused
from ..errors import UserError
from ..files import FilePath, atomic_file
from .network_data import NetworkData, NetworkSnapshot, plain_value

FORMAT = "sg2ada_colab snapshot"
FORMAT_VERSION = "1"
ORDER = " variables"  # after a network's name in the metadata: the names of its variables, in their order
MAX_HEADER_BYTES = 100 << 20  # the limit of the format
DTYPES = {"F32": "<f4", "F16": "<f2"}  # read as float32, both


def write_safetensors(path_or_file: Union[FilePath, BinaryIO], snapshot: NetworkSnapshot, compact: bool = False) -> None:
    """Write all three networks, or Gs and D in half the precision.

    Args:
        path_or_file: A path, or a binary file that stays open.
        snapshot: NetworkSnapshot.
        compact: Write float16 numbers, and no G: about a third of the bytes.

    Raises:
        UserError: The package `safetensors` is missing.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise UserError(
            "The package safetensors is not installed.",
            "safetensors, which writes the file; reading needs nothing",
            "install it with `pip install safetensors`, the extra sg2ada_colab[safetensors]",
        ) from error
    metadata, arrays = {"format": FORMAT, "format_version": FORMAT_VERSION, "source": snapshot.source}, {}
    dtype = DTYPES["F16" if compact else "F32"]
    for network in [snapshot.D, snapshot.Gs] if compact else snapshot.networks():
        metadata[network.name] = json.dumps(plain_value(network.kwargs))
        metadata[network.name + ORDER] = json.dumps(list(network.variables))  # the library sorts by name
        for name, value in network.variables.items():
            arrays[f"{network.name}/{name}"] = np.require(value, dtype, "C")  # it writes other arrays' bytes in another order
    content = save(arrays, metadata)
    if hasattr(path_or_file, "write"):
        path_or_file.write(content)
        return
    with atomic_file(path_or_file) as file:
        file.write(content)


def read_safetensors(path: FilePath) -> NetworkSnapshot:
    """Read what `write_safetensors` wrote.

    Returns:
        NetworkSnapshot; equal bit for bit, or to float16 where the file is compact.

    Raises:
        Refused: It is damaged, or a safetensors file of something else.
    """
    with open(str(path), "rb") as file:
        source = FileSource(file)
        header = _header(source)
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
            raise Refused("it is a safetensors file of another program, without the settings that its networks need")
        if metadata.get("format_version") != FORMAT_VERSION:
            raise Refused("it has format version {!r}, not {!r}".format(str(metadata.get("format_version"))[:20], FORMAT_VERSION))
        names = [name for name in ("G", "D", "Gs") if name in metadata or name != "G"]
        networks = {name: NetworkData(name, _settings(metadata, name), {}) for name in names}
        start = source.position
        for key, entry in sorted(header.items(), key=_order):
            name, _, variable = key.partition("/")
            if name not in networks or not variable:
                raise Refused(f"it holds an unknown tensor {key[:100]!r}")
            networks[name].variables[variable] = _array(source, start, key, entry)
        if source.position != source.size:
            raise Refused(f"it has {source.size - source.position:,} bytes behind its last tensor")
    for name, network in networks.items():
        network.variables = _ordered(network.variables, metadata.get(name + ORDER))
    origin, average, notes = metadata.get("source", ""), networks["Gs"], []
    if "G" not in networks:
        copies = OrderedDict((name, value.copy()) for name, value in average.variables.items())
        networks["G"] = NetworkData("G", dict(average.kwargs), copies)
        notes.append("The file holds no G; its average Gs stands for it.")
    details = {"written from": origin} if isinstance(origin, str) else {}
    return NetworkSnapshot(networks["G"], networks["D"], average, source="safetensors", details=details, notes=notes)


def _header(source):
    size = struct.unpack("<Q", source.read(8))[0]
    if size > MAX_HEADER_BYTES:
        raise Refused(f"its header would have {size:,} bytes")
    try:
        header = json.loads(source.read(size).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"its header is damaged ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise Refused("its header is not a JSON object")
    return header


def _settings(metadata, name):
    try:
        kwargs = plain_value(json.loads(metadata[name]))
        if not isinstance(kwargs, dict):
            raise ValueError(f"the settings of {name} are not an object")
        return kwargs
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the settings of {name} cannot be used ({str(error)[:200]})") from error


def _ordered(variables, text):
    """Return variables in the order that a JSON text names them in; as they are where it does not name them all."""
    try:
        ordered = OrderedDict((name, variables[name]) for name in json.loads(text))
    except (TypeError, ValueError, KeyError, RecursionError):
        return variables
    return ordered if len(ordered) == len(variables) else variables


def _order(item):
    """Return where a tensor begins; empty ones stand before the one that begins at the same byte."""
    try:
        begin, end = item[1]["data_offsets"]
        return int(begin), int(end)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise Refused(f"it describes the tensor {str(item[0])[:100]!r} wrongly") from None


def _array(source, start, key, entry):
    shape, (begin, end) = entry.get("shape"), _order((key, entry))
    well_formed = isinstance(shape, list) and all(type(side) is int and 0 <= side < 1 << 40 for side in shape) and len(shape) <= 8
    if entry.get("dtype") not in ("F32", "F16") or not well_formed:
        raise Refused(f"its tensor {key[:100]!r} is not made of float32 or float16 numbers")
    dtype, count = np.dtype(DTYPES[entry["dtype"]]), 1
    for side in shape:
        count *= side
    if begin != source.position - start or end - begin != dtype.itemsize * count:
        raise Refused(f"its tensor {key[:100]!r} lies in the wrong place")
    values = np.frombuffer(source.payload(dtype.itemsize * count), dtype)
    return np.require(values, np.float32, ["C", "A", "W"]).reshape(shape)
