"use strict";
// Plays the clips in step and draws the curves. All that is text or number in the page is there without it.
(() => {
    const root = document.documentElement;
    window.addEventListener("error", e => { root.dataset.error = e.message; });
    window.addEventListener("unhandledrejection", e => { root.dataset.error = String(e.reason); });

    const data = JSON.parse(document.getElementById("data").textContent);
    const { frames, width, height } = data;
    const $ = id => document.getElementById(id);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

    // ---- colours of differences: 256 steps between the stops

    const heat = new Uint8Array(256 * 3);
    for (let i = 0; i < 256; i++) {
        const place = i / 255 * (data.heat.length - 1);
        const below = Math.min(Math.floor(place), data.heat.length - 2);
        for (let c = 0; c < 3; c++) {
            const from = data.heat[below] >> 16 - 8 * c & 255, to = data.heat[below + 1] >> 16 - 8 * c & 255;
            heat[3 * i + c] = Math.round(from + (to - from) * (place - below));
        }
    }
    // Paints amounts (0 to 255, times the gain) into pixels.
    function paint(pixels, count, amountOf) {
        for (let i = 0; i < count; i++) {
            const color = 3 * Math.min(255, Math.round(amountOf(i) * gain));
            pixels[4 * i] = heat[color];
            pixels[4 * i + 1] = heat[color + 1];
            pixels[4 * i + 2] = heat[color + 2];
            pixels[4 * i + 3] = 255;
        }
    }

    // ---- the clips

    const decoded = list => Promise.all(list.map(png => {
        const image = new Image();
        image.src = "data:image/png;base64," + png;
        return image.decode().then(() => image);
    }));
    const clips = {};
    const canvases = {};
    for (const name of ["original", "counterfactual", "difference"]) {
        const canvas = $(name);
        canvas.width = width;
        canvas.height = height;
        canvases[name] = canvas.getContext("2d", { willReadFrequently: true });
    }
    // Draws frame t of a clip, or of the difference, in its natural size.
    function drawFrame(name, t) {
        const context = canvases[name];
        if (name !== "difference") {
            context.drawImage(clips[name][Math.floor(t / data.rows)], 0, t % data.rows * height, width, height, 0, 0, width, height);
            return;
        }
        const a = canvases.original.getImageData(0, 0, width, height).data;
        const b = canvases.counterfactual.getImageData(0, 0, width, height).data;
        const out = context.createImageData(width, height);
        paint(out.data, width * height, i => {
            const at = 4 * i;
            return (Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2])) / 3;
        });
        context.putImageData(out, 0, 0);
    }

    let frame = 0, playing = false, gain = 1, due = 0;
    const seconds = t => (t / data.fps).toFixed(2);

    function show(t) {
        frame = (t % frames + frames) % frames;
        for (const name of ["original", "counterfactual", "difference"]) drawFrame(name, frame);
        $("frame").value = frame;
        $("frame").setAttribute("aria-valuetext", `frame ${frame + 1} of ${frames}`);
        $("count").textContent = `frame ${frame + 1} / ${frames} · ${seconds(frame)} s`;
        root.dataset.frame = frame;
        placeNow();
        markStrip();
    }
    function tick(now) {
        if (!playing) return;
        const each = 1000 / (data.fps * Number($("speed").value));
        if (now >= due) {
            // After a pause of the whole page it goes on from here, instead of running after the time lost.
            due = now - due > 4 * each ? now + each : due + each;
            show(frame + 1);
        }
        requestAnimationFrame(tick);
    }
    function play(on) {
        if (on === playing) return;
        playing = on;
        $("play").classList.toggle("playing", on);
        $("play").setAttribute("aria-label", on ? "Pause" : "Play");
        if (on) {
            due = performance.now() + 1000 / (data.fps * Number($("speed").value));
            requestAnimationFrame(tick);
        }
    }
    function stepTo(t) {
        play(false);
        show(t);
    }
    $("frame").max = frames - 1;
    $("frame").addEventListener("input", e => stepTo(Number(e.target.value)));
    $("play").addEventListener("click", () => play(!playing));
    $("back").addEventListener("click", () => stepTo(frame - 1));
    $("forward").addEventListener("click", () => stepTo(frame + 1));
    $("gain").addEventListener("change", e => {
        gain = Number(e.target.value);
        drawScale();
        drawMaps();
        drawStrip();
        show(frame);
    });
    document.addEventListener("keydown", e => {
        // Whatever has arrow keys or a space bar of its own keeps them.
        if (e.altKey || e.ctrlKey || e.metaKey || e.target.closest("input, select, button, summary, #curves")) return;
        const act = { " ": () => play(!playing), ArrowLeft: () => stepTo(frame - 1), ArrowRight: () => stepTo(frame + 1),
            Home: () => stepTo(0), End: () => stepTo(frames - 1) }[e.key];
        if (act) {
            e.preventDefault();
            act();
        }
    });

    // Small clips are enlarged by whole factors of screen pixels, so that all their pixels are squares of one size.
    function fit() {
        for (const name of Object.keys(canvases)) {
            const canvas = $(name), room = canvas.parentElement.clientWidth * devicePixelRatio;
            const factor = room >= width ? Math.floor(room / width) : room / width;
            canvas.style.width = width * factor / devicePixelRatio + "px";
            canvas.classList.toggle("crisp", factor >= 1);
        }
    }

    function drawScale() {
        const context = $("scale").getContext("2d"), out = context.createImageData(256, 1);
        paint(out.data, 256, i => i / gain);
        context.putImageData(out, 0, 0);
        $("scale-end").textContent = gain === 1 ? "255" : `≥ ${Math.round(255 / gain)}`;
    }

    // ---- the film strip: a row a clip, frames evenly spaced

    let strip = { picks: [], at: () => 0 };
    function drawStrip() {
        const canvas = $("strip"), room = canvas.clientWidth, ratio = devicePixelRatio;
        const gap = 4, wish = Math.min(80, 64 * width / height);
        const count = Math.max(2, Math.min(frames, Math.floor((room + gap) / (wish + gap))));
        const cell = (room + gap) / count - gap, tall = cell * height / width;
        const picks = Array.from({ length: count }, (_, k) => Math.round(k * (frames - 1) / (count - 1)));
        const label = 20;
        canvas.width = Math.round(room * ratio);
        canvas.height = Math.round((3 * (tall + gap) + label) * ratio);
        canvas.style.height = 3 * (tall + gap) + label + "px";
        const context = canvas.getContext("2d");
        context.scale(ratio, ratio);
        context.imageSmoothingEnabled = cell * ratio < width;
        context.imageSmoothingQuality = "high";
        picks.forEach((t, k) => {
            ["original", "counterfactual", "difference"].forEach((name, row) => {
                drawFrame(name, t);
                context.drawImage($(name), k * (cell + gap), row * (tall + gap), cell, tall);
            });
        });
        strip = { picks, cell, gap, top: 3 * (tall + gap), room, label };
    }
    // The times below the strip; the pick nearest to the frame shown is set off.
    function markStrip() {
        if (!strip.picks.length) return;
        const context = $("strip").getContext("2d"), style = getComputedStyle(root);
        context.clearRect(0, strip.top, strip.room, strip.label);
        context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
        context.textAlign = "center";
        const nearest = strip.picks.reduce((best, t) => Math.abs(t - frame) < Math.abs(best - frame) ? t : best);
        strip.picks.forEach((t, k) => {
            const left = k * (strip.cell + strip.gap), here = t === nearest;
            context.fillStyle = style.getPropertyValue(here ? "--after" : "--soft");
            if (here) context.fillRect(left, strip.top, strip.cell, 2);
            context.fillText(String(t + 1), left + strip.cell / 2, strip.top + 15);
        });
    }
    $("strip").addEventListener("click", e => {
        const k = Math.floor(e.offsetX / (strip.cell + strip.gap));
        stepTo(strip.picks[Math.min(k, strip.picks.length - 1)]);
    });

    // ---- differences over time

    const change = data.change;
    const SVG = "http://www.w3.org/2000/svg";
    function make(name, attributes, parent, text) {
        const element = document.createElementNS(SVG, name);
        for (const key in attributes) element.setAttribute(key, attributes[key]);
        if (text !== undefined) element.textContent = text;
        parent.append(element);
        return element;
    }
    function drawPerFrame() {
        const svg = $("per-frame"), most = Math.max(...change.perFrame, 1e-9);
        svg.setAttribute("viewBox", `0 0 ${frames} 1`);
        change.perFrame.forEach((mean, t) => make("rect", { x: t + 0.06, width: 0.88, y: 1 - mean / most, height: mean / most }, svg));
        $("change-most").textContent = number(most);
        $("change-end").textContent = seconds(frames) + " s";
    }
    function drawMap(canvas, base64, side) {
        const amounts = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
        canvas.width = frames;
        canvas.height = side;
        canvas.classList.add("crisp");
        const context = canvas.getContext("2d"), out = context.createImageData(frames, side);
        paint(out.data, amounts.length, i => amounts[i]);
        context.putImageData(out, 0, 0);
    }
    function drawMaps() {
        drawMap($("columns"), change.columns, change.width);
        drawMap($("rows"), change.rows, change.height);
    }
    function placeNow() {
        const lane = $("per-frame").getBoundingClientRect(), box = $("change").getBoundingClientRect();
        $("now").style.left = lane.left - box.left + (frame + 0.5) / frames * lane.width + "px";
    }
    for (const id of ["per-frame", "columns", "rows"]) {
        $(id).addEventListener("pointerdown", e => {
            const box = e.currentTarget.getBoundingClientRect();
            stepTo(Math.max(0, Math.min(frames - 1, Math.floor((e.clientX - box.left) / box.width * frames))));
        });
    }

    // ---- the curves

    const log = data.log, count = log.n.length;
    function number(v) {
        if (v === null || v === undefined) return "–";
        if (v === 0) return "0";
        const size = Math.abs(v);
        return size >= 1e5 || size < 1e-3 ? v.toExponential(1).replace("e+", "e") : String(Number(v.toPrecision(3)));
    }
    const charts = [];
    if (log.probability.some(v => v !== null)) {
        charts.push({ title: `probability of ${data.target}`, values: log.probability, tall: 130, range: [0, 1], target: true });
    }
    for (const name in log.losses) charts.push({ title: name, values: log.losses[name], tall: 84 });
    for (const name in log.figures) charts.push({ title: name, values: log.figures[name], tall: 64 });

    // Where a value stands between bottom (0) and top (1). Losses that span more than a factor of 20 get a logarithmic axis.
    function axis(chart) {
        const values = chart.values.filter(v => v !== null);
        let [low, high] = chart.range || [Math.min(...values), Math.max(...values)];
        const positive = values.filter(v => v > 0), least = Math.min(...positive);
        if (!chart.range && low >= 0 && positive.length && high / least > 20) {
            const from = Math.floor(Math.log10(least)), to = Math.ceil(Math.log10(high) - 1e-9), ticks = [];
            const stride = Math.max(1, Math.ceil((to - from) / 4));
            for (let e = from; e <= to; e += stride) ticks.push(10 ** e);
            return { ticks, place: v => Math.max(0, (Math.log10(v) - from) / (to - from)), log: true };
        }
        if (!chart.range && low > 0 && low < high / 2) low = 0;
        if (high === low) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
        const step = nice((high - low) / 3), ticks = [];
        if (!chart.range) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
        for (let k = 0; low + k * step <= high + step * 1e-6; k++) ticks.push(low + k * step);
        return { ticks: chart.range ? [0, 0.5, 1] : ticks, place: v => (v - low) / (high - low) };
    }
    function nice(step) {
        const power = 10 ** Math.floor(Math.log10(step)), head = step / power;
        return power * (head <= 1 ? 1 : head <= 2 ? 2 : head <= 5 ? 5 : 10);
    }

    let plot = null;
    function drawCurves() {
        const host = $("curves");
        if (!count || !charts.length) {
            $("log").hidden = true;
            return;
        }
        const wide = host.clientWidth, left = 46, right = 10, between = 30;
        const x = i => left + (i + 0.5) / count * (wide - left - right), edge = i => x(i - 0.5);
        host.replaceChildren();
        const svg = make("svg", { "aria-hidden": "true" }, host);
        let top = 34;
        const bands = make("g", {}, svg), first = top;

        for (const chart of charts) {
            top += between - 6;
            const scale = axis(chart), y = v => top + chart.tall * (1 - scale.place(v));
            const group = make("g", { class: chart.target ? "target" : "" }, svg);
            make("text", { class: "title", x: left, y: top - 9 }, group, chart.title);
            for (const tick of scale.ticks) {
                make("line", { class: "grid", x1: left, x2: wide - right, y1: Math.round(y(tick)), y2: Math.round(y(tick)) }, group);
                make("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, group, number(tick));
            }
            // A gap in the values is a gap in the line; a value without neighbours is a dot.
            let path = "";
            chart.values.forEach((v, i) => {
                if (v === null) return;
                const joined = i > 0 && chart.values[i - 1] !== null;
                path += `${joined ? "L" : "M"}${x(i).toFixed(2)} ${y(v).toFixed(2)}`;
                if (!joined && (chart.values[i + 1] ?? null) === null) make("circle", { class: "lone", cx: x(i), cy: y(v), r: 2 }, group);
            });
            make("path", { class: "line", d: path }, group);
            chart.y = y;
            // y keeps the top of its own chart
            const at = top;
            chart.y = v => at + chart.tall * (1 - scale.place(v));
            top += chart.tall;
        }

        // Bands of equal n behind the charts, every second one tinted, with n above; stages above that.
        const runs = (same) => {
            const found = [];
            for (let i = 0; i < count; i++) {
                if (i && same(i - 1, i)) found.at(-1).end = i + 1;
                else found.push({ from: i, end: i + 1 });
            }
            return found;
        };
        let free = 0;
        runs((a, b) => log.n[a] === log.n[b] && log.stage[a] === log.stage[b]).forEach((run, k) => {
            const from = edge(run.from), size = edge(run.end) - from;
            if (k % 2 === 0) make("rect", { class: "band", x: from, y: 16, width: size, height: top - 16 }, bands);
            const middle = from + size / 2, text = k === 0 ? `n = ${log.n[run.from]}` : String(log.n[run.from]);
            const half = text.length * 3.2;
            if (size >= 7 && middle - half >= free) {
                make("text", { x: middle, y: 28, "text-anchor": "middle" }, svg, text);
                free = middle + half + 4;
            }
        });
        let stageFree = 0;
        for (const run of runs((a, b) => log.stage[a] === log.stage[b])) {
            const from = edge(run.from);
            if (from < stageFree) continue;
            make("line", { class: "grid", x1: Math.round(from), x2: Math.round(from), y1: 0, y2: top }, svg);
            const text = make("text", { x: from + 4, y: 10, class: "title" }, svg, log.stage[run.from]);
            stageFree = from + 8 + text.getComputedTextLength();
        }
        if (data.kept >= 0) {
            const at = Math.round(x(data.kept));
            make("line", { class: "kept", x1: at, x2: at, y1: first, y2: top }, svg);
            const near = at > wide - 60;
            make("text", { class: "kept-label", x: near ? at - 4 : at + 4, y: first + between - 15, "text-anchor": near ? "end" : "start" }, svg, "kept");
        }
        // Iterations, counted from 1.
        const stride = Math.max(1, nice(count / Math.max(2, (wide - left - right) / 90)));
        for (let i = 0; i <= count; i += stride) {
            const at = Math.max(1, i);
            if (at <= count) make("text", { x: x(at - 1), y: top + 16, "text-anchor": "middle" }, svg, String(at));
        }
        make("text", { x: wide - right, y: top + 32, "text-anchor": "end" }, svg, "iteration");
        svg.setAttribute("viewBox", `0 0 ${wide} ${top + 36}`);
        svg.setAttribute("height", top + 36);

        const cross = make("g", { visibility: "hidden" }, svg);
        const line = make("line", { class: "cross", y1: 16, y2: top }, cross);
        const points = charts.map(() => make("circle", { class: "point", r: 3 }, cross));
        plot = { x, cross, line, points, at: clientX => Math.floor((clientX - host.getBoundingClientRect().left - left) / (wide - left - right) * count) };
    }
    let read = -1;
    function readOut(i) {
        if (!plot) return;
        read = Math.max(0, Math.min(count - 1, i));
        plot.cross.setAttribute("visibility", "visible");
        plot.line.setAttribute("x1", plot.x(read));
        plot.line.setAttribute("x2", plot.x(read));
        charts.forEach((chart, k) => {
            const v = chart.values[read], point = plot.points[k];
            point.setAttribute("visibility", v === null ? "hidden" : "inherit");
            if (v !== null) {
                point.setAttribute("cx", plot.x(read));
                point.setAttribute("cy", chart.y(v));
            }
        });
        say([["iteration", `${read + 1} / ${count}`], ["", log.stage[read]], ["n", log.n[read]],
            ...charts.filter(c => c.values[read] !== null).map(c => [c.title, number(c.values[read])]),
            ["seconds", number(log.seconds[read])]]);
    }
    function say(pairs) {
        $("read").replaceChildren(...pairs.flatMap(([name, value]) => {
            const span = document.createElement("span"), bold = document.createElement("b");
            bold.textContent = value;
            span.append(name ? name + " " : "", bold);
            return [span, " "];
        }));
    }
    $("curves").addEventListener("pointermove", e => readOut(plot.at(e.clientX)));
    $("curves").addEventListener("pointerdown", e => readOut(plot.at(e.clientX)));
    $("curves").addEventListener("pointerleave", () => rest());
    $("curves").addEventListener("keydown", e => {
        const from = read < 0 ? 0 : read;
        const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: count - 1, PageUp: from - 10, PageDown: from + 10 }[e.key];
        if (to !== undefined) {
            e.preventDefault();
            readOut(to);
        }
    });
    // At rest it reads the iteration that the result is from, or else the last one.
    function rest() {
        if (!plot) return;
        readOut(data.kept >= 0 ? data.kept : count - 1);
        plot.cross.setAttribute("visibility", "hidden");
    }

    // ---- the command

    $("copy").addEventListener("click", async () => {
        const pre = $("command");
        try {
            await navigator.clipboard.writeText(pre.textContent);
            $("copy").textContent = "Copied";
        } catch {
            // Where a page may not write to the clipboard, the command is at least selected.
            getSelection().selectAllChildren(pre);
            $("copy").textContent = "Selected";
        }
        setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
    });
    window.addEventListener("beforeprint", () => {
        for (const details of document.querySelectorAll("details")) details.open = true;
    });

    // ---- begin

    function layOut() {
        fit();
        drawStrip();
        drawCurves();
        rest();
        show(frame);
    }
    Promise.all([decoded(data.original), decoded(data.counterfactual)]).then(([original, counterfactual]) => {
        Object.assign(clips, { original, counterfactual });
        drawScale();
        drawPerFrame();
        drawMaps();
        layOut();
        let wide = root.clientWidth;
        new ResizeObserver(() => {
            if (root.clientWidth === wide) return;
            wide = root.clientWidth;
            layOut();
        }).observe(root);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(frame));
        root.dataset.ready = frames;
        if (!calm) play(true);
    }).catch(e => { root.dataset.error = String(e && e.stack || e); });
})();
