// What the shop's pages do by themselves: one launch for a double click, and waiting for a result. Everything works
// without it, less smoothly.
'use strict';

(() => {
  const form = document.getElementById('start');
  if (form) {
    const button = form.querySelector('button');
    const label = [...button.childNodes].map((node) => node.cloneNode(true));
    form.addEventListener('submit', (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = 'yes';
      button.setAttribute('aria-disabled', 'true');
      const english = document.createElement('span');
      english.lang = 'en';
      english.textContent = button.dataset.busyEn;
      button.replaceChildren(button.dataset.busy + ' ', english);
    });
    // A page that the back button brings from the browser's memory holds a token that is used up.
    window.addEventListener('pageshow', (event) => {
      if (!event.persisted) return;
      delete form.dataset.sent;
      button.removeAttribute('aria-disabled');
      button.replaceChildren(...label);
      location.reload();
    });
  }

  const order = document.getElementById('order');
  if (order && 'pending' in order.dataset) {
    const poll = async () => {
      try {
        const res = await fetch('/liveness/' + order.dataset.number + '/state');
        if (res.ok) {
          const { state, evidence } = await res.json();
          if (state !== order.dataset.stage || evidence !== order.dataset.evidence) {
            location.reload();
            return;
          }
        }
        if (res.status === 404) return; // the shop has forgotten the check
      } catch {
        // The network is away for a moment; the next round asks again.
      }
      setTimeout(poll, 700);
    };
    setTimeout(poll, 400);
  }
})();
