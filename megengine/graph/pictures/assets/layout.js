"use strict";
// Places by dagre: each open group is laid out on its own and is then one node of the group around it, so that opening one
// lays out only those around it anew. What enters a group from one box, or leaves it for one, passes a port on its border.
const Layout = (() => {
  const HEADER = 28;
  const LONGEST_ROUTED = 14; // wires between a box and the border that pass more levels go straight, behind the boxes
  const known = new Map(); // layouts by what was laid out

  // root: {children: [item]}, item: {id, children?, open?, width, height}; wires: [{from, to}] between items that are shown as
  // boxes. Returns a tree of boxes, each with item, x, y (inside its parent), width, height, children, and the wires drawn in it.
  function layout(root, wires, horizontal) {
    const links = linked(root, wires);
    return place(root, true);

    function place(group, outermost) {
      const boxes = group.children.map((item) => (item.open ? place(item, false) : { item, width: item.width, height: item.height }));
      const inside = links.get(group) ?? { edges: new Map(), ports: new Map() };
      const placed = solve(boxes, inside, horizontal, outermost);
      boxes.forEach((box, k) => ([box.x, box.y] = placed.at[k]));
      const box = { item: group, width: placed.width, height: placed.height, children: boxes, ports: placed.ports };
      box.wires = [...inside.edges.values()].map((edge, k) => drawn(edge, placed.points[k], placed.far[k], box, horizontal));
      return box;
    }
  }

  // The edges inside of each open group, between its children and its ports.
  function linked(root, wires) {
    const parent = new Map(), links = new Map();
    (function index(group) {
      for (const child of group.children) {
        parent.set(child, group);
        if (child.open) index(child);
      }
    })(root);
    const above = (item) => {
      const chain = [];
      for (let group = parent.get(item); group; group = parent.get(group)) chain.push(group);
      return chain;
    };
    const of = (group) => {
      if (!links.has(group)) links.set(group, { edges: new Map(), ports: new Map() });
      return links.get(group);
    };
    const port = (group, side, other) => {
      const id = `${side} ${other.id}`;
      of(group).ports.set(id, side);
      return id;
    };
    const link = (group, from, to, wire) => {
      const key = `${from.id}|${from.port ?? ""}>${to.id}|${to.port ?? ""}`, edges = of(group).edges;
      if (!edges.has(key)) edges.set(key, { from, to, wires: [] });
      edges.get(key).wires.push(wire);
    };
    for (const wire of wires) {
      const up = above(wire.from), down = above(wire.to), common = up.find((group) => down.includes(group));
      const outer = up.slice(0, up.indexOf(common)), inner = down.slice(0, down.indexOf(common));
      const source = outer.at(-1) ?? wire.from, target = inner.at(-1) ?? wire.to; // beside one another
      let from = { id: wire.from.id }, to = { id: wire.to.id };
      for (const group of outer) {
        const id = port(group, "out", target);
        link(group, from, { id, border: true }, wire);
        from = { id: group.id, port: id };
      }
      for (const group of inner) {
        const id = port(group, "in", source);
        link(group, { id, border: true }, to, wire);
        to = { id: group.id, port: id };
      }
      link(common, from, to, wire);
    }
    return links;
  }

  function solve(boxes, inside, horizontal, outermost) {
    const edges = [...inside.edges.values()];
    const key = JSON.stringify([
      horizontal, outermost, boxes.map((b) => [b.item.id, b.width, b.height]), edges.map((e) => [e.from.id, e.to.id]), [...inside.ports],
    ]);
    if (!known.has(key)) known.set(key, byDagre(boxes, edges, inside.ports, horizontal, outermost));
    return known.get(key);
  }

  function byDagre(boxes, edges, ports, horizontal, outermost) {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: horizontal ? "LR" : "TB", nodesep: 20, edgesep: 9, ranksep: 34, marginx: 16, marginy: 16 });
    for (const box of boxes) graph.setNode(box.item.id, { width: box.width, height: box.height });
    const [depth, deepest] = depths(boxes, edges);
    // What enters comes in above everything, what leaves goes out below.
    const length = (e) => (e.from.border ? depth.get(e.to.id) + 1 : e.to.border ? deepest + 1 - depth.get(e.from.id) : 1);
    const routed = (e) => length(e) <= LONGEST_ROUTED;
    edges.forEach((e, k) => {
      if (!routed(e)) return;
      for (const end of [e.from, e.to]) if (end.border) graph.setNode(end.id, { width: 1, height: 1 });
      graph.setEdge(e.from.id, e.to.id, { minlen: length(e), weight: e.from.border || e.to.border ? 1 : 2 }, String(k));
    });
    dagre.layout(graph);
    const top = outermost ? 0 : HEADER - 10, { width, height } = graph.graph();
    const at = new Map(graph.nodes().map((id) => [id, { x: graph.node(id).x, y: graph.node(id).y + top }]));
    for (const [id, side] of ports) {
      const ends = edges.filter((e) => e.from.id === id || e.to.id === id).map((e) => at.get(e.from.id === id ? e.to.id : e.from.id));
      const mean = (axis) => ends.reduce((sum, end) => sum + end[axis], 0) / ends.length;
      at.set(id, { ...(at.get(id) ?? { x: mean("x") + 14, y: mean("y") + 14 }), side });
    }
    const points = (e, k) =>
      routed(e) ? graph.edge(e.from.id, e.to.id, String(k)).points.map(({ x, y }) => ({ x, y: y + top })) : [at.get(e.from.id), at.get(e.to.id)];
    return {
      width: Math.max(width, outermost ? 0 : 120),
      height: height + top,
      at: boxes.map((box) => [at.get(box.item.id).x - box.width / 2, at.get(box.item.id).y - box.height / 2]),
      ports: new Map([...ports.keys()].map((id) => [id, at.get(id)])),
      points: edges.map(points),
      far: edges.map((e) => !routed(e)),
    };
  }

  // How many edges lead to each box at most, ports left aside.
  function depths(boxes, edges) {
    const into = new Map(boxes.map((box) => [box.item.id, []])), depth = new Map();
    for (const { from, to } of edges) if (!from.border && !to.border) into.get(to.id).push(from.id);
    const of = (id) => {
      if (!depth.has(id)) {
        depth.set(id, 0); // a module that is entered twice may be in a circle
        depth.set(id, Math.max(0, ...into.get(id).map((other) => of(other) + 1)));
      }
      return depth.get(id);
    };
    return [depth, Math.max(0, ...boxes.map((box) => of(box.item.id)))];
  }

  function drawn(edge, points, far, box, horizontal) {
    const child = (end) => end.port && box.children.find((c) => c.item.id === end.id);
    const path = [...points];
    const outside = (end) => {
      const inner = child(end), port = inner.ports.get(end.port);
      return onBorder(port, inner, horizontal, inner.x, inner.y);
    };
    if (edge.from.port) path[0] = outside(edge.from);
    if (edge.to.port) path[path.length - 1] = outside(edge.to);
    const border = (end) => onBorder(box.ports.get(end.id), box, horizontal, 0, 0);
    if (edge.from.border) path.splice(0, far ? 1 : 0, border(edge.from));
    if (edge.to.border) path.push(border(edge.to));
    return { path: curve(path), many: edge.wires.length > 1, far, intoPort: Boolean(edge.to.border), wires: edge.wires };
  }

  const onBorder = (port, box, horizontal, x, y) =>
    horizontal
      ? { x: x + (port.side === "in" ? 0 : box.width), y: y + port.y }
      : { x: x + port.x, y: y + (port.side === "in" ? 0 : box.height) };

  // A cubic B-spline that begins and ends where the points do.
  function curve(points) {
    const at = (p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
    const mix = (a, b, t) => ({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });
    if (points.length < 3) return `M${points.map(at).join("L")}`;
    let path = `M${at(points[0])}`;
    for (let k = 1; k < points.length; k++) {
      const [a, b, c] = [points[k - 1], points[k], points[k + 1]];
      if (k === 1) path += `L${at(mix(a, b, 1 / 6))}`;
      path += c ? `C${at(mix(a, b, 1 / 3))} ${at(mix(a, b, 2 / 3))} ${at(mix(mix(a, b, 2 / 3), mix(b, c, 1 / 3), 0.5))}` : `L${at(b)}`;
    }
    return path;
  }

  return { layout, HEADER };
})();
