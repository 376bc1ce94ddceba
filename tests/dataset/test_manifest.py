import json

import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset.manifest import read_manifest, write_manifest

FILES = {"a.tfrecords": {"bytes": 3, "sha256": "ab"}}


def test_what_is_written_comes_back(tmp_path):
    write_manifest(tmp_path, {"classes": ["ä", "ch\udce2t"]}, FILES)
    content = read_manifest(tmp_path)
    assert content["files"] == FILES and content["classes"] == ["ä", "ch\udce2t"]


@pytest.mark.parametrize("content, reason", [
    ("[" * 100000, "nest 100000 deep"), ("[]", "list indices"),
    ("{}", "it has no 'version'"), ('{"version": 1}', "it has no 'files'"),
    ('{"version": "1", "files": {}}', "its version is not a number"), ('{"version": 1, "files": []}', "'list' object"),
    ('{"version": 1, "files": {"a": {}}}', "it has no 'bytes'"),
    ('{"version": 1, "files": {"a": {"bytes": "1", "sha256": ""}}}', "what it says of the file a"),
    ('{"version": 1, "files": {"../a": {"bytes": 1, "sha256": ""}}}', "what it says of the file ../a"),
    ('{"version": 1, "files": {}, "classes": [1]}', "its classes are not names"),
])  # fmt: skip
def test_a_damaged_manifest_is_told(tmp_path, content, reason):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError) as caught:
        read_manifest(tmp_path)
    assert "is damaged" in caught.value.what and reason in caught.value.what


def test_a_newer_one_asks_for_an_update(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 99, "files": {}}))
    with pytest.raises(UserError, match="has version 99"):
        read_manifest(tmp_path)
