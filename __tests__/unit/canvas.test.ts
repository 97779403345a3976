import { describe, expect, it } from '@jest/globals';
import {
  Canvas,
  type CanvasMessage,
  chain,
  chord,
  encodeBody,
  group,
  redisEnvelope,
  signature,
} from '../../src/canvas/index.ts';
import type { ResultTuple, Signature, TaskRequest } from '../../src/index.ts';

/** A canvas that keeps what it does. */
class Kept {
  readonly steps: (CanvasMessage | readonly [string, number] | 'header')[] = [];
  readonly canvas: Canvas = new Canvas({
    send: (message) => this.steps.push(message),
    backend: {
      setChordSize: (groupId, size) => Promise.resolve(this.steps.push([groupId, size])),
      applyChord: () => Promise.resolve(this.steps.push('header')),
    },
  });

  get messages(): readonly CanvasMessage[] {
    return this.steps.filter((step): step is CanvasMessage => typeof step === 'object' && 'headers' in step);
  }

  async sent(sig: Signature, args?: readonly unknown[]): Promise<CanvasMessage> {
    await this.canvas.apply(sig, args);
    const message = this.messages.at(-1);
    if (!message) throw new Error('nothing was sent');
    return message;
  }
}

const add = (...args: unknown[]): Signature => signature('add', args);

describe('a canvas', () => {
  it('puts the arguments it is given before those of the signature, unless that is immutable', async () => {
    const kept = new Kept();
    expect((await kept.sent(add(2), [1])).body[0]).toEqual([1, 2]);
    expect((await kept.sent(signature('add', [2], { immutable: true }), [1])).body[0]).toEqual([2]);
  });

  it('leaves the signature it is given as it was, so that it can be sent again', async () => {
    const sig = chain([add(1), group([add(2), add(3)]), chord([add(4)], add(5), { queue: 'q' })]);
    const before = JSON.stringify(sig);
    const kept = new Kept();
    const [first, second] = [await kept.canvas.apply(sig), await kept.canvas.apply(sig)];
    expect(JSON.stringify(sig)).toBe(before);
    expect(first?.[0][0]).not.toBe(second?.[0][0]);
  });

  it('takes options by their names on the wire', async () => {
    const options = {
      queue: 'fast',
      priority: 7,
      countdown: 60,
      expires: new Date(0),
      time_limit: 9,
      shadow: 'x',
      stamped_headers: ['by'],
      by: 'me',
    };
    const { headers, properties, queue } = await new Kept().sent(signature('add', [1n, true, 'a'], { options }));
    expect([queue, properties.priority]).toEqual(['fast', 7]);
    expect(headers).toMatchObject({
      ...{ shadow: 'x', timelimit: [9, null], expires: '1970-01-01T00:00:00.000000+00:00', argsrepr: "(1, True, 'a')" },
      ...{ stamped_headers: ['by'], stamps: { by: 'me' } },
    });
    expect(Date.parse(String(headers['eta'])) - Date.now()).toBeGreaterThan(50_000);
  });

  it('writes bigints, NaN and dates as kombu does', async () => {
    const message = await new Kept().sent(add(2n ** 70n, NaN, new Date(0)));
    const date = '{"__type__": "datetime", "__value__": "1970-01-01T00:00:00+00:00"}';
    expect(encodeBody(message)).toContain(`[[1180591620717411303424, NaN, ${date}], {}, {"callbacks": null`);
    const { body } = JSON.parse(redisEnvelope(message)) as { body: string };
    expect(Buffer.from(body, 'base64').toString()).toBe(encodeBody(message));
  });

  it('tells the size of a chord right before the last part of it, and counts leaves', async () => {
    const kept = new Kept();
    await kept.canvas.apply(chord([chain([add(1), add(2)]), chord([add(3), add(4)], add()), add(5)], add()));
    const kinds = kept.steps.map((step) => (Array.isArray(step) ? (step as [string, number])[1] : 'message'));
    expect(kinds).toEqual(['message', 'message', 2, 'message', 3, 'message']);
  });

  it('does not tell it anew for a chain of a header that ends in a group', async () => {
    const kept = new Kept();
    await kept.canvas.apply(chord([chain([add(1), group([add(2), add(3)])]), add(4)], add()));
    const [header, first, size] = kept.steps as ['header', CanvasMessage, [string, number]];
    expect([header, size[1]]).toEqual(['header', 3]);
    const [args, kwargs, embed] = first.body;
    const steps = kept.steps.length;
    await kept.canvas.sendNext({ ...first.headers, args, kwargs, ...embed } as TaskRequest, 1);
    const next = kept.steps.slice(steps) as CanvasMessage[];
    expect(next.map(({ headers }) => [headers['group'], headers['group_index']])).toEqual([
      [size[0], 0],
      [size[0], 1],
    ]);
    expect(next.every(({ body }) => body[2].chord !== null)).toBe(true);
  });

  it('knows whose child a task is, and that task its children', async () => {
    const kept = new Kept();
    const request: TaskRequest = { id: 'parent', root_id: 'root', callbacks: [chain([add(1), add(2)])] };
    const children = await kept.canvas.run(request, async () => {
      await kept.canvas.apply(add(0));
      return kept.canvas.sendNext(request, 5);
    });
    expect(kept.messages.map(({ headers }) => [headers.root_id, headers.parent_id])).toEqual([
      ['root', 'parent'],
      ['root', 'parent'],
    ]);
    expect(children).toEqual(kept.messages.map(({ headers }): ResultTuple => [[headers.id, null], null]));
    expect(kept.canvas.children).toEqual([]);
  });

  it('sends error callbacks with the id of the task, as a group', async () => {
    const kept = new Kept();
    const request: TaskRequest = { id: 'failed', errbacks: [add(1), signature('other', [], { immutable: true })] };
    const [tuple] = await kept.canvas.hooks.callErrbacks({ request, error: new Error('boom'), traceback: null });
    expect(kept.messages.map(({ body }) => body[0])).toEqual([['failed', 1], []]);
    expect(kept.messages.map(({ headers }) => headers.parent_id)).toEqual(['failed', 'failed']);
    expect(tuple?.[1]?.map(([[id]]) => id)).toEqual(kept.messages.map(({ headers }) => headers.id));
    expect(await kept.canvas.callErrbacks({ request: { id: 'a' }, error: null, traceback: null })).toEqual([]);
  });

  it.each([
    [{}, 'the name of its task'],
    [null, 'a signature; got null'],
    [{ task: 'celery.group', subtask_type: 'group', kwargs: { tasks: 'no' } }, 'a list'],
    [{ task: 'celery.chord', subtask_type: 'chord', kwargs: { header: [] } }, 'a signature; got a undefined'],
  ])('refuses %j, which is no signature', async (sig, message) => {
    const kept = new Kept();
    await expect(kept.canvas.apply(sig as Signature)).rejects.toMatchObject({
      code: 'CELERY_DECODE',
      message: expect.stringContaining(message),
    });
    expect(kept.steps).toEqual([]);
  });

  it('refuses a signature that is deeper than a thousand', async () => {
    let deep = add();
    for (let i = 0; i < 1001; i++) deep = group([deep]);
    await expect(new Kept().canvas.apply(deep)).rejects.toMatchObject({ code: 'CELERY_DECODE' });
  });

  it('refuses a group with a callback, and a chord where there is no backend, before anything is sent', async () => {
    const sent: unknown[] = [];
    const canvas = new Canvas({ send: (message) => sent.push(message) });
    await expect(canvas.apply(group([add()], { link: [add()] }))).rejects.toMatchObject({
      code: 'CELERY_INVALID_ARGUMENT',
    });
    await expect(canvas.apply(chord([add(), add()], add()))).rejects.toMatchObject({
      code: 'CELERY_IMPROPERLY_CONFIGURED',
    });
    expect(sent).toEqual([]);
  });

  it('rejects with what the broker said', async () => {
    const canvas = new Canvas({ send: () => Promise.reject(new Error('no broker')) });
    await expect(canvas.apply(add())).rejects.toThrow('no broker');
  });
});
