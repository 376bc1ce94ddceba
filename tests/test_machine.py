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


def test_cudnn_is_found_in_packages_and_in_the_system(monkeypatch, tmp_path):
    (tmp_path / "libcudnn.so.9.8.0").write_bytes(b"")
    (tmp_path / "libcudnn.so.9").symlink_to(tmp_path / "libcudnn.so.9.8.0")
    listed = "\tlibcudnn_ops.so.9 (libc6,x86-64) => /x/libcudnn_ops.so.9\n\tlibcudnn.so.9 (libc6,x86-64) => {}\n"
    script = tmp_path / "ldconfig"
    script.write_text("#!/bin/sh\nprintf '{}'\n".format(listed.format(tmp_path / "libcudnn.so.9")))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path, os.environ["PATH"]))
    monkeypatch.setattr(machine, "package_version", lambda name: {"nvidia-cudnn-cu12": "9.10.2.21"}.get(name))
    assert machine.cudnn_version() == "9.10.2.21-9.8.0"
    script.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(machine, "package_version", lambda name: None)
    assert machine.cudnn_version() == ""
