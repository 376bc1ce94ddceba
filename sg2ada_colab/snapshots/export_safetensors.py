"""Snapshots as safetensors: a JSON header and raw numbers, which any language reads and which cannot hold code.

Names are the network's and the variable's: "Gs/synthesis/4x4/Conv/weight", "D/Output/bias". Layouts are TensorFlow's. The
header's `__metadata__` holds the settings of each network as JSON texts under "G", "D" and "Gs".
"""

import json
import struct

import numpy as np

from .network_data import NetworkData, NetworkSnapshot, check_settings, plain_value
from .unpickler import FileSource, Refused

FORMAT = "sg2ada_colab snapshot"
FORMAT_VERSION = "1"
MAX_HEADER_BYTES = 100 << 20  # the limit of the format


def write_safetensors(path_or_file, snapshot):
    """Write all three networks.

    Args:
        path_or_file: A path, or a binary file that stays open.
        snapshot: NetworkSnapshot.
    """
    if not hasattr(path_or_file, "write"):
        with open(str(path_or_file), "wb") as file:
            return write_safetensors(file, snapshot)
    metadata = {"format": FORMAT, "format_version": FORMAT_VERSION, "source": snapshot.source}
    header, arrays, position = {"__metadata__": metadata}, [], 0
    for network in snapshot.networks():
        metadata[network.name] = json.dumps(plain_value(network.kwargs))
        for name, value in network.variables.items():
            array = np.require(value, "<f4", "C")
            end = position + array.nbytes
            header["{}/{}".format(network.name, name)] = {
                "dtype": "F32", "shape": list(array.shape), "data_offsets": [position, end]}  # fmt: skip
            arrays.append(array)
            position = end
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned
    path_or_file.write(struct.pack("<Q", len(text)) + text)
    for array in arrays:
        path_or_file.write(memoryview(array).cast("B") if array.size and array.ndim else array.tobytes())


def read_safetensors(path):
    """Read what `write_safetensors` wrote.

    Returns:
        NetworkSnapshot; equal bit for bit.

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
        networks = {name: NetworkData(name, _settings(metadata, name), {}) for name in ("G", "D", "Gs")}
        start = source.position
        for key, entry in sorted(header.items(), key=_order):
            name, _, variable = key.partition("/")
            if name not in networks or not variable:
                raise Refused("it holds an unknown tensor {!r}".format(key[:100]))
            networks[name].variables[variable] = _array(source, start, key, entry)
        if source.position != source.size:
            raise Refused("it has {:,} bytes behind its last tensor".format(source.size - source.position))
    origin = metadata.get("source", "")
    details = {"written from": origin} if isinstance(origin, str) else {}
    return NetworkSnapshot(*networks.values(), source="safetensors", details=details)


def _header(source):
    size = struct.unpack("<Q", source.read(8))[0]
    if size > MAX_HEADER_BYTES:
        raise Refused("its header would have {:,} bytes".format(size))
    try:
        header = json.loads(source.read(size).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused("its header is damaged ({})".format(type(error).__name__)) from error
    if not isinstance(header, dict):
        raise Refused("its header is not a JSON object")
    return header


def _settings(metadata, name):
    try:
        kwargs = plain_value(json.loads(metadata[name]))
        if not isinstance(kwargs, dict):
            raise ValueError("the settings of {} are no object".format(name))
        check_settings(kwargs)
        return kwargs
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Refused("the settings of {} cannot be used ({})".format(name, str(error)[:200])) from error


def _order(item):
    """Return where a tensor begins; empty ones stand before the one that begins at the same byte."""
    try:
        begin, end = item[1]["data_offsets"]
        return int(begin), int(end)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise Refused("it describes the tensor {!r} wrongly".format(str(item[0])[:100])) from None


def _array(source, start, key, entry):
    shape, (begin, end) = entry.get("shape"), _order((key, entry))
    well_formed = isinstance(shape, list) and all(type(side) is int and 0 <= side < 1 << 40 for side in shape) and len(shape) <= 8
    if entry.get("dtype") != "F32" or not well_formed:
        raise Refused("its tensor {!r} is not made of float32 numbers".format(key[:100]))
    count = 1
    for side in shape:
        count *= side
    if begin != source.position - start or end - begin != 4 * count:
        raise Refused("its tensor {!r} lies in the wrong place".format(key[:100]))
    return np.require(np.frombuffer(source.payload(4 * count), "<f4"), np.float32, ["C", "A", "W"]).reshape(shape)
