"use strict";
// Roles and keys of the tabs, tooltips from the SVG titles, a brighter line for the chip under the pointer, and the
// copy buttons. Without this script the tabs are links, the titles still show, only later, and the command can be
// selected by hand.
(() => {
  const tabs = [...document.querySelectorAll(".tabs a")];
  const panels = tabs.map((tab) => document.getElementById(tab.hash.slice(1)));
  const tell = () => { // the style shows the panel of the address; this only says so
    const target = document.getElementById(location.hash.slice(1));
    const open = target && target.closest(".panel") || panels[0];
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(panels[i] === open));
      tab.tabIndex = panels[i] === open ? 0 : -1;
    });
  };
  const go = (tab) => {
    const strip = tab.closest("nav"), panel = panels[tabs.indexOf(tab)];
    const top = window.scrollY + panel.parentNode.getBoundingClientRect().top;
    const y = Math.min(window.scrollY, top - strip.offsetHeight); // keeps the place, but no further down than the strip
    panel.style.scrollMarginTop = (top - y) + "px"; // where the browser's own jump to the panel shall end
    location.hash = tab.hash;
    tab.focus({ preventScroll: true });
  };
  if (tabs.length && CSS.supports("selector(:has(*))")) {
    tabs[0].closest("ul").setAttribute("role", "tablist");
    tabs.forEach((tab, i) => {
      tab.parentNode.setAttribute("role", "presentation");
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panels[i].id);
      panels[i].setAttribute("role", "tabpanel");
      tab.addEventListener("click", (event) => { event.preventDefault(); go(tab); });
      tab.addEventListener("keydown", (event) => {
        const last = tabs.length - 1;
        const next = { ArrowRight: i < last ? i + 1 : 0, ArrowLeft: i ? i - 1 : last, Home: 0, End: last, " ": i }[event.key];
        if (next !== undefined) { event.preventDefault(); go(tabs[next]); }
      });
    });
    window.addEventListener("hashchange", tell);
    tell();
  }

  const tip = document.getElementById("tip");
  const REACH = 22; // pixels

  const show = (mark, event) => {
    tip.textContent = mark.tipText;
    tip.hidden = false;
    const box = tip.getBoundingClientRect(), gap = 14;
    const left = Math.min(event.clientX + gap, window.innerWidth - box.width - 8);
    const above = event.clientY - box.height - gap;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (above > 8 ? above : event.clientY + gap) + "px";
  };
  const hide = () => { tip.hidden = true; };

  for (const title of document.querySelectorAll("main svg title")) {
    title.parentNode.tipText = title.textContent;
    title.parentNode.setAttribute("data-tip", "");
    title.remove();
  }

  for (const svg of document.querySelectorAll("main svg")) {
    const marks = [...svg.querySelectorAll("[data-tip]")];
    if (!marks.length) continue;
    const groups = [...svg.querySelectorAll("g.chip")];
    const labels = svg.classList.contains("plot") ? [...svg.parentNode.querySelectorAll(".labels text")] : [];
    let current = null;
    const light = (mark) => {
      if (mark === current) return;
      if (current) current.classList.remove("near");
      current = mark;
      if (mark) mark.classList.add("near");
      const group = mark && mark.closest("g.chip");
      svg.classList.toggle("dimmed", Boolean(group));
      for (const g of groups) g.classList.toggle("on", g === group);
      for (const t of labels) t.classList.toggle("on", Boolean(group) && t.dataset.chip === group.dataset.chip);
    };
    const distance = (mark, event) => {
      const box = mark.getBoundingClientRect();
      const dx = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
      const dy = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
      const cx = event.clientX - (box.left + box.right) / 2, cy = event.clientY - (box.top + box.bottom) / 2;
      return Math.hypot(dx, dy) + 0.01 * Math.hypot(cx, cy);
    };
    const follow = (event) => {
      let best = null, least = REACH;
      for (const mark of marks) {
        const d = distance(mark, event);
        if (d < least) { least = d; best = mark; }
      }
      light(best);
      if (best) show(best, event); else hide();
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", () => { light(null); hide(); });
  }
  window.addEventListener("scroll", hide, { passive: true });

  const copied = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      return document.execCommand("copy");
    }
  };
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copied(button.parentNode.querySelector("code"));
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
})();
