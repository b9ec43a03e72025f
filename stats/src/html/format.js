"use strict";

/* Figures as people read them, the same as on the terminal: the unit that fits and three significant digits. */
const format = (() => {
  const DASH = "–";
  const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

  function threeDigits(value) {
    return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
  }

  /* Thousands apart, with thin spaces. */
  function grouped(digits) {
    return digits.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  }

  function count(value) {
    return known(value) ? grouped(String(Math.round(value))) : DASH;
  }

  function latency(us) {
    if (!known(us)) return DASH;
    if (us < 999.5) return us.toFixed(0) + "\u00a0µs";
    if (us < 999500) return threeDigits(us / 1e3) + "\u00a0ms";
    return threeDigits(us / 1e6) + "\u00a0s";
  }

  function rate(perSecond) {
    if (!known(perSecond)) return DASH;
    if (perSecond < 99.995) return perSecond.toFixed(2);
    return grouped(perSecond.toFixed(perSecond < 999.95 ? 1 : 0));
  }

  function bytes(value) {
    if (!known(value)) return DASH;
    let unit = "B";
    for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
      if (value < 1023.5) break;
      value /= 1024;
      unit = larger;
    }
    return (unit === "B" ? value.toFixed(0) : threeDigits(value)) + "\u00a0" + unit;
  }

  /* None and all are said of none and all alone. */
  function percent(part, whole) {
    if (!part || !whole) return "0\u00a0%";
    const share = (part / whole) * 100;
    if (share < 0.01) return "<0.01\u00a0%";
    if (share >= 99.95 && part < whole) return ">99.9\u00a0%";
    return share.toFixed(share < 1 ? 2 : 1) + "\u00a0%";
  }

  /* Seconds as 0:45, 12:30 or 2:05:00. */
  function clock(seconds) {
    const whole = Math.floor(seconds + 1e-9);
    const two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(whole / 3600);
    const m = Math.floor(whole / 60) % 60;
    return (h > 0 ? h + ":" + two(m) : String(m)) + ":" + two(whole % 60);
  }

  /* Seconds as 45 s, 1 min 30 s or 2 h 5 min. */
  function duration(seconds) {
    if (!known(seconds)) return DASH;
    if (seconds < 60) return (seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)) + "\u00a0s";
    const whole = Math.round(seconds);
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return [h && h + "\u00a0h", m && m + "\u00a0min", s && s + "\u00a0s"].filter(Boolean).join(" ");
  }

  /* 2026-11-22T01:52:20.123Z as 2026-11-22 01:52:20 UTC; anything else as it is. */
  function time(rfc3339) {
    const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(rfc3339);
    return parts ? parts[1] + " " + parts[2] + " UTC" : rfc3339;
  }

  return { DASH, known, count, latency, rate, bytes, percent, clock, duration, time };
})();

/* Elements. A text is only ever given as a child, and only ever becomes a text node. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

function button(text, onClick) {
  const made = element("button", "", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}
