// The beats of the last ten minutes, and what follows from several of them together.

const KEPT_MS = 600000;
const SMOOTH_MS = 30000; // a hit rate of two seconds says little
const GAP_MS = 8000; // without a beat: no worker was there, and a line is interrupted
const NOW_MS = 12000; // what the tiles call now

export class Pulse {
  constructor() {
    this.beats = [];
    this.now = 0;
  }

  get newest() {
    return this.beats.at(-1)?.time ?? 0;
  }

  add(beats, now) {
    this.now = now;
    this.beats.push(...beats.filter((beat) => beat.time > this.newest));
    this.beats = this.beats.filter((beat) => beat.time > now - KEPT_MS);
  }

  clear() {
    this.beats = [];
  }

  /** The beats of the last seconds; none when nobody has written any for as long. */
  recent(ms = NOW_MS) {
    return this.beats.filter((beat) => beat.time > this.now - ms);
  }

  perSecond(name) {
    const beats = this.recent();
    return beats.length ? sum(beats, name) / sum(beats, "seconds") : null;
  }

  hitRate(of, beats = this.recent(60000)) {
    const scored = sum(beats, "scored");
    return scored ? beats.reduce((total, beat) => total + (beat.hits[of] ?? 0), 0) / scored : null;
  }

  last(name) {
    return this.recent().findLast((beat) => beat[name] !== null)?.[name] ?? null;
  }

  /** When drift alarms were raised, as far back as is known: [ms since the epoch, …]. */
  alarmedAt() {
    return this.beats.filter((beat, place) => place && beat.alarms > this.beats[place - 1].alarms).map((beat) => beat.time);
  }

  /** Columns for a chart: times in s, and what each function makes of a beat and of the half minute up to it. */
  columns(...functions) {
    const columns = [[], ...functions.map(() => [])];
    const put = (time, values) => [time / 1000, ...values].forEach((value, column) => columns[column].push(value));
    this.beats.forEach((beat, place) => {
      const before = this.beats[place - 1];
      if (before && beat.time - before.time > GAP_MS) put(before.time + 1, functions.map(() => null));
      let from = place;
      while (from > 0 && beat.time - this.beats[from - 1].time < SMOOTH_MS) from -= 1;
      const half = this.beats.slice(from, place + 1);
      put(beat.time, functions.map((of) => of(beat, half)));
    });
    return columns;
  }
}

function sum(beats, name) {
  return beats.reduce((total, beat) => total + beat[name], 0);
}
