"""The live model in a page: every control changes what it should, and nothing overlaps, in any width and theme."""

import re

import pytest

from cemrnn.tasks import TaskSet
from tests.book.networks import RANKS, make_model

TASKS = TaskSet(names=("memory_pro", "memory_anti", "delay_pro", "delay_anti"), preset="fast")
SHOWN = """() => ({
  outputs: document.querySelector(".network-1").getAttribute("d"),
  targets: [1, 2].map((row) => document.querySelector(`.own-${row}`).getAttribute("d")).join(),
  rates: document.querySelector(".play-rates canvas").toDataURL(),
  field: document.querySelector(".field").getAttribute("d"),
  walk: document.querySelector(".play-states .walk").getAttribute("d"),
  handle: document.querySelector(".handle").getAttribute("cx"),
  now: document.querySelector(".play-states .now").getAttribute("cx"),
  mixture: document.querySelector(".play-mixture .level").getAttribute("d"),
  noise: document.querySelector(".play-noise .level").getAttribute("d"),
})"""
RUN = {"outputs", "rates", "field", "walk"}  # what changes if the network does something else
CHANGES = {  # control -> value, what changes, or may if it is small, and what stays
    "own": ("memory_pro", RUN | {"targets"}, {"handle", "mixture"}),
    "mixture": ("0.9", RUN | {"mixture"}, {"handle", "noise", "targets"}),
    "sigma": ("0.8", RUN | {"noise"}, {"handle", "mixture", "targets"}),
    "direction": ("200", {"outputs", "rates", "walk", "targets", "handle"}, {"mixture", "noise"}),
    "onset": ("480", {"outputs", "rates", "walk"}, {"handle", "targets", "field", "mixture"}),
    "switched": ("480", {"outputs", "rates", "walk"}, {"handle", "targets", "field", "mixture"}),
    "unit": ("3", RUN, {"handle", "targets", "mixture"}),
    "component": ("1", RUN, {"handle", "targets", "mixture"}),
    "moment": ("40", {"field", "now"}, {"outputs", "walk", "handle", "targets", "mixture"}),
    "holdExcitability": (True, RUN, {"handle", "targets", "mixture"}),
    "holdSynaptic": (True, RUN, {"handle", "targets", "mixture"}),
}


@pytest.fixture(scope="module")
def data():
    """What the book exports, of networks of random weights."""
    records = [make_model(arm, TASKS, activation="rectified_tanh")[1] for arm in RANKS]
    points = [[0.0, 1.0], [0.5, 0.4], [1.0, -0.2]]
    curves = {name: {arm: points for arm in RANKS} for name in ("mixture", "noise")}
    return records[0] | {"networks": [record["networks"][0] for record in records], "curves": curves}


def settle(page):
    """Wait until what was changed is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def set_control(page, name, value):
    """What is shown before and after a control has another value."""
    control, before = page.locator(f'[name="{name}"]'), page.evaluate(SHOWN)
    if isinstance(value, bool):
        control.set_checked(value)
    elif control.evaluate("(element) => element.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)
    settle(page)
    return before, page.evaluate(SHOWN)


def counts(page):
    """The tally: trials of the cued task, of the other, of neither."""
    return [int(page.text_content(f".n-{whose}")) for whose in ("own", "other", "neither")]


def test_every_control_changes_what_it_should(data, open_page):
    page = open_page(data)
    for name, (value, changed, kept) in CHANGES.items():
        before, after = set_control(page, name, value)
        assert {part for part in changed if before[part] == after[part]} == set(), name
        assert {part for part in kept if before[part] != after[part]} == set(), name
        page.get_by_role("button", name="reset").click()
        settle(page)


def test_another_arm_is_another_network_with_its_own_pathways(data, open_page):
    page = open_page(data)
    enabled = {"E: excitability": [True, False, False], "S: synapses": [False, True, True], "C: both": [True] * 3}
    walks = set()
    for label, expected in enabled.items():
        page.get_by_label(label, exact=True).check()
        settle(page)
        names = ("holdExcitability", "holdSynaptic", "component")
        assert [page.locator(f'[name="{name}"]').is_enabled() for name in names] == expected
        walks.add(page.evaluate(SHOWN)["walk"])
    assert len(walks) == 3


def test_the_other_task_is_one_that_conflicts_with_the_cued_one(data, open_page):
    page = open_page(data)
    page.get_by_label("cued task").select_option("delay_anti")
    settle(page)
    assert page.locator('[name="other"] option').all_text_contents() == ["delay pro"]
    assert page.locator('[name="other"]').input_value() == "delay_pro"


def test_trials_are_counted_until_a_setting_changes(data, open_page):
    page = open_page(data)
    page.get_by_role("button", name="100 trials").click()
    page.get_by_role("button", name="new trial").click()
    settle(page)
    assert sum(counts(page)) == 101
    assert page.locator(".play-total").text_content() == "101 trials"
    set_control(page, "direction", "10")
    assert sum(counts(page)) == 101
    set_control(page, "mixture", "0.5")
    assert sum(counts(page)) == 0


def test_a_new_trial_draws_new_noise(data, open_page):
    page = open_page(data)
    set_control(page, "sigma", "0.5")
    paths = set()
    for _ in range(4):
        page.get_by_role("button", name="new trial").click()
        _, shown = set_control(page, "direction", "30")
        paths.add(shown["outputs"])
    assert len(paths) == 4


def test_the_stimulus_is_dragged_and_moved_by_keys(data, open_page):
    page = open_page(data)
    box = page.locator(".play-dial .rim").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.locator(".play-dial .handle").hover()
    page.mouse.down()
    page.mouse.move(middle[0], middle[1] - 80, steps=5)
    settle(page)
    page.mouse.up()
    assert page.locator('[name="direction"]').input_value() == "90"
    page.locator('[name="direction"]').press("ArrowRight")
    assert page.locator('[name="direction"]').input_value() == "91"
    settle(page)
    assert "at 91 degrees" in page.locator(".play-dial svg").get_attribute("aria-label")


def test_a_click_on_a_unit_removes_it(data, open_page):
    page = open_page(data)
    box = page.locator(".play-rates .frame").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] * 2.5 / 12)  # the third row of twelve
    settle(page)
    unit = int(page.locator('[name="unit"]').input_value())
    assert unit >= 0
    blank = """() => { const canvas = document.querySelector(".play-rates canvas");
      return Array.from(canvas.getContext("2d").getImageData(0, 2, canvas.width, 1).data.slice(0, 3)); }"""
    assert page.evaluate(blank) == [68, 1, 84]  # viridis at 0


def test_fixed_points_come_when_all_is_quiet(data, open_page):
    page = open_page(data)
    set_control(page, "mixture", "0")
    page.locator(".play-states .points circle").first.wait_for(state="attached")
    assert page.locator(".play-live").text_content() == page.locator(".play-verdict").text_content()


def test_the_small_one_has_the_answer_and_few_controls(data, open_page):
    page = open_page(data, attributes="data-cemrnn-play data-compact")
    names = page.locator("[name]").evaluate_all("(all) => all.map((element) => element.name)")
    assert [re.sub(r".*-arm", "arm", name) for name in names] == ["arm"] * 3 + [
        "own", "other", "mixture", "sigma", "direction"
    ]  # fmt: skip
    assert page.locator("svg").count() == 1
    assert "The network" in page.locator(".play-verdict").text_content()


def test_time_constants_delay_what_the_pathways_are_told(data, open_page):
    page = open_page(data, attributes='data-cemrnn-play="times"')
    told = """() => ["excitability", "synaptic"].map((name) =>
      document.querySelector(`.play-modulators .arm-${name}`).getAttribute("d")).concat(
      document.querySelector(".network-1").getAttribute("d"))"""
    for name, changed in (("tauExcitability", 0), ("tauSynaptic", 1)):
        before = page.evaluate(told)
        page.locator(f'[name="{name}"]').fill("400")
        settle(page)
        differs = [a != b for a, b in zip(before, page.evaluate(told), strict=True)]
        assert differs == [changed == 0, changed == 1, True]
    page.get_by_label("E: excitability", exact=True).check()
    settle(page)
    enabled = [page.locator(f'[name="{name}"]').is_enabled() for name in ("tauExcitability", "tauSynaptic")]
    assert enabled == [True, False]
    assert page.evaluate(told)[1] == ""


def test_a_page_without_networks_says_why(open_page):
    page = open_page({"missing": "fig1_tasks has not run"})
    assert page.locator("[data-cemrnn-play]").text_content() == (
        "There is no network to play with: fig1_tasks has not run."
    )


LAYOUT = """() => {
  const problems = [], box = (element) => element.getBoundingClientRect();
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const tell = (what, ...found) => problems.push([what, ...found.map((e) => e.outerHTML.slice(0, 80))].join(" | "));
  const apart = (a, b) =>
    a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  const check = (elements, what) => elements.forEach((one, i) => elements.slice(i + 1).forEach((other) => {
    if (!apart(box(one), box(other))) tell(`${what} overlap`, one, other);
  }));
  check(all(".play-panel, .play-controls"), "panels");
  check(all(".play-controls > *"), "controls");
  check(all(".play-dial > *:not(.play-live)"), "parts of the answer");
  for (const svg of all(".play-body svg")) {
    const texts = all("text", svg).filter((text) => text.textContent), s = box(svg);
    check(texts, "texts");
    for (const text of texts) {
      const t = box(text), over = [s.left - t.left, t.right - s.right, s.top - t.top, t.bottom - s.bottom];
      if (Math.max(...over) > 1) tell("cut", text);
    }
  }
  for (const element of all(".cemrnn-play *")) {
    if (box(element).right > window.innerWidth + 1) tell("outside", element);
    const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (says && parseFloat(getComputedStyle(element).fontSize) < 12) tell("small", element);
  }
  if (document.documentElement.scrollWidth > window.innerWidth) tell("the page scrolls sideways");
  return problems;
}"""
CONTRAST = """() => {
  const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const linear = (share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
  const find = (selector, property) => {
    paint.fillStyle = getComputedStyle(document.querySelector(selector))[property];
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = find(".play-panel", "backgroundColor");
  const ratio = (light) => (Math.max(light, ground) + 0.05) / (Math.min(light, ground) + 0.05);
  const strokes = [".network-1", ".own-1", ".other-1", ".arm-combined"].map((name) => ratio(find(name, "stroke")));
  const texts = [ratio(find(".play-verdict", "color")), ratio(find(".play-body text", "fill"))];
  return {text: Math.min(...texts), line: Math.min(...strokes)};
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_overlaps_or_is_cut_and_all_is_legible(data, open_page, width, theme):
    for attributes in ("data-cemrnn-play data-compact", 'data-cemrnn-play="times"'):
        assert open_page(data, attributes=attributes, width=width, theme=theme).evaluate(LAYOUT) == []
    page = open_page(data, width=width, theme=theme)
    page.get_by_role("button", name="100 trials").click()
    settle(page)
    assert page.evaluate(LAYOUT) == []
    contrast = page.evaluate(CONTRAST)
    assert contrast["text"] >= 4.5  # WCAG 2.1, text
    assert contrast["line"] >= 2.4  # lines also differ in their dashes and widths
    columns = page.locator(".play-panels > *").evaluate_all("(all) => new Set(all.map((e) => e.offsetLeft)).size")
    assert columns == (2 if width == 1400 else 1)
