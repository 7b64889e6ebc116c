// Comfort only: without it the page holds and shows the same.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("[data-verdict]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const apply = () => {
    const wanted = form.elements.text.value.toLowerCase();
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    rows.forEach((row, n) => {
      row.hidden = !(verdicts.has(row.dataset.verdict) && texts[n].includes(wanted));
      shown += row.hidden ? 0 : 1;
    });
    form.querySelector("output").value = `${shown} of ${rows.length} shown`;
  };
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.hidden = false;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details")) closed.open = true;
  });
  form.hidden = false;
  apply();
  reveal();
})();
