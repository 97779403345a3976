/** Messages of ours beside those that real Celery makes of the same signatures. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Canvas, type CanvasMessage } from '../../src/canvas/index.ts';
import type { ResultTuple, Signature, TaskRequest } from '../../src/index.ts';
import { Border } from '../support/border.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const { celery: celeryVersion } = findCeleryPython();
const version = `Celery ${celeryVersion}`;

/** What a producer did, in order of time, as far as it can be told from outside. */
interface Sent {
  readonly messages: readonly Pick<CanvasMessage, 'headers' | 'body'>[];
  readonly sizes: Readonly<Record<string, number>>;
  readonly headers: readonly unknown[];
  readonly result: unknown;
}

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

const PRELUDE = `
import base64
from celery import chain, chord, group, signature
r = redis.Redis.from_url(URL)
r.flushall()
app = make_app(task_default_queue='captured')
app.set_default()
add, tsum = (lambda *a, **o: signature('add', args=a, app=app).set(**o)), (lambda *a: signature('tsum', args=a, app=app))
def sent(result):
  messages = [json.loads(m) for m in reversed(r.lrange('captured', 0, -1))]
  keys = [k.decode() for k in r.keys('celery-taskset-meta-*')]
  return {
    'messages': [{'headers': m['headers'], 'body': json.loads(base64.b64decode(m['body']))} for m in messages],
    'sizes': {k[len('celery-taskset-meta-'):-2]: int(r.get(k)) for k in keys if k.endswith('.s')},
    'headers': [json.loads(r.get(k))['result'] for k in keys if not k.endswith('.s')],
    'result': result and result.as_tuple(),
  }
`;

/** What Celery sends for a signature, and the signature as it was before. */
function celery(expression: string): Promise<{ readonly signature: Signature; readonly sent: Sent }> {
  return border.python.run(`${PRELUDE}
signature_ = ${expression}
before = json.loads(json.dumps(signature_))
return {'signature': before, 'sent': sent(signature_.apply_async())}`);
}

/** What a worker of Celery sends after a task with this request returned 7. */
function celeryNext(request: TaskRequest): Promise<Sent> {
  return border.python.run(
    `${PRELUDE}
options = {'parent_id': request['id'], 'root_id': request['root_id']}
callbacks = [signature(callback, app=app) for callback in request['callbacks'] or []]
if len(callbacks) > 1:
  group(callbacks, app=app).apply_async((7,), **options)
elif callbacks:
  callbacks[0].apply_async((7,), **options)
chain_ = request['chain']
if chain_:
  signature(chain_.pop(), app=app).apply_async((7,), chain=chain_, **options)
return sent(None)`,
    { request },
  );
}

/** A canvas that keeps what it would send. */
class Recorded {
  readonly messages: CanvasMessage[] = [];
  readonly sizes: Record<string, number> = {};
  readonly headers: unknown[] = [];
  readonly canvas = new Canvas({
    queue: 'captured',
    send: (message) => this.messages.push(message),
    backend: {
      setChordSize: (groupId, size) => Promise.resolve((this.sizes[groupId] = size)),
      applyChord: (header) => Promise.resolve(this.headers.push(header)),
    },
  });

  sent(result: ResultTuple | null): Sent {
    const { messages, sizes, headers } = this;
    return { messages: messages.map(({ headers, body }) => ({ headers, body })), sizes, headers, result };
  }
}

/** Beside the point: who sent it, and what is there without meaning anything. */
const IGNORED = new Set([
  'lang',
  'origin',
  'reply_to',
  'add_to_parent',
  'stamped_headers',
  'stamps',
  'replaced_task_nesting',
  'priority',
]);

/** Where a task is said to be in a group or a chord: the headers of its message, or the options of its signature. */
interface Place {
  readonly bag: Record<string, unknown>;
  readonly group: 'group' | 'group_id';
  readonly chord: unknown;
}

/** What Celery writes in more places than it did. */
interface Addition {
  /** The version that is known to; 5.2 does not. */
  readonly since: string;
  readonly what: string;
  /** Whether messages of ours may have it, where 5.2 has it. */
  readonly isOurs: boolean;
  drop(place: Place): void;
}

/** Workers of each version take messages with them and without. */
const ADDITIONS: readonly Addition[] = [
  {
    since: '5.6',
    what: 'the body of a chord is in the group of its header, where it alone has no index',
    isOurs: false,
    drop: ({ bag, group, chord }) => {
      if (!chord && typeof bag['group_index'] !== 'number') bag[group] = null;
    },
  },
  {
    since: '5.6',
    what: 'a member of any group has an index, also where no chord counts it',
    isOurs: true,
    drop: ({ bag, chord }) => {
      if (!chord) bag['group_index'] = null;
    },
  },
  {
    since: '5.6',
    what: 'a chain that is the body of a chord has an id besides those of its tasks',
    isOurs: false,
    drop: ({ chord }) => {
      const { subtask_type: type, options } = Object(chord) as { subtask_type?: string; options: Place['bag'] };
      if (type === 'chain') options['task_id'] = null;
    },
  },
];

/** Whether this Celery is of that version, or newer. */
function isSince(wanted: string): boolean {
  const [[major = 0, minor = 0] = [], [x = 0, y = 0] = []] = [celeryVersion, wanted].map((text) =>
    text.split('.').map(Number),
  );
  return major > x || (major === x && minor >= y);
}

/** Messages of this Celery, or of ours beside them, in the words of 5.2. */
function inOldWords(sent: Sent, isOurs: boolean): Sent {
  const copy = JSON.parse(JSON.stringify(sent)) as Sent;
  const additions = ADDITIONS.filter((each) => isSince(each.since) && (each.isOurs || !isOurs));
  const clean = (place: Place): void => {
    for (const addition of additions) addition.drop(place);
  };
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { options } = value as { options?: Place['bag'] };
    if (options) clean({ bag: options, group: 'group_id', chord: options['chord'] });
    for (const each of Object.values(value)) walk(each);
  };
  for (const { headers, body } of copy.messages) clean({ bag: headers, group: 'group', chord: body[2].chord });
  walk(copy.messages);
  return copy;
}

/** The same with sorted keys, without what is null, and with ids by the order in which they first appear. */
function canonical(sent: unknown): unknown {
  const names = new Map<string, string>();
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string' && /^[\da-f]{8}-/.test(value)) {
      if (!names.has(value)) names.set(value, `id-${names.size}`);
      return names.get(value);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(walk);
    const fields = Object.entries(value)
      .filter(([key, item]) => !IGNORED.has(key) && item !== null && item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(fields.map(([key, item]) => [walk(key), walk(item)]));
  };
  return walk(JSON.parse(JSON.stringify(sent)));
}

const SIGNATURES = {
  'a task with callbacks and options': 'add(1, 2, link=[add(5)], link_error=[tsum()], shadow="x", time_limit=9)',
  'a chain': 'chain(add(1, 2), add(3), add(4))',
  'a chain in a chain': 'chain(add(1, 2), chain(add(3), add(4)), add(5))',
  'a group': 'group(add(1, 2), add(3, 4), add(5, 6))',
  'a group of chains': 'group(chain(add(1, 2), add(3)), add(5, 6))',
  'a chord': 'chord([add(1, 2), add(3, 4)], tsum())',
  'a chord without a header': 'chord([], tsum())',
  'a chord of a chain, a task and a chord':
    'chord([chain(add(1, 1), add(2)), add(4, 4), chord([add(7, 7)], tsum())], tsum())',
  'a chord whose header has a chain that ends in a group':
    'chord([chain(add(1, 1), group(add(2), add(3))), add(4, 4)], tsum())',
  'a chain through a group, which is a chord': 'chain(add(1, 2), group(add(3), add(4)), tsum(), add(9))',
  'a chain that begins with a group': 'chain(group(add(1, 3), add(1, 4)), tsum(), add(9))',
  'a chain that ends in a group': 'chain(add(1, 2), group(add(3), add(4)))',
};

describe(`the messages of a signature, beside those of ${version}`, () => {
  it.each(Object.entries(SIGNATURES))('are the same for %s', async (_, expression) => {
    const { signature, sent } = await celery(expression);
    const recorded = new Recorded();
    const result = await recorded.canvas.apply(signature);
    const { result: tuple, ...rest } = inOldWords(recorded.sent(result), true);
    const { result: theirs, ...others } = inOldWords(sent, false);
    expect(canonical(rest)).toEqual(canonical(others));
    // A chain as body: Celery forgets the tasks of it that come before the last.
    if (!expression.startsWith('chain(group')) expect(canonical(tuple)).toEqual(canonical(theirs));
  });
});

describe(`what is sent after a task, beside what a worker of ${version} sends`, () => {
  it.each(
    Object.entries({
      'the next of a chain': 'chain(add(1, 2), add(3), add(4))',
      'a chord': 'chain(add(1, 2), group(add(3), add(4)), tsum(), add(9))',
      'a group': 'chain(add(1, 2), group(add(3), add(4)))',
      'one callback': 'add(1, 2, link=[add(5)])',
      'two callbacks': 'add(1, 2, link=[add(5), add(6)])',
    }),
  )('is the same for %s', async (_, expression) => {
    const { sent } = await celery(expression);
    const [message] = sent.messages;
    if (!message) throw new Error('nothing was sent');
    const [args, kwargs, embed] = message.body;
    const request = { ...message.headers, args, kwargs, ...embed } as TaskRequest;
    const recorded = new Recorded();
    await recorded.canvas.sendNext(request, 7);
    const theirs = inOldWords(await celeryNext(request), false);
    expect(canonical(inOldWords(recorded.sent(null), true))).toEqual(canonical(theirs));
    expect(recorded.messages.length).toBeGreaterThan(0);
  });
});
