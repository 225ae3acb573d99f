// Top-k curves that can be read: a hair line under pointer or slider, every method's value and interval beside it.
"use strict";

touch.start("curves", (data, live) => {
  const { el, draw, id, three, slider, status } = touch;
  const [wide, high, left, top, right, bottom] = [340, 240, 34, 8, 8, 38];
  const ks = data.ks, most = ks.length - 1;
  const start = Math.max(0, ks.indexOf(20));
  const x = (at) => left + ((ks[at] - ks[0]) / (ks[most] - ks[0])) * (wide - left - right);
  const strong = new Set(data.strong);
  const state = { at: start };
  const line = (values, y) => values.map((value, at) => `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");

  const chart = (panel) => {
    const roof = Math.min(1, 1.05 * Math.max(...panel.methods.flatMap((method) => method.values.map((value) => value[2] ?? value[0]))));
    const y = (value) => top + (1 - value / roof) * (high - top - bottom);
    const lines = panel.methods.map((method) => {
      const upper = line(method.values.map((value) => value[2] ?? value[0]), y);
      const lower = method.values.map((value, at) => `${x(at).toFixed(1)} ${y(value[1] ?? value[0]).toFixed(1)}`).reverse().join("L");
      return { method, dot: draw("circle", { r: 3.5 }), node: draw("g", { class: `line tone-${data.tones[method.method]}` },
        draw("path", { class: "band", d: `${upper}L${lower}Z` }),
        draw("path", { class: "stroke", d: line(method.values.map((value) => value[0]), y) })) };
    });
    const hair = draw("line", { class: "hair", y1: top, y2: high - bottom });
    const grid = (roof > 0.5 ? [0, 0.2, 0.4, 0.6, 0.8, 1] : [0, 0.1, 0.2, 0.3, 0.4, 0.5]).filter((value) => value <= roof).flatMap((value) => [
      draw("line", { class: "grid", x1: left, x2: wide - right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(1))]);
    const axis = [1, 10, 20, 30, 40, 50].filter((k) => ks.includes(k)).map((k) =>
      draw("text", { x: x(ks.indexOf(k)), y: high - bottom + 16, "text-anchor": "middle" }, `${k}`));
    const svg = draw("svg", { class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img" }, ...grid, ...axis,
      draw("text", { x: (left + wide) / 2, y: high - 4, "text-anchor": "middle" }, "k nearest photos"),
      ...lines.map((one) => one.node), hair, ...lines.map((one) => one.dot));
    const point = (event) => {
      const box = svg.getBoundingClientRect(), across = ((event.clientX - box.left) / box.width) * wide;
      const share = (across - left) / (wide - left - right);
      go(Math.min(most, Math.max(0, Math.round(share * most))));
    };
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) point(event); });
    const update = () => {
      hair.setAttribute("x1", x(state.at));
      hair.setAttribute("x2", x(state.at));
      for (const { method, node, dot } of lines) {
        const on = strong.has(method.method);
        node.classList.toggle("strong", on);
        dot.setAttribute("class", `dot tone-${data.tones[method.method]} ${on ? "strong" : ""}`);
        dot.setAttribute("cx", x(state.at));
        dot.setAttribute("cy", y(method.values[state.at][0]));
      }
      svg.setAttribute("aria-label", `${panel.title}: share of queries answered by the k nearest; at k = ${ks[state.at]}: ${panel.methods.map((method) => `${method.name} ${three(method.values[state.at][0])}`).join(", ")}`);
    };
    return { update, node: el("figure", null, el("figcaption", null, panel.title), svg) };
  };

  const said = status();
  const charts = data.panels.map(chart);
  const names = [...new Map(data.panels.flatMap((panel) => panel.methods.map((method) => [method.method, method.name])))];
  const cells = new Map(names.map(([method]) => [method, data.panels.map(() => el("td"))]));
  const toggles = names.map(([method, words]) => {
    const node = el("button", { type: "button", "aria-pressed": String(strong.has(method)), click: () => {
      strong[strong.has(method) ? "delete" : "add"](method);
      node.setAttribute("aria-pressed", String(strong.has(method)));
      charts.forEach((one) => one.update());
    } }, el("span", { class: `key tone-${data.tones[method]}` }), words);
    return el("tr", null, el("th", { scope: "row" }, node), ...cells.get(method));
  });
  const steps = slider("k", { min: 0, max: most, value: state.at, said: (at) => `${ks[at]}` }, (at) => go(at));
  const go = (at) => { state.at = at; steps.set(at); show(); };
  const show = () => {
    charts.forEach((one) => one.update());
    const spoken = data.panels.map(() => []);
    data.panels.forEach((panel, place) => {
      for (const [method, words] of names) {
        const value = panel.methods.find((one) => one.method === method)?.values[state.at];
        const cell = cells.get(method)[place];
        cell.replaceChildren(value ? three(value[0]) : "–", ...(value && value[1] !== null ? [" ", el("span", { class: "interval" }, `${three(value[1])}–${three(value[2])}`)] : []));
        if (value && data.strong.includes(method)) spoken[place].push(`${words} ${three(value[0])}`);
      }
    });
    said.say(`k = ${ks[state.at]}. ${data.panels.map((panel, place) => `${panel.title}: ${spoken[place].join(", ")}.`).join(" ")}`);
  };

  const caption = id("curves");
  live.append(el("div", { class: "charts" }, ...charts.map((one) => one.node)), steps.row,
    el("table", { class: "readout", "aria-labelledby": caption },
      el("caption", { id: caption }, "Share of queries answered at this k, with 95% intervals. Press a name to bring its line out."),
      el("thead", null, el("tr", null, el("th", { scope: "col" }, "method"), ...data.panels.map((panel) => el("th", { scope: "col" }, panel.title)))),
      el("tbody", null, ...toggles)), said);
  show();
});
