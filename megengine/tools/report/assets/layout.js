"use strict";
// Layered layout of a graph with nested groups, after Sugiyama, Tagawa and Toda (1981): layers by longest path,
// fewer crossings by barycentres, places along a layer by least squares. Each open group is laid out on its own and is
// then one node of the group around it; a value that enters or leaves it passes a port on its border.
// Coordinates inside: "main" runs along the flow, "cross" across it; `horizontal` decides which of them is x.
const Layout = (() => {
  const GAP_CROSS = 22, GAP_MAIN = 38, GAP_WIRE = 11, PADDING = 18, HEADER = 28;
  const LONGEST_ROUTED = 26; // longer wires are drawn straight and faint: routing them costs more than it shows
  const SWEEPS = 10;

  // root: {children: [item]}, item: {id, children?, open?, width, height}; wires: [{from, to}] between items that are
  // shown as boxes of their own. Returns a tree of boxes, each with x, y (inside its parent), width, height, and the
  // wires drawn in it.
  function layout(root, wires, horizontal) {
    const parent = new Map();
    (function index(group) {
      for (const child of group.children) {
        parent.set(child, group);
        if (child.open) index(child);
      }
    })(root);
    const inside = new Map(); // group -> links between its children and its own ports
    const ports = new Map(); // group -> Map(key -> port)
    const link = (group, from, to, wire) => {
      if (!inside.has(group)) inside.set(group, []);
      inside.get(group).push({ from, to, wire });
    };
    const port = (group, side, wire) => {
      if (!ports.has(group)) ports.set(group, new Map());
      const all = ports.get(group), key = side + " " + wire.from.id;
      if (!all.has(key)) all.set(key, { id: key, port: side, group });
      return all.get(key);
    };
    for (const wire of wires) route(wire);

    function route(wire) {
      const above = (item) => {
        const chain = [];
        for (let group = parent.get(item); group; group = parent.get(group)) chain.push(group);
        return chain;
      };
      const up = above(wire.from), down = above(wire.to);
      const common = up.find((group) => down.includes(group));
      let from = { item: wire.from }, to = { item: wire.to };
      for (const group of up.slice(0, up.indexOf(common))) {
        const exit = port(group, "out", wire);
        link(group, from, { item: exit }, wire);
        from = { item: group, port: exit };
      }
      for (const group of down.slice(0, down.indexOf(common))) {
        const entry = port(group, "in", wire);
        link(group, { item: entry }, to, wire);
        to = { item: group, port: entry };
      }
      link(common, from, to, wire);
    }
    return place(root, true);

    function place(group, outermost) {
      const boxes = group.children.map((item) => {
        if (item.open) return place(item, false);
        return {
          item,
          cross: horizontal ? item.height : item.width,
          main: horizontal ? item.width : item.height,
        };
      });
      const portBoxes = [...(ports.get(group)?.values() ?? [])].map((item) => ({ item, cross: 1, main: 0, port: item.port }));
      const box = arrange([...boxes, ...portBoxes], inside.get(group) ?? [], outermost, horizontal);
      box.item = group;
      box.children = boxes;
      box.portAt = new Map(portBoxes.map((p) => [p.item, p.c]));
      return box;
    }
  }

  function arrange(boxes, links, outermost, horizontal) {
    const of = new Map(boxes.map((box) => [box.item, box]));
    const merged = new Map();
    for (const { from, to, wire } of links) {
      const a = of.get(from.item), b = of.get(to.item);
      if (a === b) continue;
      const key = `${a.item.id}|${from.port?.id ?? ""}|${b.item.id}|${to.port?.id ?? ""}`;
      if (!merged.has(key)) merged.set(key, { a, b, out: from.port, in: to.port, wires: [] });
      merged.get(key).wires.push(wire);
    }
    const edges = [...merged.values()];
    boxes.forEach((box, i) => Object.assign(box, { order: i, ins: [], outs: [] }));
    breakCycles(boxes, edges);
    const depth = assignLayers(boxes, edges);
    const layers = Array.from({ length: depth }, () => []);
    for (const box of boxes) layers[box.layer].push(box);
    const segments = addWaypoints(edges, layers);
    reduceCrossings(layers);
    straighten(layers, segments);
    return finish(layers, edges, outermost, horizontal);
  }

  // Edges that go back in a depth-first walk are turned round for the layering.
  function breakCycles(boxes, edges) {
    const outs = new Map(boxes.map((box) => [box, []]));
    for (const edge of edges) outs.get(edge.a).push(edge);
    const state = new Map();
    const fed = new Set(edges.map((edge) => edge.b));
    const starts = [...boxes.filter((box) => !fed.has(box)), ...boxes];
    for (const start of starts) {
      if (state.has(start)) continue;
      state.set(start, 1);
      const stack = [{ box: start, next: 0 }];
      while (stack.length) {
        const top = stack[stack.length - 1], list = outs.get(top.box);
        if (top.next === list.length) {
          state.set(top.box, 2);
          stack.pop();
          continue;
        }
        const edge = list[top.next++];
        if (state.get(edge.b) === 1) edge.back = true;
        else if (!state.has(edge.b)) {
          state.set(edge.b, 1);
          stack.push({ box: edge.b, next: 0 });
        }
      }
    }
    for (const edge of edges) [edge.top, edge.bottom] = edge.back ? [edge.b, edge.a] : [edge.a, edge.b];
  }

  function assignLayers(boxes, edges) {
    const ins = new Map(boxes.map((b) => [b, 0])), outs = new Map(boxes.map((b) => [b, []]));
    for (const edge of edges) {
      ins.set(edge.bottom, ins.get(edge.bottom) + 1);
      outs.get(edge.top).push(edge.bottom);
    }
    const hasEntries = boxes.some((box) => box.port === "in");
    for (const box of boxes) box.layer = box.port === "in" ? 0 : hasEntries ? 1 : 0;
    const ready = boxes.filter((box) => !ins.get(box)), sorted = [];
    while (ready.length) {
      const box = ready.pop();
      sorted.push(box);
      for (const next of outs.get(box)) {
        next.layer = Math.max(next.layer, box.layer + 1);
        ins.set(next, ins.get(next) - 1);
        if (!ins.get(next)) ready.push(next);
      }
    }
    // What has no input moves next to what reads it.
    const fed = new Set(edges.map((edge) => edge.bottom));
    for (const box of sorted.reverse()) {
      if (fed.has(box) || box.port || !outs.get(box).length) continue;
      box.layer = Math.max(box.layer, Math.min(...outs.get(box).map((next) => next.layer)) - 1);
    }
    const last = Math.max(0, ...boxes.filter((b) => b.port !== "out").map((b) => b.layer));
    const exits = boxes.filter((box) => box.port === "out");
    for (const box of exits) box.layer = last + 1;
    return last + (exits.length ? 2 : 1);
  }

  // A wire over several layers gets a waypoint in each layer between.
  function addWaypoints(edges, layers) {
    const segments = [];
    const join = (top, bottom, edge, first, lastOne) => {
      const segment = { top, bottom, edge, outPort: first, inPort: lastOne };
      top.outs.push(segment);
      bottom.ins.push(segment);
      segments.push(segment);
    };
    for (const edge of edges) {
      const span = edge.bottom.layer - edge.top.layer;
      edge.points = [];
      const [outPort, inPort] = edge.back ? [edge.in, edge.out] : [edge.out, edge.in];
      edge.topPort = outPort;
      edge.bottomPort = inPort;
      edge.far = span > LONGEST_ROUTED;
      if (edge.far) continue;
      let above = edge.top;
      for (let layer = edge.top.layer + 1; layer < edge.bottom.layer; layer++) {
        const point = { waypoint: true, cross: 1, main: 0, layer, ins: [], outs: [], order: layers[layer].length };
        layers[layer].push(point);
        edge.points.push(point);
        join(above, point, edge, above === edge.top ? outPort : null, null);
        above = point;
      }
      join(above, edge.bottom, edge, above === edge.top ? outPort : null, inPort);
    }
    return segments;
  }

  function reduceCrossings(layers) {
    const number = (layer) => layer.forEach((box, i) => (box.order = i));
    layers.forEach(number);
    let best = layers.map((layer) => [...layer]), fewest = crossings(layers);
    for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
      const down = sweep % 2 === 0;
      const order = down ? layers : [...layers].reverse();
      for (const layer of order) {
        for (const box of layer) {
          const near = down ? box.ins.map((s) => s.top.order) : box.outs.map((s) => s.bottom.order);
          box.weight = near.length ? near.reduce((a, b) => a + b, 0) / near.length : box.order;
        }
        layer.sort((a, b) => a.weight - b.weight || a.order - b.order);
        number(layer);
      }
      const count = crossings(layers);
      if (count < fewest) {
        fewest = count;
        best = layers.map((layer) => [...layer]);
      }
    }
    best.forEach((layer, i) => {
      layers[i].splice(0, layer.length, ...layer);
      number(layers[i]);
    });
  }

  // Inversions among the ends of the segments below each layer, counted with a Fenwick tree.
  function crossings(layers) {
    let count = 0;
    for (const layer of layers) {
      const ends = [];
      for (const box of layer) ends.push(...box.outs.map((s) => s.bottom.order).sort((a, b) => a - b));
      const size = Math.max(0, ...ends) + 2, tree = new Int32Array(size + 1);
      ends.forEach((end, seen) => {
        let before = 0;
        for (let i = end + 1; i > 0; i -= i & -i) before += tree[i];
        count += seen - before;
        for (let i = end + 1; i <= size; i += i & -i) tree[i]++;
      });
    }
    return count;
  }

  const portOffset = (box, port) => (port && box.portAt ? (box.portAt.get(port) ?? 0) : 0);
  const gap = (a, b) => (a.waypoint || a.port) && (b.waypoint || b.port) ? GAP_WIRE : GAP_CROSS;

  function straighten(layers, segments) {
    for (const layer of layers) {
      let c = 0;
      layer.forEach((box, i) => {
        if (i) c += (layer[i - 1].cross + box.cross) / 2 + gap(layer[i - 1], box);
        box.c = c;
      });
      for (const box of layer) box.c -= c / 2;
    }
    for (const s of segments) {
      s.topOffset = portOffset(s.top, s.outPort);
      s.bottomOffset = portOffset(s.bottom, s.inPort);
    }
    for (let sweep = 0; sweep < 24; sweep++) {
      const down = sweep % 2 === 0, both = sweep > 17;
      for (const layer of down ? layers : [...layers].reverse()) {
        for (const box of layer) {
          const wishes = [];
          if (down || both) for (const s of box.ins) wishes.push([s.top.c + s.topOffset - s.bottomOffset, s.top.waypoint]);
          if (!down || both) for (const s of box.outs) wishes.push([s.bottom.c + s.bottomOffset - s.topOffset, s.bottom.waypoint]);
          const weights = wishes.map(([, waypoint]) => (waypoint && box.waypoint ? 6 : 1));
          const total = weights.reduce((a, b) => a + b, 0);
          box.wish = total ? wishes.reduce((sum, [wish], i) => sum + wish * weights[i], 0) / total : box.c;
          box.pull = box.waypoint ? 1 : 1 + total;
        }
        settle(layer);
      }
    }
  }

  // The places nearest to the wishes that keep the order and the gaps: isotonic regression by pooling neighbours.
  function settle(layer) {
    let shift = 0;
    const pools = [];
    layer.forEach((box, i) => {
      if (i) shift += (layer[i - 1].cross + box.cross) / 2 + gap(layer[i - 1], box);
      box.shift = shift;
      pools.push({ mean: box.wish - shift, weight: box.pull, boxes: [box] });
      while (pools.length > 1 && pools[pools.length - 2].mean > pools[pools.length - 1].mean) {
        const b = pools.pop(), a = pools[pools.length - 1];
        a.mean = (a.mean * a.weight + b.mean * b.weight) / (a.weight + b.weight);
        a.weight += b.weight;
        a.boxes.push(...b.boxes);
      }
    });
    for (const pool of pools) for (const box of pool.boxes) box.c = pool.mean + box.shift;
  }

  function finish(layers, edges, outermost, horizontal) {
    const all = layers.flat();
    const low = all.length ? Math.min(...all.map((b) => b.c - b.cross / 2)) : 0;
    const high = all.length ? Math.max(...all.map((b) => b.c + b.cross / 2)) : 0;
    const header = outermost ? 0 : HEADER;
    const padMain = outermost ? 0 : PADDING, padCross = outermost ? 0 : PADDING;
    let cross = high - low + 2 * padCross, main = padMain + (horizontal ? 0 : header);
    layers.forEach((layer, i) => {
      const thick = Math.max(0, ...layer.map((b) => b.main));
      const onBorder = layer.length > 0 && layer.every((b) => b.port);
      for (const box of layer) {
        box.m = main + thick / 2;
        if (box.waypoint) box.main = thick; // wires go straight past whatever stands in the layer
      }
      // Rows with many wires between them are set wider apart, so that the wires can be told from one another.
      const busy = Math.min(28, layer.reduce((n, b) => n + b.outs.length, 0));
      main += thick + (i === layers.length - 1 ? 0 : onBorder ? 6 : GAP_MAIN + busy);
    });
    main += padMain;
    const headerCross = horizontal ? header : 0;
    for (const box of all) box.c += padCross - low + headerCross;
    cross += headerCross;
    const title = outermost ? 0 : 130;
    if (horizontal ? main < title : cross < title) {
      const spare = title - (horizontal ? main : cross);
      for (const box of all) box[horizontal ? "m" : "c"] += spare / 2;
      if (horizontal) main = title;
      else cross = title;
    }
    for (const box of all) if (box.port) box.m = box.port === "in" ? 0 : main;
    const result = { cross, main };
    result.wires = edges.map((edge) => ({
      path: curve(edge, horizontal),
      from: edge.wires[0].from,
      wires: edge.wires,
      many: edge.wires.length > 1,
      far: edge.far,
      intoPort: edge.b.port === "out" || Boolean(edge.in),
    }));
    for (const box of all) {
      Object.assign(box, {
        x: (horizontal ? box.m - box.main / 2 : box.c - box.cross / 2),
        y: (horizontal ? box.c - box.cross / 2 : box.m - box.main / 2),
        width: horizontal ? box.main : box.cross,
        height: horizontal ? box.cross : box.main,
      });
    }
    result.width = horizontal ? main : cross;
    result.height = horizontal ? cross : main;
    // A port's place is kept from the middle of the group's side, where the group around it takes hold of it.
    for (const box of all) if (box.port) box.c -= cross / 2;
    return result;
  }

  function curve(edge, horizontal) {
    const at = (m, c) => (horizontal ? `${m.toFixed(1)} ${c.toFixed(1)}` : `${c.toFixed(1)} ${m.toFixed(1)}`);
    const { top, bottom } = edge;
    const points = [
      [top.m + top.main / 2, top.c + portOffset(top, edge.topPort)],
      ...edge.points.flatMap((p) => [[p.m - p.main / 2, p.c], [p.m + p.main / 2, p.c]]),
      [bottom.m - bottom.main / 2, bottom.c + portOffset(bottom, edge.bottomPort)],
    ];
    if (edge.back) points.reverse();
    let path = "M" + at(...points[0]);
    for (let i = 1; i < points.length; i++) {
      const [m0, c0] = points[i - 1], [m1, c1] = points[i];
      path += Math.abs(c1 - c0) < 0.5 ? "L" + at(m1, c1) : `C${at((m0 + m1) / 2, c0)} ${at((m0 + m1) / 2, c1)} ${at(m1, c1)}`;
    }
    return path;
  }

  return { layout, HEADER };
})();
if (typeof module !== "undefined") module.exports = Layout;
