"""The lease: one writer, who it is, safe takeover after expiry, and noticing that one has been replaced."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from hand_clock import HandClock

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.lease import Lease, LeaseLostError, boot_id

WALL = HandClock().wall


def pretend_other_machine(folder, renewed=WALL, name="lease.json", ttl_s=300.0, **more):
    holder = {"token": "other", "host": "vm-a", "boot": "b", "pid": 77, "started": 1, "taken": 1.0, "format_version": 1}
    (folder / name).write_text(json.dumps(dict(holder, renewed=renewed, ttl_s=ttl_s, **more)))


def renewed_in(folder):
    return json.loads((folder / "lease.json").read_text())["renewed"]


def test_is_taken_renewed_and_released(tmp_path):
    clock = HandClock()
    lease = Lease(tmp_path, 300.0, clock)
    lease.acquire()
    first = json.loads((tmp_path / "lease.json").read_text())
    assert lease.held and first["pid"] == os.getpid() and first["format_version"] == 1
    clock.step(99)
    lease.renew_if_due()
    assert renewed_in(tmp_path) == first["renewed"]  # not due
    clock.step(2)
    lease.renew_if_due()
    assert renewed_in(tmp_path) == clock.wall
    clock.wall += 150  # the machine was suspended: its monotonic clock stood still
    lease.renew_if_due()
    assert renewed_in(tmp_path) == clock.wall
    lease.release()
    assert os.listdir(str(tmp_path)) == []
    Lease(tmp_path, clock=clock).acquire(wait_s=0)


def test_a_living_process_of_this_machine_keeps_its_run(tmp_path):
    code = f"import sys, time; sys.path[:0] = {sys.path!r}; from sg2ada_colab.storage.lease import Lease; "
    code += f"Lease({str(tmp_path)!r}).acquire(); print('held', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    clock = HandClock()
    try:
        assert other.stdout.readline() == b"held\n"
        clock.wall = time.time() + 10**6  # far beyond the time of its lease: while it runs, that does not matter
        with pytest.raises(UserError, match=f"process {other.pid} on ") as error:
            Lease(tmp_path, clock=clock).acquire()
        assert "runs on this machine" in error.value.what and "stop the other one" in error.value.next_step
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    Lease(tmp_path, clock=clock).acquire()
    assert sum(clock.slept) < 1, "a killed process needs no waiting"


def container(folder, renewed):
    """Write the lease of a process in another container of this machine: its number is another process's here, or nobody's."""
    host, boot = socket.gethostname(), boot_id()
    assert boot.endswith("]"), "no name of the container"
    other = boot.rpartition(" ")[0] + " pid:[4026500000]"
    pretend_other_machine(folder, renewed, host=host, boot=other, pid=4_000_000)


def test_a_living_process_in_another_container_of_this_machine_keeps_its_run(tmp_path):
    clock = HandClock()
    container(tmp_path, clock.wall)
    with pytest.raises(UserError, match="has not expired"):
        Lease(tmp_path, clock=clock).acquire(wait_s=0)
    clock.during_sleep = lambda seconds: container(tmp_path, clock.wall) if clock.now > 1050 else None
    with pytest.raises(UserError, match="it is alive"):
        Lease(tmp_path, clock=clock).acquire()


def test_the_lease_of_an_older_version_on_this_machine_is_watched(tmp_path):
    """It names no container, so its process number says nothing."""
    clock = HandClock()
    pretend_other_machine(tmp_path, clock.wall, host=socket.gethostname(), boot=boot_id().rpartition(" ")[0], pid=4_000_000)
    Lease(tmp_path, clock=clock).acquire()
    assert 300 < sum(clock.slept) < 310


def test_another_machine_is_waited_for_and_named(tmp_path):
    clock, said = HandClock(), []
    pretend_other_machine(tmp_path)
    with pytest.raises(UserError, match="process 77 on vm-a .* has not expired"):
        Lease(tmp_path, clock=clock).acquire(wait_s=0)
    lease = Lease(tmp_path, clock=clock)
    lease.acquire(say=said.append)
    assert 300 < sum(clock.slept) < 310 and lease.held
    assert len(said) == 1 and "vm-a" in said[0] and "Waiting up to 300 s" in said[0]


@pytest.mark.parametrize("clock_error_s", [-(10**6), -3600, -500, 0, 601, 3600, 10**6])
def test_a_holder_that_lives_is_found_alive_whatever_either_clock_says(tmp_path, clock_error_s):
    """Expiry is watched and not read from a clock, be it ours that is ahead or the holder's that is behind."""
    clock = HandClock()
    pretend_other_machine(tmp_path, clock.wall - clock_error_s)
    with pytest.raises(UserError, match="has not expired"):
        Lease(tmp_path, clock=clock).acquire(wait_s=0)
    began = clock.now

    def renews_as_a_holder_does(seconds):
        if clock.now - began >= 110:
            pretend_other_machine(tmp_path, clock.wall - clock_error_s)

    clock.during_sleep = renews_as_a_holder_does
    with pytest.raises(UserError, match="it is alive"):
        Lease(tmp_path, clock=clock).acquire()


def test_a_claim_that_is_long_over_by_both_clocks_is_watched_for_half_its_time(tmp_path):
    clock, said = HandClock(), []
    pretend_other_machine(tmp_path, clock.wall - 3600)
    Lease(tmp_path, clock=clock).acquire(say=said.append)
    assert 150 < sum(clock.slept) < 155 and "Waiting up to 150 s" in said[0]


@pytest.mark.parametrize("ttl_s, longest_s", [(1e12, 1200), (-5.0, 0), (0.0, 0)])
def test_a_claim_from_outside_is_not_waited_for_without_end(tmp_path, ttl_s, longest_s):
    clock = HandClock()
    pretend_other_machine(tmp_path, ttl_s=ttl_s)
    Lease(tmp_path, clock=clock).acquire()
    assert sum(clock.slept) < longest_s + 5


def test_what_a_claim_from_outside_says_is_shown_harmlessly(tmp_path):
    pretend_other_machine(tmp_path, renewed=1e200, host="\x1b[2Jevil\n" + "x" * 5000)
    with pytest.raises(UserError) as error:
        Lease(tmp_path, clock=HandClock()).acquire(wait_s=0)
    assert error.value.what.isprintable() and "at no time that there is" in error.value.what and len(error.value.what) < 500


def test_a_twin_of_the_lease_file_counts(tmp_path):
    pretend_other_machine(tmp_path, name="lease (1).json")
    with pytest.raises(UserError, match="vm-a"):
        Lease(tmp_path).acquire(wait_s=0)


HOLDER = '{"format_version": 1, "token": "x", "host": "h", "boot": "b", "pid": %s, "started": 1, "taken": 1, '
HOLDER += '"renewed": %s, "ttl_s": 300}'


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[1]", '{"format_version": 2}', '{"format_version": 1, "token": "x"}', "\0" * 99, "[" * 100_000,
        HOLDER % ('"7"', "1"), HOLDER % ("7", '"1"'), HOLDER % ("7", "NaN"), HOLDER % ("7", "1" * 400), HOLDER % ("true", "1"),
    ],
)  # fmt: skip
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
    code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom sg2ada_colab.storage.lease import Lease\n"
    code += f"sys.stdin.readline()\ntry:\n    Lease({str(tmp_path)!r}).acquire(); print('held', flush=True)\n"
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
