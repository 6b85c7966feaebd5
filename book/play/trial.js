/* A trial: inputs, cue, what two tasks ask for, and whose answer it was. As cemrnn.tasks makes and scores them. */
"use strict";

(function (play) {
  const TOLERANCE_RAD = Math.PI / 5; // rule last36
  const FIXATION_LEVEL = 0.5;

  /** What a stimulus of strength 1 in a modality (0 or 1) adds to the inputs: fixation, cosine and sine of each. */
  function encodeStimulus(directionRad, modality) {
    const values = new Float64Array(5);
    values.set([Math.cos(directionRad), Math.sin(directionRad)], 1 + 2 * modality);
    return values;
  }

  /** The angle in [-pi, pi). */
  function wrap(angleRad) {
    const turn = 2 * Math.PI;
    return ((((angleRad + Math.PI) % turn) + turn) % turn) - Math.PI;
  }

  /** Inputs of every step: T vectors (I), without noise. */
  function makeInputs(task, directionRad, modality = 0) {
    const stimulus = encodeStimulus(directionRad, modality);
    return Array.from({ length: task.steps.end }, (_, step) => {
      const shown = step >= task.steps.stimulus_on && step < task.steps.stimulus_off;
      const inputs = shown ? Float64Array.from(stimulus) : new Float64Array(stimulus.length);
      if (step < task.steps.fixation_off) inputs[0] = 1;
      return inputs;
    });
  }

  /** What a task asks for at every step: T vectors (fixation, cosine, sine). */
  function makeTarget(task, directionRad) {
    const angle = directionRad + task.turn_rad;
    return Array.from({ length: task.steps.end }, (_, step) =>
      step < task.steps.go ? [1, 0, 0] : [0, Math.cos(angle), Math.sin(angle)],
    );
  }

  /** The cue at every step: T vectors (K).

      It is (1 - mixture) of the own and mixture of the other task's cue, with noise (K) of size sigma, from a step on;
      and before the step of the switch, if there is one, the other task's cue alone. */
  function makeCue(nContexts, own, other, { mixture, sigma, noise, onset, switched }) {
    const cue = Float64Array.from({ length: nContexts }, (_, k) => sigma * noise[k]);
    cue[own.index] += 1 - mixture;
    cue[other.index] += mixture;
    const nothing = new Float64Array(nContexts);
    const first = new Float64Array(nContexts);
    first[other.index] = 1;
    return Array.from({ length: own.steps.end }, (_, step) => (step < switched ? first : step < onset ? nothing : cue));
  }

  /** T vectors (K) that say the mean of all contexts, which tells nothing. */
  function makeMeanCue(nContexts, nSteps) {
    return Array(nSteps).fill(new Float64Array(nContexts).fill(1 / nContexts));
  }

  /** Standard normal numbers (K) without their mean, as in figure 2. */
  function drawNoise(nContexts, random = Math.random) {
    const noise = Float64Array.from(
      { length: nContexts },
      () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
    );
    const mean = noise.reduce((sum, value) => sum + value, 0) / nContexts;
    return noise.map((value) => value - mean);
  }

  /** What the outputs (O) at the end of a trial say: whose answer they are, and its direction, null without one. */
  function judge(outputs, own, other, directionRad) {
    if (outputs[0] >= FIXATION_LEVEL) return { whose: "neither", answerRad: null };
    const answerRad = Math.atan2(outputs[2], outputs[1]);
    const fits = (task) => Math.abs(wrap(answerRad - directionRad - task.turn_rad)) < TOLERANCE_RAD - 1e-5;
    return { whose: fits(own) ? "own" : fits(other) ? "other" : "neither", answerRad };
  }

  Object.assign(play, { TOLERANCE_RAD, wrap, makeInputs, makeTarget, makeCue, makeMeanCue, drawNoise, judge });
})((globalThis.cemrnnPlay ??= {}));
