"""What is read of the machine: GPU, disk, versions, cache folder; each from a stand-in for what tells it."""

import os
import shutil

import pytest

from sg2ada_colab import machine

CARD = {"name": "Tesla T4", "driver": "580.1", "memory_mib": 15360}


def test_nvidia_smi_is_read(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 580.1, 15360'\necho 'broken line'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == [CARD]
    monkeypatch.setenv("PATH", "")
    assert machine.gpus() == []


def test_versions_without_importing():
    assert machine.package_version("numpy") and machine.package_version("no-such-package-at-all") is None
    assert machine.tensorflow_version()


def test_a_device_is_named_by_its_gpu_or_its_processor(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: [CARD])
    assert machine.device_name() == "Tesla T4" and machine.gpu_memory_bytes() == 15360 * 2**20
    monkeypatch.setattr(machine, "gpus", lambda: [])
    assert machine.device_name() == machine.processor_name() and machine.gpu_memory_bytes() is None


def test_free_bytes_of_drive_are_known_where_it_is_another_disk(tmp_path, monkeypatch):
    (tmp_path / "drive").mkdir()
    sizes = {str(tmp_path): (1000, 600), str(tmp_path / "drive"): (150, 50)}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(sizes[path][0], 0, sizes[path][1]))
    assert machine.drive_free_bytes(tmp_path / "drive", tmp_path) == 50
    sizes[str(tmp_path / "drive")] = (1000, 600)
    assert machine.drive_free_bytes(tmp_path / "drive", tmp_path) is None

    def fails(path):
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(shutil, "disk_usage", fails)
    assert machine.drive_free_bytes(tmp_path / "drive", tmp_path) is None


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs Linux")
def test_the_cache_folder_is_the_users_or_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv(machine.CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine.cache_folder("downloads") == str(tmp_path / ".cache" / "sg2ada_colab" / "downloads")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert machine.cache_folder("downloads") == str(tmp_path / "elsewhere" / "sg2ada_colab" / "downloads")
    monkeypatch.setenv(machine.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert machine.cache_folder("downloads") == str(tmp_path / "mine")


@pytest.fixture
def cudnns(monkeypatch, tmp_path):
    """Three of them: 9.10.1 in LD_LIBRARY_PATH, 9.19.0 in pip's package beside TensorFlow, 9.8.0.87 among the system's."""
    named, system = tmp_path / "libcudnn.so.9.8.0.87", tmp_path / "libcudnn.so.9"
    named.write_bytes(b"")
    system.symlink_to(named)
    listed = "\tlibcudnn_ops.so.9 (libc6,x86-64) => /x/libcudnn_ops.so.9\n\tlibcudnn.so.9 (libc6,x86-64) => {}\n"
    (tmp_path / "ldconfig").write_text(f"#!/bin/sh\nprintf '{listed.format(system)}'\n")
    (tmp_path / "ldconfig").chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path, os.environ["PATH"]))
    site = tmp_path / "site-packages"
    for folder, minor, patch in ((tmp_path / "mine", 10, 1), (site / "nvidia" / "cudnn", 19, 0)):
        for name in ("lib", "include"):
            (folder / name).mkdir(parents=True)
        (folder / "lib" / "libcudnn.so.9").write_bytes(b"")
        header = "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR {}\n#define CUDNN_PATCHLEVEL {}\n"
        (folder / "include" / "cudnn_version.h").write_text(header.format(minor, patch))
    monkeypatch.setenv("LD_LIBRARY_PATH", ":/nowhere:{}".format(tmp_path / "mine" / "lib"))
    (site / "tensorflow").mkdir()
    monkeypatch.setattr(machine.sys, "path", ["/nowhere", str(site)])
    monkeypatch.setattr(machine, "package_version", lambda name: None)
    return tmp_path


def test_cudnn_is_the_one_that_the_linker_finds_first(cudnns, monkeypatch):
    """As TensorFlow's libraries are searched for: RUNPATH, which names pip's package, comes after LD_LIBRARY_PATH."""
    assert machine.cudnn_version() == "9.10.1"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert machine.cudnn_version() == "9.19.0"
    (cudnns / "site-packages" / "nvidia" / "cudnn" / "include" / "cudnn_version.h").unlink()
    monkeypatch.setattr(machine, "package_version", lambda name: {"nvidia-cudnn-cu12": "9.19.0.56"}.get(name))
    assert machine.cudnn_version() == "9.19.0.56"
    (cudnns / "site-packages" / "tensorflow").rmdir()
    assert machine.cudnn_version() == "9.8.0.87"
    (cudnns / "ldconfig").write_text("#!/bin/sh\nexit 1\n")
    assert machine.cudnn_version() == ""
