/* global uPlot */
// Lines over the last ten minutes, drawn by uPlot in the page's own colours.

import { el, say } from "./dom.js";
import { NONE } from "./format.js";

const HEIGHT = 168;
const SPAN_S = 600;
const LEAST_S = 120; // a page that has just begun does not show mostly nothing
const scheme = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/**
 * A chart in a figure.
 *
 * lines: [{ name, colour: a variable of page.css, width, dash }]; show: value → text; log: a logarithmic axis;
 * least: what the axis reaches at least.
 */
export class Chart {
  constructor(figure, title, lines, show, { log = false, least = 0 } = {}) {
    this.lines = lines;
    this.show = show;
    this.log = log;
    this.least = least;
    this.title = title;
    this.data = [[], ...lines.map(() => [])];
    this.values = lines.map(() => el("b", {}, NONE));
    this.canvas = el("div", { className: "canvas", role: "img", "aria-label": title });
    figure.replaceChildren(
      el("figcaption", {}, el("span", { className: "title" }, title),
        lines.map((line, place) => el("span", { className: `key ${line.colour}` }, line.name, " ", this.values[place]))),
      this.canvas,
    );
    new ResizeObserver(() => this.fit()).observe(this.canvas);
    scheme.addEventListener("change", () => this.build());
    this.build();
  }

  build() {
    this.plot?.destroy();
    const axis = {
      stroke: colour("quiet"), font: "12px system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: colour("line"), width: 1 },
    };
    this.plot = new uPlot({
      width: Math.max(120, this.canvas.clientWidth), height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      padding: [8, 16, 0, 0],
      scales: {
        x: { time: true, range: () => this.span() },
        y: this.log
          ? { distr: 3, range: (_, low, high) => [Math.max(0.5, low / 1.5 || 1), Math.max(10, high * 1.5 || 10)] }
          : { range: (_, __, high) => [0, Math.max(high ?? 0, this.least) * 1.15] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 64, size: 28, incrs: [60, 120, 300, 600], values: (_, splits) => splits.map((at) => clock.format(at * 1000)) },
        {
          ...axis, size: 52, space: 30, ...(this.log && { splits: (_, __, low, high) => decades(low, high) }),
          values: (_, splits) => splits.map((at) => (at ? this.show(at) : "0")),
        },
      ],
      series: [{}, ...this.lines.map((line) => ({
        stroke: colour(line.colour), width: line.width ?? 1.5, dash: line.dash, points: { show: false }, spanGaps: false,
      }))],
      hooks: { setCursor: [(plot) => this.tell(plot.cursor.idx)] },
    }, this.data, this.canvas);
  }

  /** The times to show: ten minutes, less where less is known. */
  span() {
    const times = this.data[0];
    const newest = times.at(-1) ?? Date.now() / 1000;
    return [Math.max(newest - SPAN_S, Math.min(times[0] ?? newest, newest - LEAST_S)), newest];
  }

  fit() {
    this.plot.setSize({ width: Math.max(120, this.canvas.clientWidth), height: HEIGHT });
  }

  /** Draw: times in s, then the values of each line, null where there is none. */
  set(data) {
    this.data = data;
    this.plot.setData(data);
    this.tell(this.plot.cursor.idx);
    const last = this.lines.map((line, place) => `${line.name} ${this.text(place, data[0].length - 1)}`);
    this.canvas.setAttribute("aria-label", `${this.title}, the last ten minutes; now ${last.join(", ")}`);
  }

  /** Say the values under the cursor, the newest without one. */
  tell(place) {
    const at = place ?? this.data[0].length - 1;
    this.values.forEach((value, line) => say(value, this.text(line, at)));
  }

  text(line, at) {
    const value = this.data[line + 1][at];
    return value === null || value === undefined ? NONE : this.show(value);
  }
}

/** The powers of ten within a range. */
function decades(low, high) {
  const found = [];
  for (let at = 10 ** Math.ceil(Math.log10(low)); at <= high; at *= 10) found.push(at);
  return found;
}
