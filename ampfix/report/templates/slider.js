for (const box of document.querySelectorAll("[data-histogram]")) {
  const bars = box.querySelector("[data-bars]"), slider = box.querySelector("input[type=range]");
  const choice = box.querySelector("select"), out = box.querySelector("output");
  const ends = JSON.parse(box.dataset.ends);
  const layers = JSON.parse(box.querySelector("script[type='application/json']").textContent);
  const unit = Number(bars.dataset.unit), first = Number(box.dataset.first), bottom = Number(box.dataset.bottom);
  const height = Number(box.dataset.height), left = Number(box.dataset.left);
  function draw() {
    const layer = layers[choice ? choice.selectedIndex : 0], most = Math.max(1, ...layer.counts);
    bars.replaceChildren(...layer.counts.map((count, index) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const tall = count ? Math.max(1, height * count / most) : 0;
      bar.setAttribute("class", "bar");
      bar.setAttribute("x", left + (layer.low + index - first) * unit + 0.5);
      bar.setAttribute("y", bottom - tall);
      bar.setAttribute("width", Math.max(unit - 1, 1));
      bar.setAttribute("height", tall);
      return bar;
    }));
    move();
  }
  function move() {
    const shift = Number(slider.value), layer = layers[choice ? choice.selectedIndex : 0];
    bars.setAttribute("transform", `translate(${shift * unit} 0)`);
    out.textContent = `2^${shift}`;
    const total = layer.counts.reduce((sum, count) => sum + count, 0) || 1;
    let low = -Infinity;
    ends.forEach((end, index) => {
      const high = end === null ? Infinity : end;
      const inside = layer.counts.reduce((sum, count, at) => {
        const place = layer.low + at + shift;
        return sum + (place >= low && place < high ? count : 0);
      }, 0);
      box.querySelector(`[data-share="${index}"]`).textContent = `${(100 * inside / total).toFixed(2)} %`;
      low = high;
    });
  }
  slider.addEventListener("input", move);
  if (choice) choice.addEventListener("change", draw);
  draw();
}
