"use strict";
(() => {
  const root = document.documentElement;

  document.querySelector("[data-theme-switch]").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        // A page opened from a file may not reach the clipboard; a selection can still be copied by hand.
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }

  for (const button of document.querySelectorAll("[data-more]")) {
    button.addEventListener("click", () => {
      for (const weights of button.parentElement.querySelectorAll(".weights")) weights.classList.add("all");
      button.remove();
    });
  }

  for (const plot of document.querySelectorAll(".plot")) hoverOver(plot);

  function hoverOver(plot) {
    const data = JSON.parse(plot.dataset.chart);
    const cursor = plot.querySelector(".cursor"), tip = plot.querySelector(".tip");
    const show = (y) => (data.kind === "accuracy" ? (100 * y).toFixed(2) + " %" : y.toFixed(4));
    let at = data.x.length - 1;

    function draw() {
      const x = data.x[at], share = x / data.xMax;
      const epoch = Math.min(data.train.length, Math.max(1, Math.ceil(x - 1e-9)));
      tip.innerHTML =
        `<b>epoch ${x.toFixed(2)}</b><br><span class="train">smoothed</span> <b>${show(data.y[at])}</b><br>` +
        `<span class="train">epoch ${epoch - 1} mean</span> <b>${show(data.train[epoch - 1])}</b><br>` +
        `<span class="test">epoch ${epoch - 1} test</span> <b>${show(data.test[epoch - 1])}</b>`;
      cursor.hidden = tip.hidden = false;
      cursor.style.left = 100 * share + "%";
      tip.style.left = share < 0.5 ? `calc(${100 * share}% + 10px)` : "";
      tip.style.right = share < 0.5 ? "" : `calc(${100 - 100 * share}% + 10px)`;
    }
    function hide() {
      cursor.hidden = tip.hidden = true;
    }
    plot.addEventListener("pointermove", (event) => {
      const box = plot.querySelector("svg").getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * data.xMax;
      at = data.x.reduce((best, value, i) => (Math.abs(value - x) < Math.abs(data.x[best] - x) ? i : best), 0);
      draw();
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      at = Math.min(data.x.length - 1, Math.max(0, at + move));
      draw();
      event.preventDefault();
    });
  }
})();
