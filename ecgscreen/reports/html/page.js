"use strict";
(() => {
  const { meta, rows } = JSON.parse(document.getElementById("content").textContent);
  const { words, diagnoses, statuses, language } = meta;
  const PAGE = 100;
  // Places in a row; the same as Row in rows.py.
  const NAME = 0, ID = 1, STATUS = 2, REASON = 3, DETAIL = 4, QUALITY = 5, LEADS = 6, NOTES = 7,
    LENGTH = 8, FLAGGED = 10, SCORES = 11, PERCENTILES = 12, PROBABILITIES = 13, START = 14,
    NEW = 16, ACQUIRED = 17, NO_AMPLITUDE = 18;
  const collator = new Intl.Collator(language, { numeric: true });
  const decimals = [0, 1, 2, 3].map(n => new Intl.NumberFormat(language,
    { minimumFractionDigits: n, maximumFractionDigits: n }));
  const whole = new Intl.NumberFormat(language);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  // What was reviewed: id -> when, kept for this run only.
  const KEY = `ecgscreen reviewed ${meta.run}`;
  const reviewed = new Map();
  let kept = true;
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) || "{}");
    for (const [id, when] of Object.entries(stored)) reviewed.set(id, String(when));
  } catch { kept = false; }

  const review = (id, done) => {
    if (done) reviewed.set(id, new Date().toISOString()); else reviewed.delete(id);
    try {
      localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(reviewed)));
    } catch { kept = false; }
    document.getElementById("not-kept").hidden = kept;
    for (const box of document.querySelectorAll("input[data-id]")) {
      if (box.dataset.id === id) box.checked = done;
    }
  };

  const tick = (id, name) => {
    const box = make("input",
      { type: "checkbox", "data-id": id, "aria-label": fill(words.reviewed_one, { name }) });
    box.checked = reviewed.has(id);
    return box;
  };

  // Which diagnosis the figures of a row are of: null for the row's own worst flag.
  let chosen = null;
  const figure = (place, factor) => row => {
    const k = chosen === null ? row[FLAGGED][0] : chosen;
    const value = k === undefined ? null : row[place][k];
    return value === undefined || value === null ? null : value / factor;
  };
  const status = row => row[STATUS] === 0 ? statuses[0]
    : [statuses[row[STATUS]], row[REASON], row[DETAIL]].filter(Boolean).join(": ");
  const order = new Map(rows.map((row, place) => [row, place]));
  const columns = [
    { title: words.reviewed, value: row => reviewed.has(row[ID]) ? 1 : 0, kind: "tick" },
    { title: words.recording, value: row => row[NAME], kind: "text" },
    { title: words.flagged, value: row => order.get(row), kind: "flags" },
    { title: words.score, value: figure(SCORES, 1000), kind: "number", digits: 3, down: true },
    ...meta.percentiles ? [{ title: words.percentile, value: figure(PERCENTILES, 10),
      kind: "number", digits: 1, down: true }] : [],
    ...meta.probabilities ? [{ title: words.probability, value: figure(PROBABILITIES, 1000),
      kind: "number", digits: 3, down: true }] : [],
    ...meta.acquired ? [{ title: words.acquired, value: row => row[ACQUIRED] || null,
      kind: "text" }] : [],
    { title: words.quality, value: row => row[QUALITY], kind: "quality" },
  ];
  const WORST = 2;
  const state = { sort: WORST, down: false, text: "", show: "all", first: 0 };

  const finding = row => row[FLAGGED].some(k => diagnoses[k].finding);
  const filters = {
    all: () => true,
    finding,
    flagged: row => row[FLAGGED].length > 0,
    unscored: row => row[STATUS] !== 0,
    ...meta.mixed ? { new: row => row[NEW] === 1 } : {},
    open: row => !reviewed.has(row[ID]),
  };
  const haystacks = new Map();
  const haystack = row => {
    if (!haystacks.has(row)) {
      const flags = row[FLAGGED].map(k => diagnoses[k])
        .flatMap(each => [each.shown, each.group, words[`severity_${each.severity}`]]);
      haystacks.set(row, [row[NAME], ...flags, row[QUALITY], row[NOTES],
        row[ACQUIRED], status(row)].join("\n").toLowerCase());
    }
    return haystacks.get(row);
  };

  const selected = () => {
    const wanted = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter(row => filters[state.show](row)
      && wanted.every(word => haystack(row).includes(word)));
    const { value } = columns[state.sort];
    const turn = state.down ? -1 : 1;
    const keyed = found.map(row => [value(row), row]);
    keyed.sort(([a, one], [b, other]) => {
      if (a === null || b === null) {  // what has no value comes last, whichever way
        return (a === null) - (b === null) || order.get(one) - order.get(other);
      }
      const difference = typeof a === "string" ? collator.compare(a, b) : a - b;
      return turn * difference || order.get(one) - order.get(other);
    });
    return keyed.map(([, row]) => row);
  };

  // Of a long recording, when the ten seconds begin that its worst flag is of.
  const moment = row => {
    if (!(row[LENGTH] > meta.long_s) || row[START] === null) return [];
    const two = n => String(n).padStart(2, "0");
    const s = Math.floor(row[START]);
    const time = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    return [make("div", { class: "soft" }, fill(words.at, { time }))];
  };

  const cell = (column, row) => {
    const value = column.value(row);
    if (column.kind === "tick") return make("td", { class: "tick" }, tick(row[ID], row[NAME]));
    if (column.kind === "number") {
      if (!figures(row)) return null;
      return make("td", { class: "number" }, value === null ? "" : decimals[column.digits].format(value));
    }
    if (column.kind === "flags") {
      const flags = row[FLAGGED].map(k => make("span",
        { class: `flag ${diagnoses[k].severity}${diagnoses[k].finding ? "" : " normal"}` },
        diagnoses[k].shown));
      if (row[NO_AMPLITUDE] && row[FLAGGED].some(k => diagnoses[k].voltage)) {
        flags.push(make("div", { class: "soft" }, words.no_amplitude));
      }
      if (row[STATUS] !== 0) flags.unshift(make("span", { class: "flag unscored" }, status(row)));
      else if (!flags.length) flags.push(make("span", { class: "soft" }, none));
      return make("td", { colspan: figures(row) ? 1 : 1 + FIGURES }, ...flags, ...moment(row));
    }
    if (column.kind === "quality") {
      const n = row[LEADS].split(" ").filter(Boolean).length;
      const few = n > 0 && n < 12 ? [`${words.leads}: ${n}/12`] : [];
      const said = [...few, row[NOTES]].filter(Boolean)
        .map(text => make("div", { class: "soft" }, text));
      return make("td", { class: "quality" }, value, ...said);
    }
    if (column.title === words.recording) {
      const parts = breakable(value);
      const name = document.getElementById(`r-${row[ID]}`)
        ? [make("a", { href: `#r-${row[ID]}` }, ...parts)] : parts;
      const badge = meta.mixed && row[NEW] === 1
        ? [" ", make("span", { class: "badge" }, words.badge)] : [];
      return make("th", { scope: "row" }, ...name, ...badge);
    }
    return make("td", {}, value === null ? "" : value);
  };

  // Of a list without a threshold nothing can be flagged: "not flagged" would be half the truth.
  const none = meta.flags ? words.not_flagged : words.ranked_only;
  // What has no score says why across the columns of figures.
  const figures = row => row[SCORES].length > 0;
  const FIGURES = columns.filter(column => column.kind === "number").length;
  // A path is parted after a slash, before any name is.
  const breakable = path => path.split(/(?<=\/)/)
    .flatMap((part, n) => n ? [make("wbr"), part] : [part]);

  const body = make("tbody");
  const heads = columns.map((column, place) => {
    const button = make("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      state.down = state.sort === place ? !state.down : Boolean(column.down);
      state.sort = place;
      state.first = 0;
      draw();
    });
    const kind = ["number", "tick"].includes(column.kind) ? column.kind : "";
    return make("th", { scope: "col", class: kind }, button);
  });
  const said = make("p", { role: "status", id: "shown" });
  const back = make("button", { type: "button" }, words.previous);
  const on = make("button", { type: "button" }, words.next);
  back.addEventListener("click", () => { state.first -= PAGE; draw(); });
  on.addEventListener("click", () => { state.first += PAGE; draw(); });

  const draw = () => {
    const found = selected();
    state.first = Math.max(0, Math.min(state.first, found.length - 1));
    state.first -= state.first % PAGE;
    const end = Math.min(state.first + PAGE, found.length);
    body.replaceChildren(...found.slice(state.first, end)
      .map(row => make("tr", {}, ...columns.map(column => cell(column, row)).filter(Boolean))));
    heads.forEach((head, place) => head.setAttribute("aria-sort",
      place !== state.sort ? "none" : state.down ? "descending" : "ascending"));
    said.textContent = found.length ? fill(words.rows, {
      from: whole.format(state.first + 1), to: whole.format(end), n: whole.format(found.length),
    }) : words.no_rows;
    back.disabled = state.first === 0;
    on.disabled = end === found.length;
  };

  const labelled = (text, control) => make("label", {}, text, control);
  const search = make("input", { type: "search", id: "search", placeholder: words.search_hint,
    autocomplete: "off", spellcheck: "false" });
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.text = search.value; state.first = 0; draw(); }, 120);
  });
  const choice = (id, options) => make("select", { id },
    ...options.map(([value, text]) => make("option", { value }, text)));
  const show = choice("show", Object.keys(filters).map(name => [name, words[`show_${name}`]]));
  show.addEventListener("change", () => { state.show = show.value; state.first = 0; draw(); });
  const values = choice("values",
    [["", words.worst_flag], ...diagnoses.map(({ shown }, k) => [String(k), shown])]);
  values.addEventListener("change", () => {
    chosen = values.value === "" ? null : Number(values.value);
    Object.assign(state, { sort: chosen === null ? WORST : 3, down: chosen !== null, first: 0 });
    draw();
  });
  const worst = make("button", { type: "button" }, words.worst_first);
  worst.addEventListener("click", () => {
    Object.assign(state, { sort: WORST, down: false, first: 0 });
    draw();
  });

  // As in report.csv: no spreadsheet may take a text for a formula.
  const csvCell = text => {
    const safe = text.replace(/^(?=[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])|(?<=;)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "'");
    return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const exportTicks = make("button", { type: "button", id: "export" }, words.export);
  exportTicks.addEventListener("click", () => {
    const lines = [["path", "record_id", "status", "flagged", "reviewed_utc"],
      ...rows.filter(row => reviewed.has(row[ID])).map(row => [row[NAME], row[ID],
        meta.status_names[row[STATUS]], row[FLAGGED].map(k => diagnoses[k].name).join("; "),
        reviewed.get(row[ID])])];
    const text = lines.map(line => `${line.map(csvCell).join(",")}\r\n`).join("");
    const link = make("a", { download: `reviewed-${meta.run}.csv`,
      href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
    link.click();
    URL.revokeObjectURL(link.href);
  });

  const notKept = make("p", { id: "not-kept", class: "warning" }, words.not_kept);
  notKept.hidden = kept;
  document.getElementById("table").replaceChildren(
    make("div", { class: "controls" }, labelled(words.search, search), labelled(words.show, show),
      labelled(words.values_of, values), worst, exportTicks),
    notKept,
    said,
    make("div", { class: "scroll" }, make("table", { id: "rows", "aria-labelledby": "table-title" },
      make("thead", {}, make("tr", {}, ...heads)), body)),
    make("nav", { class: "pages", "aria-label": words.pages }, back, on),
  );
  body.addEventListener("change", event => review(event.target.dataset.id, event.target.checked));
  for (const box of document.querySelectorAll("article input[data-id]")) {
    box.checked = reviewed.has(box.dataset.id);
    box.addEventListener("change", () => review(box.dataset.id, box.checked));
    box.closest("label").hidden = false;
  }
  draw();

  // Nobody unfolds what is on paper.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of folded) each.open = false; });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
