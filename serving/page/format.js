// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const NONE = "–";

export function count(value) {
  if (value === null || value === undefined) return NONE;
  return Math.abs(value) < 100000 ? whole.format(value) : short.format(value);
}

export function decimal(value, digits) {
  if (value === null || value === undefined) return NONE;
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) ? `−${text}` : text;
}

export function percent(share) {
  if (share === null || share === undefined) return NONE;
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** 12 ms, 1.4 s */
export function milliseconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 1000) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  return `${(value / 1000).toFixed(1)} s`;
}

/** 34 s, 12 min, 3 h, 2 days */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function ago(ms) {
  return ms < 1500 ? "just now" : `${span(ms)} ago`;
}
