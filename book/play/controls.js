/* The controls: native inputs with labels, so that keyboard and screen reader work. */
"use strict";

(function (play) {
  const ARM_LABELS = { excitability: "E: excitability", synaptic: "S: synapses", combined: "C: both" };
  const percent = (value) => value.toFixed(2);
  const ms = (value) => `${value} ms`;
  const lastMs = (session) => (session.task("own").steps.end - 1) * session.stepMs;
  const TIME = { max: () => 500, step: () => 10, show: ms };
  const SLIDERS = {
    mixture: { label: "mixture λ of the two cues", max: () => 1, step: () => 0.01, show: percent },
    sigma: { label: "noise σ on the cue", max: () => 1.2, step: () => 0.01, show: percent },
    direction: { label: "direction of the stimulus", max: () => 359, step: () => 1, show: (v) => `${v}°` },
    onset: { label: "the cue begins at", max: lastMs, step: (session) => session.stepMs, show: ms },
    switched: {
      label: "before, the other cue until",
      max: lastMs,
      step: (session) => session.stepMs,
      show: (value) => (value ? ms(value) : "never"),
    },
    tauExcitability: { label: "time constant τ_E of excitability", ...TIME, pathway: "excitability" },
    tauSynaptic: { label: "time constant τ_S of synapses", ...TIME, pathway: "synaptic" },
    moment: { label: "moment in the plane", max: lastMs, step: (session) => session.stepMs, show: ms },
  };
  const HOLDS = {
    holdExcitability: { label: "excitability is told the mean of all cues", pathway: "excitability" },
    holdSynaptic: { label: "synapses are told the mean of all cues", pathway: "synaptic" },
  };
  let nMade = 0; // for ids that differ on one page

  /** An element with attributes, inside a parent. */
  function add(parent, tag, attributes = {}, text = "") {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  class Controls {
    /** Controls inside an element, with these sliders, and with lesions or without.

        They call change(settings), draw(number of trials) and reset(). */
    constructor(parent, session, calls, { sliders, lesions }) {
      this.session = session;
      this.calls = calls;
      this.prefix = `cemrnn-play-${nMade++}`;
      this.updates = []; // functions that bring a control up to date
      this._addArms(add(parent, "fieldset"));
      const tasks = add(parent, "div", { class: "play-pair" });
      const names = (values) => values.map((name) => [name, session.data.tasks.find((t) => t.name === name).label]);
      this._addSelect(tasks, "own", "cued task", () => names(session.data.tasks.map((task) => task.name)));
      this._addSelect(tasks, "other", "other task", () => names(session.task("own").others));
      for (const name of sliders) this.addSlider(parent, name);
      if (lesions) this._addLesions(parent);
      this._addButtons(add(parent, "div", { class: "play-buttons" }));
      this.update();
    }

    /** Bring every control up to date with the settings. */
    update() {
      for (const update of this.updates) update();
    }

    /** A slider with its label and value. */
    addSlider(parent, name) {
      const { label, max, step, show, pathway } = SLIDERS[name];
      const id = `${this.prefix}-${name}`;
      const row = add(parent, "div", { class: "play-slider" });
      add(row, "label", { for: id }, label);
      const value = add(row, "output", { for: id });
      const input = add(row, "input", { type: "range", id, name, min: 0 });
      input.addEventListener("input", () => this.calls.change({ [name]: Number(input.value) }));
      this.updates.push(() => {
        input.max = max(this.session);
        input.step = step(this.session);
        input.value = this.session.settings[name];
        input.disabled = pathway !== undefined && !this.session.has(pathway);
        value.textContent = show(this.session.settings[name]);
        input.setAttribute("aria-valuetext", value.textContent);
      });
    }

    _addArms(group) {
      group.className = "play-arms";
      add(group, "legend", {}, "context acts on");
      for (const arm of this.session.networks.keys()) {
        const label = add(group, "label");
        const input = add(label, "input", { type: "radio", name: `${this.prefix}-arm`, value: arm });
        label.append(ARM_LABELS[arm]);
        input.addEventListener("change", () => this.calls.change({ arm }));
        this.updates.push(() => (input.checked = this.session.settings.arm === arm));
      }
    }

    _addSelect(parent, name, label, options, parse = String) {
      const row = add(parent, "label", { class: "play-select" });
      add(row, "span", {}, label);
      const select = add(row, "select", { name });
      let shown = "";
      select.addEventListener("change", () => this.calls.change({ [name]: parse(select.value) }));
      this.updates.push(() => {
        const wanted = options();
        if (shown !== (shown = wanted.join())) {
          select.replaceChildren(...wanted.map(([value, text]) => new Option(text, value)));
        }
        select.value = this.session.settings[name];
        select.disabled = wanted.length < 2;
      });
    }

    _addLesions(parent) {
      for (const [name, { label, pathway }] of Object.entries(HOLDS)) {
        const row = add(parent, "label", { class: "play-check" });
        const input = add(row, "input", { type: "checkbox", name });
        row.append(label);
        input.addEventListener("change", () => this.calls.change({ [name]: input.checked }));
        this.updates.push(() => {
          input.disabled = !this.session.has(pathway);
          input.checked = this.session.settings[name];
        });
      }
      const pair = add(parent, "div", { class: "play-pair" });
      const count = (what, n) => [[-1, "none"], ...Array.from({ length: n }, (_, i) => [i, `${what} ${i + 1}`])];
      const config = () => this.session.network.config;
      this._addSelect(pair, "unit", "remove a unit", () => count("unit", config().n_units), Number);
      this._addSelect(pair, "component", "remove a component", () => count("component", config().rank), Number);
    }

    _addButtons(row) {
      for (const [text, call] of [
        ["new trial", () => this.calls.draw(1)],
        ["100 trials", () => this.calls.draw(100)],
        ["reset", this.calls.reset],
      ]) {
        add(row, "button", { type: "button" }, text).addEventListener("click", call);
      }
    }
  }

  Object.assign(play, { ARM_LABELS, Controls, add });
})((globalThis.cemrnnPlay ??= {}));
