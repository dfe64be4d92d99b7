// Differences over time: bars for the mean of each frame, and maps of where something changed.
const change = data.change;

function svg(name, attributes, parent, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
}
function number(v) {
    if (v === null || v === undefined) return "–";
    if (v === 0) return "0";
    const size = Math.abs(v);
    return size >= 1e5 || size < 1e-3 ? v.toExponential(1).replace("e+", "e").replace(".0e", "e") : String(Number(v.toPrecision(3)));
}
function drawPerFrame() {
    const host = element("per-frame"), most = Math.max(...change.perFrame, 1e-9);
    host.setAttribute("viewBox", `0 0 ${frames} 1`);
    change.perFrame.forEach((mean, t) => svg("rect", { x: t + 0.06, width: 0.88, y: 1 - mean / most, height: mean / most }, host));
    element("change-most").textContent = number(change.most ? most : 0);
    element("change-end").textContent = seconds(frames) + " s";
}
function drawMap(canvas, base64, side) {
    const amounts = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
    canvas.width = frames;
    canvas.height = side;
    canvas.classList.add("crisp");
    paint(canvas.getContext("2d"), i => amounts[i]);
}
function drawMaps() {
    drawMap(element("columns"), change.columns, change.width);
    drawMap(element("rows"), change.rows, change.height);
}
// The line that goes through all of them at the frame shown.
function placeNow() {
    const lane = element("per-frame").getBoundingClientRect(), box = element("change").getBoundingClientRect();
    element("now").style.left = lane.left - box.left + (frame + 0.5) / frames * lane.width + "px";
}
for (const id of ["per-frame", "columns", "rows"]) {
    element(id).addEventListener("pointerdown", e => {
        const box = e.currentTarget.getBoundingClientRect();
        stopAt(Math.max(0, Math.min(frames - 1, Math.floor((e.clientX - box.left) / box.width * frames))));
    });
}
