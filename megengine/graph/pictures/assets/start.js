"use strict";
// Shows the first of the page's graphs, and another when it is chosen.
(() => {
  const { graphs } = JSON.parse(document.getElementById("graph-data").textContent);
  const view = document.querySelector(".graph"), choice = document.querySelector(".choice"), summary = document.querySelector(".summary");
  let undo = () => {};
  function show(number) {
    undo();
    undo = showGraph(view, graphs[number]);
    if (summary) summary.textContent = graphs[number].summary;
    for (const costs of document.querySelectorAll(".costs")) costs.hidden = Number(costs.dataset.graph) !== number;
  }
  choice?.addEventListener("change", () => show(Number(choice.value)));
  for (const row of document.querySelectorAll("[data-find]")) row.addEventListener("click", () => view.find(row.dataset.find));
  document.querySelector(".alone [data-theme-switch]")?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  show(0);
})();
