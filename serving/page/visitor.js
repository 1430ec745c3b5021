// A user's list: click on an item as this user, and see the list change, how soon, and why.

import { Trouble, ask, inPath } from "./api.js";
import { $, el, say } from "./dom.js";
import { ago, milliseconds } from "./format.js";

const SHOWN = 10;
const STAGES = {
  popular: "no list yet: what is popular", trending: "no list yet: what is trending", latest: "no list yet: what is new",
  empty: "nothing to recommend yet",
};
const MARKED_MS = 10000; // changes by a click stay marked for so long, though the list may change again by itself
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Visitor {
  /** look: called with an item's id to show its neighbours; chosen: called with the user's id. */
  constructor(look, chosen) {
    this.look = look;
    this.chosen = chosen;
    this.user = null;
    this.listing = null;
    this.busy = false;
    this.behind = null; // the item of the last click
    this.compared = []; // the items against which changes are marked, best first
    this.marked = 0; // until when these stay, ms of performance.now()
    $("visitor-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose($("visitor-input").value.trim());
    });
    $("visitor-new").addEventListener("click", () => this.choose(`guest-${Math.random().toString(36).slice(2, 8)}`));
  }

  async choose(user) {
    if (!user) return;
    this.user = user;
    this.listing = this.behind = this.tag = null;
    this.compared = [];
    this.marked = 0;
    $("visitor-input").value = user;
    $("visitor-shown").hidden = false;
    say($("list-title"), user);
    say($("visitor-change"), "Click on an item as this visitor: the list changes at once.");
    $("list").replaceChildren();
    $("events").replaceChildren();
    this.chosen(user);
    await this.refresh();
  }

  /** Take over a list that has changed by itself, and what the visitor did meanwhile. */
  async refresh() {
    if (!this.user || this.busy) return;
    const user = this.user;
    try {
      const [list, visitor] = await Promise.all([
        ask(this.path(), { tag: this.tag }), ask(`/live/users/${inPath(user)}`),
      ]);
      if (user !== this.user || this.busy) return;
      if (list.status !== 304) {
        this.tag = list.headers.get("ETag");
        if (performance.now() > this.marked) {
          this.compare(0);
          this.behind = null;
        }
        this.render(list.body);
      }
      this.showAge();
      this.showEvents(visitor.body.events);
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if (!this.listing) say($("visitor-change"), `The list cannot be read: ${trouble.message}`);
    }
  }

  path(token) {
    const after = token ? `&after=${encodeURIComponent(token)}&wait=3000` : "";
    return `/recommend/${inPath(this.user)}?n=${SHOWN}&titles=true&explain=true${after}`;
  }

  click(entry, at) {
    const listed = this.listing.version ? { list: this.listing.version } : {};
    const event = { user: this.user, item: entry.item, type: "click", ...listed };
    return this.act(() => ask("/events", { method: "POST", body: event }), entry, at, "your click on");
  }

  takeBack(entry, at) {
    const path = `/users/${inPath(this.user)}/items/${inPath(entry.item)}`;
    return this.act(() => ask(path, { method: "DELETE" }), entry, at, "you undid");
  }

  /** Publish, wait until the list shows it, draw it, and say how long all of that took and what it did. */
  async act(publish, entry, at, what) {
    if (this.busy) return;
    this.busy = true;
    const name = entry.title ?? entry.item;
    $("list").setAttribute("aria-busy", "true");
    try {
      const { body } = await publish();
      const list = await ask(this.path(body.token));
      this.tag = null;
      this.compare(performance.now() + MARKED_MS);
      this.behind = what.startsWith("your") ? entry : null;
      const changes = this.render(list.body);
      if (this.behind) this.showEvents([{ ...entry, type: "click", time: Date.now() }, ...this.events]);
      const painted = await afterPaint();
      const late = list.headers.get("Headrace-Fresh") === "false" ? "; the worker has not come to it yet" : "";
      $("list").dataset.ms = (painted - at).toFixed(1);
      $("visitor-change").replaceChildren(
        el("b", {}, milliseconds(painted - at)), ` after ${what} ${name}: ${tell(changes)}${late}.`);
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      say($("visitor-change"), `Not published: ${trouble.message}`);
    } finally {
      this.busy = false;
      $("list").removeAttribute("aria-busy");
    }
  }

  /** Mark changes against the list as it stands, until a time. */
  compare(until) {
    this.compared = (this.listing?.items ?? []).map((entry) => entry.item);
    this.marked = until;
  }

  /** Draw a list; returns what changed: how many are new, moved, gone, and there because of the last click. */
  render(listing) {
    const list = $("list");
    const first = this.compared.length === 0;
    const before = new Map(this.compared.map((item, place) => [item, place]));
    const tops = new Map([...list.children].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
    const held = [...list.children].findIndex((row) => row.contains(document.activeElement));
    this.listing = listing;
    const changes = { fresh: 0, moved: 0, gone: before.size, because: 0 };
    const rows = listing.items.map((entry, place) => {
      const was = before.get(entry.item);
      if (was !== undefined) changes.gone -= 1;
      let badge = null;
      if (!first && was === undefined) {
        changes.fresh += 1;
        badge = el("span", { className: "badge new" }, "new");
      } else if (!first && was !== place) {
        changes.moved += 1;
        badge = el("span", { className: "badge" }, was > place ? `↑ ${was - place}` : `↓ ${place - was}`);
      }
      const because = this.behind && (entry.reasons ?? []).slice(1).includes(this.behind.item);
      if (because) changes.because += 1;
      return this.row(entry, place, badge, because);
    });
    list.replaceChildren(...rows);
    if (held >= 0) rows[Math.min(held, rows.length - 1)]?.querySelector("button").focus({ preventScroll: true });
    if (!calm.matches && !first) glide(rows, tops);
    this.showAge();
    return changes;
  }

  row(entry, place, badge, because) {
    const name = entry.title ?? entry.item;
    return el("li", { "data-item": entry.item, className: because ? "because" : "" },
      el("button", {
        type: "button", className: "pick", "aria-label": `Click on ${name}`,
        click: (event) => this.click(entry, event.timeStamp),
      },
      el("span", { className: "rank" }, `${place + 1}`),
      el("span", { className: "name" }, name, el("small", {}, entry.because ?? (entry.reasons ?? []).join(" · "))),
      el("span", { className: "moved" }, badge)),
      el("button", {
        type: "button", className: "plain near", "aria-label": `Similar to ${name}`,
        click: () => this.look(entry.item),
      }, "similar"));
  }

  showAge() {
    const { stage, time, version } = this.listing ?? {};
    const age = time ? `made ${ago(Date.now() - time)}` : "";
    say($("list-age"), stage === "personal" ? `own list, ${age}, version ${version}` : [STAGES[stage] ?? stage, age].filter(Boolean).join(", "));
  }

  showEvents(events) {
    const newest = this.events?.[0];
    // What was just clicked is durable a second later; until then the page knows more than the store.
    const later = newest && this.behind && Date.now() - newest.time < 3000 && events[0]?.item !== newest.item ? [newest] : [];
    this.events = [...later, ...events].slice(0, 12);
    const held = [...$("events").children].findIndex((row) => row.contains(document.activeElement));
    $("events").replaceChildren(...this.events.map((event) => {
      const name = event.title ?? event.item ?? "an item that is gone";
      return el("li", { "data-item": event.item },
        el("span", { className: "name" }, name,
          el("small", {}, `${event.rating === null || event.rating === undefined ? event.type : `rated ${event.rating}`}, ${ago(Date.now() - event.time)}`)),
        event.item && el("button", {
          type: "button", className: "plain", "aria-label": `Undo ${name}`,
          click: (happened) => this.takeBack(event, happened.timeStamp),
        }, "undo"));
    }));
    if (held >= 0) $("events").children[Math.min(held, this.events.length - 1)]?.querySelector("button")?.focus();
  }
}

function tell({ fresh, moved, gone, because }) {
  const parts = [[fresh, "new"], [moved, "moved"], [gone, "gone"]].filter(([n]) => n).map(([n, what]) => `${n} ${what}`);
  const why = because ? `; ${because} because of it` : "";
  return (parts.join(", ") || "no change among the first ten") + why;
}

/** Let rows glide from where they were. */
function glide(rows, tops) {
  for (const row of rows) {
    const from = tops.get(row.dataset.item);
    const by = from === undefined ? 0 : from - row.getBoundingClientRect().top;
    if (from === undefined) row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 250, easing: "ease-out" });
    else if (by) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 250, easing: "ease-out" });
  }
}

/** The time at which what was just changed is on the screen. */
function afterPaint() {
  return new Promise((done) => {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now());
      channel.port2.postMessage(null);
    });
  });
}
