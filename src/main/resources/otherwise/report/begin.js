// Draws everything once the clips are decoded, and again when the page changes its width or its colours.
function layOut() {
    fit();
    drawStrip();
    if (iterations) {
        drawCurves();
        rest();
    }
    show(frame);
}

element("copy").addEventListener("click", async () => {
    const command = element("command"), button = element("copy");
    try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "Copied";
    } catch {
        // Where a page may not write to the clipboard, the command is at least selected.
        getSelection().selectAllChildren(command);
        button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

// On paper nothing can be opened, and the width is another.
addEventListener("beforeprint", () => {
    play(false);
    for (const details of document.querySelectorAll("details")) details.open = true;
});

(async () => {
    sheets.original = await decode(data.original);
    sheets.counterfactual = await decode(data.counterfactual);
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
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", markStrip);
    root.dataset.ready = frames;
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play(true);
})();
