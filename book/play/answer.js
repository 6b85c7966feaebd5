/* The answer: on a dial at the end of the trial, and against time. */
"use strict";

(function (play) {
  const DIAL = 250; // height and largest width of the dial
  const RIM = 92; // its radius
  const CENTRED = ["rim", "other-wedge", "own-wedge", "walk", "arrow"]; // parts of the dial around its middle
  const ROWS = ["fixation", "cosine", "sine"];

  class Dial extends play.Frame {
    /** change(settings) is called while the stimulus is dragged. */
    constructor(parent, session, change) {
      super(parent, "answer at the end of the trial", { height: DIAL, name: "dial" });
      this.session = session;
      this.group("rim", "circle").attr("r", RIM);
      for (const name of ["other-wedge", "own-wedge"]) this.group(name, "path");
      this.group("walk", "path");
      this.group("arrow", "path");
      this.handle = this.group("handle", "circle").attr("r", 9);
      const move = () => {
        const angle = Math.atan2(this.middle[1] - d3.event.y, d3.event.x - this.middle[0]);
        change({ direction: toDegrees(angle) });
      };
      this.handle.call(d3.drag().container(this.svg.node()).on("start drag", move));
      this._addLegend();
    }

    draw(view) {
      this.middle = [this.width / 2, DIAL / 2];
      const place = `translate(${this.middle})`;
      for (const name of CENTRED) this.group(name).attr("transform", place);
      for (const role of ["own", "other"]) this._drawWedge(role, view);
      for (const [i, angle] of [0, 90, 180, 270].entries()) {
        const [x, y] = this._at((angle * Math.PI) / 180, RIM + 23);
        this.label(`angle-${i}`, `${angle}°`, this.middle[0] + x, this.middle[1] + y + 4);
      }
      const keep = (value) => Math.max(-RIM - 8, Math.min(RIM + 8, value));
      const tips = view.outputs.map((output) => [keep(RIM * output[1]), keep(-RIM * output[2])]);
      this.path("walk", play.trace(tips));
      this.path("arrow", arrow([0, 0], tips.at(-1), 10));
      this.group("arrow").classed("silent", view.verdict.answerRad === null);
      const [x, y] = this._at(view.directionRad, RIM);
      this.handle.attr("cx", this.middle[0] + x).attr("cy", this.middle[1] + y);
      this.describe(`The stimulus is at ${this.session.settings.direction} degrees. ${tell(view)}`);
    }

    _at(angleRad, radius) {
      return [radius * Math.cos(angleRad), -radius * Math.sin(angleRad)];
    }

    _drawWedge(role, view) {
      const middle = Math.PI / 2 - view.directionRad - view[role].turn_rad; // D3 counts clockwise from the top
      const [innerRadius, outerRadius] = role === "own" ? [RIM - 9, RIM + 1] : [RIM - 19, RIM - 9];
      const [startAngle, endAngle] = [middle - play.TOLERANCE_RAD, middle + play.TOLERANCE_RAD];
      this.path(`${role}-wedge`, d3.arc()({ innerRadius, outerRadius, startAngle, endAngle }));
    }

    _addLegend() {
      const list = play.add(this.figure, "ul", { class: "play-legend" });
      const texts = [
        ["handle", "stimulus: drag it"],
        ["own", "what the cued task asks for"],
        ["other", "what the other task asks for"],
        ["network", "the network"],
      ];
      for (const [kind, text] of texts) play.add(list, "li", { class: `key-${kind}` }, text);
    }
  }

  /** Path data of an arrow with a head of some pixels. */
  function arrow([x0, y0], [x1, y1], head) {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const side = (turn) => [x1 - head * Math.cos(angle + turn), y1 - head * Math.sin(angle + turn)];
    return play.trace([[x0, y0], [x1, y1]]) + play.trace([side(0.4), [x1, y1], side(-0.4)]);
  }

  /** One sentence on whose answer it is. */
  function tell(view) {
    const { whose, answerRad } = view.verdict;
    if (answerRad === null) return "The network gives no answer: it keeps fixation.";
    const said = `The network answers ${toDegrees(answerRad)}°`;
    if (whose === "neither") return `${said}, which neither task asks for.`;
    return `${said}, as the ${whose === "own" ? "cued" : "other"} task asks: ${view[whose].label}.`;
  }

  /** Whole degrees, 0 to 359, of an angle in [-pi, pi]. */
  function toDegrees(angleRad) {
    return (Math.round((angleRad * 180) / Math.PI) + 360) % 360;
  }

  class Outputs extends play.Frame {
    constructor(parent, session) {
      super(parent, "outputs during the trial", { height: 250, name: "outputs" });
      this.session = session;
      for (const name of ["shown", "go"]) this.group(name, name === "go" ? "path" : "rect");
    }

    draw(view) {
      const range = this.ranges;
      const { stepMs } = this.session;
      const x = play.scale([0, view.own.steps.end * stepMs], range.x);
      const band = (range.y[0] - range.y[1]) / ROWS.length;
      const { stimulus_on: on, stimulus_off: off, go } = view.own.steps;
      this.group("shown").attr("x", x(on * stepMs)).attr("width", x(off * stepMs) - x(on * stepMs));
      this.group("shown").attr("y", range.y[1]).attr("height", range.y[0] - range.y[1]);
      this.path("go", play.trace(range.y.map((y) => [x(go * stepMs), y])));
      ROWS.forEach((name, row) => {
        const y = play.scale([-1.3, 1.3], [range.y[1] + (row + 1) * band, range.y[1] + row * band]);
        const line = (values) => play.trace(values.map((value, step) => [x((step + 1) * stepMs), y(value[row])]));
        this.path(`zero-${row}`, play.trace(range.x.map((at) => [at, y(0)])));
        for (const role of ["other", "own"]) this.path(`${role}-${row}`, line(view.targets[role]));
        this.path(`network-${row}`, line(view.outputs));
        this.label(`row-${row}`, name, 0, 0).attr("transform", `translate(30,${y(0)}) rotate(-90)`);
      });
      this.across(x, "time (ms); shaded: the stimulus, line: go");
      this.describe(`Three outputs against time, with what the two tasks ask for. ${tell(view)}`);
    }
  }

  Object.assign(play, { Dial, Outputs, arrow, tell });
})((globalThis.cemrnnPlay ??= {}));
