// The page of claims: rows are shown if they fit all choices; no server is asked.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const choices = [...document.querySelectorAll("[data-filter]")];
  const rows = [...document.querySelectorAll("table.ledger tbody tr")];
  const count = document.querySelector("[data-filter-count]");
  if (!choices.length) return;

  function fits(row) {
    return choices.every((choice) => {
      const name = choice.dataset.filter;
      return !choice.value || (name === "kind" ? row.dataset.kind.split(" ").includes(choice.value) : row.dataset[name] === choice.value);
    });
  }

  function filter() {
    rows.forEach((row) => { row.hidden = !fits(row); });
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  }

  function open() {
    const row = rows.find((one) => `#${one.id}` === location.hash);
    if (!row) return;
    choices.forEach((choice) => { choice.value = ""; });
    filter();
    row.querySelector("details").open = true;
    row.scrollIntoView({ block: "center" });
  }

  choices.forEach((choice) => choice.addEventListener("change", filter));
  window.addEventListener("hashchange", open);
  filter();
  open();
});
