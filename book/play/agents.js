/* Agents on a bandit, as in the package's fig12_bandit/agents.py: two modulators, and UCB in a sliding window. */
"use strict";

(function (play) {
  const N_ARMS = 8;
  const N_MEMBERS = 20; // estimators of an arm
  const FASTEST = 1.25; // learning rate of the fastest member, in units of the arm's
  const LARGEST_VARIANCE = 100; // of a reward that the ensemble may estimate
  const COLDEST = 0.02; // temperature at which a choice is as good as certain
  const START_SPREAD = 0.5; // of the estimators at first
  const [LARGEST_MEAN, LEAST_SPREAD] = [3, 0.001]; // of an arm

  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values) => {
    const mean = average(values);
    return average(values.map((value) => (value - mean) ** 2));
  };
  const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const repeat = (n, make) => Array.from({ length: n }, (_, i) => make(i));

  /** Weights of a softmax, not normalised. */
  function weigh(values, temperature) {
    const top = Math.max(...values);
    return values.map((value) => Math.exp((value - top) / temperature));
  }

  /** Acetylcholine sets the learning rate, and noradrenaline the temperature. */
  class Modulated {
    /** With estimates (arm, member) to begin with, and the members' rates (arm, member) from 0 to 1. */
    constructor(start, rank) {
      this.rank = rank;
      this.q = start.map((row) => [...row]);
      this.v = start.map((row) => row.map((value) => value * value));
      this.least = Infinity;
      this.t = 0;
    }

    static draw(random) {
      const ranks = repeat(N_MEMBERS, (j) => j / (N_MEMBERS - 1));
      const shuffle = (values) =>
        values.map((value) => [random(), value]).sort((a, b) => a[0] - b[0]).map(([, value]) => value);
      const start = repeat(N_ARMS, () => repeat(N_MEMBERS, () => START_SPREAD * normal(random)));
      return new Modulated(start, repeat(N_ARMS, () => shuffle(ranks)));
    }

    /** The arm of the next trial. */
    choose(uniform) {
      const values = this.q.map(average);
      const attention = weigh(values, 1);
      const surprise = average(this.q.map((row, a) => attention[a] * variance(row))) / average(attention);
      this.least = Math.min(this.least, surprise);
      this.temperature = Math.max(COLDEST, surprise - this.least);
      if (this.t < this.q.length) return this.t;
      const weights = weigh(values, this.temperature);
      let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
      const arm = weights.findIndex((weight) => (left -= weight) <= 0);
      return arm < 0 ? weights.length - 1 : arm;
    }

    learn(arm, reward) {
      const [q, v] = [this.q[arm], this.v[arm]];
      const expected = variance(q);
      const known = Math.min(Math.max(average(v) - average(q) ** 2, 0), LARGEST_VARIANCE);
      this.rate = expected + known > 0 ? expected / (expected + known) : 0;
      for (let j = 0; j < q.length; j++) {
        const own = Math.min(1, FASTEST * this.rate * this.rank[arm][j]);
        q[j] += own * (reward - q[j]);
        v[j] += own * (reward * reward - v[j]);
      }
      this.t++;
    }
  }

  /** Upper confidence bounds from the last trials alone. */
  class WindowUCB {
    constructor(nArms, window) {
      this.window = window;
      this.counts = Array(nArms).fill(0);
      this.sums = Array(nArms).fill(0);
      this.past = [];
    }

    choose() {
      const n = this.counts.length;
      if (this.past.length < n) return this.past.length;
      const total = this.counts.reduce((sum, count) => sum + count, 0);
      const bonus = (count) => Math.sqrt((2 * Math.log(Math.max(total, 2))) / count);
      const bounds = this.counts.map((count, a) => (count ? this.sums[a] / count + bonus(count) : Infinity));
      return bounds.indexOf(Math.max(...bounds));
    }

    learn(arm, reward) {
      if (this.past.length >= this.window) {
        const [old, got] = this.past[this.past.length - this.window];
        this.counts[old]--;
        this.sums[old] -= got;
      }
      this.past.push([arm, reward]);
      this.counts[arm]++;
      this.sums[arm] += reward;
    }
  }

  /** A bandit that the reader and the agents play trial by trial; its arms are drawn anew after so many trials. */
  class Game {
    constructor(length, random = Math.random) {
      [this.length, this.random] = [length, random];
      this.agents = { modulated: Modulated.draw(random), window: new WindowUCB(N_ARMS, length) };
      this.regret = { you: [0], modulated: [0], window: [0] }; // summed, after each trial
      this.paid = Array(N_ARMS).fill(null); // what each arm paid the reader last
      this._switch();
    }

    get nTrials() {
      return this.regret.you.length - 1;
    }

    /** What the reader's choice pays; the agents play the same trial. */
    choose(arm) {
      const noise = normal(this.random);
      const reward = (a) => this.means[a] + this.spreads[a] * noise;
      for (const [name, agent] of Object.entries(this.agents)) {
        const own = agent.choose(this.random());
        agent.learn(own, reward(own));
        this._count(name, own);
      }
      this._count("you", arm);
      this.paid[arm] = reward(arm);
      if (this.nTrials % this.length === 0) this._switch();
      return this.paid[arm];
    }

    _count(name, arm) {
      const lost = this.regret[name];
      lost.push(lost[lost.length - 1] + Math.max(...this.means) - this.means[arm]);
    }

    _switch() {
      this.means = repeat(N_ARMS, () => LARGEST_MEAN * (2 * this.random() - 1));
      this.spreads = repeat(N_ARMS, () => LEAST_SPREAD + (1 - LEAST_SPREAD) * this.random());
    }
  }

  Object.assign(play, { N_ARMS, Modulated, WindowUCB, Game });
})((globalThis.cemrnnPlay ??= {}));
