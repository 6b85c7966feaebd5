"""The bandit in the page: its agents choose as those in Python do, and a reader can play it in any width and theme."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cemrnn.figures.fig12_bandit import agents
from cemrnn.figures.fig12_bandit.experiment import draw_bandits
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.book.test_play_page import LAYOUT, settle

CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[2]), "fig12_bandit", "smoke"), context_trials=300, n_contexts=1
)
WINDOW = 40
REGRETS = """({means, spreads, noise, choice, start, rank, window}) => {
  const play = cemrnnPlay, top = Math.max(...means);
  return [new play.Modulated(start, rank), new play.WindowUCB(means.length, window)].map((agent) =>
    noise.map((z, t) => {
      const arm = agent.choose(choice[t]);
      agent.learn(arm, means[arm] + spreads[arm] * z);
      return [top - means[arm], agent.rate ?? null, agent.temperature ?? null];
    }));
}"""
LOST = """() => ["you", "modulated", "window"].map((name) =>
  Number(document.querySelector(`.lost-${name}`).textContent))"""
DATA = {"networks": []}


@pytest.fixture
def open_bandit(open_page):
    """A function that opens a page with the bandit alone."""
    return lambda **page: open_page(DATA, attributes="data-cemrnn-bandit", **page)


def test_agents_choose_and_learn_as_in_python(open_page):
    bandit = next(draw_bandits(CONFIG, "page", 1, CONFIG.context_trials))
    names = ("noise", "choice", "start", "rank")
    drawn = {name: getattr(bandit, name)[0].tolist() for name in names} | {"window": WINDOW}
    drawn |= {"means": bandit.means[0, 0].tolist(), "spreads": bandit.spreads[0, 0].tolist()}
    modulated, window = (np.array(of, float) for of in open_page({}).evaluate(REGRETS, drawn))
    both = agents.play_ensemble(bandit, agents.MODULATED, agents.MODULATED, 0.0, 0.0)
    np.testing.assert_allclose(modulated[:, 0], both.regret[0], atol=1e-9)
    np.testing.assert_allclose(modulated[:, 1], both.rate[0], atol=1e-9)
    np.testing.assert_allclose(modulated[:, 2], both.temperature[0], atol=1e-9)
    np.testing.assert_allclose(window[:, 0], agents.play_counting(bandit, agents.WINDOW, WINDOW).regret[0], atol=1e-9)


def test_arms_change_after_as_many_trials_as_was_said(open_bandit):
    page = open_bandit()
    changed = page.evaluate(
        """() => {
          const game = new cemrnnPlay.Game(20), seen = [game.means.join()];
          for (let t = 0; t < 61; t++) { game.choose(0); seen.push(game.means.join()); }
          return seen.flatMap((means, played) => (played && means !== seen[played - 1] ? [played] : []));
        }"""
    )
    assert changed == [20, 40, 60]


def test_a_click_and_a_key_play_a_trial_each(open_bandit):
    page = open_bandit()
    arms = page.get_by_role("group", name="arms").get_by_role("button")
    assert arms.count() == 8
    arms.nth(2).click()
    assert page.get_by_role("status").text_content().startswith("Trial 1: arm 3 paid ")
    page.keyboard.press("5")
    said = page.get_by_role("status").text_content()
    assert said.startswith("Trial 2: arm 5 paid ")
    assert f"arm 5, last paid {said.split('paid ')[1][:-1]}" == arms.nth(4).get_attribute("aria-label")
    assert "after 2 trials: you " in page.locator(".play-regret svg").get_attribute("aria-label")
    page.keyboard.press("9")
    assert page.get_by_role("status").text_content() == said


def test_who_always_takes_the_best_arm_has_no_regret_and_agents_that_try_all_have(open_bandit):
    page = open_bandit()
    page.get_by_label("show what the arms pay on average").check()
    labels = page.locator(".play-bandit-arms button").evaluate_all("(all) => all.map((e) => e.ariaLabel)")
    means = [float(label.split("mean ")[1].replace("−", "-")) for label in labels]
    for _ in range(10):
        page.keyboard.press("Tab")
        page.locator(".play-bandit-arms button").nth(int(np.argmax(means))).click()
    lost = page.evaluate(LOST)
    assert lost[0] <= 1.0  # means are shown with one digit, so that the best two may look alike
    assert min(lost[1:]) > 2.0


def test_a_new_bandit_and_another_length_begin_again(open_bandit):
    page = open_bandit()
    again = (
        lambda: page.get_by_role("button", name="new bandit").click(),
        lambda: page.get_by_label("trials until all arms change").select_option("20"),
    )
    for begin in again:
        page.locator(".play-bandit-arms button").first.click()
        begin()
        assert page.evaluate(LOST) == [0, 0, 0]
        assert "keys 1 to 8" in page.get_by_role("status").text_content()
    settle(page)
    axis = page.locator(".play-regret .axis-x text").all_text_contents()
    assert axis[-1] == "20"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_overlaps_or_is_cut(open_bandit, width, theme):
    page = open_bandit(width=width, theme=theme)
    for arm in range(8):
        page.locator(".play-bandit-arms button").nth(arm).click()
    page.get_by_label("show what the arms pay on average").check()
    settle(page)
    assert page.evaluate(LAYOUT) == []
