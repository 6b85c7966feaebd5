"""The bench: peers do the same work as ours, turns are counted right, what is missing says so; no speed is asserted."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cemrnn.bench import card, engine, environments, rows, topics, worker
from cemrnn.bench.peers import (
    LOOP,
    PEERS,
    PRODUCTS,
    TORCH_RNN,
    Case,
    build_loop,
    build_ours,
    build_torch_rnn,
    save_case,
)
from cemrnn.bench.rows import Bench, make_row, take_turns
from cemrnn.card.ahead import Ahead
from cemrnn.card.learner import CardLearner
from cemrnn.card.streams import CardTrialStream
from cemrnn.commands.bench import TOPIC_NAMES, bench
from cemrnn.network.model import CEMRNN
from cemrnn.system.environment import SetupError
from cemrnn.tasks import TaskSet
from cemrnn.tasks.cues import CueStream
from cemrnn.tasks.layout import Layout
from cemrnn.training.config import TrainingConfig

TINY = Case("plain", "tanh", n_units=16, n_networks=2, n_trials=8, n_steps=6)
WORKER = """
import sys
from cemrnn.bench.worker import serve
def build(fail, n):
    if fail:
        sys.stderr.write("first\\n\\nno such device\\n")
        sys.exit(3)
    calls = []
    return lambda: calls.append(n) or (n == 0 and sys.exit("tired")), [n, len(calls)]
serve(build)
"""


@pytest.fixture
def a_bench(tmp_path):
    return Bench(tmp_path, n_repeats=1, turn_s=0.0, say=lambda line: None)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(WORKER)
    return path


@pytest.mark.parametrize("arm", ["plain", "combined"])
def test_a_card_has_a_row_for_every_peer_that_could_do_the_work(a_bench, arm):
    """On a CPU here, which has no graphs."""
    measured = card.compare_case(dataclasses.replace(TINY, arm=arm), 0.5, 1.0, a_bench, "cpu")
    expected = {card.ROOF: 0.5, card.BATCHED: None, card.AIM: 1.0} | ({card.CUDNN: None} if arm == "plain" else {})
    assert {row["peer"]: row["goal"] for row in measured} == expected
    assert all(row["ours_s"] > 0 and row["peer_s"] > 0 for row in measured)
    assert len(a_bench.left_out) == 1 and card.GRAPH in a_bench.left_out[0]


def test_who_fails_while_it_is_measured_is_left_out_and_the_others_are_not(a_bench, monkeypatch):
    called = []

    def fail_later(case, device):
        def call():
            called.append(1)
            if len(called) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

        return call

    monkeypatch.setattr(card, "build_torch_rnn", fail_later)
    a_bench.n_repeats = 4
    measured = card.compare_case(TINY, None, None, a_bench, "cpu")
    assert {row["peer"] for row in measured} == {card.ROOF, card.BATCHED}
    (_, line) = a_bench.left_out  # the first is that of the graph
    assert line.startswith(card.CUDNN) and line.endswith("T = 6: left out, CUDA out of memory.")


def test_a_case_that_ours_fails_in_has_a_line_and_no_row(a_bench, monkeypatch):
    def refuse(*arguments, **how):
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(card, "build_update", refuse)
    assert card.compare_case(TINY, None, 1.0, a_bench, "cpu") == []
    assert a_bench.left_out == ["ours, plain, tanh, N = 16, M = 2, T = 6: left out, no kernel image"]


def test_a_case_with_noise_is_timed_with_noise(a_bench):
    noisy = dataclasses.replace(TINY, sigma_rec=0.5)
    silent, drawn = (card._build(case, "cpu") for case in (TINY, noisy))
    assert silent() == build_ours(TINY)() != pytest.approx(drawn(), rel=1e-3)
    assert [case.sigma_rec > 0 for case, *_ in card.CASES] == [False, True, False, False, False]
    rows = card.compare_case(noisy, None, None, a_bench, "cpu")
    assert {row["case"] for row in rows} == {"plain, tanh, N = 16, M = 2, T = 6, noise"}


def test_memory_is_that_of_updates_against_six_times_the_rates(a_bench, monkeypatch):
    rates = 4 * TINY.n_networks * TINY.n_trials * TINY.n_steps * TINY.n_units
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 1000)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 1000 + 4 * rates)
    (row,) = card.compare_memory(TINY, a_bench, "cpu")
    assert (row["ours_bytes"], row["peer_bytes"], row["ratio"], row["goal"]) == (4 * rates, 6 * rates, 1.5, 1.0)
    assert f"{4 * rates / 2**20:.3g} MiB against" in rows.describe_row(row)


def test_the_battery_of_full_is_forecast_from_all_its_networks(a_bench, monkeypatch):
    priced = []
    monkeypatch.setattr(card, "estimate_seconds", lambda ensembles, device: priced.extend(ensembles) or [900.0] * 8)
    (row,) = card.forecast_full(a_bench, "cpu")
    assert (row["ours_s"], row["peer_s"], row["ratio"], row["goal"]) == (7200.0, 3600.0, 0.5, 1.0)
    assert {len(configs) for configs in priced} == {20} and len({configs[0].network.arm for configs in priced}) == 8
    assert {(c.network.n_units, c.n_updates, c.tasks.n_contexts) for configs in priced for c in configs} == {
        (256, 50_000, 20)
    }


def test_a_card_is_asked_for_every_row(a_bench, monkeypatch):
    parts = ("compare_case", "compare_memory", "compare_drawing", "compare_step", "forecast_full")
    for name in parts:
        monkeypatch.setattr(card, name, lambda *_, name=name: [name])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(card, "describe_gpu", lambda: "a card")
    counts = [card.compare_card(a_bench).count(name) for name in parts]
    assert counts == [len(card.CASES), len(card.CASES), len(card.DRAWN), 1, 1]


def test_a_training_step_is_compared_with_its_update_and_with_the_cores(a_bench):
    assert {row["peer"] for row in card.compare_step(a_bench, "cpu")} == {card.CORES, card.KERNEL}


def test_the_next_batch_of_a_training_step_is_made_while_the_card_works(a_bench, monkeypatch):
    class OnCard(TrainingConfig):
        @staticmethod
        def make_learner(configs, device, starts):
            return CardLearner(configs, device, starts)

    def as_on_a_card(configs):
        return [OnCard(**{f.name: getattr(c, f.name) for f in dataclasses.fields(c)}) for c in configs]

    begun, begin = [], Ahead.begin
    monkeypatch.setattr(card, "for_card", as_on_a_card)
    monkeypatch.setattr(Ahead, "begin", lambda *arguments: begun.append(1) or begin(*arguments))
    card.compare_step(a_bench, "cpu")
    assert begun


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter fills trials on a CPU")
def test_drawing_that_a_card_refuses_is_left_out(a_bench):
    assert card.compare_drawing(TaskSet.rotate(2, preset="fast"), 2, 4, a_bench, "cpu") == []
    assert a_bench.left_out == ["drawing, 2 tasks, cosine, 2 x 4 trials: left out, Triton refuses to fill trials"]


def test_drawing_has_a_row_where_the_card_fills_trials(a_bench, monkeypatch):
    def open_here(tasks, cue, seeds, *, name, device):
        stream = CardTrialStream(tasks, seeds, name=name, device=device)
        stream._layout = Layout(tasks)
        return stream, CueStream(cue, seeds, name=name)

    monkeypatch.setattr(card, "open_streams", open_here)
    rows = card.compare_drawing(TaskSet.rotate(2, preset="fast"), 2, 4, a_bench, "cpu")
    assert [(row["peer"], row["goal"]) for row in rows] == [(card.COPIED, None)]


def test_without_a_card_one_line_says_so(a_bench, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert card.compare_card(a_bench) == [] and "no CUDA card" in a_bench.left_out[0]


@pytest.mark.parametrize("arm", ["plain", "combined"])
def test_the_loop_does_the_same_work_as_the_engine(arm):
    case = dataclasses.replace(TINY, arm=arm)
    ours, loop = build_ours(case), build_loop(case)
    for _ in range(4):  # the same losses after every update: same forward, gradient and optimiser
        assert ours() == pytest.approx(loop(), rel=1e-4)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_torch_rnn_is_our_network_without_leak(activation):
    case = dataclasses.replace(TINY, activation=activation)
    inputs, cue, targets = case.draw()
    network = dataclasses.replace(case.network, dt_ms=case.network.tau_ms)
    outputs, _ = CEMRNN(network, range(case.n_networks)).run(inputs, cue)
    expected = (outputs - targets).square().mean((1, 2, 3)).sum().item()
    assert build_torch_rnn(case)() == pytest.approx(expected, rel=1e-5)


def test_products_are_those_of_the_recurrence():
    assert PEERS[PRODUCTS].build(TINY)() is None
    assert PEERS[PRODUCTS].arms == PEERS[TORCH_RNN].arms == ("plain",)


def test_a_saved_case_is_what_ours_is_trained_on(tmp_path):
    case = dataclasses.replace(TINY, arm="combined")
    save_case(case, tmp_path / "case.npz")
    with np.load(tmp_path / "case.npz", allow_pickle=False) as file:
        p = {name[2:]: file[name] for name in file.files if name.startswith("p/")}
        inputs, cue, targets = (file[name] for name in ("inputs", "cue", "targets"))
    assert inputs.shape == (2, 6, 8, 5)
    assert (cue.shape, targets.shape) == ((8, 8), (2, 6, 8, 3))
    rates, error = np.zeros((2, 8, 16)), 0.0  # modulation starts at zero: the plain recurrence
    for t in range(6):
        drive = rates @ p["recurrent"] + inputs[:, t] @ p["input"] + p["bias"][:, None]
        rates = 0.8 * rates + 0.2 * np.tanh(drive)
        error += ((rates @ p["readout"] - targets[:, t]) ** 2).mean() * 2 / 6
    assert build_ours(case)() == pytest.approx(error, rel=1e-5)


def test_turns_alternate_at_the_best_setting():
    order = []

    def turn(name, times):
        values = iter(times)
        return lambda seconds: order.append(name) or next(values)

    settings = {"a": [turn("a1", [9.0]), turn("a2", [3.0, 1.0, 5.0, 2.0])], "b": [turn("b", [7.0, 4.0, 4.0, 6.0])]}
    assert take_turns(settings, 3, 0.1) == {"a": 2.0, "b": 4.0}
    assert order == ["a1", "a2", "b", *["a2", "b"] * 3]


def test_a_row_is_the_peers_time_over_ours():
    row = make_row("case", "peer", 0.5, 2.0, 3.0)
    assert row == dict(case="case", peer="peer", ours_s=0.5, peer_s=2.0, ratio=4.0, goal=3.0)
    assert "4.00 x (goal 3), 500 ms against 2000 ms" in rows.describe_row(row)
    assert "goal" not in rows.describe_row(make_row("case", "peer", 1.0, 1.0))


def test_a_worker_prepares_several_works_and_times_each(script, tmp_path):
    with worker.Worker(sys.executable, script, tmp_path / "log", {}) as peer:
        first, answer = peer.prepare(fail=False, n=4)
        second, _ = peer.prepare(fail=False, n=5)
        assert answer == [4, 0]
        assert 0 < first(0.0) < 1
        assert 0 < second(0.01) < 1
    assert peer._process.returncode == 0


def test_a_worker_that_ends_is_one_line(script, tmp_path):
    with worker.Worker(sys.executable, script, tmp_path / "log", {}) as peer:
        with pytest.raises(worker.WorkerError, match="^no such device "):
            peer.prepare(fail=True, n=1)
        with pytest.raises(worker.WorkerError, match="^no such device "):
            peer.prepare(fail=False, n=1)
    with worker.Worker(sys.executable, script, tmp_path / "log", {}) as peer:
        turn, _ = peer.prepare(fail=False, n=0)
        with pytest.raises(worker.WorkerError, match="^tired "):
            turn(0.0)


def test_a_variable_can_be_removed_for_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    script = tmp_path / "policy.py"
    script.write_text(
        "import os\nbefore = os.environ.get('OMP_WAIT_POLICY')\n"
        "from cemrnn.bench.worker import serve\nserve(lambda: (None, before))\n"
    )
    for variables, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": None}, None)):
        with worker.Worker(sys.executable, script, tmp_path / "log", variables) as peer:
            assert peer.prepare()[1] == expected


def test_the_engine_has_a_row_per_peer_that_can_do_the_case(a_bench, monkeypatch):
    def no_environment(*arguments):
        raise worker.WorkerError("no network")

    monkeypatch.setattr(engine, "peer_python", no_environment)
    assert [row["peer"] for row in engine.compare_case(TINY, a_bench)] == [LOOP, TORCH_RNN, PRODUCTS]
    combined = dataclasses.replace(TINY, arm="combined")
    assert [row["peer"] for row in engine.compare_case(combined, a_bench)] == [LOOP]
    assert a_bench.left_out == [f"{engine.JAX}: left out, no network"]


def test_a_peer_with_another_loss_is_left_out(a_bench):
    assert engine.agrees("peer", 1.00005, 1.0, a_bench)
    assert a_bench.left_out == []
    assert not engine.agrees("peer", 1.001, 1.0, a_bench)
    assert a_bench.left_out == ["peer: left out, its first loss is 1.001 where ours is 1"]


def test_goals_are_those_of_the_cases():
    goals = {(c.n_units, c.arm, c.activation): engine.find_goal(c, PRODUCTS) for c in engine.CASES}
    assert goals[64, "plain", "relu"] == 0.6
    assert goals[128, "plain", "relu"] == 0.7
    assert goals[64, "plain", "tanh"] is None
    assert {engine.find_goal(c, LOOP) for c in engine.CASES} == {25.0, 10.0, 6.0}
    assert {c.n_networks for c in engine.CASES if c.n_units <= 32} == {64}


def test_own_turns_restore_the_number_of_threads():
    seen, before = [], torch.get_num_threads()
    for turn in engine.own_turns(lambda: seen.append(torch.get_num_threads())):
        turn(0.0)
    assert sorted(set(seen)) == engine.thread_counts()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["jax", "jax_cuda", "neurogym"])
def test_requirements_of_peers_are_exact(name):
    lines = Path(environments.__file__).with_name(f"{name}.txt").read_text().split()
    packages = [line.split("==")[0] for line in lines]
    assert all(len(line.split("==")) == 2 for line in lines)
    assert name.removesuffix("_cuda") in packages
    assert "torch" not in packages


def test_an_environment_that_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(environments.environment, "LOG", tmp_path / "pip.log")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    nowhere = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1"]  # port 9 of this machine answers nobody
    with pytest.raises(worker.WorkerError, match="^its environment cannot be made: no network"):
        environments.peer_python("jax", tmp_path, nowhere)
    assert not (tmp_path / "jax").exists()

    def no_space(*arguments):
        raise SetupError("no space")

    monkeypatch.setattr(environments.environment, "make_venv", no_space)
    with pytest.raises(worker.WorkerError, match="cannot be made: no space"):
        environments.peer_python("jax", tmp_path, [])


def test_an_environment_is_made_once_and_again_when_its_requirements_change(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(environments.environment, "LOG", tmp_path / "pip.log")
    monkeypatch.setattr(environments.environment, "make_venv", lambda venv, _: venv.mkdir())
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(environments.subprocess, "run", lambda command, **_: made.append(command) or done)
    said = []
    for _ in range(2):
        python = environments.peer_python("jax", tmp_path, ["--quiet"], said.append)
        assert python == tmp_path / "jax" / "bin" / "python"
    assert len(made) == 1
    assert said == [f"making the environment of jax, once, in {tmp_path}/jax: a minute or more"]
    assert "--quiet" in made[0]
    (tmp_path / "jax" / ".installed").write_text("other requirements")
    environments.peer_python("jax", tmp_path, [])
    assert len(made) == 2


def test_topics_and_command_agree():
    assert tuple(topics.TOPICS) == TOPIC_NAMES


def test_the_command_writes_what_a_topic_measured(tmp_path, monkeypatch):
    def measure(a_bench):
        a_bench.leave_out("somebody", "no network")
        return [a_bench.report(make_row("case", "peer", 1.0, 2.0))]

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "fig1_tasks.ipynb").touch()  # what makes it a clone
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(topics.TOPICS, "engine", measure)
    result = CliRunner().invoke(bench, ["--topic", "engine", "--repeats", "3"])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "build/bench/engine.json").read_text())[0]["ratio"] == 2.0
    about = json.loads((tmp_path / "build/bench/engine.about.json").read_text())
    assert about["left_out"] == ["somebody: left out, no network"]
    assert about["repeats"] == 3
    assert "cores" in about["machine"]
    assert list(itertools.islice(result.output.splitlines(), 2)) == ["[engine]", "somebody: left out, no network"]


def test_the_command_knows_its_topics():
    result = CliRunner().invoke(bench, ["--topic", "engin"])
    assert result.exit_code == 2
    assert "'engin' is not one of 'engine', 'trials', 'fixed_points', 'sweeps'" in result.output
