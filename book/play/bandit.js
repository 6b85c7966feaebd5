/* A bandit that the reader plays against agents: one in every element with the attribute data-cemrnn-bandit. */
"use strict";

(function (play) {
  const LENGTHS = [20, 40, 80];
  const PLAYERS = { you: "you", modulated: "two modulators", window: "window UCB" };
  const write = (value) => value.toFixed(1).replace("-", "−");

  class Regret extends play.Frame {
    /** What every player has lost so far. */
    constructor(parent) {
      super(parent, "regret so far: the less, the better", { name: "regret" });
      const list = play.add(this.figure, "ul", { class: "play-legend" });
      this.lost = {};
      for (const [name, label] of Object.entries(PLAYERS)) {
        const item = play.add(list, "li", { class: `key-${name}` }, `${label}: `);
        this.lost[name] = play.add(item, "b", { class: `lost-${name}` });
      }
    }

    draw({ regret, nTrials, length }) {
      const most = Math.max(1, ...Object.values(regret).map((lost) => lost[lost.length - 1]));
      const x = play.scale([0, Math.max(nTrials, length)], this.ranges.x);
      const y = play.scale([0, most], this.ranges.y).nice();
      this.across(x, "trials");
      this.up(y, "regret");
      for (const [name, lost] of Object.entries(regret)) {
        this.path(`of-${name}`, play.trace(lost.map((value, t) => [x(t), y(value)])));
        this.lost[name].textContent = write(lost[nTrials]);
      }
      const told = Object.keys(PLAYERS).map((name) => `${PLAYERS[name]} ${this.lost[name].textContent}`);
      this.describe(`Regret after ${nTrials} trials: ${told.join(", ")}.`);
    }
  }

  class Panel {
    constructor(element) {
      element.replaceChildren();
      element.classList.add("cemrnn-play");
      const top = play.add(element, "div", { class: "play-top" });
      this._addControls(play.add(top, "div", { class: "play-controls" }));
      this.regret = new Regret(top);
      this.start();
      new ResizeObserver(() => this.draw()).observe(element);
      element.addEventListener("keydown", (event) => this._press(event));
    }

    /** Begin with a new bandit and new agents. */
    start() {
      this.game = new play.Game(Number(this.length.value));
      this.said.textContent = "Choose an arm: with the mouse, or with the keys 1 to 8.";
      this.draw();
    }

    /** Play one trial. */
    choose(arm) {
      this.said.textContent = `Trial ${this.game.nTrials + 1}: arm ${arm + 1} paid ${write(this.game.choose(arm))}.`;
      this.draw();
    }

    draw() {
      const { paid, means } = this.game;
      for (const [a, button] of this.arms.entries()) {
        const shown = this.reveal.checked ? `mean ${write(means[a])}` : paid[a] === null ? "–" : write(paid[a]);
        button.lastChild.textContent = shown;
        button.setAttribute("aria-label", `arm ${a + 1}, ${this.reveal.checked ? shown : `last paid ${shown}`}`);
      }
      this.regret.measure();
      this.regret.draw(this.game);
    }

    _press(event) {
      const arm = Number(event.key) - 1;
      if (!(arm in this.arms) || event.target.tagName === "SELECT" || event.ctrlKey || event.altKey || event.metaKey) {
        return;
      }
      event.preventDefault();
      this.choose(arm);
    }

    _addControls(parent) {
      const group = play.add(parent, "div", { class: "play-bandit-arms", role: "group", "aria-label": "arms" });
      this.arms = Array.from({ length: play.N_ARMS }, (_, a) => {
        const button = play.add(group, "button", { type: "button" });
        play.add(button, "b", {}, String(a + 1));
        play.add(button, "span");
        button.addEventListener("click", () => this.choose(a));
        return button;
      });
      this.said = play.add(parent, "p", { class: "play-said", role: "status", "aria-live": "polite" });
      const row = play.add(parent, "label", { class: "play-select" });
      play.add(row, "span", {}, "trials until all arms change");
      this.length = play.add(row, "select", { name: "length" });
      this.length.append(...LENGTHS.map((length) => new Option(length, length, length === 40, length === 40)));
      this.length.addEventListener("change", () => this.start());
      const check = play.add(parent, "label", { class: "play-check" });
      this.reveal = play.add(check, "input", { type: "checkbox", name: "reveal" });
      check.append("show what the arms pay on average");
      this.reveal.addEventListener("change", () => this.draw());
      const buttons = play.add(parent, "div", { class: "play-buttons" });
      play.add(buttons, "button", { type: "button" }, "new bandit").addEventListener("click", () => this.start());
    }
  }

  for (const element of document.querySelectorAll("[data-cemrnn-bandit]")) new Panel(element);
})((globalThis.cemrnnPlay ??= {}));
