/* What the reader has set, and what follows from it; nothing here touches the page. */
"use strict";

(function (play) {
  const DEFAULTS = {
    arm: "combined",
    own: "memory_anti",
    other: "memory_pro",
    mixture: 0.3,
    sigma: 0,
    direction: 30, // degrees
    onset: 0, // ms
    switched: 0, // ms; 0: never
    holdExcitability: false,
    holdSynaptic: false,
    unit: -1, // removed; -1: none
    component: -1,
    moment: 0, // ms
    tauExcitability: 0, // ms, of the modulators; 0: they follow at once
    tauSynaptic: 0,
  };
  const KEPT = ["direction", "moment"]; // settings whose change leaves the tally as it is
  const BASIS_DIRECTIONS = 8; // of the stimulus, in the states that span the plane
  const N_STARTS = 8; // states of the trajectory from which fixed points are looked for
  const PATHWAYS = { excitability: ["bias_modulation", "gain_modulation"], synaptic: ["strength_modulation"] };

  class Session {
    constructor(data, settings = {}) {
      this.data = data;
      this.networks = new Map(data.networks.map((record) => [record.arm, play.Network.from(record)]));
      this.settings = { ...DEFAULTS, ...settings };
      this.tally = { own: 0, other: 0, neither: 0 };
      this._repair();
      this.settings.moment = settings.moment ?? (this.task("own").steps.end - 1) * this.stepMs;
      this._drawNoise();
    }

    /** Length of a step, ms. */
    get stepMs() {
      return this.network.config.dt_ms;
    }

    /** The network of the arm as it was trained. */
    get network() {
      return this.networks.get(this.settings.arm);
    }

    /** The task in a role, "own" (the cued one) or "other". */
    task(role) {
      return this.data.tasks.find((task) => task.name === this.settings[role]);
    }

    /** Whether the arm has a pathway, "excitability" or "synaptic". */
    has(pathway) {
      return PATHWAYS[pathway].some((name) => name in this.network.tensors);
    }

    /** Change settings; what does not go with them any more changes, too. */
    change(settings) {
      Object.assign(this.settings, settings);
      this._repair();
      if (Object.keys(settings).some((name) => !KEPT.includes(name))) this.tally = { own: 0, other: 0, neither: 0 };
    }

    /** Whose answer a new trial has, with another direction and another draw of the noise; the tally counts it. */
    newTrial(random = Math.random) {
      this.settings.direction = Math.floor(360 * random());
      this._drawNoise(random);
      const { whose } = this.compute().verdict;
      this.tally[whose]++;
      return whose;
    }

    /** The trial: its inputs, cue, targets, and what the network does. */
    compute() {
      const own = this.task("own");
      const other = this.task("other");
      const directionRad = (this.settings.direction * Math.PI) / 180;
      const inputs = play.makeInputs(own, directionRad);
      const told = this._tell(own, other);
      const run = this._changed().run(inputs, told);
      const verdict = play.judge(run.outputs.at(-1), own, other, directionRad);
      const targets = { own: play.makeTarget(own, directionRad), other: play.makeTarget(other, directionRad) };
      const moment = Math.min(Math.round(this.settings.moment / this.stepMs), inputs.length - 1);
      return { own, other, directionRad, inputs, told, targets, verdict, moment, ...run };
    }

    /** The flow at the moment that is shown, with the modulators as they are then. */
    flow(view) {
      const at = view.moment;
      return new play.Flow(this._changed(), view.excitability[at], view.synaptic[at], view.inputs[at]);
    }

    /** States from which fixed points are looked for: where the flow leads, and some of the trajectory. */
    starts(view, flow) {
      const every = Math.ceil(view.rates.length / N_STARTS);
      return [flow.follow(view.rates[view.moment]), ...view.rates.filter((_, step) => step % every === 0)];
    }

    /** The plane of both tasks, and the units in the order of their peaks: of the network as it was trained. */
    basis() {
      const { arm, own, other } = this.settings;
      const key = [arm, own, other].join();
      if (this._basis?.key !== key) this._basis = { key, ...this._findBasis() };
      return this._basis;
    }

    _findBasis() {
      const states = [];
      const sums = [];
      for (const [first, second] of [["own", "other"], ["other", "own"]].map((pair) => pair.map((r) => this.task(r)))) {
        const clean = { mixture: 0, sigma: 0, noise: new Float64Array(this._nContexts), onset: 0, switched: 0 };
        const cue = play.makeCue(this._nContexts, first, second, clean);
        for (let i = 0; i < BASIS_DIRECTIONS; i++) {
          const inputs = play.makeInputs(first, (2 * Math.PI * i) / BASIS_DIRECTIONS);
          const { rates } = this.network.run(inputs, { excitability: cue, synaptic: cue });
          states.push(...rates);
          rates.forEach((r, step) => (sums[step] = r.map((value, unit) => value + (sums[step]?.[unit] ?? 0))));
        }
      }
      const peak = (unit) => sums.reduce((best, sum, step) => (sum[unit] > sums[best][unit] ? step : best), 0);
      const order = Array.from(states[0], (_, unit) => unit).sort((a, b) => peak(a) - peak(b) || a - b);
      return { plane: new play.Plane(states), order };
    }

    get _nContexts() {
      return this.network.config.n_contexts;
    }

    _drawNoise(random) {
      this.noise = play.drawNoise(this._nContexts, random);
    }

    _tell(own, other) {
      const { mixture, sigma, holdExcitability, holdSynaptic } = this.settings;
      const [onset, switched] = [this.settings.onset, this.settings.switched].map((ms) => Math.round(ms / this.stepMs));
      const cue = play.makeCue(this._nContexts, own, other, { mixture, sigma, noise: this.noise, onset, switched });
      const held = play.makeMeanCue(this._nContexts, cue.length);
      return { excitability: holdExcitability ? held : cue, synaptic: holdSynaptic ? held : cue };
    }

    _changed() {
      const { arm, unit, component, tauExcitability, tauSynaptic } = this.settings;
      const key = [arm, unit, component, tauExcitability, tauSynaptic].join();
      if (this._changedKey !== key) {
        let network = this.network.withTimes({ tau_excitability_ms: tauExcitability, tau_synaptic_ms: tauSynaptic });
        if (unit >= 0) network = network.withoutUnit(unit);
        if (component >= 0) network = network.withoutComponent(component);
        [this._changedKey, this._changedNetwork] = [key, network];
      }
      return this._changedNetwork;
    }

    _repair() {
      const s = this.settings;
      if (!this.networks.has(s.arm)) s.arm = this.data.networks[0].arm;
      if (!this.task("own")) s.own = this.data.tasks[0].name;
      if (!this.task("own").others.includes(s.other)) s.other = this.task("own").others[0];
      if (!this.has("excitability")) Object.assign(s, { holdExcitability: false, tauExcitability: 0 });
      if (!this.has("synaptic")) Object.assign(s, { holdSynaptic: false, tauSynaptic: 0 });
      if (s.unit >= this.network.config.n_units) s.unit = -1;
      if (s.component >= this.network.config.rank) s.component = -1;
      const lastMs = (this.task("own").steps.end - 1) * this.stepMs;
      for (const name of ["onset", "switched", "moment"]) s[name] = Math.min(s[name], lastMs);
    }
  }

  Object.assign(play, { Session });
})((globalThis.cemrnnPlay ??= {}));
