/* What all panels share: a figure with a title, an SVG as wide as there is room, axes, a text for screen readers. */
"use strict";

(function (play) {
  const MARGIN = { top: 8, right: 18, bottom: 42, left: 54 };

  class Frame {
    /** A panel inside an element; a subclass draws. */
    constructor(parent, title, { height = 220, name }) {
      this.figure = play.add(parent, "figure", { class: `play-panel play-${name}` });
      play.add(this.figure, "figcaption", {}, title);
      this.height = height;
      this.drawn = {}; // axis -> domain and range
      this.body = play.add(this.figure, "div", { class: "play-body" });
      this.svg = d3.select(this.body).append("svg").attr("role", "img").attr("height", height);
    }

    /** Take the width that there is. */
    measure() {
      this.width = Math.max(160, this.body.clientWidth);
      this.svg.attr("width", this.width);
    }

    /** Ranges of the scales inside the margins. */
    get ranges() {
      return { x: [MARGIN.left, this.width - MARGIN.right], y: [this.height - MARGIN.bottom, MARGIN.top] };
    }

    /** The group of this name, made when it is first asked for; groups made later lie above. */
    group(name, tag = "g") {
      const found = this.svg.select(`.${name}`);
      return found.empty() ? this.svg.append(tag).attr("class", name) : found;
    }

    /** Draw or update a path of this name. */
    path(name, d) {
      this.group(name, "path").attr("d", d);
    }

    /** Draw the axis below with its label, if it is not there yet. */
    across(x, label) {
      const { x: range, y } = this.ranges;
      if (!this._isNew("across", x)) return;
      this.group("axis-x").attr("transform", `translate(0,${y[0]})`).call(ticks(d3.axisBottom(x), 5));
      this.label("label-x", label, d3.mean(range), this.height - 4);
    }

    /** Draw the axis on the left with its label, if it is not there yet. */
    up(y, label, nTicks = 4) {
      const { x, y: range } = this.ranges;
      if (!this._isNew("up", y)) return;
      this.group("axis-y").attr("transform", `translate(${x[0]},0)`).call(ticks(d3.axisLeft(y), nTicks));
      this.label("label-y", label, 0, 0).attr("transform", `translate(12,${d3.mean(range)}) rotate(-90)`);
    }

    _isNew(axis, scale) {
      const key = [...scale.domain(), ...scale.range()].join();
      return this.drawn[axis] !== key && (this.drawn[axis] = key);
    }

    /** Write or update a text centred at a place. */
    label(name, text, x, y) {
      return this.group(name, "text").attr("text-anchor", "middle").attr("x", x).attr("y", y).text(text);
    }

    /** Say in words what is shown. */
    describe(text) {
      this.svg.attr("aria-label", text);
    }
  }

  /** The axis with about so many ticks, whose numbers have no comma. */
  function ticks(axis, count) {
    return axis.ticks(count).tickSizeOuter(0).tickFormat((value) => String(Number(value.toFixed(3))));
  }

  /** A linear scale. */
  function scale(domain, range) {
    return d3.scaleLinear().domain(domain).range(range);
  }

  /** Path data of a line through points [x, y]. */
  function trace(points) {
    return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");
  }

  Object.assign(play, { Frame, scale, trace });
})((globalThis.cemrnnPlay ??= {}));
