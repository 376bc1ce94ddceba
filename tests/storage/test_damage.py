"""Whatever is changed in a training state, the choice falls back to the snapshot before it, with one sentence."""

import io
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import HEADER, load_state, save_state, verify_state

OLD = Path(__file__).parents[1] / "data" / "run_d2344e7" / "run"
STATE = "training-state-000008.npz"
META = {"nimg": 8000, "counters": {"nimg": 8000, "tick": 2}, "means": {"Loss/G/loss": [1.5, 3]}}


@pytest.fixture
def folder(tmp_path):
    store = RunStore(tmp_path)
    store.identify("0123456789abcdef" * 2)
    for kimg in (4, 8):
        arrays = {"G_opt/m/w": np.arange(6, dtype=np.float32).reshape(2, 3), "pl_mean": np.float32(kimg)}
        store.write_snapshot_async(kimg, lambda file, kimg=kimg: file.write(b"pickle %d" % kimg), arrays, META)
        store.wait()
    return tmp_path


def assert_falls_back(folder, what):
    choice = newest_good([folder])
    sentences = [sentence for sentence in choice.skipped if "no usable manifest" not in sentence]
    assert choice.candidate is not None and choice.candidate.name == "000004", what
    assert len(sentences) == 1 and sentences[0].startswith(str(folder / STATE)), (what, sentences)
    assert len(sentences[0]) < 500 and sentences[0].isprintable(), (what, sentences)


def changes_of_each_byte(content, step=1):
    """Yield (what, bytes) for one flip of each byte of a file: all of it is structure but a few values."""
    for place in range(0, len(content), step):
        flipped = content[place] ^ (1 << place % 8)
        yield f"byte {place} is {flipped}", content[:place] + bytes([flipped]) + content[place + 1 :]


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def packed(members):
    """Return a valid archive, with right checksums, of changed members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return stream.getvalue()


def truncated_members(content):
    members = members_of(content)
    for name, member in members.items():
        for length in list(range(0, min(len(member), 140), 7)) + [len(member) - 1]:
            yield f"{name} ends after {length}", packed(dict(members, **{name: member[:length]}))
        yield f"{name} is gone", packed({other: member for other, member in members.items() if other != name})
        yield f"{name} is longer", packed(dict(members, **{name: member + b"\0"}))


HEADERS = [
    "(3, 2)",
    "(6,)",
    "()",
    "(7,)",
    "(2, 4)",
    "(2, 3, 0)",
    "(99999999999999999, 3)",
    "(-2, -3)",
    "2, 3",
    "((2, 3))",
    "(2,,3)",
    "(",
]
DTYPES = ["<f8", "<i4", "|O", "<U6", "<f3", ">f4", "|V4", "no", "'"]


def changed_headers(content, name="G_opt/m/w.npy"):
    members = members_of(content)
    for shape in HEADERS:
        yield f"shape {shape}", packed(dict(members, **{name: changed(members[name], "(2, 3)", shape)}))
    for dtype in DTYPES:
        yield f"dtype {dtype}", packed(dict(members, **{name: changed(members[name], "<f4", dtype)}))
    for text in ("'" * 100, "[" * 5000, "{'descr': '<f4'}", "\xff\x00", '"""', "0" * 5000, "\\N{"):
        header = text.encode("latin-1") + b"\n"
        bad = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + members[name][-24:]
        yield f"header {text[:20]}", packed(dict(members, **{name: bad}))


def changed(member, old, new):
    """Return an .npy whose header says something else, at the same length."""
    start = 10
    end = start + struct.unpack("<H", member[8:10])[0]
    header = member[start:end].decode("latin-1").replace(old, new).rstrip()
    return member[:start] + header.ljust(end - start - 1).encode("latin-1")[: end - start - 1] + b"\n" + member[end:]


def changed_json(content):
    members = members_of(content)
    header = json.loads(str(np.load(io.BytesIO(members[HEADER + ".npy"]))))
    wrong = [{"meta": []}, {"meta": {"nimg": "8000"}}, {"meta": dict(META, counters=7)}, {"meta": {"snapshot": "x"}},
             {"arrays": {}}, {"arrays": ["pl_mean"]}, {"arrays": ["pl_mean", "../x"]}, {"format": 7}, {"format_version": "1"},
             {"meta": {"means": {"a": ["x"]}}}, {"meta": {"snapshot": {"pickle": {"bytes": "x", "sha256": 1}}}}]  # fmt: skip
    texts = [json.dumps(dict(header, **one)) for one in wrong] + ["[" * 100_000, "", "{", "null", "[1]", '{"meta": ' * 50_000]
    for text in texts:
        stream = io.BytesIO()
        np.save(stream, np.array(text))
        yield f"header {text[:60]}", packed(dict(members, **{HEADER + ".npy": stream.getvalue()}))


@pytest.mark.parametrize("with_manifest", [True, False])
def test_every_flipped_byte_falls_back(folder, with_manifest):
    content = (folder / STATE).read_bytes()
    if not with_manifest:
        (folder / "manifest.json").unlink()
    for what, damaged in changes_of_each_byte(content, 5 if with_manifest else 1):  # its digest makes no difference of bytes
        (folder / STATE).write_bytes(damaged)
        assert_falls_back(folder, what)
    (folder / STATE).write_bytes(content)
    assert newest_good([folder]).candidate.name == "000008"


@pytest.mark.parametrize("changes", [truncated_members, changed_headers, changed_json])
@pytest.mark.parametrize("with_manifest", [True, False])
def test_every_changed_member_falls_back_though_its_checksums_are_right(folder, changes, with_manifest):
    content = (folder / STATE).read_bytes()
    if not with_manifest:
        (folder / "manifest.json").unlink()
    for what, damaged in changes(content):
        (folder / STATE).write_bytes(damaged)
        assert_falls_back(folder, what)


def unsealed(content):
    """Return a state as an older version wrote it: without a digest at its end."""
    members = members_of(content)
    text = str(np.load(io.BytesIO(members[HEADER + ".npy"]))).replace(', "sealed": true', "")
    stream = io.BytesIO()
    np.save(stream, np.array(text))
    return packed(dict(members, **{HEADER + ".npy": stream.getvalue()}))


@pytest.mark.parametrize("changes", [truncated_members, changed_headers, changed_json])
def test_a_changed_member_of_an_older_versions_state_falls_back(folder, changes):
    (folder / "manifest.json").unlink()
    content = unsealed((folder / STATE).read_bytes())
    (folder / STATE).write_bytes(content)
    assert newest_good([folder]).candidate.name == "000008"
    reads = re.compile(
        r"shape \(3, 2\)|shape \(6,\)|dtype (<i4|>f4)"
    )  # the same bytes; `start` finds that they do not fit the run
    for what, damaged in changes(content):
        (folder / STATE).write_bytes(damaged)
        if not reads.match(what):
            assert_falls_back(folder, what)


def test_an_older_versions_state_never_reads_with_other_values(tmp_path):
    """Its archive has bytes that mean nothing, such as times: a flip there changes no value, any other one is noticed."""
    path, content = tmp_path / "s.npz", (OLD / "training-state-000000-2.npz").read_bytes()
    path.write_bytes(content)
    arrays, meta = load_state(path)
    ends = [content.index(b"PK\x01\x02"), len(content)]
    places = [place for match in re.finditer(b"PK\x03\x04", content) for place in range(match.start(), match.start() + 230, 7)]
    noticed = 0
    for place in places[::7] + list(range(ends[0], ends[1], 9)):
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :])
        try:
            found, found_meta = load_state(path)
        except UserError as error:
            assert "damaged" in error.what
            noticed += 1
        else:
            assert found_meta == meta and sorted(found) == sorted(arrays)
            assert all(found[name].tobytes() == arrays[name].tobytes() for name in arrays), place
            assert all(found[name].shape == arrays[name].shape for name in arrays), place
    assert noticed > 80


def test_the_seal_covers_every_byte_and_large_arrays(tmp_path):
    path = tmp_path / "s.npz"
    arrays = {"large": np.arange(700_000, dtype=np.float32), "small": np.ones(3), "none": np.zeros([0, 2])}
    save_state(path, arrays, {"nimg": 1})
    loaded, _ = load_state(path)
    assert all(loaded[name].tobytes() == arrays[name].tobytes() for name in arrays)
    content = path.read_bytes()
    assert content[-71:-64] == b"sha256:"
    with np.load(str(path)) as archive:  # the file stays one that NumPy opens
        assert archive["small"].tolist() == [1, 1, 1]
    for place in (0, 5000, 2_000_000, len(content) - 70, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(UserError, match="damaged"):
            verify_state(path)
