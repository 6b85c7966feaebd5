"""Figure 12: agents on bandits whose regret is known, counts by brute force, and made-up scores with known verdicts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cemrnn.figures.fig12_bandit import agents
from cemrnn.figures.fig12_bandit import experiment as fig12_bandit
from cemrnn.figures.fig12_bandit.agents import FIXED, MODULATED, Bandit, Traces
from cemrnn.figures.fig12_bandit.experiment import DESIGN
from cemrnn.figures.fig12_bandit.plot import plot
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import find_faults, panels_of
from tests.verdicts import judge_result

CONFIG = make_config(Project(Path(__file__).parents[2]), "fig12_bandit", "smoke")
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])


def make_bandit(n_seeds=50, n_contexts=1, length=2000, n_arms=8, seed=0, spread=1.0):
    config = dataclasses.replace(CONFIG, n_arms=n_arms, context_trials=length, n_contexts=n_contexts, seed=seed)
    bandit = next(fig12_bandit.draw_bandits(config, "test", n_seeds, length))
    return bandit._replace(spreads=np.full_like(bandit.spreads, spread))


def halves(traces):
    """Regret summed over the first and over the second half of the trials."""
    return np.array_split(traces.regret.mean(axis=0), 2)[0].sum(), np.array_split(traces.regret.mean(axis=0), 2)[
        1
    ].sum()


def test_ucb_stays_within_its_bound_and_grows_like_a_logarithm_on_a_bandit_that_never_changes():
    bandit = make_bandit()
    traces = agents.play_counting(bandit, agents.UCB, 0.0)
    gaps = bandit.means.max(axis=2, keepdims=True) - bandit.means
    logs = 8 * np.log(traces.regret.shape[1]) * np.where(gaps > 0, 1 / np.where(gaps > 0, gaps, 1), 0).sum(axis=(1, 2))
    bound = logs + (1 + np.pi**2 / 3) * gaps.sum(axis=(1, 2))  # Auer 2002, theorem 1
    assert (traces.regret.sum(axis=1) < bound).all()
    first, second = halves(traces)
    assert second < 0.35 * first


def test_a_share_of_random_choices_costs_as_much_in_every_trial():
    bandit = make_bandit()
    first, second = halves(agents.play_counting(bandit, agents.GREEDY, 0.5))
    random = (bandit.means.max(axis=2) - bandit.means.mean(axis=2)).mean()
    assert second / 1000 == pytest.approx(0.5 * random, rel=0.25)
    assert second > 0.6 * first


@pytest.mark.parametrize("kinds", DESIGN.values())
def test_one_arm_has_no_regret(kinds):
    bandit = make_bandit(n_arms=1, length=100, n_seeds=3)
    for traces in (agents.play_ensemble(bandit, *kinds, 0.2, 0.1), agents.play_counting(bandit, agents.UCB, 0.0)):
        assert (traces.regret == 0).all() and (traces.best == 1).all()


def test_without_noise_a_learner_finds_the_reward_and_is_certain():
    """One arm with the reward 2: estimators move by their own rate, as in plain Python."""
    bandit = make_bandit(n_arms=1, length=60, n_seeds=2, spread=0.0)
    bandit.means[:] = 2.0
    rates = agents.play_ensemble(bandit, MODULATED, MODULATED, 0.0, 0.0).rate
    for m in range(2):
        q, v = bandit.start[m, 0].copy(), bandit.start[m, 0] ** 2
        for t in range(60):
            expected, known = q.var(), max(v.mean() - q.mean() ** 2, 0.0)
            rate = expected / (expected + known)
            assert rates[m, t] == pytest.approx(rate)
            own = np.minimum(1, agents.FASTEST * rate * bandit.rank[m, 0])
            q, v = q + own * (2 - q), v + own * (4 - v)


def test_without_modulation_rate_and_temperature_stay():
    bandit = make_bandit(n_seeds=3, n_contexts=3, length=50)
    traces = agents.play_ensemble(bandit, FIXED, FIXED, 0.3, 0.2)
    np.testing.assert_allclose(traces.rate, 0.3)
    np.testing.assert_allclose(traces.temperature, 0.2)
    modulated = agents.play_ensemble(bandit, MODULATED, MODULATED, 0.3, 0.2)
    assert np.ptp(modulated.rate) > 0 and np.ptp(modulated.temperature) > 0


@pytest.mark.parametrize(("kind", "setting"), [(agents.DISCOUNTED, 0.9), (agents.WINDOW, 15), (agents.UCB, 0.0)])
def test_counts_are_those_of_a_sum_over_the_past(kind, setting):
    bandit = make_bandit(n_seeds=2, n_contexts=1, length=120, n_arms=3)
    played = agents.play_counting(bandit, kind, setting)
    for m in range(2):
        arms, rewards = [], []
        for t in range(120):
            ages = np.arange(t)[::-1]
            weight = {agents.DISCOUNTED: 0.9**ages, agents.WINDOW: 1.0 * (ages < setting), agents.UCB: ages * 0 + 1.0}
            counts = np.array([weight[kind][np.array(arms, int) == a].sum() for a in range(3)])
            sums = np.array([(weight[kind] * rewards)[np.array(arms, int) == a].sum() for a in range(3)])
            with np.errstate(divide="ignore", invalid="ignore"):
                bonus = np.sqrt(2 * np.log(max(counts.sum(), 2)) / counts)
                value = np.where(counts < 1e-6, np.inf, sums / counts + bonus)
            arm = t if t < 3 else int(value.argmax())
            arms.append(arm)
            rewards.append(bandit.means[m, 0, arm] + bandit.spreads[m, 0, arm] * bandit.noise[m, t])
        regret = bandit.means[m, 0].max() - bandit.means[m, 0][arms]
        np.testing.assert_allclose(played.regret[m], regret, atol=1e-9)


def test_a_seed_is_the_same_alone_and_among_others():
    bandit = make_bandit(n_seeds=4, n_contexts=2, length=60)
    one = Bandit(*(values[2:3] for values in bandit))
    for kinds in DESIGN.values():
        together, alone = (agents.play_ensemble(b, *kinds, 0.2, 0.1) for b in (bandit, one))
        np.testing.assert_array_equal(together.regret[2], alone.regret[0])


def test_members_that_change_places_learn_as_in_plain_python():
    """Three arms, the temperature fixed so low that the best estimate is chosen: arms and rates trial by trial."""
    redrawn = dataclasses.replace(CONFIG, n_arms=3, context_trials=80, n_contexts=1)
    bandit = next(fig12_bandit.draw_bandits(redrawn, "test", 2, 80, redrawn=True))
    played = agents.play_ensemble(bandit, MODULATED, FIXED, 0.0, 1e-9)
    for m in range(2):
        q, v = bandit.start[m].copy(), bandit.start[m] ** 2
        for t in range(80):
            arm = t if t < 3 else int(q.mean(axis=1).argmax())
            rate = q[arm].var() / (q[arm].var() + v[arm].mean() - q[arm].mean() ** 2)
            assert played.rate[m, t] == pytest.approx(rate)
            assert played.best[m, t] == (arm == bandit.means[m, 0].argmax())
            reward = bandit.means[m, 0, arm] + bandit.spreads[m, 0, arm] * bandit.noise[m, t]
            own = agents.FASTEST * rate * bandit.rank[m, arm][bandit.order[m, t]]
            q[arm], v[arm] = q[arm] + own * (reward - q[arm]), v[arm] + own * (reward**2 - v[arm])


def test_orders_are_permutations_and_do_not_change_the_bandit():
    config = dataclasses.replace(CONFIG, context_trials=30, n_contexts=2)
    kept, redrawn = (next(fig12_bandit.draw_bandits(config, "test", 3, 30, redrawn=r)) for r in (False, True))
    assert kept.order.shape == (3, 0, agents.N_MEMBERS)
    np.testing.assert_array_equal(np.sort(redrawn.order, axis=2), np.broadcast_to(np.arange(20), (3, 60, 20)))
    assert len(np.unique(redrawn.order.reshape(-1, 20), axis=0)) == 3 * 60
    for name in set(Bandit._fields) - {"order"}:
        np.testing.assert_array_equal(getattr(kept, name), getattr(redrawn, name))


@pytest.mark.parametrize("redrawn", [False, True])
def test_without_noise_the_rate_stays_if_members_keep_their_places_and_else_falls_with_time(redrawn):
    """One arm with the reward 2.

    If rates fall as a / t, what is left of an error falls as t ** (-a * FASTEST / 2), because the mean member has half
    of the fastest one's rate. EU / (EU + AU) falls as that, so that a = 2 / FASTEST. If places are kept, the member
    without a rate keeps its error, EU and AU are the same, and the rate stays at one half.
    """
    still = dataclasses.replace(CONFIG, n_arms=1, context_trials=1600, n_contexts=1)
    bandit = next(fig12_bandit.draw_bandits(still, "test", 5, 1600, redrawn=redrawn))
    bandit = bandit._replace(means=np.full_like(bandit.means, 2.0), spreads=np.zeros_like(bandit.spreads))
    rates = agents.play_ensemble(bandit, MODULATED, FIXED, 0.0, 0.1).rate
    expected = 2 / agents.FASTEST / np.arange(1, 1601) if redrawn else np.full(1600, 0.5)
    np.testing.assert_allclose(rates[:, 1000:], np.tile(expected[1000:], (5, 1)), rtol=0.08)


def make_play(score, gain_short, redrawn_loss=0.0):
    def play(config, name, n_seeds, length, matched, *, all_agents=False, redrawn=False):
        baselines = {name: 0.4 for name in config.baselines} | {"window UCB": 0.8}
        scores = score | (baselines if all_agents else {})
        extra = gain_short * (name == "lengths" and length == min(config.context_lengths))
        less = redrawn_loss * redrawn
        traces = {}
        for agent, value in scores.items():
            level = value + (extra - less) * (agent == "both") + 0.01 * JITTER * (-1 if agent == "neither" else 1)
            rows = np.repeat(1 - level[:, None], config.context_trials, axis=1)
            traces[agent] = Traces(rows, rows, rows, rows)
        return traces, np.ones(8)

    return play


def run(monkeypatch, score, gain_short=0.2, **more):
    monkeypatch.delenv("CEMRNN_RESULTS", raising=False)
    monkeypatch.setattr(fig12_bandit, "play", make_play(score, gain_short, **more))
    monkeypatch.setattr(fig12_bandit, "match", lambda config, redrawn=False: (0.4, 0.3) if redrawn else (0.2, 0.1))
    return fig12_bandit.run(dataclasses.replace(CONFIG, n_replicates=8, length_replicates=8))


SYNERGY = dict(both=0.9, acetylcholine=0.6, noradrenaline=0.7, neither=0.4)
WORSE = dict(both=0.4, acetylcholine=0.5, noradrenaline=0.6, neither=0.8)


@pytest.mark.parametrize(("score", "gain", "verdict"), [(SYNERGY, 0.2, "supported"), (WORSE, -0.2, "opposite")])
def test_known_scores_get_their_verdict(monkeypatch, tmp_path, score, gain, verdict):
    result = run(monkeypatch, score, gain)
    rows = judge_result(result, tmp_path).drop("bandit-control-window")
    assert rows["verdict"].to_dict() == dict.fromkeys(rows.index, verdict) and len(rows) == 5
    assert result.scalars["score_beyond_best"] == pytest.approx(
        score["both"] - max(score["acetylcholine"], score["noradrenaline"])
    )


def test_the_figure_can_be_read(monkeypatch):
    figures = plot(run(monkeypatch, SYNERGY))
    assert set(panels_of(figures)) == set("abcdef") and set(panels_of(figures, "b")) == set("abc")
    assert not any(find_faults(figure) for figure in figures.values())


def test_readings_and_lengths_have_effects_of_their_own(monkeypatch):
    result = run(monkeypatch, SYNERGY, redrawn_loss=0.4)
    assert result.scalars["score_beyond_best"] == pytest.approx(0.2)
    assert result.scalars["redrawn_beyond_best"] == pytest.approx(-0.2)
    assert result.scalars["redrawn_beyond_sum"] == pytest.approx(0.5 - 0.6 - 0.7 + 0.4)
    assert (result.scalars["rate"], result.scalars["redrawn_rate"]) == (0.2, 0.4)
    gains = result.tables["gains"].set_index(["agent", "length"])["value"]
    shortest, longest = min(CONFIG.context_lengths), max(CONFIG.context_lengths)
    assert gains["both", shortest] == pytest.approx(0.7) and gains["both", longest] == pytest.approx(0.5)
    assert result.scalars["acetylcholine_longest"] == pytest.approx(gains["acetylcholine", longest])
    assert gains["acetylcholine", longest] == pytest.approx(0.2)
