"use strict";
// Plays the two clips and their difference in step. Everything that is text or number in the page is there without any script; should one
// fail, the root element carries `data-error`, and `data-ready` once all is drawn.
const root = document.documentElement;
window.addEventListener("error", e => { root.dataset.error = e.message; });
window.addEventListener("unhandledrejection", e => { root.dataset.error = String(e.reason); });

const element = id => document.getElementById(id);
const data = JSON.parse(element("data").textContent);
const { frames, width, height } = data;
const panels = ["original", "counterfactual", "difference"];
const seconds = t => (t / data.fps).toFixed(2);

let frame = 0, playing = false, due = 0;

// The difference starts at the gain that uses the colours best without leaving them.
let gain = 1;
while (gain < 8 && data.change.most * gain * 2 <= 255) gain *= 2;

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

// Fills a canvas with the colours of amounts between 0 and 255, times the gain.
function paint(context, amountOf) {
    const { width: w, height: h } = context.canvas, image = context.createImageData(w, h), pixels = image.data;
    for (let i = 0; i < w * h; i++) {
        const color = 3 * Math.min(255, Math.round(amountOf(i) * gain));
        pixels[4 * i] = heat[color];
        pixels[4 * i + 1] = heat[color + 1];
        pixels[4 * i + 2] = heat[color + 2];
        pixels[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
}
function drawScale() {
    paint(element("scale").getContext("2d"), i => i / gain);
    element("scale-end").textContent = gain === 1 ? "255" : `≥ ${Math.round(255 / gain)}`;
}

// ---- the clips

const sheets = {};
const contexts = {};
for (const name of panels) {
    const canvas = element(name);
    canvas.width = width;
    canvas.height = height;
    contexts[name] = canvas.getContext("2d", { willReadFrequently: true });
}
function decode(pngs) {
    return Promise.all(pngs.map(async png => {
        const image = new Image();
        image.src = "data:image/png;base64," + png;
        await image.decode();
        return image;
    }));
}

// Draws frame t into all three panels, pixel by pixel; enlarging is the style sheet's affair.
function draw(t) {
    for (const name of ["original", "counterfactual"]) {
        const sheet = sheets[name][Math.floor(t / data.rows)];
        contexts[name].drawImage(sheet, 0, t % data.rows * height, width, height, 0, 0, width, height);
    }
    const a = contexts.original.getImageData(0, 0, width, height).data;
    const b = contexts.counterfactual.getImageData(0, 0, width, height).data;
    const apart = at => Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2]);
    paint(contexts.difference, i => Math.round(apart(4 * i) / 3));
}
function show(t) {
    frame = (t + frames) % frames;
    draw(frame);
    element("frame").value = frame;
    element("frame").setAttribute("aria-valuetext", `frame ${frame + 1} of ${frames}`);
    element("count").textContent = `frame ${frame + 1} / ${frames} · ${seconds(frame)} s`;
    root.dataset.frame = frame;
    placeNow();
    markStrip();
}

// Clips are enlarged by whole factors of screen pixels, so that all their pixels are squares of one size.
function fit() {
    // The columns of the grid are of one width, whatever is in them.
    const room = parseFloat(getComputedStyle(element("panels")).gridTemplateColumns) * devicePixelRatio;
    for (const name of panels) {
        const canvas = element(name);
        const factor = room >= width ? Math.floor(room / width) : room / width;
        const wide = width * factor / devicePixelRatio + "px";
        canvas.style.width = wide;
        canvas.classList.toggle("crisp", factor >= 1);
        if (name === "difference") element("scale").parentElement.style.maxWidth = wide;
    }
}

// ---- playing

const interval = () => 1000 / (data.fps * Number(element("speed").value));
function tick(now) {
    if (!playing) return;
    if (now >= due) {
        // After a pause of the whole page it goes on from here, instead of running after the time lost.
        due = now - due > 4 * interval() ? now + interval() : due + interval();
        show(frame + 1);
    }
    requestAnimationFrame(tick);
}
function play(on) {
    if (on === playing) return;
    playing = on;
    element("play").classList.toggle("playing", on);
    element("play").setAttribute("aria-label", on ? "Pause" : "Play");
    if (on) {
        due = performance.now() + interval();
        requestAnimationFrame(tick);
    }
}
function stopAt(t) {
    play(false);
    show(t);
}
element("frame").max = frames - 1;
element("frame").addEventListener("input", e => stopAt(Number(e.target.value)));
element("play").addEventListener("click", () => play(!playing));
element("back").addEventListener("click", () => stopAt(frame - 1));
element("forward").addEventListener("click", () => stopAt(frame + 1));
element("gain").value = gain;
element("gain").addEventListener("change", e => {
    gain = Number(e.target.value);
    drawScale();
    drawMaps();
    drawStrip();
    show(frame);
});
const keys = {
    " ": () => play(!playing), ArrowLeft: () => stopAt(frame - 1), ArrowRight: () => stopAt(frame + 1), Home: () => stopAt(0),
    End: () => stopAt(frames - 1),
};
document.addEventListener("keydown", e => {
    // Whatever has arrow keys or a space bar of its own keeps them.
    if (!keys[e.key] || e.altKey || e.ctrlKey || e.metaKey || e.target.closest("input, select, button, summary, pre, #curves")) return;
    e.preventDefault();
    keys[e.key]();
});

// ---- the film strip: a row a panel, the same frames in each

let strip = null;

// How many frames fit: if possible so many that they are evenly spaced.
function stripFrames(most) {
    for (let count = most; count > most / 2 && count > 1; count--) {
        if ((frames - 1) % (count - 1) === 0) return count;
    }
    return most;
}
function drawStrip() {
    const canvas = element("strip"), room = canvas.clientWidth, ratio = devicePixelRatio, gap = 4, label = 20;
    const least = Math.max(40, Math.min(96, 54 * width / height));
    const count = stripFrames(Math.max(2, Math.min(frames, Math.floor((room + gap) / (least + gap)))));
    const cell = Math.min((room + gap) / count - gap, 1.6 * least), tall = cell * height / width, step = (room - cell) / Math.max(1, count - 1);
    const picks = Array.from({ length: count }, (_, k) => Math.round(k * (frames - 1) / (count - 1)));
    canvas.style.height = 3 * (tall + gap) + label + "px";
    canvas.width = Math.round(room * ratio);
    canvas.height = Math.round((3 * (tall + gap) + label) * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = cell * ratio < width;
    context.imageSmoothingQuality = "high";
    picks.forEach((t, k) => {
        draw(t);
        panels.forEach((name, row) => context.drawImage(element(name), k * step, row * (tall + gap), cell, tall));
    });
    strip = { picks, cell, step, top: 3 * (tall + gap), room, label };
}
// Numbers the frames below the strip, and sets off the one nearest to what is shown.
function markStrip() {
    const context = element("strip").getContext("2d"), style = getComputedStyle(document.body);
    context.clearRect(0, strip.top, strip.room, strip.label);
    context.font = `11px ${style.fontFamily}`;
    context.textAlign = "center";
    const nearest = strip.picks.reduce((best, t) => Math.abs(t - frame) < Math.abs(best - frame) ? t : best);
    strip.picks.forEach((t, k) => {
        context.fillStyle = style.getPropertyValue(t === nearest ? "--after" : "--soft");
        if (t === nearest) context.fillRect(k * strip.step, strip.top, strip.cell, 2);
        context.fillText(String(t + 1), k * strip.step + strip.cell / 2, strip.top + 15);
    });
}
element("strip").addEventListener("click", e => {
    const k = Math.floor(e.offsetX / strip.step);
    stopAt(strip.picks[Math.max(0, Math.min(k, strip.picks.length - 1))]);
});
