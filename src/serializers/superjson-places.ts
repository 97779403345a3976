/** Places in a value by superjson's paths: into arrays, objects, maps and sets. */
import { DecodeError } from '../errors.ts';

type Row = unknown[];

/** Finds and replaces what is in places of a value. */
export class Places {
  readonly #root: { value: unknown };
  /** What is in maps (pairs) and sets (one each), in order, since neither can be asked for its nth. */
  readonly #rows = new Map<Map<unknown, unknown> | Set<unknown>, Row[]>();
  readonly #changed = new Set<Map<unknown, unknown> | Set<unknown>>();

  constructor(root: { value: unknown }) {
    this.#root = root;
  }

  /** @throws DecodeError when there is no such place */
  get(path: readonly string[]): unknown {
    let value = this.#root.value;
    for (let at = 0; at < path.length; at++) {
      const { owner, key, steps } = this.#step(value, path, at);
      value = (owner as Record<string | number, unknown>)[key];
      at += steps - 1;
    }
    return value;
  }

  /** @throws DecodeError when there is no such place */
  set(path: readonly string[], replacement: unknown): void {
    let value = this.#root.value;
    for (let at = 0; at < path.length; at++) {
      const { owner, key, steps, of } = this.#step(value, path, at);
      at += steps - 1;
      if (at === path.length - 1) {
        (owner as Record<string | number, unknown>)[key] = replacement;
        if (of) this.#changed.add(of);
      }
      value = (owner as Record<string | number, unknown>)[key];
    }
  }

  /** Puts what was replaced into maps and sets. */
  finish(): void {
    for (const container of this.#changed) {
      const rows = this.#rows.get(container) ?? [];
      container.clear();
      if (container instanceof Map) for (const [key, value] of rows) container.set(key, value);
      else for (const [item] of rows) container.add(item);
    }
  }

  /** One step of a path; into a map it takes two: the row, and 0 for its key or 1 for its value. */
  #step(
    value: unknown,
    path: readonly string[],
    at: number,
  ): { owner: object; key: string | number; steps: number; of?: Map<unknown, unknown> | Set<unknown> } {
    const key = path[at] ?? '';
    if (value instanceof Map || value instanceof Set) {
      const row = this.#rowsOf(value)[indexOf(key)];
      const half = value instanceof Map ? indexOf(path[at + 1] ?? '') : 0;
      if (row && half < row.length) return { owner: row, key: half, steps: value instanceof Map ? 2 : 1, of: value };
    } else if (Array.isArray(value)) {
      const index = indexOf(key);
      if (index < value.length) return { owner: value, key: index, steps: 1 };
    } else if (typeof value === 'object' && value !== null && key !== '__proto__' && isData(value, key)) {
      return { owner: value, key, steps: 1 };
    }
    throw new DecodeError('superjson cannot decode the value: it has a path that leads nowhere.');
  }

  #rowsOf(container: Map<unknown, unknown> | Set<unknown>): Row[] {
    const known = this.#rows.get(container);
    if (known) return known;
    const rows: Row[] = container instanceof Map ? [...container] : Array.from(container, (item) => [item]);
    this.#rows.set(container, rows);
    return rows;
  }
}

function isData(value: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(value, key)?.writable === true;
}

/** NaN for what is no index. */
function indexOf(key: string): number {
  return /^(?:0|[1-9]\d{0,9})$/.test(key) ? Number(key) : NaN;
}

/** The steps of a path, in which a dot of a key is escaped; and a backslash too, but not in what older versions wrote. */
export function parsePath(path: string, isLegacy: boolean): string[] {
  const steps: string[] = [];
  let step = '';
  for (let i = 0; i < path.length; i++) {
    const char = path.charAt(i);
    const next = path.charAt(i + 1);
    const isEscape = char === '\\' && (next === '.' || (next === '\\' && !isLegacy));
    if (isEscape) {
      step += next;
      i += 1;
    } else if (char === '.') {
      steps.push(step);
      step = '';
    } else if (char === '\\' && !isLegacy) {
      throw new DecodeError('superjson cannot decode the value: it has a malformed path.');
    } else step += char;
  }
  return [...steps, step];
}
