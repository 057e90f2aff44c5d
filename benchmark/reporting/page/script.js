"use strict";
// Sort a table by the column whose head is pressed; a second press turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.title = "Sort by this column";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        const text = cell.dataset.sort ?? cell.textContent.trim();
        const number = Number.parseFloat(text.replace("−", "-").replaceAll(",", ""));
        return Number.isNaN(number) ? text.toLowerCase() : number;
      };
      const before = (a, b) => {
        const [one, other] = [key(a), key(b)];
        if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
        return one < other ? -1 : one > other ? 1 : 0;
      };
      const rows = [...body.rows].sort(before);
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
// A link into something folded unfolds it.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target?.closest("details");
  if (folded) { folded.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", unfold);
unfold();
// For print everything is unfolded.
addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
// Many things to unfold can be searched.
for (const section of document.querySelectorAll("section")) {
  const folded = [...section.querySelectorAll(":scope > details")];
  if (folded.length < 8) continue;
  const filter = document.createElement("input");
  filter.type = "search";
  filter.className = "filter";
  filter.placeholder = "Filter";
  filter.setAttribute("aria-label", `Filter ${section.querySelector("h2").textContent}`);
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const each of folded) each.hidden = !each.textContent.toLowerCase().includes(wanted);
  });
  folded[0].before(filter);
}
