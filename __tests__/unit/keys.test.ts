import { describe, expect, it } from '@jest/globals';
import { checkId, createKeys } from '../../src/keys.ts';

describe('keys', () => {
  it.each([
    ['', 'celery-task-meta-1'],
    ['myapp', 'myapp_celery-task-meta-1'],
    ['myapp_', 'myapp_celery-task-meta-1'],
    ['myapp:', 'myapp:celery-task-meta-1'],
    ['myapp-', 'myapp-celery-task-meta-1'],
    ['myapp.', 'myapp.celery-task-meta-1'],
    ['myapp/', 'myapp/_celery-task-meta-1'],
  ])('with the prefix %j are named %s', (prefix, name) => {
    expect(createKeys(prefix).task('1')).toBe(name);
  });

  it('of groups have a name of their own', () => {
    expect(createKeys('a:').group('1')).toBe('a:celery-taskset-meta-1');
  });
});

describe('an id', () => {
  it.each(['a', 'x'.repeat(512), 'é'.repeat(256), '*?[a]', 'with space', '{slot}', '漢字', '😀'])('may be %j', (id) => {
    expect(() => {
      checkId(id);
    }).not.toThrow();
  });

  it.each([
    ['', 'an empty string'],
    ['x'.repeat(513), '513 bytes'],
    ['é'.repeat(257), '514 bytes'],
    ['a\0b', 'a control character'],
    ['a\r\n', 'a control character'],
    ['a\u0085', 'a control character'],
    ['\ud800', 'a lone surrogate'],
    [null, 'null'],
    [undefined, 'type undefined'],
    [5, 'type number'],
    [['a'], 'an array'],
    [{}, 'type object'],
  ])('may not be %j', (id, flaw) => {
    const check = (): void => {
      checkId(id);
    };
    expect(check).toThrow(flaw);
    expect(check).toThrow(expect.objectContaining({ code: 'CELERY_INVALID_ID' }));
  });
});
