const STATE_EVERY_MS = 1_000;
const MAX_MESSAGES = 100;
const MAX_RATES = 60;

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en');

watchFeed();
watchState();

$('publish').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text !== '' && (await send('POST', '/feed', { text })).ok) $('text').value = '';
});

$('queue-job').addEventListener('click', async () => {
  const answer = await send('POST', '/jobs', { text: 'count these four words', durationMs: 1_000 });
  if (answer.ok) tell('Queued. A worker has it for a second.');
});

$('reserve').addEventListener('click', async () => {
  const { ok, status, body } = await send('POST', '/stock/lamp/reserve', { quantity: 1 });
  if (ok) tell(`Reserved; ${body.left} left.`);
  else if (status === 409) tell('Sold out: stock up first.');
  else if (status === 404) tell('There are no lamps yet: stock up first.');
});

$('restock').addEventListener('click', async () => {
  if ((await send('PUT', '/stock/lamp', { quantity: 20 })).ok) tell('20 lamps are there.');
});

function watchFeed() {
  const feed = new EventSource('/feed');
  feed.addEventListener('open', () => show('feed-status', 'Live', 'good'));
  // It comes back by itself.
  feed.addEventListener('error', () => show('feed-status', 'Reconnecting', 'bad'));
  feed.addEventListener('message', ({ data }) => addMessage(JSON.parse(data)));
  feed.addEventListener('gap', () => {
    addMessage({ kind: 'gap', text: 'The connection to Redis was lost for a moment', at: new Date() });
  });
}

function addMessage({ kind, text, at }) {
  const item = document.createElement('li');
  const label = Object.assign(document.createElement('span'), { className: 'kind', textContent: kind });
  label.dataset.kind = kind;
  const time = document.createElement('time');
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(label, Object.assign(document.createElement('span'), { textContent: text }), time);
  $('messages').prepend(item);
  while ($('messages').children.length > MAX_MESSAGES) $('messages').lastChild.remove();
}

async function watchState() {
  const rates = [];
  let before;
  for (;;) {
    const state = document.hidden ? undefined : await readState();
    if (state !== undefined) {
      const at = performance.now();
      // A process that began anew counts from 0.
      if (before !== undefined && state.commands >= before.commands) {
        rates.push(((state.commands - before.commands) * 1_000) / (at - before.at));
        if (rates.length > MAX_RATES) rates.shift();
      }
      before = { commands: state.commands, at };
      showState(state, rates);
    }
    await new Promise((resolve) => setTimeout(resolve, STATE_EVERY_MS));
  }
}

async function readState() {
  try {
    const answer = await fetch('/state');
    if (answer.ok) return await answer.json();
  } catch {
    // The status says it.
  }
  show('pool-status', 'unreachable', 'bad');
}

function showState({ status, commands, latency, pending, leases, lanes, connections, hangUps }, rates) {
  show('pool-status', status, status === 'ready' ? 'good' : 'bad');
  const texts = {
    commands: number.format(commands),
    p50: formatMs(latency.p50Ms),
    p99: formatMs(latency.p99Ms),
    pending: number.format(pending.commands),
    waiting: number.format(leases.waiting),
    'hang-ups': number.format(hangUps),
    connections: `${connections.used} of at most ${connections.max}`,
  };
  for (const [id, text] of Object.entries(texts)) $(id).textContent = text;
  showRates(rates);
  const others = connections.used - lanes.length - leases.leased - leases.idle;
  showConnections({ lanes: lanes.length, leased: leases.leased, idle: leases.idle, others }, connections.max);
}

function showRates(rates) {
  if (rates.length === 0) return;
  $('rate').textContent = number.format(Math.round(rates.at(-1)));
  const top = Math.max(...rates, 10);
  const points = rates.map((rate, index) => {
    const x = 100 - ((rates.length - 1 - index) * 100) / (MAX_RATES - 1);
    return `${x.toFixed(2)} ${(27 - (rate / top) * 25).toFixed(2)}`;
  });
  const line = `M${points.join('L')}`;
  const [left] = points[0].split(' ');
  $('rates').querySelector('.stroke').setAttribute('d', line);
  $('rates').querySelector('.area').setAttribute('d', `${line}L100 28L${left} 28Z`);
}

function showConnections(counts, max) {
  const bar = $('bar');
  if (bar.children.length === 0) {
    for (const kind of [...Object.keys(counts), 'free']) {
      const part = document.createElement('span');
      part.dataset.kind = kind;
      bar.append(part);
    }
  }
  const used = Object.values(counts).reduce((sum, count) => sum + count, 0);
  for (const part of bar.children) part.style.flexGrow = String(counts[part.dataset.kind] ?? max - used);
  for (const [kind, count] of Object.entries(counts)) $(kind).textContent = String(count);
  bar.setAttribute('aria-label', `${used} of ${max} connections in use`);
}

async function send(method, path, body) {
  try {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
    const isJson = answer.headers.get('content-type')?.includes('json');
    if (answer.status === 429) tell('Too many requests: slower, please.');
    else if (answer.status >= 500) tell('Redis is away: try again in a moment.');
    return { ok: answer.ok, status: answer.status, body: isJson ? await answer.json() : undefined };
  } catch {
    tell('The application cannot be reached.');
    return { ok: false, status: 0, body: undefined };
  }
}

function tell(text) {
  $('notice').textContent = text;
}

function show(id, text, state) {
  const pill = $(id);
  if (pill.textContent === text) return;
  pill.textContent = text;
  pill.dataset.state = state;
}

function formatMs(ms) {
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${Math.round(ms)} ms`;
}
