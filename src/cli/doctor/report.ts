/** Checks as text. */
import type { Printer } from '../io.ts';
import { oneLine } from '../text.ts';
import type { Check, CheckStatus } from './check.ts';

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red', unknown: 'gray' } as const satisfies Record<
  CheckStatus,
  string
>;

/** Prints a check: in JSON and in a pipe in one line, on a terminal in a few. */
export async function printCheck(printer: Printer, check: Check): Promise<void> {
  const { paint } = printer;
  const clean = (text: string): string => oneLine(printer.safe(text));
  const { status, node } = check;
  const [found, means, change] = [clean(check.found), clean(check.means), check.change && clean(check.change)];
  if (printer.json) {
    await printer.value({ check: check.check, status, node, found, means, change });
    return;
  }
  const name = node === undefined ? check.check : `${check.check} ${node}`;
  const state = paint(COLOURS[status], status);
  if (!printer.io.stdout.isTTY) {
    const todo = change === undefined ? '' : `; change: ${change}`;
    await printer.line(`${state}\t${name}\t${found.replace(/\.$/, '')}; ${means}${todo}`);
    return;
  }
  await printer.line(`${state}${' '.repeat(8 - status.length)}${paint('bold', name)}: ${found}`);
  await printer.line(`        ${means}`);
  if (change !== undefined) await printer.line(`        ${paint('cyan', change)}`);
}
