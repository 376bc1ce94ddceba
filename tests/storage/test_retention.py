"""The retention rule as a pure function, and deletion that leaves nothing in the trash."""

import random

from sg2ada_colab.run_files import order_of
from sg2ada_colab.storage.retention import Entry, delete_files, what_to_delete


def entries(*names, unverified=()):
    return [Entry(name, name not in unverified) for name in names]


def names_at(*kimgs):
    return [f"{kimg:06d}" for kimg in kimgs]


def test_keeps_the_last_n():
    assert what_to_delete(entries(*names_at(0, 4, 8, 12)), keep_last=2) == names_at(0, 4)
    assert what_to_delete(entries(*names_at(0, 4)), keep_last=2) == []
    assert what_to_delete([], keep_last=1) == []
    assert what_to_delete(entries(*names_at(0, 4, 8, 12)), keep_last=0) == []
    assert what_to_delete(entries(*names_at(4, 8), unverified=names_at(4)), keep_last=1) == names_at(4)


def test_an_unverified_snapshot_pushes_nothing_out():
    assert what_to_delete(entries(*names_at(0, 4, 8), unverified=names_at(8)), keep_last=2) == []
    assert what_to_delete(entries(*names_at(0, 4, 8, 12), unverified=names_at(12)), keep_last=2) == names_at(0)


def test_an_old_unverified_one_goes_once_enough_newer_are_safe():
    assert what_to_delete(entries(*names_at(0, 4, 8, 12), unverified=names_at(4)), keep_last=2) == names_at(0, 4)


def test_keeps_the_first_of_every_so_many_kimg_and_the_best():
    names = names_at(*range(0, 200, 8))
    deleted = what_to_delete(entries(*names), keep_last=1, keep_every_kimg=50, best=["000024"])
    assert sorted(set(names) - set(deleted)) == names_at(24, 56, 104, 152, 192)


def test_milestones_stay_when_applied_again_and_again():
    kept, survivors = [], set()
    for kimg in range(0, 1000, 7):
        kept.append(f"{kimg:06d}")
        gone = what_to_delete(entries(*kept), keep_last=2, keep_every_kimg=100)
        kept = [name for name in kept if name not in gone]
    survivors = set(kept)
    assert survivors == set(names_at(105, 203, 301, 406, 504, 602, 700, 805, 903, 987, 994))


def test_milestones_of_an_earlier_session_stay_although_nobody_verified_them_again():
    names = names_at(100, 104, 108, 200, 204, 208)
    gone = what_to_delete(entries(*names, unverified=names_at(100, 104)), keep_last=2, keep_every_kimg=100)
    assert gone == names_at(104)  # 100 is the milestone of the earlier session, 108 the first verified one of its span


def test_parts_of_one_kimg_are_ordered_by_number():
    names = ["000003-10", "000003", "000003-2", "000002"]
    assert what_to_delete(entries(*names), keep_last=1) == ["000002", "000003", "000003-2"]


def test_never_deletes_unless_enough_newer_verified_ones_stay():
    rng = random.Random(5)
    for _ in range(2000):
        names = names_at(*rng.sample(range(300), rng.randint(0, 12)))
        snapshots = [Entry(name, rng.random() < 0.6) for name in names]
        keep_last = rng.randint(1, 4)
        best = rng.sample(names, min(len(names), 1))
        gone = what_to_delete(snapshots, keep_last, rng.choice([None, 10, 50]), best)
        stay = [entry for entry in snapshots if entry.name not in gone]
        assert not set(best) & set(gone)
        for name in gone:
            newer = [entry for entry in stay if entry.verified and order_of(entry.name) > order_of(name)]
            assert len(newer) >= keep_last


def test_on_drive_files_are_emptied_before_they_go(tmp_path, monkeypatch):
    import os

    for file_name in ("network-snapshot-000004.pkl", "training-state-000004.npz"):
        (tmp_path / file_name).write_bytes(b"x" * 100)
    sizes, unlink = [], os.unlink
    monkeypatch.setattr(os, "unlink", lambda path: (sizes.append(os.path.getsize(path)), unlink(path)))
    delete_files(tmp_path, "000004", truncate=True)
    assert sizes == [0, 0] and os.listdir(str(tmp_path)) == []
    delete_files(tmp_path, "000004", truncate=True)  # nothing left: nothing to do
