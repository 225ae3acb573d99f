// The recommendation explorer: a query, one of its parts, the diversity dial, and the reasons.
"use strict";

touch.start("explorer", (data, live) => {
  const { el, two, three, picture, place, outline, draw, choice, slider, status } = touch;
  const state = { query: 0, part: 0, dial: 0 };
  const ordinal = (rank) => (rank === 1 ? "nearest" : `${rank}${[11, 12, 13].includes(rank % 100) ? "th" : { 1: "st", 2: "nd", 3: "rd" }[rank % 10] ?? "th"} nearest`);
  const query = () => data.queries[state.query];
  const rows = () => [...query().parts,
    { ...query().together, label: null, name: "all parts at once", mark: "▣", all: true },
    { ...query().whole, label: null, name: "the whole picture", mark: "▢" }];
  const row = () => rows()[state.part];

  const stage = el("div", { class: "stage" });
  const parts = el("div");
  const answer = el("div", { class: "answer" });
  const average = el("p", { class: "ledger-source" });
  const said = status();
  const dial = slider("Diversity", { min: 0, max: data.dials.length - 1, value: 0,
    said: (at) => `${data.dials[at]}${at === 0 ? ", the nearest" : at === data.dials.length - 1 ? ", the most varied" : ""}` },
    (at) => { state.dial = at; show(); });

  const pick = (part) => { state.part = part; parts.querySelectorAll("input")[part].checked = true; show(); };
  const choose = () => parts.replaceChildren(choice("Part", rows().map((one, number) => (one.label === null
    ? [el("span", { class: "chip whole" }, one.mark), ` ${one.name}`]
    : [el("span", { class: `chip part-${number}` }, `${number + 1}`), ` ${one.label} `,
      el("span", { class: "soft" }, `score ${two(one.score)}, ${one.true ? "worn" : "not worn"}`)])), state.part, (part) => { state.part = part; show(); }));

  const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  const photo = () => {
    const { parts: found, tile } = query();
    const order = found.map((_, number) => number).sort((a, b) => area(found[b].box) - area(found[a].box));
    return picture(data.sheet, tile, `Query ${state.query + 1}; parts outlined: ${found.map((part) => part.label).join(", ")}`,
      order.flatMap((number) => [
        ...outline(data.sheet, tile, found[number].box, { class: `part-${number} ${number === state.part ? "now" : ""}` }),
        // the smaller lie on top, so that each can be hit
        draw("rect", { ...place(data.sheet, tile, found[number].box), class: "hit", "data-part": number, click: () => pick(number) })]));
  };

  const numbered = (label) => query().parts.findIndex((part) => part.label === label);
  const together = (look, fresh) => el("li", null,
    picture(data.gallery, look.tile, `Look-alike ${look.photo}`,
      ...look.parts.flatMap(({ label, box }) => outline(data.gallery, look.tile, box, { class: `part-${numbered(label)}` }))),
    fresh ? el("p", { class: "fresh" }, "new at this setting") : null,
    ...look.parts.map(({ label }) => el("p", { class: look.truly.includes(label) ? "match" : "miss" },
      ...(numbered(label) < 0 ? [] : [el("span", { class: `chip part-${numbered(label)}` }, `${numbered(label) + 1}`), " "]),
      `${label}: ${look.truly.includes(label) ? "truly alike" : "not"}`)),
    el("p", null, `chance to answer one: ${two(look.chance)}`));

  const card = (look, fresh, one) => {
    if (one.all) return together(look, fresh);
    const reasons = one.label === null
      ? [`distance ${three(look.distance)}, ${ordinal(look.rank)} of ${one.of} photos as a whole`]
      : [`${one.label} in both, scores ${two(one.score)} and ${two(look.score)}`,
        `distance ${three(look.distance)}, ${ordinal(look.rank)} of ${one.of} with this label among their highest`];
    const truth = one.label === null
      ? (look.match ? "matches a part of the query" : "matches no part of the query")
      : (look.match ? "truly alike" : "not truly alike");
    const over = look.box ? outline(data.gallery, look.tile, look.box, { class: `part-${state.part}` }) : [];
    return el("li", null, picture(data.gallery, look.tile, `Look-alike ${look.photo}`, ...over),
      fresh ? el("p", { class: "fresh" }, "new at this setting") : null,
      ...reasons.map((reason) => el("p", null, reason)), el("p", { class: look.match ? "match" : "miss" }, truth));
  };

  const show = () => {
    const one = row(), list = one.lists[state.dial], nearest = one.lists[0];
    const looks = list.map((place) => one.looks[place]);
    const fresh = list.filter((place) => !nearest.includes(place)).length, alike = looks.filter((look) => look.match).length;
    const far = looks.map((look) => look.distance), named = one.label ?? one.name;
    const matched = new Set(looks.flatMap((look) => look.truly ?? [])).size;
    stage.replaceChildren(photo());
    answer.replaceChildren(el("h2", null, `Look-alikes for ${named}`),
      el("ol", { class: "looks" }, ...list.map((place) => card(one.looks[place], !nearest.includes(place), one))));
    said.say(`${named}, diversity ${data.dials[state.dial]}: `
      + (one.all
        ? `${state.dial === 0 ? `the ${list.length} likeliest` : `${list.length} photos, ${fresh} new against the likeliest,`} `
          + `truly match ${matched} of the ${query().worn} garments on the query; ${alike} of them match one at least.`
        : `distances ${three(Math.min(...far))} to ${three(Math.max(...far))}; `
          + `${state.dial === 0 ? "the nearest" : `${fresh} of ${list.length} new against the nearest`}; `
          + `${alike} ${one.label === null ? "match a part of the query" : "truly alike"}.`)
      + (one.label !== null && !one.true ? " Nobody on the query wears this: the network is wrong about it." : ""));
    average.textContent = data.measured ? data.measured[state.dial] : "";
  };

  live.append(
    choice("Query", data.queries.map((one, number) => picture(data.sheet, one.tile, `Query ${number + 1}`)), 0,
      (at) => { state.query = at; state.part = 0; choose(); show(); }),
    el("div", { class: "beside" }, stage, el("div", { class: "panel" }, parts, dial.row, said)),
    answer, average);
  choose();
  show();
});
