import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DecodeError, requestFromMessage, type TaskMessage } from '../../src/index.ts';

const signature = {
  task: 'app.next',
  args: [],
  kwargs: {},
  options: { task_id: 'n' },
  subtask_type: null,
  immutable: false,
};

const headers = {
  lang: 'py', task: 'app.add', id: 't1', shadow: null, eta: null, expires: null, group: 'g1', group_index: 2, retries: 1,
  timelimit: [null, null], root_id: 'r', parent_id: 'p', argsrepr: '(1,)', kwargsrepr: '{}', origin: 'gen@host',
  ignore_result: false, replaced_task_nesting: 0, stamped_headers: ['mark'], stamps: { mark: 'x' },
}; // prettier-ignore

const properties = { correlation_id: 't1', reply_to: '', delivery_info: { exchange: '', routing_key: 'celery' } };
const embed = { callbacks: [signature], errbacks: null, chain: [signature], chord: signature };
const message = { headers, properties, body: [[1], { k: 2 }, embed] };

describe('the request of a message', () => {
  it('has what the message has, under the names of Celery', () => {
    expect(requestFromMessage(message, { hostname: 'celery@host' })).toEqual({
      id: 't1', task: 'app.add', args: [1], kwargs: { k: 2 }, hostname: 'celery@host', retries: 1,
      delivery_info: { routing_key: 'celery' }, group: 'g1', group_index: 2, parent_id: 'p', root_id: 'r', chord: signature,
      chain: [signature], callbacks: [signature], errbacks: null, ignore_result: false, stamped_headers: ['mark'],
      stamps: { mark: 'x' },
    }); // prettier-ignore
  });

  it('has the trace that OpenTelemetry put there, and is not refused for what is none', () => {
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };
    expect(requestFromMessage({ ...message, headers: { ...headers, ...trace } })).toMatchObject(trace);
    const request = requestFromMessage({ ...message, headers: { ...headers, traceparent: 5, tracestate: null } });
    expect(request).toEqual(requestFromMessage(message));
    expect(request).not.toHaveProperty('traceparent');
  });

  it('lacks what the message lacks', () => {
    const request = requestFromMessage({ headers: { id: 't1', task: 'app.add' }, body: [[], {}, {}] });
    expect(request).toEqual({ id: 't1', task: 'app.add', args: [], kwargs: {} });
    const inherited = Object.create({ group: 'g' }) as object;
    expect(requestFromMessage({ headers: Object.assign(inherited, { id: 't', task: 'a' }), body: [[], {}, null] })).not.toHaveProperty('group'); // prettier-ignore
  });

  it.each([
    ['headers.id', { ...message, headers: { ...headers, id: 5 } }],
    ['headers.id', { ...message, headers: { task: 'app.add' } }],
    ['headers.task', { ...message, headers: { id: 't1' } }],
    ['headers.group', { ...message, headers: { ...headers, group: {} } }],
    ['headers.group_index', { ...message, headers: { ...headers, group_index: '1' } }],
    ['headers.retries', { ...message, headers: { ...headers, retries: 1.5 } }],
    ['headers.stamps', { ...message, headers: { ...headers, stamps: [] } }],
    ['headers.stamped_headers', { ...message, headers: { ...headers, stamped_headers: [1] } }],
    ['body[2].chord', { ...message, body: [[], {}, { chord: 'x' }] }],
    ['body[2].chain', { ...message, body: [[], {}, { chain: [{}] }] }],
    ['body[2].errbacks', { ...message, body: [[], {}, { errbacks: {} }] }],
    ['body[1]', { ...message, body: [[], [], {}] }],
    ['body[0]', { ...message, body: ['x', {}, {}] }],
    ['body', { ...message, body: '[]' }],
    ['body', { ...message, body: [[], {}] }],
    ['headers', { ...message, headers: null }],
    ['properties', { ...message, properties: 5 }],
    ['properties.delivery_info.routing_key', { ...message, properties: { delivery_info: { routing_key: 5 } } }],
  ])('is refused for a wrong %s', (where, wrong) => {
    const make = (): unknown => requestFromMessage(wrong);
    expect(make).toThrow(DecodeError);
    expect(make).toThrow(`The ${where} of a task's message: expected`);
  });

  it('is refused with a DecodeError, and pollutes nothing, whatever comes', () => {
    const anything = fc.anything({ withNullPrototype: true });
    const hostile = fc.record({
      headers: anything,
      properties: anything,
      body: fc.oneof(anything, fc.array(anything)),
    });
    const likely = fc.record({
      headers: fc.tuple(fc.constant({ id: 't', task: 'a' }), fc.dictionary(fc.constantFrom(...Object.keys(headers)), anything)).map(([a, b]) => ({ ...a, ...b })),
      body: fc.tuple(fc.constant([]), fc.constant({}), fc.dictionary(fc.constantFrom('chord', 'chain', '__proto__'), anything)),
    }); // prettier-ignore
    fc.assert(
      fc.property(fc.oneof(anything, hostile, likely), (given) => {
        try {
          requestFromMessage(given as TaskMessage);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 500 },
    );
    const polluting = JSON.parse(
      '{"id": "t", "task": "a", "__proto__": {"group": "g"}, "stamps": {"__proto__": 1}}',
    ) as object;
    expect(requestFromMessage({ headers: polluting, body: [[], {}, {}] }).group).toBeUndefined();
  });
});
