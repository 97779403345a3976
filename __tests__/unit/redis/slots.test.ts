import { describe, expect, it } from '@jest/globals';
import { readAddress, readSlots, slotOf } from '../../../src/redis/slots.ts';
import type { Address } from '../../../src/redis/topology.ts';

const asked = { host: 'asked', port: 1 };
const same = (address: Address): Address => address;

describe('the slot of a key', () => {
  // By CLUSTER KEYSLOT of Redis 7.
  it.each([
    ['', 0],
    ['123456789', 12739],
    ['foo', 12182],
    ['celery-task-meta-1', 7307],
    ['{user}.a', 5474],
    ['x{user}y{z}', 5474],
    ['{}foo', 9500],
    ['{foo', 13308],
    ['é', 10180],
  ])('%j is that of Redis', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });
});

describe('the map of a cluster', () => {
  const reply = [
    [0, 8191, ['a', 7000, 'id-a', []], ['r', 7002, 'id-r', []]],
    [8192, 16382, ['', 7001, 'id-b', []]],
  ];

  it('has the masters of the slots, every node, and none for a slot that is not served', () => {
    const map = readSlots(reply, asked, same);
    expect([map.owners[0], map.owners[8191], map.owners[8192], map.owners[16383]]).toEqual([
      'a:7000',
      'a:7000',
      'asked:7001',
      undefined,
    ]);
    expect([...map.masters]).toEqual(['a:7000', 'asked:7001']);
    expect([...map.nodes.keys()]).toEqual(['a:7000', 'r:7002', 'asked:7001']);
  });

  it('is of addresses as they are reached from here', () => {
    const map = readSlots(reply, asked, ({ port }) => ({ host: 'nat', port: port + 1 }));
    expect(map.nodes.get('nat:7001')).toEqual({ host: 'nat', port: 7001 });
  });

  it('that is something else is an error', () => {
    expect(() => readSlots('OK', asked, same)).toThrow('CLUSTER SLOTS gave something else than lists');
  });

  it.each([
    ['10.0.0.1:7000', { host: '10.0.0.1', port: 7000 }],
    [':7000', { host: 'asked', port: 7000 }],
    ['?:7000', { host: 'asked', port: 7000 }],
    ['::1:7000', { host: '::1', port: 7000 }],
  ])('takes %s of a redirection', (text, address) => {
    expect(readAddress(text, asked, same)).toEqual(address);
  });
});
