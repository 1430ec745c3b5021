// The page: asks once a second while it is looked at, and puts the parts together.

import { Trouble, ask, useKey } from "./api.js";
import { $, el } from "./dom.js";
import { Item } from "./item.js";
import { Overview } from "./overview.js";
import { Visitor } from "./visitor.js";

const EVERY_MS = 1000;
const SOME = 5;
const ITEM_TURNS = 5; // neighbours change slowly

const chosen = new URLSearchParams(location.hash.slice(1));
const overview = new Overview();
const item = new Item((id) => remember("item", id));
const visitor = new Visitor(async (id) => {
  await item.choose(id);
  $("item").scrollIntoView({ block: "nearest" });
}, (id) => remember("user", id));

/** Keep in the address what is shown, so that a reload shows it again. */
function remember(name, id) {
  chosen.set(name, id);
  history.replaceState(null, "", `#${chosen}`);
}

function chips(place, entries, choose) {
  $(place).replaceChildren(...entries.map(([id, name]) =>
    el("button", { type: "button", className: "chip", click: () => choose(id) }, name)));
}

const untouched = (id) => !$(id).value && document.activeElement !== $(id);

/** Name some users and items to begin with; the first of them are shown where none is chosen, nor being typed. */
async function suggest() {
  const [users, popular] = await Promise.all([ask(`/live/users?n=${SOME}`), ask(`/popular?n=${SOME}&titles=true`)]);
  chips("visitor-some", users.body.map((user) => [user, user]), (user) => visitor.choose(user));
  chips("item-some", popular.body.items.map((entry) => [entry.item, entry.title ?? entry.item]), (id) => item.choose(id));
  if (!visitor.user && untouched("visitor-input") && users.body.length) await visitor.choose(users.body[0]);
  if (!item.item && untouched("item-input") && popular.body.items.length) await item.choose(popular.body.items[0].item);
  return users.body.length > 0 && popular.body.items.length > 0;
}

let suggested = false;
let turns = 0;
async function turn() {
  if (document.visibilityState === "visible" && (await overview.refresh())) {
    try {
      suggested ||= await suggest();
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
    }
    turns += 1;
    await Promise.all([visitor.refresh(), turns % ITEM_TURNS ? null : item.refresh()]);
  }
  setTimeout(turn, EVERY_MS);
}

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key-input").value.trim());
  overview.refresh();
});

if (chosen.get("user")) visitor.choose(chosen.get("user"));
if (chosen.get("item")) item.choose(chosen.get("item"));
turn();
