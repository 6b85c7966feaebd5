/* The network at work: rates of all units, the plane of its states, and where it stands on figure 2. */
"use strict";

(function (play) {
  const GRID = 13; // arrows along each side of the plane
  const REACH = 1.25; // of the plane that is shown, in units of the states of both tasks
  const PATHWAYS = ["excitability", "synaptic"];
  const CURVES = {
    mixture: { label: "mixture λ", setting: "mixture" },
    noise: { label: "noise σ", setting: "sigma" },
  };

  class Rates extends play.Frame {
    /** change(settings) is called when a unit is clicked. */
    constructor(parent, session, change) {
      super(parent, "rates of all units; click one to remove it", { height: 250, name: "rates" });
      this.session = session;
      this.canvas = document.createElement("canvas");
      this.svg.node().before(this.canvas); // below the axes
      this.frame = this.group("frame", "rect").on("click", () => {
        const row = Math.floor(this.y.invert(d3.mouse(this.svg.node())[1]));
        const unit = session.basis().order[row];
        change({ unit: session.settings.unit === unit ? -1 : unit });
      });
    }

    draw(view) {
      const range = this.ranges;
      const { stepMs } = this.session;
      const { order } = this.session.basis();
      const nSteps = view.rates.length;
      const highest = Math.max(1e-9, d3.max(view.rates, (rates) => d3.max(rates)));
      this.y = play.scale([order.length, 0], range.y);
      const x = play.scale([0, nSteps * stepMs], range.x);
      this._paint(view.rates, order, highest);
      const [left, top] = [range.x[0], range.y[1]];
      const [width, height] = [range.x[1] - left, range.y[0] - top];
      this.frame.attr("x", left).attr("y", top).attr("width", width).attr("height", height);
      for (const [name, value] of Object.entries({ left, top, width, height })) this.canvas.style[name] = `${value}px`;
      this.across(x, "time (ms)");
      this.up(this.y, "units, by time of their peak", 3);
      const removed = order.indexOf(this.session.settings.unit);
      this.path("removed", removed < 0 ? "" : play.trace(range.x.map((at) => [at, this.y(removed + 0.5)])));
      this.path("moment", play.trace(range.y.map((at) => [x((view.moment + 0.5) * stepMs), at])));
      this.describe(`Rates of ${order.length} units during ${nSteps * stepMs} ms, ${highest.toFixed(1)} at most.`);
    }

    _paint(rates, order, highest) {
      [this.canvas.width, this.canvas.height] = [rates.length, order.length];
      const context = this.canvas.getContext("2d");
      const image = context.createImageData(rates.length, order.length);
      for (let row = 0; row < order.length; row++) {
        for (let step = 0; step < rates.length; step++) {
          const shade = SHADES[Math.round((255 * Math.max(0, rates[step][order[row]])) / highest)];
          image.data.set(shade, 4 * (row * rates.length + step));
        }
      }
      context.putImageData(image, 0, 0);
    }
  }

  const SHADES = d3.range(256).map((i) => {
    const { r, g, b } = d3.rgb(d3.interpolateViridis(i / 255));
    return [r, g, b, 255];
  });

  class States extends play.Frame {
    constructor(parent, session) {
      super(parent, "states in the plane of the two tasks, with the flow", { height: 370, name: "states" });
      this.session = session;
      for (const name of ["field", "walk"]) this.group(name, "path");
      this.group("points");
      this.group("now", "circle").attr("r", 5);
    }

    draw(view) {
      const { plane } = this.session.basis();
      const range = this.ranges;
      const flow = this.session.flow(view);
      [this.x, this.y] = this._scales(plane, range);
      this.across(this.x, "first principal component");
      this.up(this.y, "second", 5);
      this.path("field", this._field(plane, flow));
      const walk = view.rates.map((rates) => this._place(plane, rates));
      this.path("walk", play.trace(walk));
      this.group("now").attr("cx", walk[view.moment][0]).attr("cy", walk[view.moment][1]);
      this.drawPoints([]);
      const timeMs = view.moment * this.session.stepMs;
      this.describe(`The path of ${view.rates.length} states, and the flow at ${timeMs} ms.`);
    }

    /** Draw fixed points: full where stable. */
    drawPoints(points) {
      const { plane } = this.session.basis();
      const [[left, right], [low, high]] = [this.x.range(), this.y.range()];
      const places = points.map((point) => ({ ...point, at: this._place(plane, point.rates) }));
      const inside = places.filter(({ at: [x, y] }) => x >= left && x <= right && y <= low && y >= high);
      const circles = this.group("points").selectAll("circle").data(inside);
      circles.exit().remove();
      const all = circles.enter().append("circle").attr("r", 5).merge(circles);
      all.attr("cx", (point) => point.at[0]).attr("cy", (point) => point.at[1]);
      all.classed("stable", (point) => point.stable);
    }

    _place(plane, rates) {
      const [x, y] = plane.project(rates);
      return [this.x(x), this.y(y)];
    }

    _scales(plane, range) {
      const reach = (axis) => d3.extent(plane.points, (point) => point[axis]);
      const centre = [0, 1].map((axis) => d3.mean(reach(axis)));
      const size = [range.x[1] - range.x[0], range.y[0] - range.y[1]];
      const spread = [0, 1].map((axis) => (REACH * (reach(axis)[1] - reach(axis)[0])) / size[axis]);
      const unit = Math.max(...spread) / 2; // the same on both axes
      return [0, 1].map((axis) =>
        play.scale([centre[axis] - unit * size[axis], centre[axis] + unit * size[axis]], [range.x, range.y][axis]),
      );
    }

    _field(plane, flow) {
      const span = (scale) => d3.range(0.5 / GRID, 1, 1 / GRID).map(d3.interpolate(...scale.domain()));
      const grid = d3.cross(span(this.x), span(this.y));
      const arrows = grid.map((at) => ({ at, by: plane.turn(flow.velocity(plane.lift(at))) }));
      const longest = d3.max(arrows, ({ by }) => Math.hypot(...by)) || 1;
      const cell = (this.y.range()[0] - this.y.range()[1]) / GRID;
      return arrows
        .map(({ at, by }) => {
          const size = Math.hypot(...by) || 1;
          const length = cell * (0.2 + 0.7 * Math.sqrt(size / longest));
          const from = [this.x(at[0]), this.y(at[1])];
          return play.arrow(from, [from[0] + (length * by[0]) / size, from[1] - (length * by[1]) / size], 4);
        })
        .join("");
    }
  }

  class Modulators extends play.Frame {
    /** How much of the cued task each pathway is told, as its low-pass lets it see. */
    constructor(parent, session) {
      super(parent, "what the two pathways are told of the cued task", { height: 160, name: "modulators" });
      this.session = session;
      const list = play.add(this.figure, "ul", { class: "play-legend" });
      play.add(list, "li", { class: "key-cue" }, "the cue");
      for (const pathway of PATHWAYS) play.add(list, "li", { class: `key-${pathway}` }, play.ARM_LABELS[pathway]);
    }

    draw(view) {
      const { x: across, y: up } = this.ranges;
      const { stepMs } = this.session;
      const x = play.scale([0, view.own.steps.end * stepMs], across);
      const y = play.scale([-0.1, 1.1], up);
      const line = (told) => told.map((context, step) => [x((step + 0.5) * stepMs), y(context[view.own.index])]);
      this.across(x, "time (ms)");
      this.up(y, "strength", 3);
      this.path("cue", play.trace(line(view.told.synaptic)));
      for (const pathway of PATHWAYS) {
        this.path(`arm-${pathway}`, this.session.has(pathway) ? play.trace(line(view[pathway])) : "");
        this.group(`arm-${pathway}`).classed("chosen", pathway === "excitability"); // thick, so that both are seen
      }
      const now = PATHWAYS.map((pathway) => `${pathway} ${view[pathway].at(-1)[view.own.index].toFixed(2)}`);
      this.describe(`Strength of the cued task against time; at the end ${now.join(", ")}.`);
    }
  }

  class Curve extends play.Frame {
    /** The curve of figure 2 for one manipulation, "mixture" or "noise". */
    constructor(parent, session, manipulation) {
      super(parent, `figure 2: accuracy against ${CURVES[manipulation].label}`, { height: 172, name: manipulation });
      this.session = session;
      this.manipulation = manipulation;
    }

    draw() {
      const range = this.ranges;
      const { label, setting } = CURVES[this.manipulation];
      const curves = Object.entries(this.session.data.curves[this.manipulation]).filter(([, points]) => points.length);
      const x = play.scale([0, d3.max(curves.flatMap(([, points]) => points), (point) => point[0])], range.x);
      const y = play.scale([-0.4, 1.05], range.y).clamp(true);
      this.across(x, label);
      this.up(y, "normalised accuracy");
      for (const [arm, points] of curves) {
        this.path(`arm-${arm}`, play.trace(points.map(([level, value]) => [x(level), y(value)])));
        this.group(`arm-${arm}`).classed("chosen", arm === this.session.settings.arm);
      }
      this.svg.selectAll('[class^="arm-"]:not(.chosen)').raise(); // thin lines above the thick one
      const level = Math.min(this.session.settings[setting], x.domain()[1]);
      this.path("level", play.trace(range.y.map((at) => [x(level), at])));
      const chosen = curves.find(([arm]) => arm === this.session.settings.arm);
      const value = chosen && interpolate(chosen[1], level);
      const now = this.group("now", "circle").raise().attr("r", chosen ? 5 : 0);
      now.attr("cx", x(level)).attr("cy", y(value ?? 0));
      this.describe(`Mean of all networks of figure 2 at ${label} ${level}: ${value?.toFixed(2) ?? "not there"}.`);
    }
  }

  /** Value at a level of a curve of points [level, value]. */
  function interpolate(points, level) {
    return play.scale(points.map((p) => p[0]), points.map((p) => p[1])).clamp(true)(level);
  }

  Object.assign(play, { Rates, States, Modulators, Curve });
})((globalThis.cemrnnPlay ??= {}));
