"""The library packed as a wheel: the same from a checkout and from an installation of it."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile

import pytest

import sg2ada_colab
from sg2ada_colab.colab import library_wheel
from sg2ada_colab.colab.library_wheel import INFO, library_digest, write_wheel
from sg2ada_colab.errors import UserError


def contents(path):
    with zipfile.ZipFile(str(path)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_every_file_with_its_digest_and_all_requirements(tmp_path):
    found = contents(write_wheel(tmp_path, "tensorflow-gpu"))
    metadata = found[f"{INFO}/METADATA"].decode()
    assert f"Version: {sg2ada_colab.__version__}\n" in metadata
    assert 'Requires-Dist: tensorflow-gpu==1.14.0; python_version == "3.7"\n' in metadata and "tensorflow==" not in metadata
    assert 'Requires-Dist: tensorflow>=2.16; python_version >= "3.10"\n' in metadata, (
        "only TensorFlow 1.14 has a package for GPUs"
    )
    assert "Requires-Dist: platformdirs>=2.5\n" in metadata
    assert b"sg2ada = sg2ada_colab.__main__:main" in found[f"{INFO}/entry_points.txt"]
    rows = [line.split(",") for line in found[f"{INFO}/RECORD"].decode().splitlines()]
    assert sorted(row[0] for row in rows) == sorted(found)
    for name, digest, size in rows[:-1]:
        right = base64.urlsafe_b64encode(hashlib.sha256(found[name]).digest()).rstrip(b"=").decode()
        assert (digest, size) == ("sha256=" + right, str(len(found[name])))
    assert "sg2ada_colab/demo_images/flags.zip" in found and "sg2ada_colab/formats/tf1_networks.pysrc" in found
    assert not [name for name in found if "__pycache__" in name]


def test_an_installation_packs_itself_like_the_checkout(tmp_path):
    """pip unpacks a wheel into site-packages, and the wheel packed from there is the same."""
    site = tmp_path / "lib" / "site-packages"
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        archive.extractall(str(site))
    code = "import sys; from sg2ada_colab.colab.library_wheel import *; print(write_wheel(sys.argv[1])); print(library_digest())"
    (tmp_path / "again").mkdir()
    command = [sys.executable, "-c", code, str(tmp_path / "again")]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=str(site)))
    path, digest = done.stdout.decode().split()
    assert contents(path) == contents(write_wheel(tmp_path)) and len(digest) == 64
    assert library_digest() == "", "this one is a checkout, and every Python takes it as it is"


def test_without_requirements_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(library_wheel, "package_parent", lambda: str(tmp_path))
    with pytest.raises(UserError, match="neither .*dist-info nor requirements.txt is there"):
        write_wheel(tmp_path)
