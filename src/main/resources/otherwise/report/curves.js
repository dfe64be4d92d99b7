// The method's log: charts below each other over one axis of iterations, read out where one points.
const log = data.log, iterations = log.n.length;
const known = values => values.some(v => v !== null);

const charts = [];
if (known(log.target)) {
    const lines = [{ values: log.target, side: "after", name: data.target }];
    if (known(log.source)) lines.unshift({ values: log.source, side: "before", name: data.source });
    charts.push({ title: "probability", lines, tall: 130, range: [0, 1] });
}
for (const name in log.losses) charts.push({ title: name, lines: [{ values: log.losses[name], side: "", name }], tall: 84 });
for (const name in log.figures) charts.push({ title: name, lines: [{ values: log.figures[name], side: "", name }], tall: 64 });

// Ticks, and where a value stands between bottom (0) and top (1). What spans more than a factor of 20 gets a logarithmic axis.
function axis(chart) {
    if (chart.range) return { ticks: [0, 0.5, 1], place: v => v };
    const values = chart.lines.flatMap(line => line.values).filter(v => v !== null);
    if (!values.length) return { ticks: [], place: () => 0 };
    const positive = values.filter(v => v > 0), ticks = [];
    let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    const least = positive.reduce((a, b) => Math.min(a, b), Infinity);
    if (low >= 0 && positive.length && high / least > 20) {
        const from = Math.floor(Math.log10(least)), to = Math.ceil(Math.log10(high) - 1e-9);
        for (let e = from; e <= to; e += Math.max(1, Math.ceil((to - from) / 4))) ticks.push(10 ** e);
        return { ticks, place: v => v > 0 ? (Math.log10(v) - from) / (to - from) : 0 };
    }
    if (low > 0 && low < high / 2) low = 0;
    if (high === low) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
    const step = nice((high - low) / 3), bottom = Math.floor(low / step + 1e-9), top = Math.ceil(high / step - 1e-9);
    for (let k = bottom; k <= top; k++) ticks.push(Number((k * step).toPrecision(6)));
    return { ticks, place: v => (v / step - bottom) / (top - bottom) };
}
// The next larger of 1, 2, 5, 10, 20, 50 …
function nice(step) {
    const power = 10 ** Math.floor(Math.log10(step)), head = step / power;
    return power * (head <= 1.0001 ? 1 : head <= 2 ? 2 : head <= 5 ? 5 : 10);
}
// Stretches of iterations over which `same` holds from one to the next.
function stretches(same) {
    const found = [];
    for (let i = 0; i < iterations; i++) {
        if (i && same(i - 1, i)) found.at(-1).end = i + 1;
        else found.push({ from: i, end: i + 1 });
    }
    return found;
}

let plot = null;
const LEFT = 48, RIGHT = 12, HEAD = 34, TITLE = 42;

function drawCurves() {
    const host = element("curves"), wide = host.clientWidth, inner = wide - LEFT - RIGHT;
    const edge = i => LEFT + i / iterations * inner, x = i => edge(i + 0.5);
    host.replaceChildren();
    const page = svg("svg", { "aria-hidden": "true" }, host), bands = svg("g", {}, page);
    let bottom = HEAD - 12;
    for (const chart of charts) {
        drawChart(chart, svg("g", {}, page), x, bottom + TITLE, wide - RIGHT);
        bottom += TITLE + chart.tall;
    }
    drawBands(page, bands, edge, bottom);
    if (data.kept >= 0) {
        const at = Math.round(data.kept < iterations ? x(data.kept) : edge(iterations)), flip = at > wide / 2;
        svg("line", { class: "kept", x1: at, x2: at, y1: HEAD, y2: bottom }, page);
        svg("text", { class: "kept-label", x: flip ? at - 5 : at + 5, y: HEAD + 12, "text-anchor": flip ? "end" : "start" }, page, "kept");
    }
    const stride = Math.max(1, nice(iterations / Math.max(2, inner / 90)));
    for (let i = 0; i <= iterations; i += stride) {
        svg("text", { x: x(Math.max(0, i - 1)), y: bottom + 18, "text-anchor": "middle" }, page, String(Math.max(1, i)));
    }
    svg("text", { x: wide - RIGHT, y: bottom + 34, "text-anchor": "end" }, page, "iteration");
    page.setAttribute("viewBox", `0 0 ${wide} ${bottom + 38}`);
    page.setAttribute("height", bottom + 38);

    const cross = svg("g", { visibility: "hidden" }, page);
    const upright = svg("line", { class: "cross", y1: 16, y2: bottom }, cross);
    for (const line of charts.flatMap(chart => chart.lines)) line.point = svg("circle", { class: "point", r: 3 }, cross);
    plot = { x, cross, upright, at: clientX => Math.floor((clientX - host.getBoundingClientRect().left - LEFT) / inner * iterations) };
}

function drawChart(chart, group, x, top, right) {
    const scale = axis(chart);
    chart.y = v => top + chart.tall * (1 - scale.place(v));
    const title = svg("text", { class: "title", x: 0, y: top - 14 }, group, chart.title);
    for (const tick of scale.ticks) {
        const y = Math.round(chart.y(tick));
        svg("line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y }, group);
        svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, group, number(tick));
    }
    let next = title.getComputedTextLength() + 12;
    for (const line of chart.lines) {
        // A gap in the values is a gap in the line; a value without neighbours is a dot.
        let path = "";
        line.values.forEach((v, i) => {
            if (v === null) return;
            const joined = i > 0 && line.values[i - 1] !== null;
            path += `${joined ? "L" : "M"}${x(i).toFixed(2)} ${chart.y(v).toFixed(2)}`;
            if (!joined && (line.values[i + 1] ?? null) === null) svg("circle", { class: `lone ${line.side}`, cx: x(i), cy: chart.y(v), r: 2 }, group);
        });
        svg("path", { class: `line ${line.side}`, d: path }, group);
        if (chart.lines.length > 1 || line.side) {
            const label = svg("text", { class: `label ${line.side}`, x: next, y: top - 14 }, group, line.name);
            next += label.getComputedTextLength() + 12;
        }
    }
}

// Behind the charts: stretches of equal n, every second one tinted, with n above; stages above that.
function drawBands(page, bands, edge, bottom) {
    let free = 0;
    stretches((a, b) => log.n[a] === log.n[b] && log.stage[a] === log.stage[b]).forEach((run, k) => {
        const from = edge(run.from), size = edge(run.end) - from;
        if (k % 2 === 0) svg("rect", { class: "band", x: from, y: 16, width: size, height: bottom - 16 }, bands);
        const text = k === 0 ? `n = ${log.n[run.from]}` : String(log.n[run.from]);
        const middle = from + size / 2, half = text.length * 3.5;
        if (middle - half < free) return;
        svg("text", { x: middle, y: 28, "text-anchor": "middle" }, page, text);
        free = middle + half + 3;
    });
    free = 0;
    for (const run of stretches((a, b) => log.stage[a] === log.stage[b])) {
        const from = Math.round(edge(run.from));
        svg("line", { class: "grid", x1: from, x2: from, y1: 0, y2: bottom }, page);
        if (from < free) continue;
        const text = svg("text", { x: from + 5, y: 10, class: "title" }, page, log.stage[run.from]);
        free = from + 10 + text.getComputedTextLength();
    }
}

// ---- reading out

let read = -1;
function readOut(i, pointed = true) {
    read = Math.max(0, Math.min(iterations - 1, i));
    plot.cross.setAttribute("visibility", pointed ? "visible" : "hidden");
    plot.upright.setAttribute("x1", plot.x(read));
    plot.upright.setAttribute("x2", plot.x(read));
    const said = [["iteration", `${read + 1} / ${iterations}`], ["", log.stage[read]], ["n", log.n[read]]];
    for (const chart of charts) {
        for (const line of chart.lines) {
            const v = line.values[read];
            line.point.setAttribute("visibility", v === null ? "hidden" : "inherit");
            if (v === null) continue;
            line.point.setAttribute("cx", plot.x(read));
            line.point.setAttribute("cy", chart.y(v));
            said.push([line.side ? `p(${line.name})` : line.name, number(v)]);
        }
    }
    if (log.seconds[read] !== null) said.push(["seconds", number(log.seconds[read])]);
    element("read").replaceChildren(...said.flatMap(([name, value]) => {
        const span = document.createElement("span"), bold = document.createElement("b");
        bold.textContent = value;
        span.append(name ? name + " " : "", bold);
        return [span, " "];
    }));
}
// At rest it reads the iteration that the result is from, or else the last one.
const rest = () => readOut(data.kept >= 0 ? data.kept : iterations - 1, false);

if (!iterations) element("log").hidden = true;
element("curves").addEventListener("pointermove", e => readOut(plot.at(e.clientX)));
element("curves").addEventListener("pointerdown", e => readOut(plot.at(e.clientX)));
element("curves").addEventListener("pointerleave", rest);
element("curves").addEventListener("blur", rest);
element("curves").addEventListener("keydown", e => {
    const to = { ArrowLeft: read - 1, ArrowRight: read + 1, Home: 0, End: iterations - 1, PageUp: read - 10, PageDown: read + 10 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    readOut(to);
});
