// Elements, made and kept: every text from outside goes in as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** Return a new element; properties that hold a function are listeners, those with a dash are attributes. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else if (key in made && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Put a text into an element where it is another one: what has not changed is not announced again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Return a table's head and body, the first column of each row a header; numbers right-aligned by class. */
export function table(caption, heads, rows) {
  return [
    el("caption", { className: "unseen" }, caption),
    el("thead", {}, el("tr", {}, heads.map(([text, kind]) => el("th", { scope: "col", className: kind ?? "" }, text)))),
    el("tbody", {}, rows.map((cells) =>
      el("tr", {}, cells.map((cell, place) => {
        const kind = heads[place][1] ?? "";
        return place ? el("td", { className: kind }, cell) : el("th", { scope: "row" }, cell);
      })))),
  ];
}
