
/* The charts: a card each, with its tools, its plot and its legend. Those over time show the same stretch of it. */
const charts = (() => {
  const PALETTE = 8;
  const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [4, 2]];
  const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
  const BYTE_STEPS = ["", "K", "M", "G", "T"].flatMap((_, k) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((n) => n * 1024 ** k));
  const all = [];

  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
  const height = () => Math.round(rem() * 15.7);

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /* A colour of the page, thinned. */
  function tint(name, alpha) {
    const hex = colour(name).replace("#", "");
    const full = hex.length === 3 ? hex.replace(/./g, "$&$&") : hex;
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16));
    return `rgba(${r}, ${g}, ${b}, ${alpha})`;
  }

  /* Values that have no neighbour on either side: a line would not show them. */
  function isolated(values) {
    const known = (at) => values[at] !== null && values[at] !== undefined;
    return values.map((_, at) => at).filter((at) => known(at) && !known(at - 1) && !known(at + 1));
  }

  /* An axis's labels: no digits beyond those that tell them apart. */
  const ticks = {
    count: (v) => (v >= 1e6 ? Number((v / 1e6).toPrecision(4)) + " M" : v >= 1e4 ? Number((v / 1e3).toPrecision(4)) + " k" : String(Number(v.toPrecision(6)))),
    latency: (v) => (v < 1e3 ? Number(v.toPrecision(4)) + " µs" : v < 1e6 ? Number((v / 1e3).toPrecision(4)) + " ms" : Number((v / 1e6).toPrecision(4)) + " s"),
    bytes: (v) => {
      const at = v < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(v) / 10));
      return Number((v / 1024 ** at).toPrecision(4)) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][at];
    },
    percent: (v) => v + " %",
  };

  /* What a chart shows of the horizontal axis; one for all charts over time. `least(x)` is the narrowest it shows around x. */
  function makeView(min, max, least, shown = () => {}) {
    const view = { full: [min, max], now: [min, max], charts: [] };
    view.show = (from, to) => {
      const middle = (from + to) / 2;
      const half = Math.max(to - from, Math.min(least(middle), max - min)) / 2;
      const left = Math.max(min, Math.min(middle - half, max - 2 * half));
      view.now = [left, Math.min(max, left + 2 * half)];
      for (const chart of view.charts) chart.plot?.setScale("x", { min: view.now[0], max: view.now[1] });
      shown(view.now);
    };
    view.reset = () => view.show(...view.full);
    return view;
  }

  /*
   * A card. `spec`: title, view, x (numbers), series() -> [{label, values, colour, dash, fill, show, width}], kind (a key of ticks),
   * text (a value in the legend), xAxis, xLabel, xText(at), log (whether it may be switched), most (the vertical axis's end),
   * under(u): draws below the lines, sync (key of the shared cursor).
   */
  function makeChart(spec, tools = []) {
    const plotBox = element("div", "plot");
    const legendBox = element("div", "legend");
    const bar = element("div", "tools", tools);
    const root = element("section", "card chart", element("header", "", element("h3", "", spec.title), bar), plotBox, legendBox);
    const chart = { root, spec, plot: null, log: false };

    if (spec.log) {
      const toggle = button("log", () => {
        chart.log = !chart.log;
        toggle.setAttribute("aria-pressed", String(chart.log));
        chart.draw();
      });
      toggle.setAttribute("aria-pressed", "false");
      toggle.title = "Logarithmic vertical axis";
      bar.append(toggle);
    }

    chart.draw = () => {
      chart.plot?.destroy();
      legendBox.replaceChildren();
      const series = spec.series();
      const data = [spec.x, ...series.map((one) => (chart.log ? one.values.map((v) => (v === null || v === undefined ? null : Math.max(v, 1))) : one.values))];
      chart.plot = new uPlot(options(chart, series, legendBox), data, plotBox);
      enableTouch(chart.plot, spec.view);
      for (const label of legendBox.querySelectorAll(".u-series:not(:first-child) th")) {
        label.tabIndex = 0;
        label.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            label.click();
          }
        });
      }
    };
    spec.view.charts.push(chart);
    all.push(chart);
    new ResizeObserver(() => {
      const width = Math.floor(plotBox.clientWidth);
      if (chart.plot && width > 0 && width !== chart.plot.width) chart.plot.setSize({ width, height: height() });
    }).observe(plotBox);
    return chart;
  }

  function options(chart, series, legendBox) {
    const { spec } = chart;
    const em = rem();
    const font = `${Math.round(em * 0.82)}px system-ui, sans-serif`;
    const axis = { stroke: colour("--dim"), font, grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1, size: 4 }, gap: 4 };
    const range = chart.log
      ? (u, min, max) => (max === null ? [1, 10] : uPlot.rangeLog(Math.max(min, 1), Math.max(max, 1), 10, false))
      : (u, min, max) => [0, spec.most ?? (max > 0 ? max * 1.06 : 1)];
    return {
      width: Math.max(Math.floor(chart.root.querySelector(".plot").clientWidth), 80),
      height: height(),
      padding: [8, em * 1.6, 0, 0],
      scales: {
        x: { time: false, distr: spec.xLog ? 3 : 1, range: () => spec.view.now },
        y: { distr: chart.log ? 3 : 1, range },
      },
      axes: [
        { ...axis, size: em * 1.9, ...spec.xAxis },
        {
          ...axis,
          size: (u, values) => Math.ceil(Math.max(2, ...(values ?? []).map((text) => text?.length ?? 0)) * em * 0.5 + 12),
          values: (u, splits) => splits.map((v) => (v === null ? "" : ticks[spec.kind](v))),
          ...(spec.kind === "bytes" && !chart.log ? { incrs: BYTE_STEPS } : {}),
        },
      ],
      series: [
        { label: spec.xLabel, value: (u, v, si, at) => (at === null ? format.DASH : spec.xText(at)) },
        ...series.map((one) => {
          const alone = isolated(one.values);
          return {
            label: one.label,
            stroke: colour(one.colour),
            fill: one.fill ? tint(one.colour, 0.12) : undefined,
            width: one.width ?? 1.5,
            dash: one.dash,
            show: one.show ?? true,
            points: { size: 5, filter: (u, si, show) => (show ? null : alone.length > 0 ? alone : null) },
            // What is shown is what was measured, also where the scale had to move it.
            value: (u, v, si, at) => (at === null || at === undefined ? format.DASH : spec.text(one.values[at])),
          };
        }),
      ],
      cursor: {
        y: false,
        drag: { x: true, y: false, dist: 6, setScale: false },
        focus: { prox: series.length > 5 ? 8 : 0 },
        points: { size: 7 },
        bind: { dblclick: () => () => spec.view.reset() },
        ...(spec.sync ? { sync: { key: spec.sync, scales: ["x", null], setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true } } } : {}),
      },
      focus: { alpha: series.length > 5 ? 0.3 : 1 },
      select: { show: true },
      legend: { mount: (u, table) => legendBox.append(table), markers: { width: 2 } },
      hooks: {
        drawClear: [(u) => spec.under?.(u)],
        setSelect: [
          (u) => {
            if (u.select.width < 6) return;
            const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            spec.view.show(from, to);
          },
        ],
      },
    };
  }

  /* A finger: moved along it selects a stretch, moved up or down it scrolls the page, two taps show all again. */
  function enableTouch(u, view) {
    let from = null;
    let lastTap = 0;
    const at = (event) => {
      const box = u.over.getBoundingClientRect();
      return Math.max(0, Math.min(event.clientX - box.left, box.width));
    };
    const end = (event) => {
      if (event.pointerType !== "touch" || from === null) return;
      const [left, right] = [Math.min(from, at(event)), Math.max(from, at(event))];
      from = null;
      if (event.type === "pointercancel" || right - left < 16) {
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (event.type === "pointerup") {
          if (event.timeStamp - lastTap < 350) view.reset();
          lastTap = event.timeStamp;
        }
        return;
      }
      u.setSelect({ left, top: 0, width: right - left, height: u.over.clientHeight }, true);
    };
    u.over.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") from = at(event);
    });
    u.over.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch" || from === null) return;
      const to = at(event);
      u.setCursor({ left: to, top: 10 }, true, true);
      u.setSelect({ left: Math.min(from, to), top: 0, width: Math.abs(to - from), height: u.over.clientHeight }, false);
    });
    u.over.addEventListener("pointerup", end);
    u.over.addEventListener("pointercancel", end);
  }

  /* Names that tell rows apart: where two have the same, with the case, and where that is not enough, the type. */
  function names(rows) {
    const times = (of) => rows.reduce((seen, row) => seen.set(of(row), (seen.get(of(row)) ?? 0) + 1), new Map());
    const ways = [(row) => row.name, (row) => `${row.case} / ${row.name}`, (row) => `${row.case} / ${row.name} (${row.type})`];
    const counts = ways.map(times);
    return rows.map((row) => {
      const way = ways.findIndex((of, n) => counts[n].get(of(row)) === 1);
      return ways[way < 0 ? 2 : way](row) || "(no name)";
    });
  }

  /* Draws everything into `root`; gives the sentences that belong above. */
  function build(root, data, run) {
    const of = data.charts;
    const [first, last] = [of.t_s[0], of.t_s.at(-1) + of.span_s.at(-1)];
    const labels = names(of.rows);
    const requests = of.rows.map((row, n) => ({ ...row, label: labels[n], at: n })).filter((row) => !row.transaction);
    const sum = (values) => values.reduce((total, v) => total + (v ?? 0), 0);
    const busiest = new Set([...requests].sort((a, b) => sum(b.rps) - sum(a.rps)).slice(0, PALETTE).map((row) => row.at));
    const spanAt = (time) => of.span_s[Math.max(0, of.t_s.findLastIndex((t) => t <= time))];
    // What is shown is left where a test finds it, too.
    const view = makeView(first, last, (middle) => 3 * spanAt(middle), (now) => {
      document.documentElement.dataset.shown = now.map(Math.round).join(" ");
    });

    const over = (spec) => ({
      view,
      x: of.t_s,
      sync: "time",
      xLabel: "Time",
      xAxis: { incrs: TIME_STEPS, values: (u, splits) => splits.map(format.clock), space: 56 },
      xText: (at) => (of.span_s[at] > 1 ? `${format.clock(of.t_s[at])}–${format.clock(of.t_s[at] + of.span_s[at])}` : format.clock(of.t_s[at])),
      under: (u) => shade(u, of.warmup, run.changes),
      ...spec,
    });
    const step = (row, n, values) => ({
      label: row.label,
      values,
      colour: `--c${(n % PALETTE) + 1}`,
      dash: DASHES[Math.floor(n / PALETTE) % DASHES.length],
      show: busiest.has(row.at),
    });
    const everything = (values, more = {}) => ({ label: "All requests", values, colour: "--c0", width: 2, ...more });
    const alone = requests.length < 2;
    const single = (label, values, colourName, more = {}) => ({ label, values, colour: colourName, fill: true, ...more });

    const made = [];
    made.push(makeChart(over({
      title: "Requests per second",
      kind: "count",
      text: format.rate,
      series: () => [everything(of.all.rps, { fill: alone }), ...(alone ? [] : requests.map((row, n) => step(row, n, row.rps)))],
    })));

    const chooser = element("select", "", element("option", "", "All requests"), labels.map((label, n) => element("option", "", (of.rows[n].transaction ? "Transaction: " : "") + label)));
    [...chooser.options].forEach((option, n) => { option.value = String(n - 1); });
    chooser.setAttribute("aria-label", "Whose latency");
    const title = run.open ? "Response time" : "Service time";
    const latency = makeChart(over({
      title,
      kind: "latency",
      text: format.latency,
      log: true,
      series: () => {
        const chosen = of.rows[Number(chooser.value)] ?? of.all;
        return [["p50", "p50", "--p50"], ["p95", "p95", "--p95"], ["p99", "p99", "--p99"], ["p99.9", "p99_9", "--p999"]].map(([label, key, colourName]) => ({ label, values: chosen[key], colour: colourName }));
      },
    }), [chooser]);
    chooser.addEventListener("change", () => {
      latency.root.querySelector("h3").textContent = of.rows[Number(chooser.value)]?.transaction ? "Duration" : title;
      latency.draw();
    });
    made.push(latency);

    const failing = requests.filter((row) => row.failures.some((v) => v > 0));
    made.push(makeChart(over({
      title: "Failures per second",
      kind: "count",
      text: format.rate,
      series: () => [{ label: "All requests", values: of.all.failures, colour: "--bad", width: 2, fill: true }, ...(alone ? [] : failing.map((row) => step(row, requests.indexOf(row), row.failures)))],
    })));
    made.push(makeChart(distribution(of, requests, step, everything, run)));
    made.push(makeChart(over({ title: "Users", kind: "count", text: format.count, series: () => [single("Users", of.users, "--c1")] })));
    if (run.open) {
      made.push(makeChart(over({
        title: "Arrivals per second",
        kind: "count",
        text: format.rate,
        series: () => [single("Made", of.arrivals, "--c3"), { label: "Missed", values: of.arrivals_missed, colour: "--bad" }],
      })));
    }
    made.push(makeChart(over({
      title: "Bytes per second",
      kind: "bytes",
      text: (v) => (format.known(v) ? format.bytes(v) + "/s" : format.DASH),
      series: () => [single("Received", of.received, "--c1"), { label: "Sent", values: of.sent, colour: "--c2" }],
    })));
    made.push(makeChart(over({ title: "Connections open", kind: "count", text: format.count, series: () => [single("Connections", of.connections, "--c6")] })));
    made.push(makeChart(over({
      title: "CPU of the load generator, busiest core",
      kind: "percent",
      most: 100,
      text: (v) => (format.known(v) ? v.toFixed(1) + " %" : format.DASH),
      series: () => [single("CPU", of.cpu, "--c4")],
    })));

    root.append(...made.map((chart) => chart.root));
    drawAll();
    return made.length;
  }

  /* Latency over 1 / (1 - share): each nine is as far from the one before as from the next. */
  function distribution(of, requests, step, everything, run) {
    const curves = [of.all, ...requests].map((curve) => curve.distribution.length);
    const points = Math.max(2, ...curves, of.all_service.length);
    const x = Array.from({ length: points }, (_, n) => 10 ** (n / 20));
    const padded = (values) => x.map((_, n) => values[n] ?? null);
    const marks = [2, 10, 100, 1e3, 1e4, 1e5, 1e6];
    const share = (v) => Number((100 - 100 / v).toPrecision(v > 1 ? Math.ceil(Math.log10(v)) + 2 : 1));
    const view = makeView(1, x.at(-1), (middle) => middle / 2);
    return {
      title: run.open ? "Distribution of response times" : "Distribution of service times",
      view,
      x,
      xLog: true,
      kind: "latency",
      text: format.latency,
      log: true,
      xLabel: "Percentile",
      xText: (at) => share(x[at]) + " %",
      xAxis: {
        splits: (u) => marks.filter((v) => v >= u.scales.x.min * 0.999 && v <= u.scales.x.max * 1.001),
        values: (u, splits) => splits.map((v) => share(v) + " %"),
        filter: (u, splits) => splits,
      },
      series: () => [
        everything(padded(of.all.distribution)),
        ...(run.open ? [{ label: "All requests, service time", values: padded(of.all_service), colour: "--c0", dash: [4, 4] }] : []),
        ...(requests.length < 2 ? [] : requests.map((row, n) => step(row, n, padded(row.distribution)))),
      ],
    };
  }

  /* The warm-up as a shade, and what somebody changed while the load ran as lines. */
  function shade(u, warmup, changes) {
    const { ctx, bbox } = u;
    const place = (t) => Math.max(bbox.left, Math.min(u.valToPos(t, "x", true), bbox.left + bbox.width));
    ctx.save();
    ctx.fillStyle = colour("--shade");
    for (const [from, to] of warmup) {
      const [left, right] = [place(from), place(to)];
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.strokeStyle = colour("--dim");
    ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    for (const { t_s } of changes) {
      if (t_s < u.scales.x.min || t_s > u.scales.x.max) continue;
      ctx.beginPath();
      ctx.moveTo(place(t_s), bbox.top);
      ctx.lineTo(place(t_s), bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  function drawAll() {
    for (const chart of all) chart.draw();
  }

  return { build, drawAll };
})();
