// The attention slider: step through the boxes of the network, on the photo as it is and moved in its frame.
"use strict";

touch.start("steps", (data, live) => {
  const { el, draw, two, picture, place, outline, choice, slider, button, tick, status, start } = touch;
  const [rows, columns] = data.grid;
  const last = data.photos[0].plain.boxes.length - 1;
  const state = { photo: 0, step: Math.min(1, last), view: "plain", heat: true };
  const number = (step) => (data.whole && step === 0 ? "0, the whole picture" : `${step + data.first} of ${last + data.first}`);

  const stage = el("div", { class: "stage" });
  const table = el("table", { class: "scores" });
  const said = status();
  const steps = slider("Step", { min: 0, max: last, value: state.step, said: number }, (step) => go(step));
  const go = (step) => { state.step = Math.min(last, Math.max(0, step)); steps.set(state.step); show(); };

  const heat = (looks, tile) => {
    const map = looks.maps[state.step];
    return map.map((value, cell) => {
      const [x, y] = [cell % columns, Math.floor(cell / columns)];
      const box = [x / columns, y / rows, (x + 1) / columns, (y + 1) / rows];
      return draw("rect", { ...place(data.sheet, tile, box), class: "shade", "fill-opacity": ((1 - value / 99) * 0.7).toFixed(3) });
    });
  };

  const show = () => {
    const photo = data.photos[state.photo], looks = photo[state.view];
    const won = photo.labels.map((_, label) => label).filter((label) => looks.won[label] === state.step && looks.scores[label][state.step] >= 0.1);
    const parts = won.map((label) => `${photo.labels[label]} (${two(looks.scores[label][state.step])}, ${photo.true[label] ? "worn" : "not worn"})`);
    const sentence = `Step ${number(state.step)} gives the highest score to ${parts.length ? parts.join(", ") : "no label"}.`;
    const before = state.view === "moved" ? outline(data.sheet, looks.tile, photo.plain.boxes[state.step], { class: "before" }) : [];
    stage.replaceChildren(picture(data.sheet, looks.tile, `Photo ${state.photo + 1}${state.view === "moved" ? ", moved in its frame" : ""}. ${sentence}`,
      ...(state.heat ? heat(looks, looks.tile) : []), ...before, ...outline(data.sheet, looks.tile, looks.boxes[state.step])));
    said.say(sentence);
    table.replaceChildren(
      el("caption", null, "Score of each label at each step. The photo's score is the highest of its row, outlined."),
      el("thead", null, el("tr", null, el("th", { scope: "col" }, "label"), el("th", { scope: "col" }, "worn"),
        ...looks.boxes.map((_, step) => el("th", { scope: "col", class: step === state.step ? "now" : null, click: () => go(step) },
          data.whole && step === 0 ? "all" : `${step + data.first}`)))),
      el("tbody", null, ...photo.labels.map((label, row) => el("tr", null, el("th", { scope: "row" }, label),
        el("td", null, photo.true[row] ? "yes" : "no"),
        ...looks.scores[row].map((score, step) => el("td", { click: () => go(step),
          class: `${step === state.step ? "now" : ""} ${looks.won[row] === step ? "won" : ""}` }, two(score).replace(/^0/, "")))))));
  };

  live.append(
    choice("Photo", data.photos.map((photo, number) => picture(data.sheet, photo.plain.tile, `Photo ${number + 1}`)), 0,
      (photo) => { state.photo = photo; show(); }),
    el("div", { class: "beside" }, stage, el("div", { class: "panel" },
      steps.row,
      el("p", { class: "buttons" }, button("Previous step", () => go(state.step - 1)), button("Next step", () => go(state.step + 1))),
      el("p", { class: "ticks" },
        tick("Show the attention map", true, (on) => { state.heat = on; show(); }),
        tick("Move the photo in its frame", false, (on) => { state.view = on ? "moved" : "plain"; show(); })),
      said, table)));
  show();
});
