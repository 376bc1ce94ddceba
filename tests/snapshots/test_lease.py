"""The lease: one writer, who it is, safe takeover after expiry, and noticing that one has been replaced."""
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots.lease import Lease, LeaseLostError


def pretend_other_machine(folder, renewed=None, name="lease.json", ttl_s=300.0):
    lease = {"token": "other", "host": "vm-a", "boot": "b", "pid": 77, "started": 1, "taken": 1.0, "format_version": 1}
    (folder / name).write_text(json.dumps(dict(lease, renewed=renewed or time.time(), ttl_s=ttl_s)))


def test_is_taken_renewed_and_released(tmp_path):
    lease = Lease(tmp_path, ttl_s=0.3)
    lease.acquire()
    first = json.loads((tmp_path / "lease.json").read_text())
    assert lease.held and first["pid"] == os.getpid() and first["format_version"] == 1
    lease.renew_if_due()
    assert json.loads((tmp_path / "lease.json").read_text())["renewed"] == first["renewed"]  # not due
    time.sleep(0.15)
    lease.renew_if_due()
    assert json.loads((tmp_path / "lease.json").read_text())["renewed"] > first["renewed"]
    lease.release()
    assert os.listdir(str(tmp_path)) == []
    Lease(tmp_path).acquire(wait_s=0)


def test_a_living_process_of_this_machine_keeps_its_run(tmp_path):
    code = "import sys, time; sys.path[:0] = {!r}; from sg2ada_colab.snapshots.lease import Lease; ".format(sys.path)
    code += "Lease({!r}, 0.1).acquire(); print('held', flush=True); time.sleep(60)".format(str(tmp_path))
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        time.sleep(0.3)  # beyond the time of its lease: while it runs, that does not matter
        with pytest.raises(UserError, match="process {} on ".format(other.pid)) as error:
            Lease(tmp_path, 0.1).acquire()
        assert "runs on this machine" in error.value.what and "stop the other one" in error.value.next_step
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    started = time.monotonic()
    Lease(tmp_path).acquire()  # a killed process needs no waiting
    assert time.monotonic() - started < 5


def test_another_machine_is_waited_for_and_named(tmp_path):
    pretend_other_machine(tmp_path, ttl_s=0.4)
    with pytest.raises(UserError, match="process 77 on vm-a .* has not expired"):
        Lease(tmp_path, 0.4).acquire(wait_s=0)
    said, started = [], time.monotonic()
    lease = Lease(tmp_path, 0.4)
    lease.acquire(say=said.append)
    assert 0.4 < time.monotonic() - started < 5 and lease.held
    assert len(said) == 1 and "vm-a" in said[0]


@pytest.mark.parametrize("clock_error_s", [-500, 0, 3600])
def test_expiry_is_watched_and_not_read_from_a_foreign_clock(tmp_path, clock_error_s):
    pretend_other_machine(tmp_path, renewed=time.time() + clock_error_s, ttl_s=300.0)
    with pytest.raises(UserError, match="vm-a"):
        Lease(tmp_path).acquire(wait_s=0)


def test_a_claim_that_is_long_over_is_taken_at_once(tmp_path):
    pretend_other_machine(tmp_path, renewed=time.time() - 3600)
    Lease(tmp_path).acquire(wait_s=0)


def test_a_sign_of_life_while_waiting_ends_the_wait(tmp_path):
    pretend_other_machine(tmp_path, ttl_s=30)
    threading.Timer(0.3, lambda: pretend_other_machine(tmp_path, renewed=time.time() + 1, ttl_s=30)).start()
    with pytest.raises(UserError, match="it is alive"):
        Lease(tmp_path, 1).acquire()


def test_a_twin_of_the_lease_file_counts(tmp_path):
    pretend_other_machine(tmp_path, name="lease (1).json")
    with pytest.raises(UserError, match="vm-a"):
        Lease(tmp_path).acquire(wait_s=0)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format_version": 2}', '{"format_version": 1, "token": "x"}'])
def test_a_damaged_lease_holds_nobody_up(tmp_path, text):
    (tmp_path / "lease.json").write_text(text)
    Lease(tmp_path).acquire(wait_s=0)


def test_the_replaced_holder_notices(tmp_path):
    lease = Lease(tmp_path)
    lease.acquire()
    pretend_other_machine(tmp_path)
    lease.renew_if_due()  # not due, so it does not look
    with pytest.raises(LeaseLostError, match="vm-a"):
        lease.check()
    assert not lease.held
    lease.release()
    assert json.loads((tmp_path / "lease.json").read_text())["token"] == "other"  # not ours to delete


def test_of_many_that_take_it_at_once_only_one_holds_it(tmp_path):
    code = "import sys; sys.path[:0] = {!r}\nfrom sg2ada_colab.snapshots.lease import Lease\n".format(sys.path)
    code += "sys.stdin.readline()\ntry:\n    Lease({!r}).acquire(); print('held', flush=True)\n".format(str(tmp_path))
    code += "except Exception: print('refused', flush=True)\nsys.stdin.readline()\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "universal_newlines": True}
    others = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(6)]
    for other in others:
        other.stdin.write("\n")
        other.stdin.flush()
    answers = [other.stdout.readline().strip() for other in others]
    for other in others:
        other.communicate("\n")
    assert answers.count("held") == 1, answers
