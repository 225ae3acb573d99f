// The metric playground: move scores, watch the average precision of scores and of the highest labels part ways.
"use strict";

// Average precision as fashionlib.metrics computes it: pairs of equal score enter together, precision is read at each
// score at which recall grows, nothing is interpolated. Kept apart from the page so that a test can call it.
window.touchMetrics = (() => {
  // Each point of the curve: recall, precision, after all pairs with at least this score.
  const curve = (scores, targets) => {
    const order = scores.map((_, place) => place).sort((a, b) => scores[b] - scores[a]);
    const positives = targets.reduce((sum, target) => sum + target, 0), points = [];
    let hits = 0;
    order.forEach((place, seen) => {
      hits += targets[place];
      if (seen + 1 === order.length || scores[order[seen + 1]] !== scores[place]) points.push([hits / positives, hits / (seen + 1)]);
    });
    return points;
  };
  const averagePrecision = (scores, targets) => {
    let before = 0, sum = 0;
    for (const [recall, precision] of curve(scores, targets)) { sum += (recall - before) * precision; before = recall; }
    return sum;
  };
  const apAll = (scores, targets) => averagePrecision(scores.flat(), targets.flat());
  const map = (scores, targets) => {
    const columns = scores[0].map((_, label) => label).filter((label) => targets.some((row) => row[label]));
    return columns.reduce((sum, label) => sum + averagePrecision(scores.map((row) => row[label]), targets.map((row) => row[label])), 0) / columns.length;
  };
  // 1 for the k highest of each photo; of equal ones the first.
  const topK = (scores, k) => scores.map((row) => {
    const best = row.map((_, label) => label).sort((a, b) => row[b] - row[a]).slice(0, k);
    return row.map((_, label) => Number(best.includes(label)));
  });
  return { curve, averagePrecision, apAll, map, topK };
})();

touch.start("playground", (data, live) => {
  const { el, draw, two, three, picture, choice, button, status, id } = touch;
  const { curve, apAll, map, topK } = window.touchMetrics;
  const targets = data.targets, state = { photo: 0, scores: data.scores.map((row) => [...row]) };
  const said = status(), bars = el("div", { class: "bars" });

  const wide = 300, high = 222, left = 32, top = 20, bottom = 32, right = 8;
  const x = (recall) => left + recall * (wide - left - right), y = (precision) => top + (1 - precision) * (high - top - bottom);
  // Steps, not slopes: the area below is the average precision.
  const steps = (points) => {
    let before = 0;
    return points.map(([recall, precision], place) => {
      const path = `${place ? "L" : "M"}${x(before).toFixed(2)} ${y(precision).toFixed(2)}L${x(recall).toFixed(2)} ${y(precision).toFixed(2)}`;
      before = recall;
      return path;
    }).join("");
  };
  const chart = el("div"), strip = el("div"), numbers = el("table", { class: "readout" });

  const drawChart = (points, binary, words) => chart.replaceChildren(draw("svg", { class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": words },
    ...[0, 0.5, 1].flatMap((value) => [
      draw("line", { class: "grid", x1: left, x2: wide - right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(1)),
      draw("text", { x: x(value), y: high - bottom + 15, "text-anchor": value === 1 ? "end" : "middle" }, value.toFixed(1))]),
    draw("text", { x: (left + wide) / 2, y: high - 2, "text-anchor": "middle" }, "recall"),
    draw("text", { x: 0, y: 11 }, "precision"),
    ...[["tone-0", points], ["tone-1 dashed", binary]].map(([tone, one]) => draw("g", { class: `line strong ${tone}` },
      draw("path", { class: "band", d: `${steps(one)}L${x(1)} ${y(0)}L${x(0)} ${y(0)}Z` }), draw("path", { class: "stroke", d: steps(one) })))));

  const drawStrip = (assigned, moved) => {
    const pairs = state.scores.flatMap((row, photo) => row.map((score, label) => ({ photo, label, score, target: targets[photo][label], taken: assigned[photo][label] })));
    pairs.sort((a, b) => b.score - a.score);
    const bar = 300 / pairs.length;
    const words = `All ${pairs.length} pairs of photo and label, the highest score first: ${pairs.map((pair) => (pair.target ? "true" : "false")).join(", ")}`;
    strip.replaceChildren(draw("svg", { class: "chart strip", viewBox: "0 0 300 74", role: "img", "aria-label": words },
      ...pairs.flatMap((pair, place) => [
        draw("rect", { class: `${pair.target ? "true" : "false"} ${moved && pair.photo === moved[0] && pair.label === moved[1] ? "now" : ""}`,
          x: place * bar + 0.75, width: bar - 1.5, y: 60 - Math.max(2, pair.score * 58), height: Math.max(2, pair.score * 58) },
          draw("title", null, `${data.labels[pair.label]}, photo ${pair.photo + 1}: ${two(pair.score)}, ${pair.target ? "true" : "false"}`)),
        ...(pair.taken ? [draw("circle", { class: "taken", cx: place * bar + bar / 2, cy: 68, r: 2.2 })] : [])])));
    return moved ? pairs.findIndex((pair) => pair.photo === moved[0] && pair.label === moved[1]) + 1 : 0;
  };

  const show = (moved) => {
    const assigned = topK(state.scores, data.k);
    const found = [["AP all", apAll], ["mAP", map]].map(([words, measure]) => [words, measure(state.scores, targets), measure(assigned, targets)]);
    const rank = drawStrip(assigned, moved);
    drawChart(curve(state.scores.flat(), targets.flat()), curve(assigned.flat(), targets.flat()),
      `Precision over recall. On the scores the area is ${three(found[0][1])}; on the ${data.k} highest labels as yes and the others as no, ${three(found[0][2])}.`);
    numbers.replaceChildren(
      el("caption", null, "Average precision of these photos alone"),
      el("thead", null, el("tr", null, el("td"), el("th", { scope: "col" }, el("span", { class: "key tone-0" }), "scores"), el("th", { scope: "col" }, el("span", { class: "key tone-1 dashed" }), `top ${data.k}`))),
      el("tbody", null, ...found.map(([words, scores, top6]) => el("tr", null, el("th", { scope: "row" }, words), el("td", null, three(scores)), el("td", null, three(top6))))));
    const where = moved ? `${data.labels[moved[1]]} of photo ${moved[0] + 1} is ${rank}. of ${targets.flat().length} pairs. ` : "";
    said.say(`${where}AP all ${three(found[0][1])} on scores, ${three(found[0][2])} on the top ${data.k}.`);
    for (const mark of bars.querySelectorAll(".place")) {
      mark.textContent = assigned[state.photo][Number(mark.dataset.label)] ? `top ${data.k}` : "";
    }
  };

  const fill = () => bars.replaceChildren(...data.labels.map((label, place) => {
    const input = el("input", { type: "range", min: 0, max: 100, step: 1, value: Math.round(state.scores[state.photo][place] * 100), id: id("score") });
    const shown = el("output", { for: input.id });
    const set = () => {
      shown.textContent = two(input.value / 100);
      input.setAttribute("aria-valuetext", two(input.value / 100));
      input.style.setProperty("--filled", `${input.value}%`);
    };
    input.addEventListener("input", () => { state.scores[state.photo][place] = input.value / 100; set(); show([state.photo, place]); });
    set();
    const target = targets[state.photo][place];
    return el("div", { class: `bar ${target ? "true" : "false"}` },
      el("label", { for: input.id }, el("span", { class: "truth", "aria-hidden": "true" }, target ? "✓ " : "✗ "), label, el("span", { class: "heard" }, target ? ", true" : ", false")),
      input, shown, el("span", { class: "place", "data-label": place }));
  }));
  const all = (change) => { state.scores = change(state.scores); fill(); show(); };

  live.append(
    choice("Photo", data.photos.map((photo, number) => picture(data.sheet, photo.tile, `Photo ${number + 1}`)), 0, (photo) => { state.photo = photo; fill(); show(); }),
    el("div", { class: "beside even" }, el("div", { class: "panel" }, bars), el("div", { class: "panel" }, numbers, chart,
      strip, el("p", { class: "soft" }, `Every pair of photo and label, the highest score first. Filled: true; hollow: false; a dot: among its photo's top ${data.k}.`))),
    el("p", { class: "buttons" },
      button("As the network scored", () => all(() => data.scores.map((row) => [...row]))),
      button("Halve this photo's scores", () => all((scores) => scores.map((row, photo) => (photo === state.photo ? row.map((score) => score / 2) : row)))),
      button("Every true label on top", () => all((scores) => scores.map((row, photo) => row.map((score, label) => Math.round((score * 0.49 + (targets[photo][label] ? 0.51 : 0)) * 100) / 100))))),
    said);
  fill();
  show();
});
