// What the things to touch share. Text is always put in as text, never as markup. Classic scripts, not modules: a page
// opened from a folder may not import.
"use strict";

window.touch = (() => {
  const made = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  };
  const el = (name, attributes, ...children) => made(document.createElement(name), attributes, children);
  const draw = (name, attributes, ...children) =>
    made(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  let used = 0;
  const id = (stem) => `touch-${stem}-${(used += 1)}`;
  const two = (value) => value.toFixed(2);
  const three = (value) => value.toFixed(3);

  // One picture of a sheet. The corners of a box (x1, y1, x2, y2) are in parts of the picture.
  const corner = (sheet, tile) => [(tile % sheet.columns) * sheet.width, Math.floor(tile / sheet.columns) * sheet.height];
  const picture = (sheet, tile, words, ...over) => {
    const [x, y] = corner(sheet, tile);
    const shown = words ? { role: "img", "aria-label": words } : { "aria-hidden": "true" };
    return draw("svg", { class: "tile", viewBox: `${x} ${y} ${sheet.width} ${sheet.height}`, focusable: "false", ...shown },
      draw("image", { href: sheet.file, width: sheet.sheet[0], height: sheet.sheet[1] }), ...over);
  };
  const place = (sheet, tile, box) => {
    const [x, y] = corner(sheet, tile);
    const [x1, y1, x2, y2] = box.map((side) => Math.min(1, Math.max(0, side)));
    return { x: x + x1 * sheet.width, y: y + y1 * sheet.height, width: (x2 - x1) * sheet.width, height: (y2 - y1) * sheet.height };
  };
  // Drawn twice, so that it shows on light and dark.
  const outline = (sheet, tile, box, more) => ["under", "over"].map((which) =>
    draw("rect", { ...place(sheet, tile, box), ...more, class: `${which} ${more?.class ?? ""}` }));

  // One of several, by mouse, finger or arrow keys: radio buttons with pictures or words.
  const choice = (words, options, chosen, change) => {
    const name = id("choice");
    return el("fieldset", { class: "choice" }, el("legend", null, words), ...options.map((option, place) => {
      const input = el("input", { type: "radio", name, value: place, checked: place === chosen, change: () => change(place) });
      return el("label", null, input, el("span", { class: "face" }, ...[option].flat()));
    }));
  };
  const slider = (words, { min, max, value, said }, change) => {
    const shown = el("output", null, said(value));
    const input = el("input", { type: "range", min, max, step: 1, value, id: id("slider"), "aria-valuetext": said(value) });
    const set = (to) => { input.value = to; input.setAttribute("aria-valuetext", said(to)); shown.textContent = said(to); };
    input.addEventListener("input", () => { set(Number(input.value)); change(Number(input.value)); });
    shown.htmlFor = input.id;
    return { input, set, row: el("p", { class: "slider" }, el("label", { for: input.id }, words), " ", shown, input) };
  };
  const button = (words, press) => el("button", { type: "button", click: press }, words);
  const tick = (words, checked, change) => {
    const input = el("input", { type: "checkbox", checked, change: () => change(input.checked) });
    return el("label", { class: "tick" }, input, ` ${words}`);
  };

  // Read out once the reader pauses, not at every step of a drag.
  const status = () => {
    const node = el("p", { class: "said", role: "status" });
    let waiting;
    node.say = (words) => {
      clearTimeout(waiting);
      if (!node.isConnected) node.textContent = words;
      else waiting = setTimeout(() => { node.textContent = words; }, 250);
    };
    return node;
  };

  // Build each block of a kind from its data, then put it in the place of the still one.
  const start = (kind, build) => {
    for (const root of document.querySelectorAll(`.touch-${kind}`)) {
      const live = el("div", { class: "live" });
      build(JSON.parse(root.querySelector("script[type='application/json']").textContent), live);
      root.querySelector(".still").hidden = true;
      root.querySelector(".still").after(live);
    }
  };
  return { el, draw, id, two, three, picture, place, outline, choice, slider, button, tick, status, start };
})();
