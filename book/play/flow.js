/* The autonomous flow of a network whose context and input are held: its plane, its arrows, its fixed points.

   dr/dt = F(r) - r in units of 1 / tau, as in cemrnn.dynamics.flow. */
"use strict";

(function (play) {
  const MOST_STEPS = 20; // of Newton's method, from one start
  const STILL = 1e-9; // speed below which a state is fixed
  const MERGED = 1e-3; // distance within which two points are the same
  const LONG_RUN = 400; // steps
  const ITERATIONS = 150; // for a principal component
  const SQUARINGS = 12; // of the Jacobian, for its spectral radius: within a factor of N^(2^-12)

  class Flow {
    /** The flow under modulators (K each) that have settled, and inputs (I). */
    constructor(network, excitability, synaptic, inputs) {
      this.network = network;
      this.set = network.modulate(excitability, synaptic);
      this.driven = network.project(inputs);
    }

    /** dr/dt (N) at rates (N). */
    velocity(rates) {
      return this.network.target(rates, this.driven, this.set).map((value, i) => value - rates[i]);
    }

    /** The rates (N) after many steps of the flow. */
    follow(rates) {
      const { alpha } = this.network.config;
      for (let step = 0; step < LONG_RUN; step++) {
        const velocity = this.velocity(rates);
        rates = rates.map((value, i) => value + alpha * velocity[i]);
      }
      return rates;
    }

    /** Derivative (N, N) of the velocity, row i of its element i. */
    jacobian(rates) {
      const n = rates.length;
      const target = this.network.target(rates, this.driven, this.set);
      const unit = new Float64Array(n);
      const matrix = new Float64Array(n * n);
      for (let j = 0; j < n; j++) {
        unit[j] = 1;
        const from = this.network.recur(unit, this.set); // of unit j on all others
        unit[j] = 0;
        for (let i = 0; i < n; i++) {
          matrix[i * n + j] = this.network.activation.slope(target[i]) * this.set.gain[i] * from[i];
        }
        matrix[j * n + j] -= 1;
      }
      return matrix;
    }

    /** A fixed point that Newton's method finds from a start (N), with whether it is stable; null if it finds none. */
    findPoint(start) {
      let rates = Float64Array.from(start);
      let velocity = this.velocity(rates);
      for (let step = 0; step < MOST_STEPS && norm(velocity) > STILL; step++) {
        const direction = solve(this.jacobian(rates), velocity);
        if (!direction) return null;
        [rates, velocity] = this._descend(rates, direction, norm(velocity));
      }
      if (!(norm(velocity) <= STILL)) return null;
      return { rates, stable: this.growth(rates) < 1 };
    }

    /** The shorter and shorter step along -direction that makes the flow slower; the shortest if none does. */
    _descend(rates, direction, speed) {
      for (let share = 1; ; share /= 2) {
        const next = rates.map((value, i) => value - share * direction[i]);
        const velocity = this.velocity(next);
        if (norm(velocity) < speed || share < 1e-3) return [next, velocity];
      }
    }

    /** Factor by which a small deviation from a fixed point grows in a step, in the long run: the spectral radius. */
    growth(rates) {
      const n = rates.length;
      const { alpha } = this.network.config;
      let matrix = this.jacobian(rates).map((value) => alpha * value);
      for (let i = 0; i < n; i++) matrix[i * n + i] += 1;
      let log = 0;
      for (let k = 0; k < SQUARINGS; k++) {
        const size = norm(matrix);
        if (size === 0) return 0;
        matrix = matrix.map((value) => value / size);
        log += Math.log(size) / 2 ** k;
        matrix = square(matrix, n);
      }
      return Math.exp(log + Math.log(norm(matrix)) / 2 ** SQUARINGS);
    }
  }

  /** Distinct fixed points of a flow, one start (N) after another: all that are found so far, after each start. */
  function* search(flow, starts) {
    const found = [];
    for (const start of starts) {
      const point = flow.findPoint(start);
      if (point && !found.some((other) => distance(other.rates, point.rates) < MERGED * (1 + norm(point.rates)))) {
        found.push(point);
      }
      yield found;
    }
  }

  /** Solution of M x = b by elimination with pivots; null if M is singular. */
  function solve(matrix, right) {
    const n = right.length;
    const m = Float64Array.from(matrix);
    const x = Float64Array.from(right);
    for (let k = 0; k < n; k++) {
      let pivot = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(m[i * n + k]) > Math.abs(m[pivot * n + k])) pivot = i;
      if (Math.abs(m[pivot * n + k]) < 1e-12) return null;
      if (pivot !== k) {
        for (let j = k; j < n; j++) [m[k * n + j], m[pivot * n + j]] = [m[pivot * n + j], m[k * n + j]];
        [x[k], x[pivot]] = [x[pivot], x[k]];
      }
      for (let i = k + 1; i < n; i++) {
        const factor = m[i * n + k] / m[k * n + k];
        if (factor === 0) continue;
        for (let j = k; j < n; j++) m[i * n + j] -= factor * m[k * n + j];
        x[i] -= factor * x[k];
      }
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let j = i + 1; j < n; j++) x[i] -= m[i * n + j] * x[j];
      x[i] /= m[i * n + i];
    }
    return x;
  }

  function square(matrix, n) {
    const out = new Float64Array(n * n);
    const row = (values, i) => values.subarray(i * n, (i + 1) * n);
    for (let i = 0; i < n; i++) play.addProduct(row(out, i), row(matrix, i), matrix);
    return out;
  }

  function norm(x) {
    return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  }

  function distance(x, y) {
    return norm(x.map((value, i) => value - y[i]));
  }

  /** The plane of states (S vectors of N) along their two first principal components. */
  class Plane {
    constructor(states) {
      const n = states[0].length;
      this.centre = new Float64Array(n);
      for (const state of states) for (let i = 0; i < n; i++) this.centre[i] += state[i] / states.length;
      const centred = states.map((state) => state.map((value, i) => value - this.centre[i]));
      const covariance = new Float64Array(n * n);
      for (const x of centred) {
        for (let i = 0; i < n; i++) play.addProduct(covariance.subarray(i * n, (i + 1) * n), [x[i]], x);
      }
      this.axes = [];
      for (let k = 0; k < 2; k++) this.axes.push(leadingAxis(covariance, n, this.axes));
      this.points = states.map((state) => this.project(state));
    }

    /** Coordinates [x, y] of a state (N). */
    project(state) {
      return this.axes.map((axis) => axis.reduce((sum, value, i) => sum + value * (state[i] - this.centre[i]), 0));
    }

    /** The state (N) at coordinates on the plane. */
    lift([x, y]) {
      return this.centre.map((value, i) => value + x * this.axes[0][i] + y * this.axes[1][i]);
    }

    /** Where an arrow (N) points on the plane, [x, y]. */
    turn(arrow) {
      return this.axes.map((axis) => axis.reduce((sum, value, i) => sum + value * arrow[i], 0));
    }
  }

  /** Direction (N) of most variance across the others, by power iteration; its largest element is positive. */
  function leadingAxis(covariance, n, others) {
    let axis = Float64Array.from({ length: n }, (_, i) => 1 + (i % 7));
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      axis = others.reduce(remove, play.addProduct(new Float64Array(n), axis, covariance));
      const size = norm(axis) || 1;
      axis = axis.map((value) => value / size);
    }
    const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    return largest < 0 ? axis.map((value) => -value) : axis;
  }

  function remove(axis, other) {
    const share = axis.reduce((sum, value, i) => sum + value * other[i], 0);
    return axis.map((value, i) => value - share * other[i]);
  }

  Object.assign(play, { Flow, Plane, search, norm });
})((globalThis.cemrnnPlay ??= {}));
