
/* The page: what stands around the charts. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { run, totals } = data;
  const root = document.documentElement;
  const main = document.getElementById("main");

  /* The places of a latency's figures. */
  const LATENCY = ["count", "min", "mean", "stddev", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
  const figure = (figures, name) => figures[LATENCY.indexOf(name)];

  /* Samples for ten to lie beyond a percentile; with fewer it is marked, as on the terminal. */
  const NEEDED = { p50: 20, p75: 40, p90: 100, p95: 200, p99: 1000, "p99.9": 10000, "p99.99": 100000 };

  function percentile(figures, name) {
    if (!figures) return format.DASH;
    const text = format.latency(figure(figures, name));
    return text !== format.DASH && figure(figures, "count") < (NEEDED[name] ?? 0) ? "~" + text : text;
  }

  function plural(n, one, many = one + "s") {
    return `${format.count(n)} ${n === 1 ? one : many}`;
  }

  /* Light, dark, or as the system has it. */
  const themes = (() => {
    const names = ["auto", "light", "dark"];
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let chosen = "auto";
    // A browser may keep nothing for pages that are files.
    try { chosen = names.includes(localStorage.getItem("pummel-theme")) ? localStorage.getItem("pummel-theme") : "auto"; } catch { /* then it is not kept */ }
    const toggle = button("", () => {
      chosen = names[(names.indexOf(chosen) + 1) % names.length];
      try { localStorage.setItem("pummel-theme", chosen); } catch { /* then it is not kept */ }
      apply();
      charts.drawAll();
    });
    toggle.id = "theme";
    toggle.title = "Colours: as the system has it, light, dark";
    function apply() {
      root.dataset.theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
      toggle.textContent = "Theme: " + chosen;
    }
    dark.addEventListener("change", () => {
      apply();
      charts.drawAll();
    });
    apply();
    return { toggle };
  })();

  function notice(kind, title, ...rest) {
    return element("div", `notice ${kind}`, element("strong", "", title), ...rest);
  }

  function list(sentences) {
    return sentences.length > 0 ? element("ul", "", sentences.map((sentence) => element("li", "", sentence))) : null;
  }

  function section(id, title, ...children) {
    const heading = element("h2", "", title);
    heading.id = id;
    main.append(heading, ...children.flat().filter(Boolean));
    return { id, title };
  }

  /* A table of figures. `columns`: {title, value(row), text(value, row), kind, bad(row)}; a click on a title sorts. */
  function table(columns, rows) {
    let sorted = { column: null, down: true };
    const body = element("tbody");
    const fill = () => {
      const shown = [...rows];
      if (sorted.column) {
        const key = (row) => sorted.column.value(row);
        shown.sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = typeof x === "string" ? x.localeCompare(y) : (x ?? -1) - (y ?? -1);
          return sorted.down ? -order : order;
        });
      }
      body.replaceChildren(...shown.map((row) => element("tr", "", columns.map((column) => {
        const text = column.text ? column.text(column.value(row), row) : column.value(row);
        return element(column.kind === "name" ? "th" : "td", [column.kind ?? "", column.bad?.(row) ? "bad" : ""].join(" ").trim(), text);
      }))));
    };
    const head = element("tr", "", columns.map((column) => {
      const cell = element("th", column.kind ?? "", button(column.title, () => {
        const down = typeof column.value(rows[0] ?? {}) !== "string";
        sorted = { column, down: sorted.column === column ? !sorted.down : down };
        for (const other of head.children) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
        fill();
      }));
      cell.scope = "col";
      if (column.hint) cell.title = column.hint;
      return cell;
    }));
    if (rows.length > 0) fill();
    return element("div", "scroll", element("table", "figures", element("thead", "", head), body));
  }

  function leftOut(n, what) {
    return n > 0 ? element("div", "more", `${plural(n, "more " + what)} not shown; the JSON summary has all.`) : null;
  }

  const nameColumn = (title) => ({
    title,
    kind: "name",
    value: (row) => row.name,
    text: (name, row) => [name || "(no name)", element("small", "", [row.type, row.case].filter(Boolean).join(" · "))],
  });
  const countColumn = (title, value, bad) => ({ title, value, text: format.count, bad });
  const bytesColumn = (title, value) => ({ title, value, text: format.bytes });
  const failuresColumn = (title, part, whole) => ({
    title,
    value: part,
    text: (n, row) => (n > 0 ? `${format.count(n)} (${format.percent(n, whole(row))})` : "0"),
    bad: (row) => part(row) > 0,
  });
  const latencyColumns = (of) => LATENCY.map((name) => ({
    title: name === "count" ? "samples" : name,
    value: (row) => (of(row) ? figure(of(row), name) : null),
    text: name === "count" ? format.count : (us, row) => percentile(of(row), name),
  }));

  /* Steps, with the group of figures that was chosen. */
  function stepTable(steps) {
    const rows = steps.rows;
    const base = [
      nameColumn("Step"),
      countColumn("Requests", (row) => row.requests),
      failuresColumn("Failures", (row) => row.failures, (row) => row.requests),
      { title: "RPS", value: (row) => row.rps, text: format.rate },
    ];
    const wire = (title, key) => countColumn(title, (row) => row.exchanges[key]);
    const groups = [
      ["Service time", () => latencyColumns((row) => row.service_us)],
      ["Response time", () => latencyColumns((row) => row.response_us)],
      ["Failed", () => latencyColumns((row) => row.failed_us)],
      ["On the wire", () => [
        bytesColumn("received", (row) => row.bytes_received),
        bytesColumn("sent", (row) => row.bytes_sent),
        bytesColumn("decoded", (row) => row.bytes_decoded),
        wire("exchanges sent", "sent"),
        wire("answered", "answered"),
        wire("redirects", "redirects"),
        wire("stale", "stale_retries"),
        wire("auth rounds", "auth_rounds"),
        wire("unsent", "unsent"),
        countColumn("abandoned", (row) => row.abandoned),
      ]],
    ];
    if (rows.some((row) => row.phases)) {
      ["Send", "Wait", "Receive"].forEach((title, n) => groups.push([title, () => latencyColumns((row) => row.phases?.[n])]));
    }
    if (rows.some((row) => row.plugin_us)) groups.push(["Plugin calls", () => latencyColumns((row) => row.plugin_us)]);
    if (run.open) [groups[0], groups[1]] = [groups[1], groups[0]];

    const place = element("div");
    const tabs = groups.map(([title, columns]) => button(title, (event) => choose(event.currentTarget, columns)));
    function choose(tab, columns) {
      tabs.forEach((other) => other.setAttribute("aria-pressed", String(other === tab)));
      place.replaceChildren(table([...base, ...columns()], rows));
    }
    choose(tabs[0], groups[0][1]);
    return element("div", "card", element("div", "tabs", tabs), place, leftOut(steps.left_out, "step"));
  }

  const units = { us: format.latency, ratio: (v) => (v * 100).toFixed(2) + " %", per_second: (v) => format.rate(v) + "/s", count: format.count };
  const inUnit = (unit, value) => (format.known(value) ? units[unit](value) : format.DASH);

  function headline() {
    const facts = [
      run.command && `pummel ${run.command}`,
      data.label && `label ${data.label}`,
      run.started_at && format.time(run.started_at),
      data.cut_off ? `${format.duration(data.written_s)} written` : format.duration(run.duration_s),
      run.open ? "open load" : "closed load",
      run.version && `version ${run.version}`,
      run.id && `run ${run.id}`,
    ].filter(Boolean);
    const top = document.getElementById("top");
    top.append(element("div", "bar",
      element("div", "", element("h1", "", run.name || run.id || "Load run"), element("div", "facts", facts.map((fact) => element("span", "", fact)))),
      themes.toggle));

    const notices = element("div", "notices");
    if (data.cut_off) {
      notices.append(notice("warn", "This run was cut off.", element("p", "",
        `It did not come to its end, or still goes on. What is shown are the ${plural(data.written_s, "second")} that were written: nobody judged it, and no count was checked.`)));
    }
    if (data.verdict) {
      const { verdict, limit, reasons, notes } = data.verdict;
      const kind = { valid: "good", degraded: "warn", invalid: "bad" }[verdict];
      const meaning = {
        valid: "Valid: the figures can be trusted.",
        degraded: "Degraded: counts and throughput stand, latencies are distorted by the load generator.",
        invalid: "Invalid: the load was not the one asked for, and the load generator is the cause.",
      }[verdict];
      const limited = { client: "Limited by the load generator.", server: "Limited by the server, or the way to it.", unclear: "What limited it is unclear, or was the plan." }[limit];
      const more = notes.length > 0 ? element("details", "", element("summary", "dim", plural(notes.length, "thing") + " could not be judged"), list(notes)) : null;
      notices.append(notice(kind, meaning, " ", element("span", "", limited), list(reasons), more));
    }
    if (run.aborted) {
      notices.append(notice("warn", "Ended before its plan was fulfilled.", run.stopped_for ? element("p", "", `Stopped by the threshold ${run.stopped_for}.`) : null));
    }
    if (data.broken.length > 0) notices.append(notice("bad", "The counts do not add up.", list(data.broken)));
    const missed = data.thresholds.filter((threshold) => !threshold.ok);
    if (data.thresholds.length > 0) {
      const how = (row) => row.expression + (row.reason ? ": " + row.reason : format.known(row.value) ? ": " + inUnit(row.unit, row.value) : "");
      notices.append(missed.length === 0
        ? notice("good", data.thresholds.length === 1 ? "The threshold held." : `All ${data.thresholds.length} thresholds held.`)
        : notice("bad", `${missed.length} of ${plural(data.thresholds.length, "threshold")} missed.`, list(missed.map(how))));
    }
    top.append(notices);

    const latency = (name) => percentile(totals.latency_us, name);
    const which = run.open ? "response time" : "service time";
    const tile = (value, label, kind = "") => element("div", "tile", element("b", kind, value), element("small", "", label));
    top.append(element("div", "tiles",
      tile(format.count(totals.requests), "requests"),
      tile(format.count(totals.failures), `failures, ${format.percent(totals.failures, totals.requests)}`, totals.failures > 0 ? "bad" : ""),
      tile(format.rate(totals.rps), "requests/s"),
      ...["p50", "p95", "p99", "max"].map((name) => tile(latency(name), `${name} ${which}`)),
      tile(format.bytes(totals.bytes_received), "received"),
      run.arrivals ? tile(format.count(run.arrivals[2]), `of ${plural(run.arrivals[0], "arrival")} missed`, run.arrivals[2] > 0 ? "bad" : "") : null));
    if (run.warmup) {
      const [requests, failures, rps, figures] = run.warmup;
      top.append(element("p", "facts", `Warm-up, in none of these figures: ${format.duration(run.warmup_s)}, ${plural(requests, "request")}, ${plural(failures, "failure")}, ${format.rate(rps)}/s, p99 ${percentile(figures, "p99")}.`));
    }
    return top;
  }

  function thresholds() {
    const verdictOf = (row) => (row.ok ? "held" : "missed");
    return element("div", "card", table([
      { title: "Threshold", kind: "name", value: (row) => row.expression },
      { title: "Result", kind: "text", value: verdictOf, text: (text, row) => element("span", row.ok ? "good" : "bad", text) },
      { title: "Value", value: (row) => row.value, text: (v, row) => inUnit(row.unit, v) },
      { title: "Limit", value: (row) => row.limit, text: (v, row) => inUnit(row.unit, v) },
      { title: "Beyond it by", value: (row) => row.by, text: (v) => (format.known(v) ? (v * 100).toFixed(1) + " %" : format.DASH) },
      { title: "First missed", value: (row) => row.first_failed_s, text: (v) => (format.known(v) ? "at " + format.clock(v) : format.DASH) },
      ...(data.thresholds.some((row) => row.reason) ? [{ title: "Why", kind: "text long", value: (row) => row.reason ?? "" }] : []),
    ], data.thresholds));
  }

  function transactions() {
    return element("div", "card", table([
      nameColumn("Transaction"),
      countColumn("Passed", (row) => row.passed),
      failuresColumn("Failed", (row) => row.failed, (row) => row.passed + row.failed),
      { title: "per second", value: (row) => row.rps, text: format.rate },
      ...latencyColumns((row) => row.duration_us),
    ], data.transactions.rows), leftOut(data.transactions.left_out, "transaction"));
  }

  function errors() {
    return element("div", "card", table([
      { title: "Message", kind: "long", value: (row) => row.message },
      { title: "Kind", kind: "text", value: (row) => row.kind },
      { title: "Step", kind: "text long", value: (row) => row.step },
      countColumn("Count", (row) => row.count),
    ], data.errors.rows), leftOut(data.errors.left_out, "error"));
  }

  function message(title, side) {
    if (!side) return element("div", "", element("h3", "", title), element("p", "dim", "Nothing came back."));
    const cut = [side.head_whole ? null : "head cut", side.body_whole ? null : "body cut", side.body_bytes > 0 ? `body of ${format.bytes(side.body_bytes)}` : null].filter(Boolean).join(", ");
    const text = [side.head.trimEnd(), side.body].filter(Boolean).join("\n\n");
    return element("div", "", element("h3", "", title, cut && element("span", "dim", ` ${cut}`)), element("pre", "", text || "(empty)"));
  }

  function samples() {
    const rows = data.samples.rows.map((sample) => {
      const made = element("details", "",
        element("summary", "", element("strong", "", sample.step || "(no name)"), ` · ${sample.kind}${sample.setup ? " · before the load" : ""} · `, element("span", "dim", `at ${format.clock(sample.at_s)}, after ${format.latency(run.open ? sample.response_us : sample.service_us)}: `), sample.message));
      // Texts are put in when they are looked at: a hundred samples are a lot of lines.
      made.addEventListener("toggle", () => {
        if (made.open && made.childElementCount === 1) made.append(element("div", "sample", message("Request", sample.request), message("Response", sample.response)));
      });
      return made;
    });
    return element("div", "card samples", rows, leftOut(data.samples.left_out, "failure sample"));
  }

  function environment() {
    return element("div", "groups", data.environment.map((group) => element("section", "card group", element("h3", "", group.title), element("dl", "", group.rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)])))));
  }

  const top = headline();
  const contents = [];
  let drawn = 0;
  const times = data.charts.t_s;
  if (times.length > 0) {
    const grid = element("div", "charts");
    const longest = data.charts.span_s.reduce((most, s) => Math.max(most, s), 0);
    const hints = [
      longest > 1 ? `A point is ${longest} seconds.` : null,
      "Drag to zoom, double-click to reset, click a name to hide its line.",
      data.charts.warmup.length > 0 ? "The shaded part is the warm-up." : null,
      run.changes.length > 0 ? `Dashed lines are changes under way: ${run.changes.map((change) => `${change.change} at ${format.clock(change.t_s)}`).join(", ")}.` : null,
      data.charts.rows_left_out > 0 ? `${plural(data.charts.rows_left_out, "step")} with fewer requests have no lines.` : null,
    ];
    contents.push(section("charts", "Charts", element("p", "hint", hints.filter(Boolean).join(" ")), grid));
    drawn = charts.build(grid, data, run);
  } else {
    contents.push(section("charts", "Charts", element("p", "dim", "No second of this run was kept.")));
  }
  if (data.thresholds.length > 0) contents.push(section("thresholds", "Thresholds", thresholds()));
  if (data.steps.rows.length > 0) contents.push(section("steps", "Steps", stepTable(data.steps)));
  if (data.transactions.rows.length > 0) contents.push(section("transactions", "Transactions", transactions()));
  if (data.setup.rows.length > 0) contents.push(section("setup", "Once per user, before the load", stepTable(data.setup)));
  if (data.errors.rows.length > 0 || data.samples.rows.length > 0) {
    contents.push(section("errors", "Errors", data.errors.rows.length > 0 ? errors() : null, data.samples.rows.length > 0 ? samples() : null));
  }
  if (data.phases.length > 0) {
    contents.push(section("phases", "Where the time went", element("div", "card", table([{ title: "Phase", kind: "name", value: (row) => row[0] }, ...latencyColumns((row) => row[1])], data.phases))));
  }
  if (data.addresses.rows.length > 0) {
    contents.push(section("addresses", "Servers", element("div", "card", table([
      { title: "Address", kind: "name", value: (row) => row.address },
      countColumn("Connections", (row) => row.connections),
      countColumn("Not established", (row) => row.connect_errors, (row) => row.connect_errors > 0),
      countColumn("Requests sent", (row) => row.requests),
      countColumn("Without an answer", (row) => row.failures, (row) => row.failures > 0),
    ], data.addresses.rows), leftOut(data.addresses.left_out, "address"))));
  }
  contents.push(section("environment", "Environment", environment()));
  top.append(element("nav", "", contents.map(({ id, title }) => {
    const link = element("a", "", title);
    link.href = "#" + id;
    return link;
  })));
  document.getElementById("foot").append(`Made by Pummel${run.version ? " " + run.version : ""}. Latencies are of requests that succeeded; percentiles are exact within 0.1 %, and marked ~ where fewer than ten samples lie beyond.`);

  // What a test reads: how many charts there are and whether the page fits its window; where it asks, how many have a picture.
  root.dataset.charts = String(drawn);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (location.hash === "#check") {
      const painted = [...document.querySelectorAll(".chart canvas")].filter((canvas) => {
        const { width, height } = canvas;
        return width > 0 && height > 0 && canvas.getContext("2d").getImageData(0, 0, width, height).data.some((value) => value > 0);
      });
      root.dataset.painted = String(painted.length);
    }
    root.dataset.width = String(innerWidth);
    root.dataset.fits = String(root.scrollWidth <= innerWidth);
    root.dataset.ready = "true";
  }));
})();
