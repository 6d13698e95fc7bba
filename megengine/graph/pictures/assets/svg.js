"use strict";
// The picture as it is, with its colors written down, so that it can stand elsewhere.
function saveSvg(svg, layer) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  // Other programs know no oklab(): a canvas says what color that is.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true }), known = new Map();
  const plain = (value) => {
    if (!value.startsWith("oklab(")) return value;
    if (!known.has(value)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = value;
      canvas.fillRect(0, 0, 1, 1);
      known.set(value, `rgb(${canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).join(", ")})`);
    }
    return known.get(value);
  };
  const [width, height] = layer.size, copy = layer.cloneNode(true), pad = 12;
  const PROPERTIES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "font"];
  const from = layer.querySelectorAll("*"), to = copy.querySelectorAll("*");
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const property of PROPERTIES) to[k].style.setProperty(property, plain(style.getPropertyValue(property)));
  });
  copy.setAttribute("transform", `translate(${pad} ${pad})`);
  const whole = make("svg", { width: width + 2 * pad, height: height + 2 * pad });
  const marker = svg.querySelector("defs").cloneNode(true);
  marker.querySelector("path").setAttribute("fill", plain(getComputedStyle(svg.querySelector("defs path")).fill));
  whole.append(marker, copy);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(whole)], { type: "image/svg+xml" }));
  link.download = `${document.title || "graph"}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
