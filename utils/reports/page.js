"use strict";
for (const block of document.querySelectorAll("div.table")) {
  const [input, output] = block.querySelectorAll("input, output");
  const heads = [...block.querySelectorAll("thead th")];
  const body = block.querySelector("tbody");
  const rows = [...body.rows];

  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value.replace("inf", "Infinity")) : cell.textContent;
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b);
    return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : a < b ? -1 : a > b ? 1 : 0;
  };
  const search = () => {
    const words = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(words);
    output.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };

  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const first = column ? "descending" : "ascending";  // best numbers first, names from A to Z
      const order = head.getAttribute("aria-sort") === first ? (column ? "ascending" : "descending") : first;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((one, other) => sign * compare(value(one, column), value(other, column)));
      body.append(...rows);
    });
  });
  if (input) {
    input.addEventListener("input", search);
    search();
  }
}
