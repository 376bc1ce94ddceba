"""Who takes part: alone on this machine, from TF_CONFIG, from Slurm; and what makes no sense is refused."""

import json
import socket
from types import SimpleNamespace

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import cluster as module
from sg2ada_colab.runs.cards import CPU_RANKS
from sg2ada_colab.runs.cluster import expand_counts, expand_nodes, find_cluster, free_ports


@pytest.fixture
def seen(monkeypatch):
    """Return the list of cards of this machine, empty at first; no card is taken, and any number of processes may share."""
    cards = []
    monkeypatch.setattr(module, "visible_cards", lambda: cards)
    monkeypatch.setattr(module, "check_free", lambda *ignored: None)
    monkeypatch.setattr(module, "estimate", lambda config, processes: SimpleNamespace(memory_bytes=0))
    monkeypatch.setattr(module, "share_rounds", lambda config, count: (config, []))
    monkeypatch.delenv(CPU_RANKS, raising=False)
    return cards


def rounds(count):
    return SimpleNamespace(schedule=SimpleNamespace(rounds=count))


def tf_config(workers, index=0, **more):
    return {"TF_CONFIG": json.dumps(dict({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}, **more))}


def test_one_process_is_todays_way(seen):
    seen += ["a", "b"]
    assert find_cluster(rounds(1), 1, {}) == (None, "")
    del seen[1]
    cluster, sentence = find_cluster(rounds(2), 2, {})
    assert cluster is None and "one process" in sentence


def test_on_one_machine_each_process_has_its_card_and_a_free_port(seen):
    seen += ["a", "b", "c"]
    cluster, sentence = find_cluster(rounds(2), 2, {})
    assert cluster.cards == ("a", "b") and not cluster.spans_machines and cluster.leaders == [0] and cluster.others == []
    assert sentence.startswith("2 processes train")
    first, second = cluster.with_ports(), cluster.with_ports()
    assert first.workers != cluster.workers and len(set(first.workers)) == 2 == len(set(second.workers))
    variables = first.variables(1)
    assert variables["CUDA_VISIBLE_DEVICES"] == "b"
    assert json.loads(variables["TF_CONFIG"]) == {
        "cluster": {"worker": list(first.workers)},
        "task": {"type": "worker", "index": 1},
    }


def test_tf_config_names_machines_and_each_starts_its_share(seen):
    seen += ["a", "b", "c", "d"]
    cluster, sentence = find_cluster(rounds(4), 4, tf_config(["one:1000", "two:1000"], 1))
    assert cluster.workers == ("one:1000", "one:1001", "two:1000", "two:1001")
    assert (cluster.first, cluster.cards, cluster.leaders) == (2, ("a", "b"), [0, 2])
    assert cluster.spans_machines and cluster.others == ["one:1000", "one:1001"]
    assert sentence == "4 processes train, 2 of them from here."
    # TensorFlow's own form, an entry a process: those of one machine divide its cards.
    addresses = ["one:1000", "one:1001", "two:1000", "two:1001"]
    assert find_cluster(rounds(4), 4, tf_config(addresses, 3))[0].cards == ("b",)


def test_a_tf_config_of_one_task_is_no_cluster(seen):
    assert find_cluster(rounds(1), 1, {"TF_CONFIG": ""})[0] is None
    assert find_cluster(rounds(1), 1, tf_config(["one:1000"]))[0] is None
    alone = {"TF_CONFIG": json.dumps({"cluster": {"chief": ["one:1000"]}, "task": {"type": "chief", "index": 0}})}
    assert find_cluster(rounds(1), 1, alone)[0] is None


@pytest.mark.parametrize(
    "variables, gpus, what",
    [
        ({"TF_CONFIG": "{"}, 2, "TF_CONFIG cannot be read: '{'"),
        ({"TF_CONFIG": "[]"}, 2, "TF_CONFIG cannot be read"),
        ({"TF_CONFIG": '{"cluster": {}}'}, 2, "TF_CONFIG cannot be read"),
        (tf_config(["one:1", "one:1"]), 2, "TF_CONFIG names one:1 twice."),
        (tf_config(["one:1", "two:1"], 2), 2, "TF_CONFIG says that this is worker 2."),
        (tf_config(["one:1", "two:1"], -1), 2, "TF_CONFIG says that this is worker -1."),
        (tf_config(["one:1", "two:1"], "0"), 2, "TF_CONFIG says that this is worker '0'."),
        (tf_config(["one", "two:1"]), 2, "'one' is not the address of a process."),
        (tf_config(["one:1", "two:70000"]), 2, "'two:70000' is not the address of a process."),
        (tf_config(["one:1", 5]), 2, "5 is not the address of a process."),
        (tf_config(["one:1", "two:1"], cluster={"chief": ["one:1"], "worker": ["two:1"]}), 2, "of the kinds chief, worker"),
        (tf_config(["one:1", "two:1"], task={"type": "ps", "index": 0}), 2, "this one is 'ps'"),
        (tf_config(["one:1", "two:1"]), 1, "2 machines or tasks take part, and --gpus is 1."),
        (tf_config(["one:1", "two:1"]), 3, "2 machines or tasks take part, and --gpus is 3."),
        (tf_config(["one:1", "one:2"]), 4, "Two of the processes would have the address one:2."),
        (tf_config(["one:1", "two:1"]), 6, "3 processes are to train on this machine, which has 2 GPUs."),
    ],
)
def test_what_makes_no_sense_is_refused_in_three_parts(seen, variables, gpus, what):
    seen += ["a", "b"]
    with pytest.raises(UserError) as caught:
        find_cluster(rounds(gpus), gpus, variables)
    assert what in caught.value.what and caught.value.expected and caught.value.next_step


def slurm(**more):
    usual = {
        "SLURM_JOB_ID": "4711", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[08-09]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_PROCID": "3",
    }  # fmt: skip
    return dict(usual, **{"SLURM_" + name: value for name, value in more.items()})


def test_slurm_with_a_task_a_gpu(seen):
    seen += ["0"]  # bound to the task
    cluster, _ = find_cluster(rounds(4), 4, slurm())
    port = module.SLURM_PORTS + 4711 % module.SLURM_JOBS * module.TASK_PORTS
    assert cluster.workers == tuple(f"gpu{node}:{port + k * 64}" for node in ("08", "09") for k in range(2))
    assert (cluster.first, cluster.cards, cluster.leaders) == (3, ("0",), [0, 2])
    seen[:] = ["0", "1"]  # all of the machine are shown to each
    assert find_cluster(rounds(4), 4, slurm())[0].cards == ("1",)
    assert all(1024 < int(one.rpartition(":")[2]) < 32768 for one in cluster.workers)  # below those that systems give away


def test_slurm_with_a_task_a_node(seen):
    seen += ["0", "1", "2", "3"]
    cluster, _ = find_cluster(rounds(8), 8, slurm(STEP_NUM_TASKS="2", STEP_TASKS_PER_NODE="1(x2)", PROCID="1"))
    assert cluster.cards == ("0", "1", "2", "3") and cluster.first == 4 and len(cluster.workers) == 8


@pytest.mark.parametrize(
    "more",
    [{"PROCID": "4"}, {"STEP_NODELIST": "gpu08"}, {"STEP_TASKS_PER_NODE": "two"}, {"DISTRIBUTION": "cyclic"}, {"JOB_ID": ""}],
)
def test_slurms_variables_that_do_not_fit_together_are_refused(seen, more):
    with pytest.raises(UserError, match="Slurm's variables make no sense"):
        find_cluster(rounds(4), 4, slurm(**more))


def test_outside_of_srun_and_for_one_task_slurm_says_nothing(seen):
    seen += ["0", "1"]
    batch = {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "gpu[1-2]", "SLURM_PROCID": "0"}
    assert not find_cluster(rounds(2), 2, batch)[0].spans_machines
    assert not find_cluster(rounds(2), 2, slurm(STEP_NUM_TASKS="1"))[0].spans_machines


def test_slurms_lists_are_expanded():
    assert expand_nodes("a[01-03,7],b,c-[9-10]x,d[1-2]e[3-4]") == [
        "a01", "a02", "a03", "a7", "b", "c-9x", "c-10x", "d1e3", "d1e4", "d2e3", "d2e4",
    ]  # fmt: skip
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]
    for wrong in ("", "a[1-", "[x-y]"):
        with pytest.raises(ValueError):
            expand_nodes(wrong)


def test_a_port_in_use_is_refused(seen):
    seen += ["a"]
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        cluster, _ = find_cluster(rounds(2), 2, tf_config([f"one:{port}", f"two:{port}"]))
        with pytest.raises(UserError, match=f"Port {port} of this machine cannot be used"):
            cluster.with_ports()
    assert cluster.with_ports() is cluster


def test_free_ports_are_different_ones():
    assert len(set(free_ports(8))) == 8
