// How the workers do: tiles, charts, scorers, workers, and one sentence that says whether what is shown is fresh.

import { Trouble, ask } from "./api.js";
import { Chart } from "./charts.js";
import { $, el, say, table } from "./dom.js";
import { NONE, ago, count, decimal, milliseconds, percent, span } from "./format.js";
import { Pulse } from "./pulse.js";

const SILENT_MS = 4000; // a worker speaks twice a second
const WORDS = {
  embeddings: "taste (embeddings)", followed: "follows the last items", together: "goes with the last items",
  opinion: "opinions", again: "had before", popular: "popular", trending: "trending", recent: "recent",
  daily: "popular today", weekly: "popular this week", returners: "popular on coming back",
  newcomers: "popular with newcomers", blend: "all together",
};

export class Overview {
  constructor() {
    this.pulse = new Pulse();
    this.namespace = "";
    this.lost = null; // since when nothing answers, ms of this browser's clock
    this.tiles = Object.fromEntries(
      [["events", "Events a second"], ["fresh", "From event to list"], ["lag", "Events waiting"],
        ["hits", "Hit rate @10"], ["coverage", "Catalogue on lists"], ["alarms", "Drift alarms"]].map(([name, title]) => {
        const figure = el("dd", { className: "figure" }, NONE);
        const note = el("dd", { className: "quiet" }, " ");
        $("tiles").append(el("div", {}, el("dt", {}, title), figure, note));
        return [name, { figure, note }];
      }));
    this.charts = {
      quality: new Chart($("chart-quality"), "Hit rate @10", [
        { name: "headrace", colour: "accent", width: 2 }, { name: "popularity", colour: "second" }],
      (value) => decimal(value, value < 0.1 ? 3 : 2), { least: 0.1 }),
      rates: new Chart($("chart-rates"), "A second", [
        { name: "events", colour: "accent", width: 2 }, { name: "lists", colour: "second" }], count, { least: 10 }),
      freshness: new Chart($("chart-freshness"), "From event to list", [
        { name: "half within", colour: "accent", width: 2 }, { name: "99 % within", colour: "second" }],
      (value) => (value < 1000 ? `${Math.round(value)} ms` : `${+(value / 1000).toFixed(1)} s`), { log: true }),
    };
  }

  /** Ask once, and show it; returns whether the service answered. */
  async refresh() {
    try {
      const { body } = await ask(`/live?since=${this.pulse.newest}`);
      // When readers were moved to another namespace, its last ten minutes are asked for the next time.
      if (this.namespace && body.namespace !== this.namespace) this.pulse.clear();
      else this.pulse.add(body.pulse, body.time);
      this.namespace = body.namespace;
      this.lost = null;
      $("key").hidden = true;
      this.show(body);
      return true;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      this.fail(trouble);
      return false;
    }
  }

  fail(trouble) {
    this.lost ??= Date.now();
    const since = span(Date.now() - this.lost);
    if (trouble.status === 401 || trouble.status === 403) {
      $("key").hidden = false;
      this.state("lost", trouble.message);
    } else if (trouble.status === 503) {
      this.state("lost", "Redis is away", ` for ${since}`, ": this page goes on by itself once it is back");
    } else {
      this.state("lost", "The service does not answer", ` for ${since}`, ": this page goes on by itself once it does");
    }
    document.body.dataset.stale = "";
  }

  /** Say how things stand; what counts on, the length of a silence, is not read out each second. */
  state(name, text, length = "", rest = "") {
    $("state").dataset.state = name;
    this.parts ??= [el("span"), el("span", { "aria-hidden": "true" }), el("span")];
    if (!this.parts[0].isConnected) $("state").replaceChildren(...this.parts);
    [text, length, rest].forEach((part, place) => say(this.parts[place], part));
  }

  show(said) {
    say($("namespace"), said.namespace + (said.previous ? `, before it ${said.previous}` : ""));
    const workers = said.workers.map((worker) => ({ ...worker, silent: said.time - worker.time }));
    const alive = workers.filter((worker) => worker.silent < SILENT_MS);
    const ready = alive.filter((worker) => worker.ready);
    const age = said.written === null ? null : said.time - said.written;
    if (ready.length) this.state("live", ready.length === 1 ? "Live, one worker" : `Live, ${ready.length} workers`);
    else if (alive.length) this.state("waiting", "A worker is starting");
    else if (age === null) this.state("waiting", "No worker has reported yet; start one with: headrace worker");
    else this.state("stopped", "No worker", ` for ${span(age)}`, ": lists are served as they were then");
    document.body.toggleAttribute("data-stale", !ready.length);
    this.showTiles(said, ready);
    this.showCharts();
    this.showScorers(said.scorers);
    this.showWorkers(workers);
  }

  showTiles(said, ready) {
    const pulse = this.pulse;
    const [blend, popularity] = [pulse.hitRate("blend"), pulse.hitRate("popularity")];
    const lists = pulse.perSecond("lists");
    const alarms = Object.values(said.scorers).reduce((total, scorer) => total + scorer.alarms, 0);
    const last = pulse.alarmedAt().at(-1);
    const coverage = pulse.last("coverage");
    const p99 = pulse.last("freshness_ms_p99");
    const lag = ready.reduce((total, worker) => total + (worker.lag ?? 0), 0);
    this.tile("events", count(pulse.perSecond("events")), lists === null ? "" : `${count(lists)} lists a second`);
    this.tile("fresh", milliseconds(pulse.last("freshness_ms_p50")), p99 === null ? "" : `99 % within ${milliseconds(p99)}`);
    this.tile("lag", ready.length ? count(lag) : NONE, "in Kafka");
    this.tile("hits", decimal(blend, 3), popularity === null ? "" : `popularity ${decimal(popularity, 3)}`);
    this.tile("coverage", percent(coverage), `of ${count(said.items)} items`);
    this.tile("alarms", count(alarms), last ? `the last ${ago(said.time - last)}` : "none lately");
  }

  tile(name, figure, note) {
    say(this.tiles[name].figure, figure);
    say(this.tiles[name].note, note);
  }

  showCharts() {
    const { pulse, charts } = this;
    charts.quality.set(pulse.columns((_, half) => pulse.hitRate("blend", half), (_, half) => pulse.hitRate("popularity", half)));
    charts.rates.set(pulse.columns((beat) => beat.events / beat.seconds, (beat) => beat.lists / beat.seconds));
    charts.freshness.set(pulse.columns((beat) => beat.freshness_ms_p50, (beat) => beat.freshness_ms_p99));
  }

  showScorers(scorers) {
    const names = Object.keys(scorers);
    const contexts = Object.keys(scorers[names[0]]?.weights ?? {});
    const most = Math.max(1e-9, ...names.flatMap((name) => Object.values(scorers[name].weights ?? {}).map(Math.abs)));
    $("scorers").replaceChildren(...table(
      "Scorers", [["Scorer"], ...contexts.map((context) => [context, "bar"]), ["Hit rate @10", "number"], ["Alarms", "number"]],
      names.map((name) => {
        const { weights, hit_rate_at_10: rate, alarms } = scorers[name];
        return [
          WORDS[name] ?? name,
          ...contexts.map((context) => (weights ? bar(weights[context], most) : "")),
          decimal(rate, 3), count(alarms),
        ];
      })));
  }

  showWorkers(workers) {
    $("workers").replaceChildren(...table(
      "Workers", [["Worker"], ["State"], ["Partitions"], ["Waiting", "number"], ["Users", "number"], ["Memory", "number"],
        ["Durable", "number"], ["Dead letters", "number"]],
      workers.map((worker) => [
        worker.worker, stateOf(worker), ranges(worker.numbers ?? []), count(worker.lag), count(worker.resident_users),
        `${count(worker.resident_mb)} MB`, worker.silent < SILENT_MS ? ago(worker.barrier_age_ms ?? 0) : NONE, count(worker.dead_letters),
      ])));
  }
}

function stateOf(worker) {
  if (worker.silent < SILENT_MS) return worker.ready ? "ready" : "starting";
  return worker.ready ? `silent for ${span(worker.silent)}` : `ended ${ago(worker.silent)}`;
}

/** 0–3, 6 */
function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    if (runs.length && runs.at(-1)[1] === number - 1) runs.at(-1)[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ") || NONE;
}

function bar(value, most) {
  const meter = el("span", { className: value < 0 ? "meter negative" : "meter", "aria-hidden": "true" });
  meter.style.setProperty("--share", Math.min(1, Math.abs(value) / most).toFixed(3));
  return el("span", { className: "weight" }, meter, decimal(value, 2));
}
