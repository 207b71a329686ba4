// The page of the fake platform: camera, two seconds of recording, one still, and the report that carries them. What
// goes wrong before anything was recorded is reported with the code that the vendor's page has for it. Leaving the page
// reports nothing.
'use strict';

(() => {
  const seconds = 2;
  const noRecorder = '3001', noCamera = '3004';
  // MP4 first: it is what the platform delivers, and the only thing some phones play.
  const kinds = ['video/mp4;codecs=avc1.42E01E,mp4a.40.2', 'video/mp4', 'video/webm;codecs=vp8,opus', 'video/webm'];

  const page = document.querySelector('main');
  const form = document.getElementById('report');
  const preview = document.getElementById('preview');
  const status = document.getElementById('status');
  const go = document.getElementById('go');
  const digits = document.querySelectorAll('#digits b');
  let stream = null;
  let busy = false;

  // Texts are pairs: Chinese, and English below.
  function write(element, [zh, en]) {
    const english = document.createElement('span');
    english.lang = 'en';
    english.textContent = en;
    element.replaceChildren(zh + ' ', english);
  }

  function show(state, text, trouble = false) {
    page.dataset.state = state;
    write(status, text);
    status.classList.toggle('trouble', trouble);
  }

  function button(text, action) {
    write(go, text);
    go.onclick = action;
  }

  // once keeps a second tap from starting a second camera, recording or report.
  function once(action) {
    return async () => {
      if (busy) return;
      busy = true;
      go.setAttribute('aria-disabled', 'true');
      try {
        await action();
      } finally {
        busy = false;
        go.removeAttribute('aria-disabled');
      }
    };
  }

  function closeCamera() {
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
  }

  async function openCamera() {
    const video = { facingMode: 'user', width: { ideal: 640 }, height: { ideal: 480 } };
    try {
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video, audio: true });
      } catch (err) {
        if (err.name !== 'NotFoundError') throw err;
        stream = await navigator.mediaDevices.getUserMedia({ video }); // a desk without a microphone
      }
    } catch (err) {
      if (err.name === 'NotAllowedError' || err.name === 'NotFoundError') {
        await report({ code: noCamera });
        return;
      }
      show('intro', ['摄像头无法打开，请关闭其他应用后重试', 'The camera does not open. Close other apps and try again'], true);
      return;
    }
    preview.srcObject = stream;
    await preview.play();
    show('camera', ['请将面部置于框内，准备好后点击录制', 'Place your face in the frame, then record']);
    button(['开始录制', 'Record for two seconds'], once(record));
  }

  async function record() {
    const kind = kinds.find((k) => MediaRecorder.isTypeSupported(k));
    const recorder = new MediaRecorder(stream, kind ? { mimeType: kind } : {});
    const pieces = [];
    const ended = new Promise((resolve, reject) => {
      recorder.ondataavailable = (event) => pieces.push(event.data);
      recorder.onstop = resolve;
      recorder.onerror = () => reject(new Error('recorder'));
    });
    show('recording', ['请逐个读出数字', 'Read the digits, one after the other']);
    write(go, ['正在录制…', 'Recording…']);
    try {
      recorder.start();
      const photo = await readDigits();
      if (recorder.state === 'recording') recorder.stop();
      await ended;
      const video = new Blob(pieces, { type: recorder.mimeType });
      if (!photo || video.size === 0) throw new Error('nothing was recorded');
      await report({ code: '0', photo, video });
    } catch {
      closeCamera();
      show('intro', ['录制失败，请重试', 'The recording failed. Try again'], true);
      button(['打开摄像头', 'Open the camera'], once(openCamera));
    } finally {
      for (const digit of digits) digit.classList.remove('now');
    }
  }

  // readDigits lights up one digit after the other and takes the still halfway.
  async function readDigits() {
    let photo = null;
    for (const [i, digit] of digits.entries()) {
      for (const other of digits) other.classList.toggle('now', other === digit);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000 / digits.length));
      if (i === 1) photo = await still();
    }
    return photo;
  }

  function still() {
    const canvas = document.createElement('canvas');
    canvas.width = preview.videoWidth;
    canvas.height = preview.videoHeight;
    canvas.getContext('2d').drawImage(preview, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.85));
  }

  // report sends the outcome and goes where the platform says. Only the answer ends the check: when it does not come,
  // the same report can be sent again.
  async function report({ code, photo, video, sample }) {
    const data = new FormData();
    data.set('session', form.elements.session.value);
    data.set('code', code);
    if (code === '0') data.set('liveRate', form.elements.liveRate.value);
    if (sample) data.set('sample', '1');
    if (photo) data.set('photo', photo, 'photo');
    if (video) data.set('video', video, 'video');
    show('sending', ['正在提交…', 'Sending…']);
    let answer;
    try {
      const res = await fetch(form.action, { method: 'POST', body: data, headers: { Accept: 'application/json' } });
      answer = await res.json();
    } catch {
      show('camera', ['提交失败，请重试', 'It could not be sent. Try again'], true);
      button(['重新提交', 'Send again'], once(() => report({ code, photo, video, sample })));
      return;
    }
    closeCamera();
    if (answer.reason) {
      conclude(['检测已结束', 'This check is over'], answer.reason, '');
    } else if (answer.direct) {
      location.replace(answer.callback); // so that the back button does not lead to a link that is used up
    } else {
      page.dataset.passed = String(answer.passed);
      const verdict = answer.passed ? ['检测通过', 'Passed'] : ['检测未通过', 'Not passed'];
      conclude(verdict, answer.passed ? '' : code, answer.callback);
    }
  }

  function conclude(verdict, detail, callback) {
    page.dataset.state = 'over';
    write(document.getElementById('verdict'), verdict);
    document.getElementById('verdict-code').textContent = detail;
    const link = document.getElementById('callback');
    link.hidden = !callback;
    if (callback) link.href = callback;
    document.getElementById('check').hidden = true;
    form.hidden = true;
    const over = document.getElementById('over');
    over.hidden = false;
    over.focus();
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const code = form.elements.other.value || form.elements.code.value;
    once(() => report({ code, sample: true }))();
  });

  go.hidden = false;
  button(['打开摄像头', 'Open the camera'], once(openCamera));
  if (!window.isSecureContext) {
    // A developer's mistake, not the person's browser's: say so, instead of reporting it.
    go.hidden = true;
    show('intro', ['请通过 https 或 localhost 打开', 'Browsers give the camera to https and localhost only'], true);
  } else if (!window.MediaRecorder || !navigator.mediaDevices) {
    once(() => report({ code: noRecorder }))();
  }
})();
