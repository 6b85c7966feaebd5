/* The live model on a page: one in every element with the attribute data-cemrnn-play.

   With data-compact it is small; with data-cemrnn-play="times" it shows a switch of the cue and the time constants. */
"use strict";

(function (play) {
  const QUIET_MS = 150; // after the last change, before slow things begin
  const WHOSE = { own: "the cued task's", other: "the other task's", neither: "neither" };

  const KINDS = {
    full: { sliders: ["mixture", "sigma", "direction", "onset", "switched"], lesions: true, panels: addAllPanels },
    compact: { sliders: ["mixture", "sigma", "direction"] },
    times: {
      sliders: ["switched", "tauExcitability", "tauSynaptic", "direction"],
      panels: addTimePanels,
      settings: { mixture: 0, switched: 560, tauExcitability: 20, tauSynaptic: 200 },
    },
  };

  class App {
    constructor(element, data, kind) {
      [this.data, this.kind] = [data, kind];
      this.session = new play.Session(data, kind.settings);
      element.replaceChildren();
      element.classList.add("cemrnn-play");
      for (const { arm, colour } of data.networks) element.style.setProperty(`--look-${arm}`, colour);
      const calls = {
        change: (settings) => this.change(settings),
        draw: (nTrials) => this.drawTrials(nTrials),
        reset: () => this.reset(),
      };
      const top = play.add(element, "div", { class: "play-top" });
      this.panels = [new play.Dial(top, this.session, calls.change)];
      this._addVerdict(this.panels[0].figure);
      this.controls = new play.Controls(play.add(top, "div", { class: "play-controls" }), this.session, calls, kind);
      kind.panels?.(this, top, play.add(element, "div", { class: "play-panels" }));
      new ResizeObserver(() => this.resize()).observe(element);
    }

    /** Change settings, and draw at the next frame. */
    change(settings) {
      this.session.change(settings);
      this.schedule();
    }

    /** Draw that many new trials, which the tally counts. */
    drawTrials(nTrials) {
      for (let i = 0; i < nTrials; i++) this.session.newTrial();
      this.schedule();
    }

    /** Set everything as it was in the beginning. */
    reset() {
      this.change(new play.Session(this.data, this.kind.settings).settings);
    }

    /** Take the room that there is now. */
    resize() {
      for (const panel of this.panels) panel.measure();
      this.schedule();
    }

    /** Draw at the next frame, once however often it is asked for. */
    schedule() {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.draw();
      });
    }

    draw() {
      const view = this.session.compute();
      this.controls.update();
      for (const panel of this.panels) panel.draw(view);
      const { own, other, neither } = this.session.tally;
      const total = own + other + neither;
      this.verdict.textContent = play.tell(view);
      this.verdict.dataset.whose = view.verdict.whose;
      for (const [whose, count] of Object.entries(this.session.tally)) {
        this.tally[whose].bar.style.flexGrow = count;
        this.tally[whose].count.textContent = count;
      }
      this.total.parentElement.hidden = !total;
      this.total.textContent = total === 1 ? "1 trial" : `${total} trials`;
      clearTimeout(this.quiet);
      this.quiet = setTimeout(() => this._finish(view), QUIET_MS);
    }

    /** What is too slow for every frame: words for screen readers, and fixed points, one start at a time. */
    _finish(view) {
      this.live.textContent = this.verdict.textContent;
      if (!this.states) return;
      const flow = this.session.flow(view);
      const found = play.search(flow, this.session.starts(view, flow));
      const step = () => {
        const { value, done } = found.next();
        if (done) return;
        this.states.drawPoints(value);
        this.quiet = setTimeout(step, 0);
      };
      step();
    }

    _addVerdict(parent) {
      this.verdict = play.add(parent, "p", { class: "play-verdict" });
      this.live = play.add(parent, "p", { class: "play-live", role: "status", "aria-live": "polite" });
      const tally = play.add(parent, "div", { class: "play-tally" });
      this.total = play.add(tally, "p", { class: "play-total" });
      const bars = play.add(tally, "div", { class: "play-bars", "aria-hidden": "true" });
      this.tally = {};
      const counts = play.add(tally, "ul");
      for (const [whose, text] of Object.entries(WHOSE)) {
        const item = play.add(counts, "li", { class: `key-${whose}` }, `${text}: `);
        const bar = play.add(bars, "span", { class: whose });
        this.tally[whose] = { bar, count: play.add(item, "b", { class: `n-${whose}` }) };
      }
    }
  }

  function addAllPanels(app, top, parent) {
    const { session } = app;
    app.panels.push(new play.Outputs(parent, session));
    app.panels.push(new play.Rates(parent, session, (settings) => app.change(settings)));
    app.panels.push((app.states = new play.States(parent, session)));
    app.controls.addSlider(app.states.figure, "moment");
    if (!app.data.curves.mixture) return;
    const curves = play.add(parent, "div", { class: "play-curves" });
    for (const name of ["mixture", "noise"]) app.panels.push(new play.Curve(curves, session, name));
    const list = play.add(curves.firstChild, "ul", { class: "play-legend" });
    for (const arm of session.networks.keys()) play.add(list, "li", { class: `key-${arm}` }, play.ARM_LABELS[arm]);
  }

  function addTimePanels(app, top, parent) {
    app.panels.push(new play.Modulators(top, app.session), new play.Outputs(parent, app.session));
  }

  /** Put the live model into an element, or say why it is not there. */
  function mount(element, data) {
    if (data.missing) element.textContent = `There is no network to play with: ${data.missing}.`;
    else new App(element, data, KINDS[kindOf(element)]).resize();
  }

  function kindOf(element) {
    return element.hasAttribute("data-compact") ? "compact" : element.dataset.cemrnnPlay || "full";
  }

  for (const element of document.querySelectorAll("[data-cemrnn-play]")) mount(element, play.data);
})((globalThis.cemrnnPlay ??= {}));
