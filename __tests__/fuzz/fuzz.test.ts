/** A few thousand of the inputs that `npm run fuzz` makes millions of. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openBackends } from './backends.ts';
import { Careless, Money, openReaders, type Reader } from './readers.ts';
import { fuzz } from './run.ts';

/** Inputs of all readers together. */
const RUNS = 3000;

const readers: Reader[] = [];
let close: () => Promise<void>;

beforeAll(async () => {
  const backends = await openBackends();
  close = () => backends.close();
  readers.push(...(await openReaders()), ...backends.readers);
});
afterAll(() => close());

const NAMES = [
  ...['json', 'yaml', 'msgpack', 'superjson'].flatMap((format) => [format, `meta:${format}`, `part:${format}`, `group:${format}`]),
  ...['exception', 'tuple', 'id', 'url', 'env', 'options', 'conf', 'message'],
  ...['json', 'superjson', 'yaml', 'msgpack'].flatMap((format) => [`backend:${format}`, `chord:${format}`]),
]; // prettier-ignore

describe('hostile input', () => {
  it.each(NAMES)('is read by %s, or refused with a typed error', async (name) => {
    const shares = readers.reduce((sum, { share }) => sum + share, 0);
    const reader = readers.find((each) => each.name === name);
    if (!reader) throw new Error(`no reader ${name}`);
    const runs = Math.ceil((RUNS * reader.share) / shares);
    const { finding, inputs } = await fuzz(reader, { seed: 1, runs }, [Money, Careless]);
    expect(finding).toBeUndefined();
    expect(inputs).toBe(runs);
  });

  it('is given to every reader there is', () => {
    expect(readers.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
  });
});
