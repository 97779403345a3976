import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SmallSet } from '../../src/consumer/small-set.ts';

interface Member {
  readonly name: string;
}

const MEMBERS: readonly Member[] = ['a', 'b', 'c'].map((name) => ({ name }));

describe('a small set', () => {
  it('adds, deletes and tells of its members as a Set does, also back to none', () => {
    const step = fc.record({ member: fc.constantFrom(...MEMBERS), add: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const small = new SmallSet<Member>();
        const model = new Set<Member>();
        for (const { member, add } of steps) {
          if (!add) expect(small.delete(member)).toBe(model.delete(member));
          else {
            small.add(member);
            model.add(member);
          }
          expect([small.size, ...small]).toEqual([model.size, ...model]);
          expect(MEMBERS.filter((one) => small.has(one))).toEqual(MEMBERS.filter((one) => model.has(one)));
        }
      }),
    );
  });

  it.each([1, 2, 3])('lets go of each of %i members while it is passed over', (count) => {
    const small = new SmallSet<Member>();
    const members = MEMBERS.slice(0, count);
    for (const member of members) small.add(member);
    const seen: Member[] = [];
    for (const member of small) {
      seen.push(member);
      small.delete(member);
    }
    expect(seen).toEqual(members);
    expect(small.size).toBe(0);
  });

  it('passes over none that was deleted meanwhile', () => {
    const small = new SmallSet<Member>();
    for (const member of MEMBERS) small.add(member);
    const seen: string[] = [];
    for (const { name } of small) {
      seen.push(name);
      for (const other of MEMBERS.slice(1)) small.delete(other);
    }
    expect(seen).toEqual(['a']);
  });
});
