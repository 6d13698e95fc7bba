"use strict";
// Draws a graph into an element made of graph.html; returns what undoes it.
function showGraph(view, { nodes, measured }) {
  const gone = new AbortController(), { signal } = gone;
  const on = (element, event, listener, options) => element.addEventListener(event, listener, { signal, ...options });
  const svg = view.querySelector("svg"), stage = view.querySelector(".stage"), panel = view.querySelector("aside");
  const make = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const html = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const READABLE = 0.72; // zoom at which the smallest text can still be read

  // The tree of groups, and for each node what surrounds it.
  const COSTS = ["flops", "bytes", "seconds"];
  const none = () => ({ size: 0, flops: 0, bytes: 0, seconds: 0 });
  const root = { id: "", name: "", children: [], open: true, ...none() };
  const groups = new Map([["", root]]);
  const byId = new Map();
  for (const node of nodes) {
    let group = root;
    for (const name of node.path) {
      const id = group.id + "/" + name;
      if (!groups.has(id)) {
        const made = { id, name, children: [], open: false, ...none(), parent: group };
        groups.set(id, made);
        group.children.push(made);
      }
      group = groups.get(id);
    }
    const item = { id: "n" + node.id, node, parent: group };
    byId.set(node.id, item);
    group.children.push(item);
    for (let g = group; g; g = g.parent) {
      g.size++;
      for (const cost of COSTS) g[cost] += node[cost] ?? 0;
      if (node.mark) g.mark = "changed";
    }
  }
  for (const node of nodes) for (const id of node.inputs) (byId.get(id).users ??= []).push(node.id);
  const folded = [...groups.values()].filter((g) => g !== root);

  const SHORT = { float32: "f32", float16: "f16", bfloat16: "bf16", float64: "f64", int32: "i32", int64: "i64", uint8: "u8", int8: "i8", bool: "bool" };
  const shapeOf = (node) => `${node.shape.length ? node.shape.join("×") : "scalar"} ${SHORT[node.dtype] ?? node.dtype}`;
  const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
  const last = (name) => name.slice(name.lastIndexOf(".") + 1) || name;
  const titleOf = (item) => (!item.node ? item.name : item.node.kind === "param" ? last(item.node.name) : item.node.name || item.node.op);
  const lineOf = (node) => node.where.slice(node.where.lastIndexOf("/") + 1);
  const UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const amount = (number) => {
    const unit = UNITS.find(([limit]) => number >= limit);
    return unit ? `${Number((number / unit[0]).toPrecision(3))} ${unit[1]}` : `${number} `;
  };
  const time = (n) => (n >= 1 ? `${Number(n.toPrecision(3))} s` : n >= 1e-3 ? `${Number((1e3 * n).toPrecision(3))} ms` : `${(1e6 * n).toFixed(1)} µs`);
  const SHOWN = { flops: (n) => amount(n) + "FLOP", bytes: (n) => amount(n) + "B", seconds: time };
  // What a box says of its cost, in its last line.
  const costOf = (of) => (measured ? SHOWN.seconds(of.seconds ?? 0) : of.flops ? SHOWN.flops(of.flops) : "");

  const below = (node) => [lineOf(node), measured && node.seconds !== undefined ? costOf(node) : ""].filter(Boolean).join(" · ");
  const about = (group) => [group.size + (group.size === 1 ? " node" : " nodes"), costOf(group)].filter(Boolean).join(" · ");

  function measure(item) {
    if (item.node) {
      const lines = [titleOf(item).length * 7.6, shapeOf(item.node).length * 6.8, below(item.node).length * 6.3];
      item.width = Math.min(200, Math.max(72, ...lines) + 22);
      item.height = below(item.node) ? 58 : 42;
    } else {
      item.width = Math.min(210, Math.max(110, cut(item.name, 22).length * 8.4 + 48, about(item).length * 6.8 + 24));
      item.height = 46;
    }
  }

  let zoom = { x: 0, y: 0, k: 1 }, picked = null, found = [], layer = null, elements = new Map(), drawnFor = 0, horizontal = false;
  let colorBy = "kind";

  const shownFor = (item) => {
    let shown = item;
    for (let g = item.parent; g; g = g.parent) if (!g.open) shown = g;
    return shown;
  };

  function arrange() {
    const wires = [], seen = new Set();
    for (const node of nodes) {
      const to = shownFor(byId.get(node.id));
      for (const id of node.inputs) {
        const from = shownFor(byId.get(id)), key = from.id + ">" + to.id;
        if (from !== to && !seen.has(key)) {
          seen.add(key);
          wires.push({ from, to });
        }
      }
    }
    return Layout.layout(root, wires, horizontal);
  }

  // The way in which more of it can be read at once, unless it is large.
  function chooseDirection() {
    const scale = (way) => {
      horizontal = way;
      const box = arrange();
      return scaleFor(box.width, box.height);
    };
    horizontal = scale(true) > 1.25 * scale(false);
  }

  // Groups are open from the start, outer ones first, as long as all can be read without moving about.
  function openWhatFits() {
    const until = performance.now() + 500;
    const order = (group) => 1e6 * group.id.split("/").length + (/^.(backward|update)/.test(group.id) ? 1e5 : 0) + group.size;
    for (const group of [...folded].sort((a, b) => order(a) - order(b))) {
      const alone = group.parent === root && root.children.filter((child) => !child.node).length === 1;
      if (!group.parent.open || group.children.length > (alone ? 40 : 12) || performance.now() > until) continue;
      group.open = true;
      const box = arrange();
      if (!alone && scaleFor(box.width, box.height) < READABLE) group.open = false;
    }
  }

  function draw() {
    drawnFor = stage.clientWidth;
    const box = arrange();
    const marker = make("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, make("path", { class: "arrow", d: "M0 .5L8 4L0 7.5z" }));
    layer = make("g", {});
    elements = new Map();
    fill(layer, box);
    svg.replaceChildren(make("defs", {}, marker), layer);
    svg.dataset.shown = elements.size;
    layer.size = [box.width, box.height];
    highlight();
    move();
  }

  function fill(parent, box) {
    const wires = make("g", {});
    parent.append(wires);
    for (const child of box.children) {
      const g = make("g", { transform: `translate(${child.x.toFixed(1)} ${child.y.toFixed(1)})` });
      parent.append(g);
      elements.set(child.item, g);
      child.item.parentBox = box;
      child.item.at = child;
      if (child.children) openGroup(g, child);
      else closed(g, child);
    }
    for (const wire of box.wires) {
      const path = make("path", { d: wire.path, class: "edge" + (wire.many ? " many" : "") + (wire.far ? " far" : "") });
      if (!wire.intoPort) path.setAttribute("marker-end", "url(#tip)");
      path.ends = wire.wires;
      wires.append(path);
    }
  }

  function openGroup(g, box) {
    g.setAttribute("class", "box");
    const title = make("g", { class: "title", tabindex: 0, role: "button", "aria-expanded": "true", "aria-label": "Close " + box.item.name });
    title.append(
      make("rect", { width: Math.min(box.width, 200), height: Layout.HEADER }),
      make("text", { x: 12, y: 19 }, "▾ " + cut(box.item.name, 24)),
    );
    title.item = box.item;
    g.append(make("rect", { width: box.width, height: box.height, rx: 10 }));
    fill(g, box);
    g.append(title);
  }

  function closed(g, box) {
    const item = box.item, middle = box.width / 2;
    g.item = item;
    g.setAttribute("tabindex", 0);
    g.setAttribute("role", "button");
    const text = (css, y, content) => make("text", { class: css, x: middle, y, "text-anchor": "middle" }, content);
    if (item.node) {
      const node = item.node;
      g.setAttribute("class", ["node", node.kind, node.mark ?? ""].join(" "));
      g.setAttribute("aria-label", `${node.op}, ${shapeOf(node)}`);
      g.append(make("rect", { width: box.width, height: box.height, rx: node.kind === "input" ? box.height / 2 : 7 }));
      g.append(text("", 18, cut(titleOf(item), 23)), text("sub", 33, cut(shapeOf(node), 26)));
      if (below(node)) g.append(text("line", 48, cut(below(node), 31)));
      heat(g, node);
    } else {
      g.setAttribute("class", "node group " + (item.mark ?? ""));
      heat(g, item);
      g.setAttribute("aria-expanded", "false");
      g.setAttribute("aria-label", `Open ${item.name}, ${item.size} nodes`);
      g.append(
        make("rect", { x: 3, y: 3, width: box.width, height: box.height, rx: 9, opacity: 0.45 }),
        make("rect", { width: box.width, height: box.height, rx: 9 }),
        text("", 20, "▸ " + cut(item.name, 22)),
        text("sub", 36, about(item)),
      );
    }
  }

  // How warm a box is: its share of what the dearest node costs.
  const dearest = Object.fromEntries(COSTS.map((cost) => [cost, Math.max(...nodes.map((node) => node[cost] ?? 0), 0)]));
  function heat(g, of) {
    const warm = colorBy !== "kind" && dearest[colorBy] > 0;
    g.classList.toggle("heated", warm);
    if (warm) g.style.setProperty("--heat", `${(60 * Math.sqrt(Math.min(1, (of[colorBy] ?? 0) / dearest[colorBy]))).toFixed(1)}%`);
  }

  // Opening or closing keeps the group where it is on the screen.
  function setOpen(group, open) {
    const before = placeOf(group);
    group.open = open;
    draw();
    const after = placeOf(group);
    if (before && after) {
      zoom.x += (before[0] - after[0]) * zoom.k;
      zoom.y += (before[1] - after[1]) * zoom.k;
      move();
    }
  }

  function placeOf(item) {
    let [x, y] = [0, 0];
    if (!elements.has(item)) return null;
    for (let one = item; one !== root; one = one.parent) {
      x += one.at.x;
      y += one.at.y;
    }
    return [x, y];
  }

  function move() {
    layer.setAttribute("transform", `translate(${zoom.x.toFixed(2)} ${zoom.y.toFixed(2)}) scale(${zoom.k.toFixed(4)})`);
    svg.dataset.zoom = zoom.k.toFixed(4);
  }

  const ROOM = 24, FOOT = 18; // around the graph, and below it for the key
  const scaleFor = (width, height) => Math.min((stage.clientWidth - 2 * ROOM) / width, (stage.clientHeight - 2 * ROOM - FOOT) / height, 1.15);

  function fit() {
    const [width, height] = layer.size, k = scaleFor(width, height);
    zoom = { k, x: (stage.clientWidth - k * width) / 2, y: (stage.clientHeight - FOOT - k * height) / 2 };
    move();
  }

  // What cannot be read when it is all shown begins at its start instead.
  function frame() {
    fit();
    if (zoom.k >= READABLE) return;
    const [width, height] = layer.size.map((size) => size * READABLE);
    zoom.k = READABLE;
    zoom.x = width > stage.clientWidth && stage.clientWidth > stage.clientHeight ? 16 : (stage.clientWidth - width) / 2;
    zoom.y = height > stage.clientHeight ? 16 : (stage.clientHeight - height) / 2;
    move();
  }

  function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const k = Math.min(4, Math.max(0.03, zoom.k * factor));
    zoom.x = x - ((x - zoom.x) * k) / zoom.k;
    zoom.y = y - ((y - zoom.y) * k) / zoom.k;
    zoom.k = k;
    move();
  }

  function reveal(item) {
    let changed = false;
    for (let g = item.parent; g; g = g.parent) if (!g.open) changed = g.open = true;
    if (changed) draw();
    const [x, y] = placeOf(item);
    zoom.k = Math.min(1.4, Math.max(0.9, zoom.k));
    zoom.x = stage.clientWidth / 2 - (x + item.width / 2) * zoom.k;
    zoom.y = stage.clientHeight / 2 - (y + item.height / 2) * zoom.k;
    move();
    pick(item);
  }

  function pick(item) {
    picked = item;
    highlight();
    panel.hidden = !item;
    if (!item) return;
    const node = item.node;
    const list = (title, ids) =>
      ids?.length
        ? `<h4>${title}</h4><ul>${ids.map((id) => `<li><button type="button" data-to="${id}">${html(titleOf(byId.get(id)))} <small>${html(shapeOf(nodeOf(id)))}</small></button></li>`).join("")}</ul>`
        : "";
    const rows = {
      name: node.kind === "param" ? node.name : "", shape: node.shape.length ? `(${node.shape.join(", ")}${node.shape.length === 1 ? "," : ""})` : "()",
      dtype: node.dtype, also: node.also?.join(" "), module: node.path.join(" › "), line: node.where, kind: node.kind, differs: node.mark,
      with: node.attributes, FLOP: node.flops?.toLocaleString("en"), bytes: node.bytes?.toLocaleString("en"),
      time: node.seconds === undefined ? "" : SHOWN.seconds(node.seconds),
    };
    panel.innerHTML =
      `<button type="button" class="shut" aria-label="Close">×</button><h3>${html(titleOf(item))}</h3><dl>` +
      Object.entries(rows).filter(([, v]) => v).map(([k, v]) => `<dt>${k}</dt><dd>${html(v)}</dd>`).join("") +
      `</dl>${list("reads", node.inputs)}${list("read by", item.users)}`;
  }
  const nodeOf = (id) => byId.get(id).node;

  function highlight() {
    for (const [item, g] of elements) {
      g.classList.toggle("picked", item === picked);
      g.classList.toggle("found", found.some((one) => shownFor(one) === item));
    }
    light(picked && shownFor(picked));
  }

  function light(item) {
    const near = new Set();
    for (const path of svg.querySelectorAll(".edge")) {
      const touches = item && path.ends.some((wire) => wire.from === item || wire.to === item);
      path.classList.toggle("lit", Boolean(touches));
      if (touches) for (const wire of path.ends) near.add(wire.from).add(wire.to);
    }
    for (const [one, g] of elements) g.classList.toggle("lit", near.has(one) && one !== item);
  }

  // Search: every word must be in the node's op, name, modules, shape, dtype or line.
  const input = view.querySelector("input"), results = view.querySelector(".search ul"), count = view.querySelector("output");
  const textOf = (node) => (node.text ??= [node.op, node.name, node.path.join("/"), node.path.join(" › "), node.shape.join("x"), node.shape.join("×"), `(${node.shape.join(", ")})`, node.dtype, node.where, node.kind, node.mark ?? ""].join(" ").toLowerCase());
  let current = 0;
  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = words.length ? [...byId.values()].filter((item) => words.every((word) => textOf(item.node).includes(word))) : [];
    current = 0;
    count.textContent = words.length ? `${found.length} found` : "";
    svg.dataset.found = found.length;
    listResults();
    highlight();
  }
  function listResults() {
    results.replaceChildren(
      ...found.slice(0, 40).map((item, i) => {
        const row = document.createElement("li");
        row.setAttribute("aria-selected", i === current);
        row.innerHTML = `<b>${html(titleOf(item))}</b><span>${html([item.node.path.join(" › "), shapeOf(item.node)].filter(Boolean).join(" · "))}</span>`;
        row.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          choose(i);
        });
        return row;
      }),
    );
    results.hidden = !found.length;
  }
  function choose(i) {
    current = (i + found.length) % found.length;
    listResults();
    results.children[current]?.scrollIntoView({ block: "nearest" });
    reveal(found[current]);
  }
  on(input, "input", search);
  on(input, "focus", () => (results.hidden = !found.length));
  on(input, "blur", () => (results.hidden = true));
  on(input, "keydown", (event) => {
    if (event.key === "Escape") {
      input.value = "";
      search();
    } else if (found.length && ["Enter", "ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Enter") {
        choose(current);
        results.hidden = true;
      } else choose(current + (event.key === "ArrowDown" ? 1 : -1));
    }
  });

  const acts = {
    in: () => zoomBy(1.35),
    out: () => zoomBy(1 / 1.35),
    fit,
    turn: () => {
      horizontal = !horizontal;
      draw();
      frame();
    },
    svg: () => saveSvg(svg, layer),
    unfold: () => setAll(true),
    fold: () => setAll(false),
    full: () => {
      document.documentElement.style.overflow = view.classList.toggle("filled") ? "hidden" : "";
      draw();
      frame();
    },
  };
  function setAll(open) {
    for (const group of folded) group.open = open;
    draw();
    fit();
  }
  for (const button of view.querySelectorAll("[data-act]")) on(button, "click", () => acts[button.dataset.act]());

  const color = view.querySelector("[data-color]");
  color.querySelector("[value=seconds]").hidden = color.querySelector("[value=seconds]").disabled = !measured;
  color.value = colorBy = measured ? "seconds" : "kind";
  on(color, "change", () => {
    colorBy = color.value;
    for (const [item, g] of elements) if (g.classList.contains("node")) heat(g, item.node ?? item);
  });

  on(panel, "click", (event) => {
    const to = event.target.closest("[data-to]");
    if (event.target.closest(".shut")) pick(null);
    else if (to) reveal(byId.get(Number(to.dataset.to)));
  });

  // Pointers: one moves, two zoom, and what hardly moved is a click.
  const pointers = new Map();
  let travelled = 0;
  on(stage, "pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size === 1) travelled = 0;
  });
  on(window, "pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const [x, y] = pointers.get(event.pointerId), to = [event.clientX, event.clientY];
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    travelled += Math.hypot(to[0] - x, to[1] - y);
    if (travelled > 4) stage.classList.add("moving");
    if (others.length) {
      const area = stage.getBoundingClientRect(), [ox, oy] = others[0];
      const factor = Math.hypot(to[0] - ox, to[1] - oy) / Math.max(1, Math.hypot(x - ox, y - oy));
      zoomBy(factor, (to[0] + ox) / 2 - area.left, (to[1] + oy) / 2 - area.top);
    } else if (travelled > 4) {
      zoom.x += to[0] - x;
      zoom.y += to[1] - y;
      move();
    }
    pointers.set(event.pointerId, to);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    on(window, name, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) stage.classList.remove("moving");
    });
  }
  function act(item) {
    if (item.node) pick(item === picked ? null : item);
    else setOpen(item, !item.open);
  }
  const itemAt = (event) => event.target.closest(".node, .title")?.item;
  on(stage, "click", (event) => {
    if (travelled > 4) return;
    const item = itemAt(event);
    if (item) act(item);
    else pick(null);
  });
  on(stage, "keydown", (event) => {
    const item = itemAt(event);
    if (!item || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    act(item);
    elements.get(item)?.focus();
  });
  on(stage, "pointerover", (event) => {
    const item = itemAt(event);
    if (!picked) light(item ?? null);
  });
  on(stage, "pointerleave", () => picked || light(null));
  on(stage, 
    "wheel",
    (event) => {
      // Without Ctrl the wheel scrolls the page, unless the graph fills the window.
      if (!event.ctrlKey && !event.metaKey && !view.classList.contains("filled")) return;
      event.preventDefault();
      const area = stage.getBoundingClientRect();
      zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), event.clientX - area.left, event.clientY - area.top);
    },
    { passive: false },
  );
  on(window, "keydown", (event) => {
    if (event.key === "Escape" && view.classList.contains("filled") && document.activeElement !== input) acts.full();
  });
  const resized = new ResizeObserver(() => {
    if (Math.abs(stage.clientWidth - drawnFor) < 40) return;
    draw();
    frame();
  });
  resized.observe(stage);

  [...byId.values(), ...folded].forEach(measure);
  if (root.children.length < 60) chooseDirection();
  openWhatFits();
  draw();
  frame();
  view.find = (text) => {
    input.value = text;
    search();
    results.hidden = true;
    if (found.length) reveal(found[0]);
  };
  return () => {
    gone.abort();
    resized.disconnect();
    panel.hidden = true;
    input.value = "";
    search();
  };
}
