/** Sends tasks, and shows each state the moment it is published. */
/* global AbortSignal, crypto, document, EventSource, fetch, FormData, setTimeout, URLSearchParams */

const READY = new Set(['SUCCESS', 'FAILURE', 'REVOKED']);
const find = (selector, within = document) => within.querySelector(selector);
const copy = (id) => find(`#${id}`).content.firstElementChild.cloneNode(true);

/** Asks the service. @returns what it answers, or `{ error: { code, message } }` if it does not */
async function ask(path, options = {}) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(15_000), ...options });
    return await response.json();
  } catch (error) {
    return { error: { code: 'SERVICE_UNREACHABLE', message: error.message } };
  }
}

const post = (path, body) =>
  ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

function show(element, text) {
  element.textContent = text;
  element.hidden = text === '';
}

const tell = ({ code, type, message }) => `${type ?? code}: ${message}`;

/** A task that was sent, in its row. */
class Task {
  #seen = ['PENDING'];

  constructor(task, args) {
    Object.assign(this, { task, args, taskId: crypto.randomUUID(), ready: false, row: copy('task') });
    find('.name', this.row).textContent = `${task}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
    find('.ask', this.row).addEventListener('click', () => this.#ask());
  }

  get call() {
    return { task: this.task, taskId: this.taskId, args: this.args };
  }

  /** A state; the same one comes again after a reconnect. */
  update({ status, result, error }) {
    if (this.ready) return;
    this.ready = READY.has(status);
    this.row.dataset.state = status;
    find('.state', this.row).textContent = status;
    if (status === 'PROGRESS') this.#progress(result);
    else this.#note(status);
    if (status === 'SUCCESS') show(find('.result', this.row), `= ${JSON.stringify(result)}`);
    show(find('.error', this.row), error ? tell(error) : '');
    if (this.ready) this.#end(result);
  }

  /** Its states are told no more. */
  fail(error) {
    this.ready = true;
    this.row.dataset.state = error.code;
    find('.state', this.row).textContent = 'UNKNOWN';
    show(find('.error', this.row), tell(error));
    this.#end();
  }

  #progress({ current, total }) {
    const bar = find('progress', this.row);
    Object.assign(bar, { hidden: false, max: total, value: current });
    bar.setAttribute('aria-label', `${current} of ${total}`);
    this.#note(`PROGRESS ${current}/${total}`);
  }

  #note(what) {
    if (this.#seen.includes(what)) return;
    this.#seen.push(what);
    find('.seen', this.row).textContent = this.#seen.join(' → ');
  }

  #end() {
    find('.ask', this.row).hidden = true;
    find('progress', this.row).hidden = true;
  }

  /** The long poll. It shows what it was told; the states come by the stream. */
  async #ask() {
    const button = find('.ask', this.row);
    button.disabled = true;
    const { error, result } = await ask(`/tasks/${this.task}/${this.taskId}?timeout=2`);
    button.disabled = false;
    show(find('.answer', this.row), `The answer: ${error ? tell(error) : JSON.stringify(result)}`);
  }
}

/** All that were sent, by their ids. */
const tasks = new Map();
let stream;

/** Tasks that one stream may follow, as the service has it. */
const MOST = 100;

const openTasks = () => [...tasks.values()].filter(({ ready }) => !ready);

/** One stream for all that are not ready. Resolves when it listens, so that no state of what is sent then is missed. */
function listen() {
  const open = openTasks();
  const former = stream;
  if (open.length === 0) {
    former?.close();
    connection('');
    return Promise.resolve();
  }
  const query = new URLSearchParams(open.map(({ task, taskId }) => ['task', `${task}:${taskId}`]));
  const current = new EventSource(`/events?${query}`);
  stream = current;
  const on = (event, handle) => current.addEventListener(event, ({ data }) => handle(JSON.parse(data)));
  on('state', (state) => tasks.get(state.taskId).update(state));
  on('problem', ({ taskId, error }) => tasks.get(taskId).fail(error));
  on('end', () => current.close());
  return new Promise((resolve) => {
    on('listening', () => {
      former?.close();
      connection('');
      resolve();
    });
    current.addEventListener('error', () => {
      resolve();
      if (stream !== current) return current.close();
      connection('The connection to the service is lost; it is being made again.');
      // After an answer that is no stream the browser does not try again.
      if (current.readyState === EventSource.CLOSED) setTimeout(() => stream === current && listen(), 1000);
    });
  });
}

/** Why there is no stream, until there is one. */
const connection = (text) => show(find('#connection'), text);

/** Why something was not sent, until something else is. */
const notice = (text) => show(find('#notice'), text);

/** Shows a run, listens, sends it, unless that were too many tasks. @returns its article, if it was sent */
async function send(title, path, members, body) {
  const count = openTasks().length;
  if (count + members.length > MOST) {
    notice(
      `Not sent. The page follows ${MOST} tasks at a time, and waits for ${count}; this would be ${members.length} more.`,
    );
    return undefined;
  }
  const article = copy('run');
  find('h3', article).textContent = title;
  for (const member of members) {
    tasks.set(member.taskId, member);
    find('ol', article).append(member.row);
  }
  find('#runs').prepend(article);
  await listen();
  const { error } = await post(path, body);
  if (error) {
    for (const member of members) member.fail(error);
    notice(`Not sent. ${tell(error)}`);
    void listen();
    return undefined;
  }
  return article;
}

const worker = () => find('input[name=worker]:checked').value;
const other = (index) => (index % 2 === 0 ? 'python' : 'typescript');
const adds = (count) => Array.from({ length: count }, (_, index) => new Task(`${other(index)}.add`, [index, index]));

const forms = {
  async add({ x, y }) {
    const task = new Task(`${worker()}.add`, [Number(x), Number(y)]);
    await send('Task', '/tasks', [task], task.call);
  },
  async progress({ steps }) {
    const task = new Task(`${worker()}.progress`, [Number(steps)]);
    await send('Task', '/tasks', [task], task.call);
  },
  async fail({ reason }) {
    const task = new Task(`${worker()}.fail`, [reason]);
    await send('Task', '/tasks', [task], task.call);
  },
  async group({ count }) {
    const members = adds(Number(count));
    const groupId = crypto.randomUUID();
    const article = await send('Group', '/groups', members, { groupId, tasks: members.map(({ call }) => call) });
    if (!article) return;
    const { result, error } = await ask(`/groups/${groupId}`);
    show(find('.outcome', article), error ? tell(error) : `= ${JSON.stringify(result)}`);
  },
  async chord({ count }) {
    const header = adds(Number(count));
    const body = new Task(`${worker()}.total`, []);
    const { task, taskId } = body;
    await send('Chord', '/chords', [...header, body], {
      header: header.map(({ call }) => call),
      body: { task, taskId },
    });
  },
};

for (const [id, submit] of Object.entries(forms)) {
  find(`#${id}`).addEventListener('submit', (event) => {
    event.preventDefault();
    notice('');
    void submit(Object.fromEntries(new FormData(event.target)));
  });
}

/** Whether all is well, anew each second. */
async function watchHealth() {
  const { ping, stats, error } = await ask('/health');
  const line = find('#health');
  line.dataset.ok = String(!error);
  line.textContent = error
    ? tell(error)
    : `Redis answers in ${ping.toFixed(1)} ms; waits: ${stats.waits}, channels: ${stats.channels}`;
  setTimeout(watchHealth, 1000);
}

void watchHealth();
