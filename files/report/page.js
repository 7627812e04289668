// SPDX-License-Identifier: GPL-3.0-or-later
// What the page can do beyond showing: figures with a readout, zoom, a logarithmic scale and a legend that filters; tables that sort and filter.
// Without it everything is readable. Figures are drawn by plugins/module_utils/report/svg.py; here their elements are placed again from the data
// that they carry.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const THIN = "\u202f";

  /** Creates an element with attributes and text. */
  const create = (name, attributes = {}, text = "") => {
    const element = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  };
  const numbers = (text) => (text ? text.split(" ").map((part) => (part === "-" ? NaN : Number(part))) : []);
  const grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);

  /** Three significant digits, as text.number in Python. */
  const shown = (value) => {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    if (Math.abs(value) >= 999.5) return grouped(value.toFixed(0));
    return value.toFixed(Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))));
  };
  const tickText = (value) => {
    const [whole, part] = String(Number(value.toPrecision(10))).split(".");
    return grouped(whole) + (part ? `.${part}` : "");
  };

  /** A scale from values to pixels and back. */
  const scale = (low, high, start, end, log) => {
    const bend = log ? Math.log : (value) => value;
    const [from, to] = [bend(low), bend(high)];
    const place = (value) => start + ((bend(log ? Math.max(value, low / 10) : value) - from) / (to - from || 1)) * (end - start);
    place.invert = (pixel) => {
      const value = from + ((pixel - start) / (end - start || 1)) * (to - from);
      return log ? Math.exp(value) : value;
    };
    place.ticks = (wanted) => (log ? logTicks(low, high) : linearTicks(low, high, wanted));
    return place;
  };
  const linearTicks = (low, high, wanted) => {
    if (!(high > low)) return [low];
    const raw = (high - low) / Math.max(1, wanted);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999) || 10 * power;
    const ticks = [];
    for (let place = Math.ceil(low / step - 1e-9); place <= high / step + 1e-9; place += 1) ticks.push(Number((place * step).toPrecision(10)));
    return ticks;
  };
  const logTicks = (low, high) => {
    const decades = Math.log10(high / low);
    const factors = decades > 4 ? [1] : decades > 2 ? [1, 3] : decades > 0.5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const factor of factors) {
        const value = Number((factor * 10 ** power).toPrecision(10));
        if (value >= low && value <= high) ticks.push(value);
      }
    }
    return ticks;
  };
  const px = (value) => value.toFixed(1);

  /** Reads the series of a panel once. */
  const readSeries = (group) => ({
    group, name: group.dataset.name, x: numbers(group.dataset.x), y: numbers(group.dataset.y), low: numbers(group.dataset.low), high: numbers(group.dataset.high),
    invalid: new Set(numbers(group.dataset.invalid)), notes: group.dataset.notes ? group.dataset.notes.split("|") : [], shift: Number(group.dataset.shift || 0),
    hasMarks: group.querySelector(".mark") !== null,
  });

  /** One svg of a figure: its panels and their scales. */
  class Chart {
    constructor(svg) {
      this.svg = svg;
      [, , this.width, this.height] = numbers(svg.getAttribute("viewBox"));
      this.left = Number(svg.dataset.left);
      this.right = Number(svg.dataset.right);
      this.home = [Number(svg.dataset.x0), Number(svg.dataset.x1)];
      this.ends = this.home;
      this.xLog = "xlog" in svg.dataset;
      this.ticks = numbers(svg.dataset.ticks);
      this.names = new Map((svg.dataset.names || "").split("|").filter(Boolean).map((name, place) => [this.ticks[place], name]));
      this.panels = [...svg.querySelectorAll(".panel")].map((group) => ({
        group, top: Number(group.dataset.top), height: Number(group.dataset.height), home: [Number(group.dataset.y0), Number(group.dataset.y1)],
        isRow: group.classList.contains("row"), log: "ylog" in group.dataset, wasLog: "ylog" in group.dataset, unit: group.dataset.unit, title: group.dataset.title,
        series: [...group.querySelectorAll(".series")].map(readSeries),
      }));
      this.clip();
    }

    /** Adds a clip path, so that a zoomed line stays inside its axes. */
    clip() {
      const id = `clip-${(Chart.count = (Chart.count || 0) + 1)}`;
      this.window = create("svg:rect");
      const path = create("svg:clipPath", { id });
      path.append(this.window);
      this.svg.prepend(path);
      for (const panel of this.panels) for (const one of panel.series) one.clip = `url(#${id})`;
    }

    get canBeLog() {
      return this.panels.some((panel) => !panel.isRow && !panel.wasLog && panel.home[0] >= 0 && panel.series.some((one) => one.y.some((value) => value > 0)));
    }

    /** The ends of the y axis of a panel in its present scale. */
    yEnds(panel) {
      if (!panel.log || panel.wasLog) return panel.home;
      const values = panel.series.flatMap((one) => [...one.y, ...one.low, ...one.high]).filter((value) => value > 0);
      const limits = [...panel.group.querySelectorAll(".limit")].map((limit) => Number(limit.dataset.y));
      return values.length ? [Math.min(...values) * 0.8, Math.max(...values, ...limits) * 1.25] : panel.home;
    }

    /** Places every element for a width, the present zoom and scales. */
    place(wanted = this.svg.clientWidth || this.width) {
      const width = Math.max(240, wanted);
      this.width = width;
      this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
      const [start, end] = [this.left, width - this.right];
      this.x = scale(...this.ends, start, end, this.xLog);
      const isZoomed = this.ends !== this.home;
      for (const [name, value] of Object.entries({ x: start - 6, y: 0, width: Math.max(0, end - start + 12), height: this.height })) this.window.setAttribute(name, value);
      this.placeTicks(start, end, isZoomed);
      for (const span of this.svg.querySelectorAll(".span")) {
        const [from, to] = [Number(span.dataset.x0), Number(span.dataset.x1)].map((value) => Math.min(end, Math.max(start, this.x(value))));
        span.firstChild.setAttribute("x", px(from));
        span.firstChild.setAttribute("width", px(Math.max(0, to - from)));
        span.lastChild.setAttribute("x", px(to - 4));
        span.lastChild.style.visibility = to - from < 40 ? "hidden" : "";
      }
      for (const panel of this.panels) this.placePanel(panel, start, end, isZoomed);
    }

    placeTicks(start, end, isZoomed) {
      const group = this.svg.querySelector(".x-ticks");
      const values = this.ticks.length && !isZoomed ? this.ticks : this.x.ticks(Math.max(2, Math.floor((end - start) / 90)));
      let last = -Infinity;
      const labels = [];
      for (const value of values) {
        const at = this.x(value);
        if (value < this.ends[0] || value > this.ends[1] || at - last < 26) continue;
        last = at;
        labels.push(create("svg:text", { x: px(at), y: Number(group.dataset.top) + 16, "text-anchor": "middle" }, this.names.get(value) ?? tickText(value)));
      }
      group.replaceChildren(...labels);
      this.svg.querySelector(".x-title").setAttribute("x", px((start + end) / 2));
    }

    placePanel(panel, start, end, isZoomed) {
      const y = scale(...this.yEnds(panel), panel.top + panel.height, panel.top, panel.log);
      panel.y = y;
      const group = panel.group.querySelector(".y-ticks");
      if (panel.isRow) group.firstChild.setAttribute("d", `M${start} ${panel.top + panel.height}H${end}`);
      else {
        const ticks = y.ticks(Math.max(2, Math.floor(panel.height / 40))).flatMap((value) => {
          const at = px(y(value));
          const label = create("svg:text", { x: start - 8, y: at, dy: ".32em", "text-anchor": "end" }, tickText(value));
          return [create("svg:path", { class: "grid", d: `M${start} ${at}H${end}` }), label];
        });
        group.replaceChildren(...ticks);
      }
      for (const limit of panel.group.querySelectorAll(".limit")) {
        const at = px(y(Number(limit.dataset.y)));
        limit.firstChild.setAttribute("d", `M${start} ${at}H${end}`);
        limit.lastChild.setAttribute("x", end);
        limit.lastChild.setAttribute("y", at);
      }
      for (const one of panel.series) this.placeSeries(one, y, isZoomed);
    }

    placeSeries(one, y, isZoomed) {
      if (isZoomed) one.group.setAttribute("clip-path", one.clip);
      else one.group.removeAttribute("clip-path");
      const points = one.x.map((value, place) => (Number.isNaN(one.y[place]) ? null : [this.x(value), y(one.y[place])]));
      const drawn = points.map((point, place) => (one.invalid.has(place) ? null : point));
      const known = drawn.filter(Boolean);
      const set = (kind, path) => {
        const element = one.group.querySelector(kind);
        if (element) element.setAttribute("d", path());
      };
      set(".line", () => drawn.map((point, place) => (point ? `${place && drawn[place - 1] ? "L" : "M"}${px(point[0])} ${px(point[1])}` : "")).join(""));
      set(".dots", () => known.map((point) => `M${px(point[0])} ${px(point[1])}h0`).join(""));
      set(".area", () => {
        const floor = px(y(0));
        return known.length ? `M${px(known[0][0])} ${floor}L${known.map((point) => point.map(px).join(" ")).join("L")}L${px(known.at(-1)[0])} ${floor}z` : "";
      });
      const ends = one.x.map((value, place) => [this.x(value), y(one.low[place]), y(one.high[place])]).filter((end) => end.every(Number.isFinite));
      set(".band", () => {
        const path = [...ends.map((end) => [end[0], end[2]]), ...[...ends].reverse().map((end) => [end[0], end[1]])];
        return path.length ? `M${path.map((point) => point.map(px).join(" ")).join("L")}z` : "";
      });
      set(".bars", () => ends.map(([at, low, high]) => {
        const middle = at + one.shift;
        return `M${px(middle)} ${px(low)}V${px(high)}m-4 0h8M${px(middle - 4)} ${px(low)}h8`;
      }).join(""));
      for (const mark of one.group.querySelectorAll(".mark")) {
        const point = points[Number(mark.dataset.place)];
        mark.setAttribute("transform", `translate(${px(point[0] + one.shift)} ${px(point[1])})`);
      }
    }

    zoom(from, to) {
      const [low, high] = [Math.max(Math.min(from, to), this.home[0]), Math.min(Math.max(from, to), this.home[1])];
      this.ends = high > low ? [low, high] : this.home;
      if (this.ends[0] === this.home[0] && this.ends[1] === this.home[1]) this.ends = this.home;
      this.place();
    }
  }

  /** A figure: one or several charts with a legend, tools and a readout. */
  class Figure {
    constructor(element) {
      this.element = element;
      this.charts = [...element.querySelectorAll("svg.chart")].map((svg) => new Chart(svg));
      this.readout = create("div", { class: "readout", hidden: "", "aria-live": "polite" });
      this.addTools();
      this.addLegend();
      for (const chart of this.charts) this.listen(chart);
    }

    place() {
      for (const chart of this.charts) if (chart.svg.clientWidth) chart.place();
    }

    addTools() {
      const tools = create("div", { class: "tools", role: "group", "aria-label": "Scale and zoom" });
      const button = (text, label, act) => {
        const element = create("button", { type: "button", "aria-label": label }, text);
        element.addEventListener("click", act);
        tools.append(element);
        return element;
      };
      if (this.charts.some((chart) => chart.canBeLog)) {
        const log = button("log", "Logarithmic scale", () => {
          const isLog = log.getAttribute("aria-pressed") !== "true";
          log.setAttribute("aria-pressed", String(isLog));
          for (const chart of this.charts) {
            for (const panel of chart.panels) panel.log = !panel.isRow && (panel.wasLog || (isLog && panel.series.some((one) => one.y.some((value) => value > 0))));
            chart.place();
          }
        });
        log.setAttribute("aria-pressed", "false");
      }
      button("+", "Zoom in", () => this.zoomBy(0.5));
      button("−", "Zoom out", () => this.zoomBy(2));
      button("reset", "Reset the zoom", () => this.each((chart) => chart.zoom(...chart.home)));
      this.element.querySelector(".charts").before(tools);
    }

    each(act) {
      for (const chart of this.charts) act(chart);
    }

    zoomBy(factor) {
      this.each((chart) => {
        const [start, end] = [chart.left, chart.width - chart.right];
        const half = ((end - start) / 2) * factor;
        chart.zoom(chart.x.invert((start + end) / 2 - half), chart.x.invert((start + end) / 2 + half));
      });
    }

    addLegend() {
      for (const item of this.element.querySelectorAll(".legend li")) {
        const name = item.dataset.series;
        if (!this.charts.some((chart) => chart.panels.some((panel) => panel.series.some((one) => one.name === name)))) continue;
        const button = create("button", { type: "button", "aria-pressed": "true" });
        button.append(...item.childNodes);
        button.addEventListener("click", () => {
          const isOn = button.getAttribute("aria-pressed") !== "true";
          button.setAttribute("aria-pressed", String(isOn));
          this.each((chart) => chart.panels.forEach((panel) => panel.series.forEach((one) => {
            if (one.name === name) one.group.classList.toggle("off", !isOn);
          })));
        });
        item.append(button);
      }
    }

    /** Shows the values nearest to the pointer or the cursor keys, and zooms to what is dragged over. */
    listen(chart) {
      const canvas = chart.svg.parentElement;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "group");
      canvas.setAttribute("aria-label", "Figure: cursor keys read its values, plus, minus and 0 zoom");
      let dragged = null;
      let selection = null;
      const at = (event) => {
        const box = chart.svg.getBoundingClientRect();
        const ratio = chart.width / box.width;
        return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
      };
      chart.svg.addEventListener("pointermove", (event) => {
        const [x, y] = at(event);
        this.read(chart, canvas, x, y);
        if (dragged !== null && Math.abs(x - dragged) > 6) {
          selection ??= chart.svg.appendChild(create("svg:rect", { class: "selection", y: 20, height: chart.height - 64 }));
          selection.setAttribute("x", px(Math.min(x, dragged)));
          selection.setAttribute("width", px(Math.abs(x - dragged)));
        }
      });
      chart.svg.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "mouse" && event.button === 0) {
          [dragged] = at(event);
          event.preventDefault();
        }
      });
      const release = (event) => {
        if (dragged !== null && selection) {
          const [from, to] = [chart.x.invert(dragged), chart.x.invert(at(event)[0])];
          this.each((one) => one.zoom(from, to));
        }
        selection?.remove();
        [dragged, selection] = [null, null];
      };
      chart.svg.addEventListener("pointerup", release);
      chart.svg.addEventListener("pointerleave", (event) => {
        release(event);
        this.hide(chart);
      });
      canvas.addEventListener("blur", () => this.hide(chart));
      canvas.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowRight: 1 };
        const rows = { ArrowUp: -1, ArrowDown: 1 };
        if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
        else if (event.key === "-") this.zoomBy(2);
        else if (event.key === "0") this.each((one) => one.zoom(...one.home));
        else if (event.key === "Escape") this.hide(chart);
        else if (event.key in steps || event.key in rows) {
          event.preventDefault();
          const panels = chart.panels.length;
          chart.row = ((chart.row ?? 0) + (rows[event.key] ?? 0) + panels) % panels;
          const panel = chart.panels[chart.row];
          const places = [...new Set(panel.series.flatMap((one) => one.x))].filter((x) => x >= chart.ends[0] && x <= chart.ends[1]).sort((a, b) => a - b);
          chart.column = Math.min(places.length - 1, Math.max(0, (chart.column ?? -1) + (steps[event.key] ?? 0)));
          if (places.length) this.read(chart, canvas, chart.x(places[chart.column]), panel.top + panel.height / 2);
        }
      });
    }

    read(chart, canvas, x, y) {
      const inside = chart.panels.find((panel) => y >= panel.top - 14 && y <= panel.top + panel.height + 10);
      if (!inside || x < chart.left - 8 || x > chart.width - chart.right + 8) return this.hide(chart);
      const lines = [];
      let nearest = null;
      for (const one of inside.series) {
        if (one.group.classList.contains("off")) continue;
        let best = -1;
        one.x.forEach((value, place) => {
          if (!Number.isNaN(one.y[place]) && (best < 0 || Math.abs(chart.x(value) - x) < Math.abs(chart.x(one.x[best]) - x))) best = place;
        });
        if (best < 0) continue;
        const distance = Math.abs(chart.x(one.x[best]) - x);
        if (nearest === null || distance < nearest.distance - 0.5) nearest = { distance, value: one.x[best] };
        lines.push({ one, best });
      }
      if (!nearest) return this.hide(chart);
      const texts = lines.filter((line) => Math.abs(chart.x(line.one.x[line.best]) - chart.x(nearest.value)) < 3).map(({ one, best }) => {
        const ends = Number.isFinite(one.low[best]) ? ` (${shown(one.low[best])} to ${shown(one.high[best])})` : "";
        const note = one.notes[best] ? `, ${one.notes[best]}` : "";
        return inside.isRow && one.notes[best] ? `${one.name}: ${one.notes[best]}` : `${one.name}: ${shown(one.y[best])} ${inside.unit}${ends}${note}`;
      });
      this.readout.replaceChildren(create("strong", {}, `${tickText(Number(nearest.value.toPrecision(4)))} ${chart.svg.dataset.unit}`), ...texts.map((text) => create("div", {}, text)));
      canvas.append(this.readout);
      this.readout.hidden = false;
      const place = (chart.x(nearest.value) / chart.width) * canvas.clientWidth;
      const isRight = place > canvas.clientWidth / 2;
      this.readout.style.left = isRight ? "" : `${place + 12}px`;
      this.readout.style.right = isRight ? `${canvas.clientWidth - place + 12}px` : "";
      this.readout.style.top = `${Math.max(0, (inside.top / chart.height) * canvas.clientHeight)}px`;
      chart.guide ??= chart.svg.appendChild(create("svg:path", { class: "guide" }));
      const [first, last] = [chart.panels[0], chart.panels.at(-1)];
      chart.guide.setAttribute("d", `M${px(chart.x(nearest.value))} ${first.top}V${last.top + last.height}`);
      return undefined;
    }

    hide(chart) {
      this.readout.hidden = true;
      chart.guide?.remove();
      chart.guide = undefined;
    }
  }

  /** The number that a cell of a table starts with, NaN for a text. */
  const numberOf = (text) => {
    const found = /^[-+]?[\d\u202f]*\.?\d+/.exec(text.trim());
    return found ? Number(found[0].replaceAll(THIN, "")) : NaN;
  };
  const naturally = new Intl.Collator("en", { numeric: true });

  /** Lets the columns of a table sort, and its rows be filtered where there are many. */
  const enhanceTable = (table) => {
    const units = () => (table.tBodies.length > 1 ? [...table.tBodies] : [...(table.tBodies[0]?.rows ?? [])]);
    if (units().length < 2) return;
    const head = table.tHead.rows[0];
    [...head.cells].forEach((heading, column) => {
      const button = create("button", { type: "button" });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of head.cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        const textOf = (unit) => (unit.rows ? unit.rows[0] : unit).cells[column]?.textContent ?? "";
        const isText = heading.classList.contains("text");
        const sorted = units().map((unit) => ({ unit, text: textOf(unit), value: isText ? NaN : numberOf(textOf(unit)) }));
        sorted.sort((a, b) => {
          if (Number.isNaN(a.value) && Number.isNaN(b.value)) return direction * naturally.compare(a.text, b.text);
          if (Number.isNaN(a.value)) return 1;
          return Number.isNaN(b.value) ? -1 : direction * (a.value - b.value);
        });
        const parent = table.tBodies.length > 1 ? table : table.tBodies[0];
        parent.append(...sorted.map((entry) => entry.unit));
      });
    });
    if (units().length < 8) return;
    const label = create("label", { class: "filter" }, "Filter rows");
    const input = create("input", { type: "search" });
    const found = create("span", { role: "status" });
    label.append(input);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let visible = 0;
      for (const unit of units()) {
        unit.hidden = !words.every((word) => unit.textContent.toLowerCase().includes(word));
        visible += unit.hidden ? 0 : 1;
      }
      found.textContent = words.length ? ` ${visible} of ${units().length}` : "";
    });
    label.append(found);
    table.closest(".scroll").before(label);
  };

  /** Opens the part of the page that the address names, with what encloses it. */
  const openTarget = () => {
    const target = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    for (let element = target; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
    target?.scrollIntoView();
  };

  for (const table of document.querySelectorAll("table.sortable")) enhanceTable(table);
  const figures = new Map();
  /** Figures come to life when they are first visible: a page may have hundreds in closed parts. */
  const watcher = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (!target.clientWidth) continue;
      if (!figures.has(target)) figures.set(target, new Figure(target));
      figures.get(target).place();
    }
  });
  for (const element of document.querySelectorAll("figure.plot")) watcher.observe(element);
  window.addEventListener("hashchange", openTarget);
  openTarget();

  // Paper shows what is closed on the screen; half a page wide are figures that stand side by side there.
  const PAPER_PX = 690;
  let closed = [];
  window.addEventListener("beforeprint", () => {
    for (const [element, figure] of figures) {
      const isHalf = element.matches(".glance .plot, .figures .plot:not(.wide)") || figure.charts.length > 1;
      figure.each((chart) => chart.place(isHalf ? PAPER_PX / 2 : PAPER_PX));
    }
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const element of closed) element.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const element of closed) element.open = false;
    for (const figure of figures.values()) figure.place();
  });

  // While a run goes on the page is written again after each cell; it is loaded again unless somebody reads in it.
  if ("running" in document.body.dataset) {
    let touched = Date.now();
    for (const kind of ["pointermove", "keydown", "scroll"]) window.addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
    setInterval(() => { if (Date.now() - touched > 20000) location.reload(); }, 30000);
  }
})();
