/* The network: its weights, and the discrete step of cemrnn.network in double precision.

   Matrices are flat and row by row; a row of the recurrent weights belongs to the unit that a connection comes from.
   N units, K contexts, I inputs, O outputs, R synaptic components, T steps. */
"use strict";

(function (play) {
  const ACTIVATIONS = {
    relu: { value: (p) => (p > 0 ? p : 0), slope: (f) => (f > 0 ? 1 : 0) },
    tanh: { value: Math.tanh, slope: (f) => 1 - f * f },
    softplus: { value: (p) => Math.max(p, 0) + Math.log1p(Math.exp(-Math.abs(p))), slope: (f) => -Math.expm1(-f) },
    rectified_tanh: { value: (p) => Math.max(0, Math.tanh(p)), slope: (f) => (f > 0 ? 1 - f * f : 0) },
  };

  /** Float64Array from the base64 of little-endian float32. */
  function decode(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return Float64Array.from(new Float32Array(bytes.buffer));
  }

  /** out += x M, with x (rows) and M (rows, columns). */
  function addProduct(out, x, matrix) {
    const columns = out.length;
    for (let i = 0; i < x.length; i++) {
      const factor = x[i];
      if (factor === 0) continue;
      for (let j = 0, at = i * columns; j < columns; j++, at++) out[j] += factor * matrix[at];
    }
    return out;
  }

  /** out += M x, with M (rows, columns) and x (columns). */
  function addTransposed(out, x, matrix) {
    for (let i = 0, at = 0; i < out.length; i++) {
      let sum = 0;
      for (let j = 0; j < x.length; j++, at++) sum += matrix[at] * x[j];
      out[i] += sum;
    }
    return out;
  }

  class Network {
    /** From the record that the book exports: config, and tensors by name in base64. */
    static from(record) {
      const tensors = Object.entries(record.tensors).map(([name, text]) => [name, decode(text)]);
      return new Network(record.config, Object.fromEntries(tensors));
    }

    constructor(config, tensors) {
      this.config = config;
      this.tensors = tensors;
      this.activation = ACTIVATIONS[config.activation];
    }

    /** The same network without a unit: nothing reaches it, and nothing comes from it. */
    withoutUnit(unit) {
      const { n_units: n, n_contexts, n_inputs, n_outputs: o, rank } = this.config;
      const changed = this._copy();
      const t = changed.tensors;
      const column = (name, rows) => {
        for (let i = 0; i < rows; i++) if (t[name]) t[name][i * n + unit] = 0;
      };
      const row = (name, width) => t[name]?.fill(0, unit * width, (unit + 1) * width);
      column("recurrent", n);
      column("input", n_inputs);
      column("bias", 1);
      column("bias_modulation", n_contexts);
      column("gain_modulation", n_contexts);
      row("recurrent", n);
      row("readout", o);
      row("synaptic_in", rank);
      row("synaptic_out", rank);
      return changed;
    }

    /** The same network without a synaptic component. */
    withoutComponent(component) {
      const changed = this._copy();
      const { rank, n_units } = this.config;
      for (let i = 0; i < n_units; i++) changed.tensors.synaptic_in[i * rank + component] = 0;
      return changed;
    }

    /** The same network with other time constants (ms) of the modulators. */
    withTimes(times) {
      return new Network({ ...this.config, ...times }, this.tensors);
    }

    /** What modulators (K) set: bias (N), gain (N), strength (R) or null. */
    modulate(excitability, synaptic) {
      const t = this.tensors;
      const bias = Float64Array.from(t.bias);
      const gain = new Float64Array(this.config.n_units).fill(1);
      if (t.bias_modulation) addProduct(bias, excitability, t.bias_modulation);
      if (t.gain_modulation) addProduct(gain, excitability, t.gain_modulation);
      const strength = t.strength_modulation
        ? addProduct(new Float64Array(this.config.rank), synaptic, t.strength_modulation)
        : null;
      return { bias, gain, strength };
    }

    /** What drives the units through recurrent and modulated synapses (N): r W + ((r V) * s) U^T, before the gain. */
    recur(rates, set) {
      const t = this.tensors;
      const drive = addProduct(new Float64Array(rates.length), rates, t.recurrent);
      if (!set.strength) return drive;
      const components = addProduct(new Float64Array(set.strength.length), rates, t.synaptic_in);
      for (let r = 0; r < components.length; r++) components[r] *= set.strength[r];
      return addTransposed(drive, components, t.synaptic_out);
    }

    /** Rates (N) towards which the units go: phi(g * (recurrent + input) + bias). */
    target(rates, driven, set) {
      const drive = this.recur(rates, set);
      for (let i = 0; i < drive.length; i++) {
        drive[i] = this.activation.value(set.gain[i] * (drive[i] + driven[i]) + set.bias[i]);
      }
      return drive;
    }

    /** What inputs (I) bring to the units (N). */
    project(inputs) {
      return addProduct(new Float64Array(this.config.n_units), inputs, this.tensors.input);
    }

    /** Outputs (O) at rates (N). */
    read(rates) {
      return addProduct(Float64Array.from(this.tensors.readout_bias), rates, this.tensors.readout);
    }

    /** Rates, outputs and modulators at every step: arrays of T vectors.

        inputs: T vectors (I). told: T vectors (K) for each modulator, as {excitability, synaptic}. */
    run(inputs, told) {
      const { alpha } = this.config;
      const excitability = lowPass(told.excitability, this.config.dt_ms, this.config.tau_excitability_ms);
      const synaptic = lowPass(told.synaptic, this.config.dt_ms, this.config.tau_synaptic_ms);
      const rates = [];
      let state = new Float64Array(this.config.n_units);
      for (let step = 0; step < inputs.length; step++) {
        const set = this.modulate(excitability[step], synaptic[step]);
        const next = this.target(state, this.project(inputs[step]), set);
        for (let i = 0; i < next.length; i++) next[i] = (1 - alpha) * state[i] + alpha * next[i];
        rates.push((state = next));
      }
      return { rates, outputs: rates.map((r) => this.read(r)), excitability, synaptic };
    }

    _copy() {
      const tensors = Object.entries(this.tensors).map(([name, values]) => [name, Float64Array.from(values)]);
      return new Network(this.config, Object.fromEntries(tensors));
    }
  }

  /** The context seen through a first-order low-pass that starts at rest; as it is where tau is 0. */
  function lowPass(context, dtMs, tauMs) {
    if (!tauMs) return context;
    const rate = -Math.expm1(-dtMs / tauMs);
    let state = new Float64Array(context[0].length);
    return context.map((now) => (state = state.map((value, k) => value + rate * (now[k] - value))));
  }

  Object.assign(play, { Network, addProduct, lowPass });
})((globalThis.cemrnnPlay ??= {}));
