// The page of claims: rows are shown if they fit all choices; no server is asked.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const choices = [...document.querySelectorAll("[data-filter]")];
  const rows = [...document.querySelectorAll("table.ledger tbody tr")];
  const claims = [...document.querySelectorAll("table.ledger .claim")];
  const count = document.querySelector("[data-filter-count]");
  if (!choices.length) return;

  function fits(claim) {
    return choices.every((choice) => {
      const found = claim.dataset[choice.dataset.filter];
      return !choice.value || (choice.dataset.filter === "kind" ? found.split(" ").includes(choice.value) : found === choice.value);
    });
  }

  function filter() {
    claims.forEach((claim) => { claim.hidden = !fits(claim); });
    rows.forEach((row) => { row.hidden = ![...row.querySelectorAll(".claim")].some(fits); });
    count.textContent = `${claims.filter(fits).length} of ${claims.length}`;
  }

  function open() {
    const claim = claims.find((one) => `#${one.id}` === location.hash);
    if (!claim) return;
    choices.forEach((choice) => { choice.value = ""; });
    filter();
    claim.querySelector("details").open = true;
    claim.scrollIntoView({ block: "center" });
  }

  choices.forEach((choice) => choice.addEventListener("change", filter));
  window.addEventListener("hashchange", open);
  filter();
  open();
});
