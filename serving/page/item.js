// An item: its neighbours, and the evidence for each.

import { Trouble, ask, inPath } from "./api.js";
import { $, el, table } from "./dom.js";
import { decimal } from "./format.js";

export class Item {
  /** chosen: called with the item's id. */
  constructor(chosen) {
    this.chosen = chosen;
    this.item = this.said = null;
    $("item-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose($("item-input").value.trim());
    });
  }

  async choose(item) {
    if (!item) return;
    this.item = item;
    $("item-input").value = item;
    this.chosen(item);
    await this.refresh();
  }

  async refresh() {
    if (!this.item) return;
    try {
      const { body } = await ask(`/live/items/${inPath(this.item)}`);
      const said = JSON.stringify(body);
      if (body.item !== this.item || said === this.said) return; // what has not changed is not read out again
      this.said = said;
      this.show(body);
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if ($("item-shown").hidden) this.put(el("p", {}, `The item cannot be read: ${trouble.message}`));
    }
  }

  put(...children) {
    $("item-shown").hidden = false;
    $("item-shown").replaceChildren(...children.filter(Boolean));
  }

  show({ item, known, title, categories, withheld, neighbours }) {
    const about = [title ? item : null, ...categories, withheld ? "withheld: nobody is shown it" : null].filter(Boolean);
    const held = $("item-shown").contains(document.activeElement) ? document.activeElement.textContent : null;
    this.put(
      el("h3", {}, title ?? item),
      el("p", { className: "quiet" }, known ? about.join(", ") || "no more is known of it" : "nothing is known of this item"),
      neighbours.length
        ? el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Neighbours of ${title ?? item}` },
          el("table", { className: "neighbours" }, ...table(
            `Neighbours of ${title ?? item}`,
            [["Neighbour"], ["Next", "number"], ["Before", "number"], ["Taste", "number"]],
            neighbours.map((near) => [
              el("button", { type: "button", className: "plain link", click: () => this.choose(near.item) }, near.title ?? near.item),
              decimal(near.after, 1), decimal(near.before, 1), decimal(near.cosine, 2),
            ]))))
        : known && el("p", {}, "No neighbours yet: nobody has had it together with another item."),
      neighbours.length && el("p", { className: "quiet note" },
        "Next and before: how often people had the neighbour within ten items after or before this one, the closer the more. "
        + "Taste: how alike the tastes are that both suit, 1 at most."),
    );
    if (held) [...$("item-shown").querySelectorAll("button")].find((button) => button.textContent === held)?.focus();
  }
}
