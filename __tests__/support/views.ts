/** What a program, a log or a debugger may show of a value. */
import { inspect } from 'node:util';

/** Everything that is to be seen of it. */
export function views(value: unknown): string {
  const seen = new Set<unknown>();
  const texts: string[] = [];
  for (let each = value; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each);
    texts.push(String(each), each.message, each.stack ?? '', JSON.stringify(Object.entries(each)));
  }
  texts.push(inspect(value, { depth: 10, showHidden: true }), JSON.stringify(value));
  return texts.join('\n');
}
